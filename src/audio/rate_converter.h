// What changes the sample rate of a stream: one interface over soxr and libsamplerate.
#pragma once
#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grymsynth/audio_file.h"

namespace grym {

// Delay compensated; zeros lie before the first frame and after the last. Threads: one at a time.
class RateConverter {
 public:
  struct Step {
    int64_t taken = 0;  // frames of the input that need not be given again
    int64_t made = 0;   // frames written
  };
  virtual ~RateConverter() = default;
  // Takes at most `frames` of every channel, writes at most `room`. `last`: no input follows these. While nothing is
  // taken and nothing made, all is said that can be said.
  virtual absl::StatusOr<Step> Convert(const float* const* in, int64_t frames, bool last, float* const* out,
                                       int64_t room) = 0;
  // As new. What it needs anew is asked for at the next Convert.
  virtual void Reset() = 0;
};

// By soxr; `quality` is one of its three.
absl::StatusOr<std::unique_ptr<RateConverter>> MakeSoxrConverter(int channels, int from_rate_hz, int to_rate_hz,
                                                                 ResampleQuality quality);
// By libsamplerate's best sinc converter. The rates are at most 256 times apart.
absl::StatusOr<std::unique_ptr<RateConverter>> MakeSamplerateConverter(int channels, int from_rate_hz, int to_rate_hz);

}  // namespace grym
