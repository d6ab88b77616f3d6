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
  int reach() const { return reach_; }            // samples that a point between two needs on either side
  float gain_bound() const { return gain_bound_; }  // no point between exceeds this many times the largest sample
  // Raises peaks[n] to the largest magnitude between x[n + reach - 1] and x[n + reach]; `x` holds 2 * reach - 1 samples
  // more than `peaks`.
  void RaiseBetween(const float* x, std::span<float> peaks) const;
  // Largest magnitude around each frame in [start, start + peaks.size()): the sample itself and the points between it
  // and its two neighbours. Samples beyond the ends of `signal` count as 0. Raises `peaks`, never lowers.
  // Where nothing can reach `floor` the points between are left out.
  void RaiseFramePeaks(std::span<const float> signal, int64_t start, float floor, std::span<float> peaks) const;

 private:
  int factor_;
  std::vector<std::vector<float>> phases_;  // [factor - 1, taps]: coefficients of x[n - reach + 1 .. n + reach]
  int reach_ = 0;
  float gain_bound_ = 1;
};

// The true peak of a stream, over all its channels. Threads: one at a time.
class TruePeakMeter {
 public:
  TruePeakMeter(int channels, int rate_hz);
  void Push(std::span<const float* const> channels, int64_t frames);
  // Linear; 0 for silence or no frames. The signal is taken to go on as silence.
  double Finish();
  double so_far() const { return peak_; }

 private:
  void Take(size_t channel, std::span<const float> samples);
  TruePeakInterpolator interpolator_;
  std::vector<std::vector<float>> recent_;  // per channel: the last 2 * reach - 1 samples, then room for new ones
  std::vector<float> between_;
  float peak_ = 0;
};

// Linear, 0 for silence or no frames. Cancelled when asked to stop.
absl::StatusOr<double> MeasureTruePeak(const AudioBuffer& audio, const RunOptions& run = {});

}  // namespace grym
