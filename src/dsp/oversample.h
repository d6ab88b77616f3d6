// Four times oversampling for true peaks. Source: ITU-R BS.1770-5, Annex 2 (48 taps as four phases of 12).
#pragma once
#include <array>
#include <span>
#include <vector>

namespace grym {

// One channel as a stream. The filter's delay is kDelay input samples. Threads: one at a time.
class TruePeakFilter {
 public:
  static constexpr int kPhases = 4;
  static constexpr int kTaps = 12;
  static constexpr int kDelay = 6;
  // peaks[n] = largest magnitude of the four interpolated samples around in[n - kDelay] and of that sample itself.
  // `peaks` has the size of `in`.
  void Process(std::span<const float> in, std::span<float> peaks);
  // The four times oversampled signal; `out` has 4 * in.size() samples.
  void Oversample(std::span<const float> in, std::span<float> out);
  void Reset() { history_.fill(0); }

 private:
  void Load(std::span<const float> in);
  std::array<float, kTaps - 1> history_{};
  std::vector<float> extended_;
};

// Largest true peak of a whole channel, as a linear value.
double TruePeak(std::span<const float> samples);

}  // namespace grym
