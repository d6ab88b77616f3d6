// True peak: the largest magnitude of the band-limited signal between the samples (ITU-R BS.1770-5, annex 2).
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "grymsynth/audio_buffer.h"
#include "grymsynth/job.h"

namespace grym {

// The interpolator of libebur128 1.2 (49 taps of a Hann-windowed sinc), so that what is limited here is what a meter
// shows: 4 times below 96 kHz, 2 times below 192 kHz, none above.
class TruePeakInterpolator {
 public:
  explicit TruePeakInterpolator(int rate_hz);
  int factor() const { return factor_; }
  // Largest magnitude around each frame in [start, start + peaks.size()): the sample itself and the points between it
  // and its two neighbours. Samples beyond the ends of `signal` count as 0. Raises `peaks`, never lowers.
  // Where nothing can reach `floor` the points between are left out.
  void RaiseFramePeaks(std::span<const float> signal, int64_t start, float floor, std::span<float> peaks) const;

 private:
  int factor_;
  std::vector<std::vector<float>> phases_;  // [factor - 1, taps]: coefficients of x[n - reach + 1 .. n + reach]
  int reach_ = 0;                           // taps before and after
  float gain_bound_ = 1;                    // no point between can exceed this many times the largest sample
};

// Linear, 0 for silence or no frames. Cancelled when asked to stop.
absl::StatusOr<double> MeasureTruePeak(const AudioBuffer& audio, const RunOptions& run = {});

}  // namespace grym
