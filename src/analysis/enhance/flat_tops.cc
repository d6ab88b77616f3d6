#include "analysis/enhance/flat_tops.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace grym {
namespace {

constexpr size_t kPollFrames = size_t{1} << 16;
constexpr int kSteps = 200;             // of the histogram, up to the peak
constexpr double kLowestCeiling = 0.4;  // of the peak: filters ring over a hard ceiling by so much at most
constexpr double kPileReach = 0.045;    // of the level, to either side
constexpr double kBelowFrom = 0.75, kBelowTo = 0.9;
constexpr double kLeastInPile = 30;  // samples
constexpr float kRunFrom = 0.8f, kFlatFrom = 0.93f, kFlatTo = 1.1f, kFlatShare = 0.75f;
constexpr int64_t kLeastRun = 5;  // shorter ones have no shape
constexpr int kRunsNeeded = 12;
constexpr double kNoEvidence = 0.3, kFullEvidence = 0.42;

using Histogram = std::array<double, kSteps>;

// Where the amplitudes pile up, as a share of the peak; 0 for nowhere.
double CeilingOf(const Histogram& histogram) {
  std::array<double, kSteps + 1> sums{};
  for (size_t k = 0; k < kSteps; ++k) sums[k + 1] = sums[k] + histogram[k];
  const auto density = [&](double from, double to) {
    const auto low = static_cast<size_t>(from), high = std::min<size_t>(kSteps, static_cast<size_t>(to) + 1);
    return (sums[high] - sums[low]) / static_cast<double>(high - low);
  };
  double best = 0, ceiling = 0;
  for (int level = static_cast<int>(kLowestCeiling * kSteps); level <= kSteps; ++level) {
    const double from = level * (1 - kPileReach), to = std::min(kSteps - 1.0, level * (1 + kPileReach));
    const double pile = density(from, to), below = density(level * kBelowFrom, level * kBelowTo);
    if (pile * (to - from) < kLeastInPile) continue;
    const double stands = pile / (below + 3.0 / kSteps);
    if (stands > best) best = stands, ceiling = static_cast<double>(level) / kSteps;
  }
  return ceiling;
}

Histogram HistogramOf(std::span<const float> x, float sign, float peak, const CancelToken& cancel) {
  Histogram histogram{};
  for (size_t start = 0; start < x.size() && !cancel.cancelled(); start += kPollFrames) {
    for (const float sample : x.subspan(start, std::min(kPollFrames, x.size() - start))) {
      const float place = sign * sample / peak * kSteps;
      if (place >= 0) ++histogram[static_cast<size_t>(std::min(place, kSteps - 1.0f))];
    }
  }
  return histogram;
}

void FindSide(std::span<const float> x, float sign, const CancelToken& cancel, FlatTops& found) {
  float peak = 0;
  for (const float sample : x) peak = std::max(peak, sign * sample);
  if (peak < 1e-3f || cancel.cancelled()) return;
  const Histogram histogram = HistogramOf(x, sign, peak, cancel);
  const auto ceiling = static_cast<float>(CeilingOf(histogram) * peak);
  if (!(ceiling > 0)) return;
  std::vector<ClippedRun> flat;
  int64_t above = 0, in_flat = 0, on_ceiling = 0;
  int runs = 0;
  for (size_t n = 0; n < x.size();) {
    if (n % kPollFrames == 0 && cancel.cancelled()) return;
    if (sign * x[n] < kRunFrom * ceiling) {
      ++n;
      continue;
    }
    ClippedRun run{static_cast<int64_t>(n), 0, sign * ceiling};
    int64_t on = 0;
    for (; n < x.size() && sign * x[n] >= kRunFrom * ceiling; ++n, ++run.count) {
      if (sign * x[n] > kFlatFrom * ceiling && sign * x[n] < kFlatTo * ceiling) ++on;
    }
    if (run.count < kLeastRun) continue;
    ++runs;
    above += run.count;
    if (static_cast<float>(on) < kFlatShare * static_cast<float>(run.count)) continue;
    in_flat += run.count;
    on_ceiling += on;
    flat.push_back(run);
  }
  if (runs < kRunsNeeded) return;
  const double share = static_cast<double>(in_flat) / static_cast<double>(above);
  const double evidence = std::clamp((share - kNoEvidence) / (kFullEvidence - kNoEvidence), 0.0, 1.0);
  if (evidence <= 0 || IsSquareWave(x, ceiling)) return;
  found.evidence = std::max(found.evidence, evidence);
  found.frames += on_ceiling;
  found.runs.insert(found.runs.end(), flat.begin(), flat.end());
}

}  // namespace

FlatTops FindFlatTops(std::span<const float> channel, const CancelToken& cancel) {
  FlatTops found;
  FindSide(channel, 1, cancel, found);
  FindSide(channel, -1, cancel, found);
  if (cancel.cancelled()) return {};
  std::sort(found.runs.begin(), found.runs.end(),
            [](const ClippedRun& a, const ClippedRun& b) { return a.start < b.start; });
  return found;
}

}  // namespace grym
