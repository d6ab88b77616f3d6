#include "analysis/enhance/true_peak.h"

#include <algorithm>
#include <cmath>

#include "base/status.h"

namespace grym {
namespace {

constexpr int kInterpolatorTaps = 49;
constexpr int64_t kPeakBlockFrames = 1 << 14;

}  // namespace

// Source: libebur128 1.2.6, interp_create: c[j] = sinc((j - 24) / factor) * hann(j). Output phase f of sample n lies
// at n - 24 / factor + f / factor; here the phases are stored centred.
TruePeakInterpolator::TruePeakInterpolator(int rate_hz) : factor_(rate_hz < 96000 ? 4 : rate_hz < 192000 ? 2 : 1) {
  const int centre = (kInterpolatorTaps - 1) / 2;
  reach_ = centre / factor_;
  for (int phase = 1; phase < factor_; ++phase) {
    std::vector<float> taps(static_cast<size_t>(2 * reach_));
    double sum = 0;
    for (int i = 0; i < 2 * reach_; ++i) {
      // Point at n + phase / factor from x[n - reach + 1 + i].
      const double offset = phase - static_cast<double>(factor_) * (i - reach_ + 1);
      const double x = M_PI * offset / factor_;
      const double hann = 0.5 * (1 - std::cos(2 * M_PI * (offset + centre) / (kInterpolatorTaps - 1)));
      taps[static_cast<size_t>(i)] = static_cast<float>(std::sin(x) / x * hann);
      sum += std::abs(static_cast<double>(taps[static_cast<size_t>(i)]));
    }
    gain_bound_ = std::max(gain_bound_, static_cast<float>(sum));
    phases_.push_back(std::move(taps));
  }
}

void TruePeakInterpolator::RaiseFramePeaks(std::span<const float> signal, int64_t start, float floor,
                                           std::span<float> peaks) const {
  const auto frames = static_cast<int64_t>(signal.size());
  const auto count = static_cast<int64_t>(peaks.size());
  float largest = 0;
  for (int64_t n = std::max<int64_t>(0, start - reach_); n < std::min(frames, start + count + reach_); ++n) {
    largest = std::max(largest, std::abs(signal[static_cast<size_t>(n)]));
  }
  for (int64_t n = std::max<int64_t>(0, start); n < std::min(frames, start + count); ++n) {
    float& peak = peaks[static_cast<size_t>(n - start)];
    peak = std::max(peak, std::abs(signal[static_cast<size_t>(n)]));
  }
  if (factor_ == 1 || largest * gain_bound_ < floor) return;
  std::vector<float> padded(static_cast<size_t>(count + 2 * reach_ + 1), 0.0f);  // from start - reach
  for (int64_t n = std::max<int64_t>(0, start - reach_); n < std::min(frames, start + count + reach_ + 1); ++n) {
    padded[static_cast<size_t>(n - start + reach_)] = signal[static_cast<size_t>(n)];
  }
  for (int64_t n = -1; n < count; ++n) {  // the points between n and n + 1 belong to both
    float between = 0;
    for (const std::vector<float>& taps : phases_) {
      const float* x = padded.data() + n + 1;
      float sum = 0;
      for (int i = 0; i < 2 * reach_; ++i) sum += taps[static_cast<size_t>(i)] * x[i];
      between = std::max(between, std::abs(sum));
    }
    if (n >= 0) peaks[static_cast<size_t>(n)] = std::max(peaks[static_cast<size_t>(n)], between);
    if (n + 1 < count) peaks[static_cast<size_t>(n + 1)] = std::max(peaks[static_cast<size_t>(n + 1)], between);
  }
}

absl::StatusOr<double> MeasureTruePeak(const AudioBuffer& audio, const RunOptions& run) {
  const TruePeakInterpolator interpolator(audio.rate_hz());
  float largest = 0;
  std::vector<float> peaks;
  for (int64_t start = 0; start < audio.frames(); start += kPeakBlockFrames) {
    GRYM_RETURN_IF_ERROR(run.cancel.Check());
    peaks.assign(static_cast<size_t>(std::min(kPeakBlockFrames, audio.frames() - start)), 0.0f);
    for (int c = 0; c < audio.channels(); ++c) interpolator.RaiseFramePeaks(audio.channel(c), start, largest, peaks);
    largest = std::max(largest, *std::max_element(peaks.begin(), peaks.end()));
  }
  return static_cast<double>(largest);
}

}  // namespace grym
