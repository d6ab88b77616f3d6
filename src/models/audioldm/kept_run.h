// How far a run came that was interrupted, so that the same request goes on from there, by whichever session.
#pragma once
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "models/audioldm/denoise.h"

namespace grym {

// A DenoiseState in plain memory: 8 KB for a second of sound, which no budget of tensors counts. So a kept run changes
// nothing about what another one's plan may take.
struct PlainDenoiseState {
  std::vector<int64_t> shape;
  std::vector<float> latents, previous;  // both [shape], row-major; `previous` empty where there is none
  int64_t position = 0;
  bool empty() const { return latents.empty(); }

  static PlainDenoiseState Of(const DenoiseState& state);
  DenoiseState On(c10::Device device) const;
};

// The last one of a model. Threads: any.
class KeptRun {
 public:
  // `request` tells requests apart: everything that the latents depend on.
  void Keep(std::string request, PlainDenoiseState state);
  // What is kept of it, and no longer is; empty for another request.
  PlainDenoiseState Take(const std::string& request);

 private:
  std::mutex mutex_;
  std::string request_;
  PlainDenoiseState state_;
};

}  // namespace grym
