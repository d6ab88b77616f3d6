#include "evaluation/likeness.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/status.h"
#include "dsp/statistics.h"

namespace grym {
namespace {

constexpr double kBandS = 1.0, kBandShare = 0.12;
constexpr float kSideStep = 0.15f;        // price of leaving the diagonal for one frame
constexpr double kWindowS = 2;
constexpr double kHeldSimilarity = 0.35;
constexpr double kDriftingS = 0.08;
constexpr int kMostLag = static_cast<int>(600 / kFineStepCents);
constexpr double kLeastPitchEvidence = 0.2;

// The picture without each band's mean over time, and each frame's length beside it.
struct Centred {
  std::vector<float> values;
  std::vector<float> length;
  float floor = 0;  // a twentieth of the mean squared length: what keeps silence from looking like anything
};

Centred Centre(const BandPicture& picture) {
  constexpr size_t kBands = BandPicture::kBands;
  Centred centred;
  centred.values = picture.values;
  const auto frames = static_cast<size_t>(picture.frames());
  for (size_t b = 0; b < kBands; ++b) {
    double sum = 0;
    for (size_t t = 0; t < frames; ++t) sum += picture.values[t * kBands + b];
    const auto mean = static_cast<float>(sum / static_cast<double>(frames));
    for (size_t t = 0; t < frames; ++t) centred.values[t * kBands + b] -= mean;
  }
  double total = 0;
  for (size_t t = 0; t < frames; ++t) {
    double squares = 0;
    for (size_t b = 0; b < kBands; ++b)
      squares += static_cast<double>(centred.values[t * kBands + b]) * centred.values[t * kBands + b];
    centred.length.push_back(static_cast<float>(std::sqrt(squares)));
    total += squares;
  }
  centred.floor = static_cast<float>(0.05 * total / static_cast<double>(frames) + 1e-9);
  return centred;
}

struct Pair {
  int64_t a = 0, b = 0;
};

absl::StatusOr<std::vector<Pair>> Align(const Centred& a, const Centred& b, int64_t reach, const RunOptions& run) {
  constexpr int64_t kBands = BandPicture::kBands;
  const auto rows = static_cast<int64_t>(a.length.size()), columns = static_cast<int64_t>(b.length.size());
  const int64_t width = 2 * reach + 1;
  const float far = std::numeric_limits<float>::max() / 4;
  std::vector<float> before(static_cast<size_t>(width) + 2, far), now(before);
  std::vector<uint8_t> steps(static_cast<size_t>(rows * width), 0);
  const float floor = std::sqrt(a.floor * b.floor);
  int64_t last_row = std::min(rows, columns + reach) - 1;
  for (int64_t i = 0; i <= last_row; ++i) {
    if (i % 64 == 0) GRYM_RETURN_IF_ERROR(run.cancel.Check());
    std::fill(now.begin(), now.end(), far);
    for (int64_t w = 0; w < width; ++w) {  // column j = i - reach + w; slot w + 1
      const int64_t j = i - reach + w;
      if (j < 0 || j >= columns) continue;
      const float* x = a.values.data() + i * kBands;
      const float* y = b.values.data() + j * kBands;
      float dot = 0;
      for (int64_t k = 0; k < kBands; ++k) dot += x[k] * y[k];
      const float distance =
          1 - (dot + floor) / (a.length[static_cast<size_t>(i)] * b.length[static_cast<size_t>(j)] + floor);
      const auto slot = static_cast<size_t>(w + 1);
      // From (i-1, j-1): same slot of the row before; from (i-1, j): slot + 1; from (i, j-1): slot - 1.
      float best = i == 0   ? 0.1f * kSideStep * static_cast<float>(j)
                   : j == 0 ? 0.1f * kSideStep * static_cast<float>(i)
                            : before[slot];
      uint8_t step = i == 0 || j == 0 ? 3 : 0;
      if (i > 0 && before[slot + 1] + kSideStep < best) best = before[slot + 1] + kSideStep, step = 1;
      if (now[slot - 1] + kSideStep < best) best = now[slot - 1] + kSideStep, step = 2;
      now[slot] = best + distance;
      steps[static_cast<size_t>(i * width + w)] = step;
    }
    std::swap(before, now);
  }
  int64_t i = last_row, w = std::clamp<int64_t>(columns - 1 - i + reach, 0, width - 1);
  for (int64_t other = 0; other < width; ++other) {
    if (before[static_cast<size_t>(other + 1)] < before[static_cast<size_t>(w + 1)]) w = other;
  }
  std::vector<Pair> path;
  for (;;) {
    path.push_back({i, i - reach + w});
    const uint8_t step = steps[static_cast<size_t>(i * width + w)];
    if (step == 3) break;
    if (step == 0) --i;
    if (step == 1) --i, ++w;
    if (step == 2) --w;
  }
  std::reverse(path.begin(), path.end());
  return path;
}

// Correlation over [from, until) of the path, weighed by the original's energy.
double WeighedCorrelation(const BandPicture& original, const BandPicture& result, const std::vector<Pair>& path,
                          size_t from, size_t until) {
  double xx = 1e-9, yy = 1e-9, xy = 0;
  for (size_t b = 0; b < BandPicture::kBands; ++b) {
    double weights = 1e-9, sx = 0, sy = 0, sxx = 0, syy = 0, sxy = 0;
    for (size_t p = from; p < until; ++p) {
      const double x = original.frame(path[p].a)[b], y = result.frame(path[p].b)[b], weight = x + 0.1;
      weights += weight, sx += weight * x, sy += weight * y;
      sxx += weight * x * x, syy += weight * y * y, sxy += weight * x * y;
    }
    xx += sxx - sx * sx / weights;
    yy += syy - sy * sy / weights;
    xy += sxy - sx * sy / weights;
  }
  return xy / std::sqrt(std::max(xx, 1e-9) * std::max(yy, 1e-9));
}

void MeasureWindows(const BandPicture& original, const BandPicture& result, const std::vector<Pair>& path,
                    Likeness& likeness) {
  const auto window = std::max<size_t>(4, static_cast<size_t>(kWindowS * original.rate_hz));
  double windows = 0, held = 0;
  for (size_t from = 0; from < path.size(); from += window) {
    const size_t until = std::min(path.size(), from + window);
    if (until - from < window / 2 && from > 0) break;
    ++windows;
    const double likeness_here = WeighedCorrelation(original, result, path, from, until);
    if (likeness_here >= kHeldSimilarity) {
      ++held;
      likeness.clarity += likeness_here;
      continue;
    }
    const double start_s = static_cast<double>(path[from].a) / original.rate_hz;
    const double end_s = static_cast<double>(path[until - 1].a + 1) / original.rate_hz;
    if (!likeness.lost.empty() && start_s - likeness.lost.back().end_s < 0.1) {
      likeness.lost.back().end_s = end_s;
    } else {
      likeness.lost.push_back({start_s, end_s});
    }
  }
  likeness.held = windows > 0 ? held / windows : 0;
  if (held > 0) likeness.clarity /= held;
}

void MeasureDrift(const BandPicture& original, const BandPicture& result, const std::vector<Pair>& path,
                  Likeness& likeness) {
  std::vector<double> offsets, times;
  for (const Pair& pair : path) {
    times.push_back(static_cast<double>(pair.a) / original.rate_hz);
    offsets.push_back(static_cast<double>(pair.b) / result.rate_hz - times.back());
  }
  const double middle = Median(offsets), mean_time = Mean(std::span<const double>(times)),
               mean_offset = Mean(std::span<const double>(offsets));
  double sum = 0, spread = 1e-9, together = 0;
  for (size_t p = 0; p < path.size(); ++p) {
    const double away = std::abs(offsets[p] - middle);
    sum += away;
    spread += (times[p] - mean_time) * (times[p] - mean_time);
    together += (times[p] - mean_time) * (offsets[p] - mean_offset);
    if (away <= kDriftingS) continue;
    if (!likeness.drifting.empty() && times[p] - likeness.drifting.back().end_s < 0.5) {
      likeness.drifting.back().end_s = std::max(likeness.drifting.back().end_s, times[p]);
    } else {
      likeness.drifting.push_back({times[p], times[p]});
    }
  }
  likeness.drift_s = sum / static_cast<double>(path.size());
  likeness.speed = 1 + together / spread;
}

void MeasurePitch(const std::vector<float>& original, const std::vector<float>& result, Likeness& likeness) {
  const int count = static_cast<int>(std::min(original.size(), result.size()));
  std::vector<double> correlations;
  for (int lag = -kMostLag; lag <= kMostLag; ++lag) {
    double xx = 1e-9, yy = 1e-9, xy = 0;
    for (int i = std::max(0, -lag); i < std::min(count, count - lag); ++i) {
      const double x = original[static_cast<size_t>(i)], y = result[static_cast<size_t>(i + lag)];
      xx += x * x, yy += y * y, xy += x * y;
    }
    correlations.push_back(xy / std::sqrt(xx * yy));
  }
  const auto best =
      static_cast<size_t>(std::max_element(correlations.begin(), correlations.end()) - correlations.begin());
  likeness.pitch_evidence = correlations[best];
  if (correlations[best] < kLeastPitchEvidence) return;
  double place = static_cast<double>(best) - kMostLag;
  if (best > 0 && best + 1 < correlations.size()) {
    const double left = correlations[best - 1], mid = correlations[best], right = correlations[best + 1];
    const double bend = left - 2 * mid + right;
    if (bend < -1e-12) place += 0.5 * (left - right) / bend;
  }
  likeness.cents = place * kFineStepCents;
}

}  // namespace

absl::StatusOr<Likeness> MeasureLikeness(const TakeMeasures& original, const TakeMeasures& result,
                                         const RunOptions& run) {
  Likeness likeness;
  if (original.silent || result.silent) return likeness;
  likeness.coverage = std::min(1.0, result.duration_s / original.duration_s);
  const auto reach = static_cast<int64_t>(std::ceil(
      std::max(kBandS * original.bands.rate_hz, kBandShare * static_cast<double>(original.bands.frames()))));
  const Centred a = Centre(original.bands), b = Centre(result.bands);
  GRYM_ASSIGN_OR_RETURN(const std::vector<Pair> path, Align(a, b, reach, run));
  likeness.similarity = WeighedCorrelation(original.bands, result.bands, path, 0, path.size());
  MeasureWindows(original.bands, result.bands, path, likeness);
  MeasureDrift(original.bands, result.bands, path, likeness);
  MeasurePitch(original.fine, result.fine, likeness);
  return likeness;
}

}  // namespace grym
