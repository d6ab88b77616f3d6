#include <algorithm>
#include <cmath>

#include "analysis/rhythm.h"
#include "dsp/statistics.h"

namespace grym {
namespace {

// The steepest rise of the fine envelope around `time_s` decides within 25 ms where one stands out; else the flux does.
double RefineByAttack(const OnsetSeries& onsets, double time_s) {
  const int64_t count = static_cast<int64_t>(onsets.attack_rms.size());
  const int64_t centre = std::lround(time_s * onsets.attack_rate_hz);
  const int64_t reach = std::lround(0.025 * onsets.attack_rate_hz);
  double best_ratio = 4;  // 12 dB within 1.5 ms over the 10 ms before: a percussive attack
  int64_t best = -1;
  for (int64_t i = std::max<int64_t>(1, centre - reach); i <= std::min(count - 1, centre + reach); ++i) {
    double before = 1e-6;
    for (int64_t j = std::max<int64_t>(0, i - 7); j < i; ++j) before = std::max<double>(before, onsets.attack_rms[j]);
    const double ratio = onsets.attack_rms[i] / before;
    if (ratio > best_ratio) {
      best_ratio = ratio;
      best = i;
    }
  }
  return best < 0 ? time_s : static_cast<double>(best) / onsets.attack_rate_hz;
}

float LargestBetween(const std::vector<float>& series, double rate_hz, double from_s, double to_s) {
  const int64_t last = static_cast<int64_t>(series.size());
  const int64_t from = std::clamp<int64_t>(std::lround(from_s * rate_hz), 0, last),
                to = std::clamp<int64_t>(std::lround(to_s * rate_hz), from, last);
  return from < to ? *std::max_element(series.begin() + from, series.begin() + to) : 0.0f;
}

// The abrupt end of a sound splashes over the spectrum as a beginning does, but leaves less than it found, brings
// nothing bright and is no louder than what was there just before.
bool IsAnEnd(const OnsetSeries& onsets, double time_s) {
  const auto falls = [&](const std::vector<float>& series, float share) {
    const float before = LargestBetween(series, onsets.attack_rate_hz, time_s - 0.045, time_s - 0.005);
    const float after = LargestBetween(series, onsets.attack_rate_hz, time_s + 0.010, time_s + 0.045);
    return after < share * before;
  };
  // Long enough for half a period of the lowest tone.
  const float just_before = LargestBetween(onsets.level_rms, onsets.attack_rate_hz, time_s - 0.025, time_s - 0.003);
  const float now = LargestBetween(onsets.level_rms, onsets.attack_rate_hz, time_s - 0.003, time_s + 0.006);
  return falls(onsets.level_rms, 0.25f) && falls(onsets.attack_rms, 2) && now < 2 * just_before;
}

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
  for (size_t i = 0; i < flux.size(); ++i) {
    if (flux[i] < largest[i] || flux[i] < mean[i] + threshold + restless[i]) continue;
    double shift = 0;
    if (i > 0 && i + 1 < flux.size()) {
      const double a = flux[i - 1], b = flux[i], c = flux[i + 1], curve = a - 2 * b + c;
      if (curve < -1e-9) shift = std::clamp(0.5 * (a - c) / curve, -0.5, 0.5);
    }
    // The flux looks kOnsetLag frames back, which delays its peak, and compression makes it early by as much.
    const double time = std::max(0.0, RefineByAttack(onsets, (static_cast<double>(i) + shift) / onsets.rate_hz));
    const float level = LargestBetween(onsets.level_rms, onsets.attack_rate_hz, time - 0.005, time + 0.05);
    // 40 dB below what is loud here is not heard. A file's own beginning is a beginning only of what can be heard well:
    // most begin with noise.
    if (level < (time < 0.02 ? 0.05 : 0.01) * loud || IsAnEnd(onsets, time)) continue;
    if (times.empty() || time > times.back() + 0.03) times.push_back(time);
  }
  return times;
}

}  // namespace grym
