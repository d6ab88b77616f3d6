#include <algorithm>
#include <cmath>

#include "analysis/attack.h"
#include "analysis/rhythm.h"
#include "dsp/statistics.h"

namespace grym {
namespace {

// Median of half a second on either side, taken anew sixteen times a second: how restless the recording is here.
std::vector<float> Restlessness(const std::vector<float>& flux, double rate_hz) {
  const int64_t count = std::ssize(flux), reach = std::lround(0.5 * rate_hz), step = std::max<int64_t>(1, reach / 8);
  std::vector<float> result(flux.size()), window;
  for (int64_t from = 0; from < count; from += step) {
    window.assign(flux.begin() + std::max<int64_t>(0, from - reach), flux.begin() + std::min(count, from + reach));
    const auto middle = window.begin() + std::ssize(window) / 2;
    std::nth_element(window.begin(), middle, window.end());
    std::fill(result.begin() + from, result.begin() + std::min(count, from + step), *middle);
  }
  return result;
}

}  // namespace

// A frame is an onset when it is the largest within 30 ms and stands out of its surroundings. Source: Böck, Krebs and
// Schedl 2012, section 2.2. Differs: the threshold scales with the recording, and with how restless it is around.
std::vector<double> PickOnsets(const OnsetSeries& onsets) {
  const std::vector<float>& flux = onsets.whole;
  std::vector<double> times;
  if (flux.empty()) return times;
  const auto frames_of = [&](double seconds) { return static_cast<int>(std::lround(seconds * onsets.rate_hz)); };
  const std::vector<float> largest = MovingMaximum(flux, frames_of(0.03), frames_of(0.03));
  const std::vector<float> mean = MovingMean(flux, frames_of(0.10), frames_of(0.07));
  const double strong = Percentile(flux, 0.98);
  const std::vector<float> restless = Restlessness(flux, onsets.rate_hz);
  const double threshold = std::max(0.08 * strong, 0.35);
  const double loud = Percentile(onsets.level_rms, 0.95);
  const Envelope envelope{onsets.attack_rms.data(), onsets.level_rms.data(), 0, std::ssize(onsets.attack_rms),
                          onsets.attack_rate_hz};
  for (size_t i = 0; i < flux.size(); ++i) {
    if (flux[i] < largest[i] || flux[i] < mean[i] + threshold + restless[i]) continue;
    const double shift = i > 0 && i + 1 < flux.size() ? PeakShift(flux[i - 1], flux[i], flux[i + 1]) : 0;
    // The flux looks kOnsetLag frames back, which delays its peak, and compression makes it early by as much.
    const double time = std::max(0.0, RefineByAttack(envelope, (static_cast<double>(i) + shift) / onsets.rate_hz));
    if (!IsHeard(envelope, time, loud) || IsAnEnd(envelope, time)) continue;
    if (times.empty() || time > times.back() + 0.03) times.push_back(time);
  }
  return times;
}

}  // namespace grym
