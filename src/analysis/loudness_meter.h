// Loudness of a stream after ITU-R BS.1770-5 and EBU R128, by libebur128.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "analysis/loudness_rate.h"
#include "grymsynth/audio_buffer.h"
#include "grymsynth/audio_features.h"

namespace grym {

class LoudnessMeter {
 public:
  LoudnessMeter(int channels, int rate_hz);
  ~LoudnessMeter();
  LoudnessMeter(const LoudnessMeter&) = delete;
  LoudnessMeter& operator=(const LoudnessMeter&) = delete;
  absl::Status Push(const AudioBuffer& block);
  absl::StatusOr<Loudness> Finish();

 private:
  struct State;
  absl::Status Take(std::span<const float> interleaved);
  void Read();
  int channels_;
  LoudnessRate rate_;
  int64_t frames_ = 0, readings_ = 0;  // frames at the rate of the meter
  std::unique_ptr<State> state_;
  std::vector<float> interleaved_;
  Loudness loudness_;
};

}  // namespace grym
