#include "analysis/enhance/clip_detect.h"

#include <algorithm>
#include <cmath>

namespace grym {
namespace {

constexpr double kFlatTolerance = 5e-4;       // of the extreme
constexpr double kSixteenBitDither = 6e-5;    // two steps of a 16-bit file
constexpr int64_t kCornerRunFrames = 3;
constexpr int kRunsOfEvidence = 3;
constexpr float kAtLevel = 0.8f;
constexpr double kSquareBetween = 0.05;  // samples on their way, for each one at its level
constexpr size_t kSteadyHalfWaves = 8;
constexpr double kSteadyShare = 0.9;
constexpr size_t kClipPollFrames = 1 << 16;

// The step of the file's quantisation: the smallest difference between neighbours.
double QuantisationStep(std::span<const float> x, const CancelToken& cancel) {
  float step = 1;
  for (size_t n = 1; n < x.size(); ++n) {
    if (n % kClipPollFrames == 0 && cancel.cancelled()) break;
    const float difference = std::abs(x[n] - x[n - 1]);
    if (difference > 0 && difference < step) step = difference;
  }
  return step;
}

// A parabola that stays within `spread` for n samples is spread * (8 / n + 16 / n^2) lower two samples further out; a
// corner is at least three times that, on both sides.
bool HasCorners(std::span<const float> x, const ClippedRun& run, float sign, double step) {
  const auto frames = static_cast<int64_t>(x.size());
  const int64_t before = run.start - 2, after = run.start + run.count + 1;
  if (before < 0 || after >= frames) return false;
  float low = sign * x[static_cast<size_t>(run.start)], high = low;
  for (int64_t n = run.start; n < run.start + run.count; ++n) {
    low = std::min(low, sign * x[static_cast<size_t>(n)]);
    high = std::max(high, sign * x[static_cast<size_t>(n)]);
  }
  const double length = static_cast<double>(run.count);
  const double spread = std::max({static_cast<double>(high - low), step, 4e-5});
  const double smooth_drop = spread * (8 / length + 16 / (length * length));
  const double drop_before = low - sign * x[static_cast<size_t>(before)];
  const double drop_after = low - sign * x[static_cast<size_t>(after)];
  return std::min(drop_before, drop_after) > 3 * smooth_drop;
}

void FindRunsOfSign(std::span<const float> x, float sign, double step, const CancelToken& cancel,
                    std::vector<ClippedRun>& found) {
  float extreme = 0;
  for (size_t start = 0; start < x.size() && !cancel.cancelled(); start += kClipPollFrames) {
    const auto block = x.subspan(start, std::min(kClipPollFrames, x.size() - start));
    for (const float sample : block) extreme = std::max(extreme, sign * sample);
  }
  if (extreme < 1e-3f) return;
  const auto level = static_cast<float>(extreme * (1 - kFlatTolerance) - std::min(kSixteenBitDither, 1e-3 * extreme));
  std::vector<ClippedRun> runs;
  int evidence = 0;
  for (size_t n = 0; n < x.size();) {
    if (n % kClipPollFrames == 0 && cancel.cancelled()) return;
    if (sign * x[n] < level) {
      ++n;
      continue;
    }
    ClippedRun run{static_cast<int64_t>(n), 0, sign * extreme};
    while (n < x.size() && sign * x[n] >= level) ++n, ++run.count;
    if (run.count >= kCornerRunFrames && HasCorners(x, run, sign, step)) ++evidence;
    runs.push_back(run);
  }
  if (evidence < kRunsOfEvidence || IsSquareWave(x, extreme)) return;
  found.insert(found.end(), runs.begin(), runs.end());
}

// Share of the time in stretches of half-waves that keep their lengths, above and below each their own.
double SteadyShare(const std::vector<int64_t>& lengths) {
  double steady = 0, whole = 0;
  for (size_t from = 0; from < lengths.size();) {
    size_t until = from;
    double stretch = 0;
    const auto keeps = [&](size_t n) { return std::abs(lengths[n] - lengths[from + (n - from) % 2]) <= 1; };
    while (until < lengths.size() && keeps(until)) stretch += static_cast<double>(lengths[until++]);
    whole += stretch;
    if (until - from >= kSteadyHalfWaves) steady += stretch;
    from = until;
  }
  return whole > 0 ? steady / whole : 0;
}

}  // namespace

bool IsSquareWave(std::span<const float> channel, float level) {
  int64_t at = 0, between = 0;
  std::vector<int64_t> lengths;  // of the half-waves
  int side = 0;
  for (const float sample : channel) {
    const float size = std::abs(sample);
    between += size < kAtLevel * level && size > 0.1f * level;
    if (size >= kAtLevel * level) {
      ++at;
      const int now = sample > 0 ? 1 : -1;
      if (now != side) lengths.push_back(0);
      side = now;
    }
    if (side != 0) ++lengths.back();
  }
  return static_cast<double>(between) < kSquareBetween * static_cast<double>(at) &&
         SteadyShare(lengths) >= kSteadyShare;
}

std::vector<ClippedRun> FindClippedRuns(std::span<const float> channel, const CancelToken& cancel) {
  std::vector<ClippedRun> runs;
  const double step = QuantisationStep(channel, cancel);
  FindRunsOfSign(channel, 1, step, cancel, runs);
  FindRunsOfSign(channel, -1, step, cancel, runs);
  if (cancel.cancelled()) return {};
  std::sort(runs.begin(), runs.end(), [](const ClippedRun& a, const ClippedRun& b) { return a.start < b.start; });
  return runs;
}

}  // namespace grym
