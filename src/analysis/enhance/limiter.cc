#include "analysis/enhance/limiter.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "analysis/true_peak.h"
#include "base/status.h"

namespace grym {
namespace {

constexpr int64_t kLimiterBlockFrames = 1 << 14;
constexpr int64_t kLimiterPollFrames = 1 << 16;
constexpr double kLookAheadS = 0.004;
constexpr double kReleaseS = 0.080;
constexpr int kMostPasses =
    4;  // a moving gain bends the points between samples by some 0.01 dB; a second pass mends it

double LinearToDb(double linear) {
  return linear > 0 ? 20 * std::log10(linear) : -std::numeric_limits<double>::infinity();
}

// What each frame needs: 1, or less where a point around it passes the ceiling.
absl::StatusOr<std::vector<float>> NeededGain(const AudioBuffer& audio, float ceiling, const RunOptions& run) {
  const TruePeakInterpolator interpolator(audio.rate_hz());
  std::vector<float> gain(static_cast<size_t>(audio.frames()), 0.0f);
  for (int64_t start = 0; start < audio.frames(); start += kLimiterBlockFrames) {
    GRYM_RETURN_IF_ERROR(run.cancel.Check());
    const auto count = static_cast<size_t>(std::min(kLimiterBlockFrames, audio.frames() - start));
    const std::span<float> peaks = std::span(gain).subspan(static_cast<size_t>(start), count);
    for (int c = 0; c < audio.channels(); ++c) interpolator.RaiseFramePeaks(audio.channel(c), start, ceiling, peaks);
    for (float& peak : peaks) peak = peak > ceiling ? ceiling / peak : 1.0f;
  }
  return gain;
}

// Smallest value within `reach` on either side, by a queue of rising values (Lemire 2006).
absl::StatusOr<std::vector<float>> SlidingMinimum(const std::vector<float>& values, int64_t reach,
                                                  const CancelToken& cancel) {
  const auto count = static_cast<int64_t>(values.size());
  std::vector<float> minimum(values.size());
  std::vector<int64_t> queue(values.size());
  size_t head = 0, tail = 0;
  for (int64_t n = 0; n < count + reach; ++n) {
    if (n < count) {
      if (n % kLimiterPollFrames == 0) GRYM_RETURN_IF_ERROR(cancel.Check());
      while (tail > head && values[static_cast<size_t>(queue[tail - 1])] >= values[static_cast<size_t>(n)]) --tail;
      queue[tail++] = n;
    }
    const int64_t centre = n - reach;
    if (centre < 0) continue;
    while (queue[head] < centre - reach) ++head;
    minimum[static_cast<size_t>(centre)] = values[static_cast<size_t>(queue[head])];
  }
  return minimum;
}

// Mean over [n - reach, n + reach]; values beyond the ends repeat the last one.
absl::StatusOr<std::vector<float>> BoxMean(const std::vector<float>& values, int64_t reach,
                                           const CancelToken& cancel) {
  const auto count = static_cast<int64_t>(values.size());
  const auto at = [&](int64_t n) {
    return static_cast<double>(values[static_cast<size_t>(std::clamp<int64_t>(n, 0, count - 1))]);
  };
  std::vector<float> mean(values.size());
  const double width = static_cast<double>(2 * reach + 1);
  double sum = 0;
  for (int64_t n = -reach; n <= reach; ++n) sum += at(n);
  for (int64_t n = 0; n < count; ++n) {
    if (n % kLimiterPollFrames == 0) GRYM_RETURN_IF_ERROR(cancel.Check());
    mean[static_cast<size_t>(n)] = static_cast<float>(std::min(1.0, sum / width));
    sum += at(n + reach + 1) - at(n - reach);
  }
  return mean;
}

absl::StatusOr<std::vector<float>> SmoothGain(std::vector<float> need, int rate_hz, const CancelToken& cancel) {
  const int64_t reach = std::max<int64_t>(2, std::llround(kLookAheadS * rate_hz)) / 2 * 2;
  GRYM_ASSIGN_OR_RETURN(std::vector<float> gain, SlidingMinimum(need, reach, cancel));
  const double release = 1 - std::exp(-1.0 / (kReleaseS * rate_hz));
  double state = 1;
  for (float& value : gain) {
    state = std::min(static_cast<double>(value), state + (1 - state) * release);
    value = static_cast<float>(state);
  }
  // Two boxes of half the reach each make a triangle that spans exactly the minimum's window.
  GRYM_ASSIGN_OR_RETURN(gain, BoxMean(gain, reach / 2, cancel));
  return BoxMean(gain, reach / 2, cancel);
}

}  // namespace

absl::StatusOr<LimiterReport> LimitTruePeak(AudioBuffer& audio, double ceiling_dbtp, const RunOptions& run) {
  const double ceiling = std::pow(10.0, ceiling_dbtp / 20);
  const auto aim = static_cast<float>(ceiling * (1 - 1e-5));  // 0.0001 dB of room for float rounding in other meters
  LimiterReport report;
  GRYM_ASSIGN_OR_RETURN(double peak, MeasureTruePeak(audio, run));
  report.true_peak_before_dbtp = LinearToDb(peak);
  std::vector<float> total;
  for (int pass = 0; pass < kMostPasses && peak > ceiling; ++pass) {
    GRYM_ASSIGN_OR_RETURN(std::vector<float> need, NeededGain(audio, aim, run));
    GRYM_ASSIGN_OR_RETURN(const std::vector<float> gain, SmoothGain(std::move(need), audio.rate_hz(), run.cancel));
    GRYM_RETURN_IF_ERROR(run.cancel.Check());
    for (int c = 0; c < audio.channels(); ++c) {
      const std::span<float> samples = audio.mutable_channel(c);
      for (size_t n = 0; n < samples.size(); ++n) samples[n] *= gain[n];
    }
    if (total.empty()) total.assign(gain.size(), 1.0f);
    for (size_t n = 0; n < gain.size(); ++n) total[n] *= gain[n];
    GRYM_ASSIGN_OR_RETURN(peak, MeasureTruePeak(audio, run));
  }
  if (peak > ceiling) {  // what is left is hundredths of a dB: turn the whole down
    const auto rest = static_cast<float>(aim / peak);
    for (float& sample : audio.mutable_planar()) sample *= rest;
    for (float& value : total) value *= rest;
    GRYM_ASSIGN_OR_RETURN(peak, MeasureTruePeak(audio, run));
  }
  report.true_peak_after_dbtp = LinearToDb(peak);
  if (!total.empty()) {
    report.max_reduction_db = -LinearToDb(*std::min_element(total.begin(), total.end()));
    const auto limited = std::count_if(total.begin(), total.end(), [](float value) { return value < 0.98855f; });
    report.limited_share = static_cast<double>(limited) / static_cast<double>(total.size());
  }
  return report;
}

}  // namespace grym
