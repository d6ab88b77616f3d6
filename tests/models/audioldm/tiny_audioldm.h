// The tiny checkpoint of AudioLDM, and requests to it, for the tests of this room.
#pragma once
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "models/audioldm/model.h"
#include "support/peer.h"

namespace grym::testing {

inline constexpr int64_t kPlenty = int64_t{1} << 30;

inline absl::StatusOr<std::shared_ptr<const AudioLdmModel>> OpenAt(const std::filesystem::path& path,
                                                                   const std::shared_ptr<MemoryBudget>& budget,
                                                                   const std::string& dtype = "float32",
                                                                   bool may_lower_precision = false) {
  OpenModelOptions options;
  options.device = "cpu";
  options.dtype = dtype;
  options.may_lower_precision = may_lower_precision;
  const auto context = ModelContext::Make(options, budget);
  if (!context.ok()) return context.status();
  const auto folder = ModelFolder::Open(path);
  if (!folder.ok()) return folder.status();
  return AudioLdmModel::Open(*folder, *context);
}

inline std::shared_ptr<const AudioLdmModel> Tiny(int64_t budget_bytes = kPlenty, const std::string& dtype = "float32") {
  return OpenAt(PeerCheckpoint("audioldm-tiny"), std::make_shared<MemoryBudget>(budget_bytes), dtype).value();
}

inline GenerateAudioRequest Rain() {
  GenerateAudioRequest request;
  request.prompt = "rain on a tin roof";
  request.negative_prompt = "noise";
  request.duration_s = 0.4;
  request.steps = 2;
  request.seed = 11;
  return request;
}

inline absl::StatusOr<GenerateAudioResult> Made(const AudioLdmModel& model, const GenerateAudioRequest& request,
                                                const RunOptions& run = {}) {
  return model.NewGenerator().value()->Generate(request, run);
}

inline std::vector<float> Samples(const absl::StatusOr<GenerateAudioResult>& made) {
  if (!made.ok()) {
    ADD_FAILURE() << made.status();
    return {};
  }
  return {made->audio.planar().begin(), made->audio.planar().end()};
}

inline AudioBuffer Chirp(double seconds, int rate_hz = 16000) {
  std::vector<float> samples(static_cast<size_t>(seconds * rate_hz));
  for (size_t i = 0; i < samples.size(); ++i) {
    const double t = static_cast<double>(i) / rate_hz;
    samples[i] = static_cast<float>(0.4 * std::sin(2 * M_PI * (200 + 900 * t) * t));
  }
  return *AudioBuffer::FromPlanar(std::move(samples), 1, rate_hz);
}

inline GenerateAudioRequest FromChirp(double strength) {
  GenerateAudioRequest request = Rain();
  request.reference_buffer = Chirp(0.64);
  request.reference_strength = strength;
  return request;
}

inline double Energy(const std::vector<float>& a, const std::vector<float>& b, size_t from = 0, size_t to = SIZE_MAX) {
  double sum = 0;
  for (size_t i = from; i < std::min({a.size(), b.size(), to}); ++i) sum += std::pow(double{a[i]} - b[i], 2);
  return sum / static_cast<double>(std::min({a.size(), b.size(), to}) - from);
}

// The smallest budget that a plan keeps to.
inline int64_t SmallestPlan(const AudioLdmModel& model, const AudioLdmWork& work) {
  int64_t refused = 0, fits = model.context().budget->limit_bytes();
  while (fits - refused > 1) {
    const int64_t middle = refused + (fits - refused) / 2;
    (model.PlanFor(work, middle).ok() ? fits : refused) = middle;
  }
  return fits;
}

}  // namespace grym::testing
