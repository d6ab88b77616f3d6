#include "evaluation/likeness.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/status.h"
#include "dsp/statistics.h"

namespace grym {
namespace {

constexpr double kBandS = 1.0, kShortBandShare = 0.25, kBandShare = 0.12;
constexpr float kSideStep = 0.15f;        // price of leaving the diagonal for one frame
constexpr float kEndSkip = 0.25f;         // of leaving out one at the start: half of what unlike frames are apart
constexpr int64_t kMostAlignedFrames = 6000;  // within the whole band: two minutes at the full rate
constexpr double kOffsetSmoothS = 0.25;
constexpr int kNeighbours = 3;            // bands on either side: half an octave
constexpr double kWindowS = 2;
constexpr double kHeldSimilarity = 0.35;
constexpr double kDriftingS = 0.08;
constexpr int kMostLag = static_cast<int>(600 / kFineStepCents);
constexpr double kLeastPitchEvidence = 0.2;
constexpr double kSamePitchEvidence = 0.5, kMostLoweredCents = 120;  // a semitone, and what measuring it errs

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

// The picture as it would be `cents` lower: a recording played a little too fast is still the same music.
BandPicture Lowered(const BandPicture& picture, double cents) {
  constexpr int kBands = BandPicture::kBands;
  const double bands = cents / 200;
  const auto whole = static_cast<int>(std::floor(bands));
  const auto part = static_cast<float>(bands - whole);
  BandPicture lowered = picture;
  for (int64_t t = 0; t < picture.frames(); ++t) {
    for (int b = 0; b < kBands; ++b) {
      const int low = std::clamp(b + whole, 0, kBands - 1), high = std::clamp(b + whole + 1, 0, kBands - 1);
      lowered.values[static_cast<size_t>(t * kBands + b)] =
          (1 - part) * picture.frame(t)[low] + part * picture.frame(t)[high];
    }
  }
  return lowered;
}

struct Pair {
  int64_t a = 0, b = 0;
};

// The columns [from, until) of each row that a path may use.
struct PathBand {
  std::vector<int64_t> from, until;
};

PathBand AboutTheDiagonal(int64_t rows, int64_t columns, int64_t reach) {
  PathBand band;
  for (int64_t i = 0; i < rows; ++i) {
    band.from.push_back(std::max<int64_t>(0, i - reach));
    band.until.push_back(std::max(band.from.back(), std::min(columns, i + reach + 1)));
  }
  return band;
}

// What lies within one pooled frame of a path through pooled pictures, at the full rate.
// Source: Salvador and Chan 2007, "FastDTW", with one coarse level and a radius of 1.
PathBand AboutThePath(const std::vector<Pair>& path, int64_t pooled, int64_t rows, int64_t columns) {
  PathBand band{std::vector<int64_t>(static_cast<size_t>(rows), columns),
                std::vector<int64_t>(static_cast<size_t>(rows), 0)};
  for (const Pair& pair : path) {
    const int64_t from = std::max<int64_t>(0, (pair.b - 1) * pooled), until = std::min(columns, (pair.b + 2) * pooled);
    const int64_t last = std::min(rows, (pair.a + 2) * pooled);
    for (int64_t i = std::max<int64_t>(0, (pair.a - 1) * pooled); i < last; ++i) {
      const auto row = static_cast<size_t>(i);
      band.from[row] = std::min(band.from[row], from);
      band.until[row] = std::max(band.until[row], until);
    }
  }
  // A path that begins later is reached along the first column.
  for (int64_t i = (path.front().a - 1) * pooled - 1; i >= 0; --i) {
    band.from[static_cast<size_t>(i)] = 0;
    band.until[static_cast<size_t>(i)] = 1;
  }
  return band;
}

// One row of the alignment: what reaching each of its columns costs at least, and by which step.
struct PathRow {
  int64_t from = 0;
  std::vector<float> costs;
  std::vector<uint8_t> steps;
  bool has(int64_t j) const { return j >= from && j < from + static_cast<int64_t>(costs.size()); }
  float cost(int64_t j) const {
    return has(j) ? costs[static_cast<size_t>(j - from)] : std::numeric_limits<float>::max() / 4;
  }
};

enum PathStep : uint8_t { kBoth, kRowOnly, kColumnOnly, kStart };

void FillRow(const Centred& a, const Centred& b, int64_t i, const PathRow& before, PathRow& row) {
  constexpr int64_t kBands = BandPicture::kBands;
  const float floor = std::sqrt(a.floor * b.floor);
  const float* x = a.values.data() + i * kBands;
  for (size_t w = 0; w < row.costs.size(); ++w) {
    const int64_t j = row.from + static_cast<int64_t>(w);
    const float* y = b.values.data() + j * kBands;
    float dot = 0;
    for (int64_t k = 0; k < kBands; ++k) dot += x[k] * y[k];
    const float distance =
        1 - (dot + floor) / (a.length[static_cast<size_t>(i)] * b.length[static_cast<size_t>(j)] + floor);
    float best = i == 0   ? kEndSkip * static_cast<float>(j)
                 : j == 0 ? kEndSkip * static_cast<float>(i)
                          : before.cost(j - 1);
    PathStep step = i == 0 || j == 0 ? kStart : kBoth;
    if (i > 0 && before.cost(j) + kSideStep < best) best = before.cost(j) + kSideStep, step = kRowOnly;
    if (w > 0 && row.costs[w - 1] + kSideStep < best) best = row.costs[w - 1] + kSideStep, step = kColumnOnly;
    row.costs[w] = best + distance;
    row.steps[w] = step;
  }
}

absl::StatusOr<std::vector<Pair>> Align(const Centred& a, const Centred& b, const PathBand& band,
                                        const RunOptions& run) {
  std::vector<PathRow> rows;
  PathRow before;
  for (size_t i = 0; i < band.from.size() && band.from[i] < band.until[i]; ++i) {
    if (i % 64 == 0) GRYM_RETURN_IF_ERROR(run.cancel.Check());
    const auto width = static_cast<size_t>(band.until[i] - band.from[i]);
    rows.push_back({band.from[i], std::vector<float>(width), std::vector<uint8_t>(width)});
    FillRow(a, b, static_cast<int64_t>(i), before, rows[i]);
    std::swap(before.costs, rows[i].costs);  // the steps are enough to come back
    before.from = rows[i].from;
  }
  int64_t i = static_cast<int64_t>(rows.size()) - 1;
  size_t cheapest = before.costs.size() - 1;
  for (size_t w = 0; w < before.costs.size(); ++w) {
    if (before.costs[w] < before.costs[cheapest]) cheapest = w;
  }
  std::vector<Pair> path;
  for (int64_t j = before.from + static_cast<int64_t>(cheapest);;) {
    path.push_back({i, j});
    const PathRow& row = rows[static_cast<size_t>(i)];
    const uint8_t step = row.steps[static_cast<size_t>(j - row.from)];
    if (step == kStart) break;
    if (step != kColumnOnly) --i;
    if (step != kRowOnly) --j;
  }
  std::reverse(path.begin(), path.end());
  return path;
}

// Means of `count` frames each.
BandPicture Pooled(const BandPicture& picture, int64_t count) {
  constexpr int64_t kBands = BandPicture::kBands;
  BandPicture pooled;
  pooled.rate_hz = picture.rate_hz / static_cast<double>(count);
  for (int64_t first = 0; first < picture.frames(); first += count) {
    const int64_t until = std::min(picture.frames(), first + count);
    for (int64_t b = 0; b < kBands; ++b) {
      double sum = 0;
      for (int64_t t = first; t < until; ++t) sum += picture.frame(t)[b];
      pooled.values.push_back(static_cast<float>(sum / static_cast<double>(until - first)));
    }
  }
  return pooled;
}

absl::StatusOr<std::vector<Pair>> AlignNearDiagonal(const BandPicture& a, const BandPicture& b, const RunOptions& run) {
  const auto rows = static_cast<double>(a.frames());
  const double one_second = std::min(kBandS * a.rate_hz, kShortBandShare * rows);
  const auto reach = static_cast<int64_t>(std::ceil(std::max(one_second, kBandShare * rows)));
  return Align(Centre(a), Centre(b), AboutTheDiagonal(a.frames(), b.frames(), reach), run);
}

// What a band of the original and of the result move, and move together.
struct BandMoves {
  double xx = 0, yy = 0, xy = 0;
};

// Over [from, until) of the path, weighed by the original's energy; each band about its own mean. A band that moves
// more in the result than in the original tells less: hum or noise had covered what is heard there now.
std::vector<BandMoves> MovesOfBands(const BandPicture& weights, const std::vector<float>& original,
                                    const std::vector<float>& result, const std::vector<Pair>& path, size_t from,
                                    size_t until) {
  constexpr size_t kBands = BandPicture::kBands;
  std::vector<BandMoves> moves;
  for (size_t b = 0; b < kBands; ++b) {
    double sum = 1e-9, sx = 0, sy = 0, sxx = 0, syy = 0, sxy = 0;
    for (size_t p = from; p < until; ++p) {
      const double x = original[static_cast<size_t>(path[p].a) * kBands + b];
      const double y = result[static_cast<size_t>(path[p].b) * kBands + b];
      const double weight = weights.frame(path[p].a)[b] + 0.1;
      sum += weight, sx += weight * x, sy += weight * y;
      sxx += weight * x * x, syy += weight * y * y, sxy += weight * x * y;
    }
    const double moved_x = sxx - sx * sx / sum, moved_y = syy - sy * sy / sum;
    const double telling = moved_y > moved_x ? moved_x / moved_y : 1;
    moves.push_back({telling * moved_x, telling * moved_y, telling * (sxy - sx * sy / sum)});
  }
  return moves;
}

// Of all bands as one.
double Correlation(const std::vector<BandMoves>& bands) {
  double xx = 1e-9, yy = 1e-9, xy = 0;
  for (const BandMoves& band : bands) xx += band.xx, yy += band.yy, xy += band.xy;
  return xy / std::sqrt(std::max(xx, 1e-9) * std::max(yy, 1e-9));
}

// Of the band at the lower quartile, each counted by how much it moves: a kick and a bass that two pieces share do not
// answer for the rest.
double QuartileCorrelation(const std::vector<BandMoves>& bands) {
  std::vector<std::pair<double, double>> found;
  double whole = 0;
  for (const BandMoves& band : bands) {
    const double moved = std::max(band.xx, 0.0), with = std::max(band.yy, 0.0);
    const double telling = with > 0 ? std::sqrt(std::min(moved, moved * moved / with)) : 0;
    found.push_back({band.xy / std::sqrt(moved * with + 1e-12), telling});
    whole += telling;
  }
  std::sort(found.begin(), found.end());
  double sum = 0;
  for (const auto& [correlation, weight] : found) {
    sum += weight;
    if (sum >= 0.25 * whole) return correlation;
  }
  return 0;
}

// Each band less the mean of itself and its neighbours: strokes of a drum and the slope of a mix fall out.
std::vector<float> Detail(const BandPicture& picture) {
  constexpr int kBands = BandPicture::kBands;
  std::vector<float> detail;
  detail.reserve(picture.values.size());
  for (int64_t t = 0; t < picture.frames(); ++t) {
    const float* frame = picture.frame(t);
    for (int b = 0; b < kBands; ++b) {
      const int low = std::max(0, b - kNeighbours), high = std::min(kBands - 1, b + kNeighbours);
      float sum = 0;
      for (int k = low; k <= high; ++k) sum += frame[k];
      detail.push_back(frame[b] - sum / static_cast<float>(high - low + 1));
    }
  }
  return detail;
}

void MeasureWindows(const BandPicture& original, const BandPicture& result, const std::vector<Pair>& path,
                    Likeness& likeness) {
  const auto window = std::max<size_t>(4, static_cast<size_t>(kWindowS * original.rate_hz));
  double windows = 0, held = 0;
  for (size_t from = 0; from < path.size(); from += window) {
    const size_t until = std::min(path.size(), from + window);
    if (until - from < window / 2 && from > 0) break;
    ++windows;
    const double likeness_here =
        Correlation(MovesOfBands(original, original.values, result.values, path, from, until));
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

// Where between its neighbours the frame of `b` nearest to frame `i` of `a` lies, in frames, [-0.5, 0.5].
double BetweenFrames(const Centred& a, const Centred& b, int64_t i, int64_t j) {
  constexpr int64_t kBands = BandPicture::kBands;
  if (j < 1 || j + 1 >= static_cast<int64_t>(b.length.size())) return 0;
  double distance[3] = {};
  for (int64_t side = -1; side <= 1; ++side) {
    const float* x = a.values.data() + i * kBands;
    const float* y = b.values.data() + (j + side) * kBands;
    for (int64_t k = 0; k < kBands; ++k) distance[side + 1] += static_cast<double>(x[k] - y[k]) * (x[k] - y[k]);
  }
  const double bend = distance[0] - 2 * distance[1] + distance[2];
  return bend > a.floor ? std::clamp(0.5 * (distance[0] - distance[2]) / bend, -0.5, 0.5) : 0;
}

// Result's time less the original's along the path, finer than a frame, smoothed. What an uneven attack does to the
// parabola it does to the original against itself too, so that is taken off.
std::vector<float> Offsets(const Centred& a, double a_rate_hz, const Centred& b, double b_rate_hz,
                           const std::vector<Pair>& path) {
  std::vector<float> offsets;
  for (const Pair& pair : path) {
    const double between = BetweenFrames(a, b, pair.a, pair.b) - BetweenFrames(a, a, pair.a, pair.a);
    offsets.push_back(static_cast<float>((static_cast<double>(pair.b) + between) / b_rate_hz -
                                         static_cast<double>(pair.a) / a_rate_hz));
  }
  const int reach = static_cast<int>(kOffsetSmoothS * a_rate_hz);
  return MovingMean(offsets, reach, reach);
}

void MeasureDrift(const std::vector<float>& offsets, const std::vector<Pair>& path, double rate_hz,
                  Likeness& likeness) {
  std::vector<double> away(offsets.begin(), offsets.end()), times;
  for (const Pair& pair : path) times.push_back(static_cast<double>(pair.a) / rate_hz);
  const double middle = Median(away), mean_time = Mean(std::span<const double>(times)),
               mean_offset = Mean(std::span<const double>(away));
  double sum = 0, spread = 1e-9, together = 0, bends = 0;
  for (size_t p = 0; p < path.size(); ++p) {
    if (p > 0 && path[p].a - path[p - 1].a != path[p].b - path[p - 1].b) ++bends;
    spread += (times[p] - mean_time) * (times[p] - mean_time);
    together += (times[p] - mean_time) * (away[p] - mean_offset);
    away[p] = std::abs(away[p] - middle);
    sum += away[p];
    if (away[p] <= kDriftingS) continue;
    if (!likeness.drifting.empty() && times[p] - likeness.drifting.back().end_s < 0.5) {
      likeness.drifting.back().end_s = std::max(likeness.drifting.back().end_s, times[p]);
    } else {
      likeness.drifting.push_back({times[p], times[p]});
    }
  }
  likeness.bent = bends / static_cast<double>(path.size());
  likeness.drift_s = sum / static_cast<double>(path.size());
  likeness.speed = 1 + together / spread;
}

// Correlations of `result`, moved by -kMostLag .. kMostLag steps, with `original`.
std::vector<double> LagCorrelations(const std::vector<float>& original, const std::vector<float>& result) {
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
  return correlations;
}

// Mean distance from no move at all, over the moves about the best that fit at least half as well.
double MeanMoveCents(const std::vector<double>& correlations) {
  const auto best = std::max_element(correlations.begin(), correlations.end());
  const double half = 0.5 * *best;
  auto from = best, until = best;
  while (from != correlations.begin() && *(from - 1) > half) --from;
  while (until != correlations.end() && *until > half) ++until;
  double sum = 0, weights = 1e-12;
  for (auto move = from; move != until; ++move) {
    weights += *move - half;
    sum += (*move - half) * std::abs(static_cast<double>(move - correlations.begin()) - kMostLag) * kFineStepCents;
  }
  return sum / weights;
}

void MeasurePitch(const std::vector<float>& original, const std::vector<float>& result, Likeness& likeness) {
  const std::vector<double> correlations = LagCorrelations(original, result);
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
  // Pitch that wavers fits a whole range of moves, none of them best: the mean distance grows with the range.
  const double away = MeanMoveCents(correlations), own = MeanMoveCents(LagCorrelations(original, original));
  likeness.detuned_cents = std::sqrt(std::max(0.0, away * away - own * own));
}

}  // namespace

absl::StatusOr<Likeness> MeasureLikeness(const TakeMeasures& original, const TakeMeasures& result,
                                         const RunOptions& run) {
  Likeness likeness;
  if (original.silent || result.silent) return likeness;
  likeness.coverage = std::min(1.0, result.duration_s / original.duration_s);
  MeasurePitch(original.fine, result.fine, likeness);
  const bool moved = likeness.pitch_evidence > kSamePitchEvidence && std::abs(likeness.cents) < kMostLoweredCents;
  const BandPicture bands = Lowered(result.bands, moved ? likeness.cents : 0);
  const int64_t rows = original.bands.frames(), columns = bands.frames();
  // Long recordings are aligned by fewer frames at first, and then within what that left open.
  const int64_t pooled = (std::max(rows, columns) + kMostAlignedFrames - 1) / kMostAlignedFrames;
  GRYM_ASSIGN_OR_RETURN(std::vector<Pair> path,
                        AlignNearDiagonal(Pooled(original.bands, pooled), Pooled(bands, pooled), run));
  const Centred a = Centre(original.bands), b = Centre(bands);
  if (pooled > 1) {
    GRYM_ASSIGN_OR_RETURN(path, Align(a, b, AboutThePath(path, pooled, rows, columns), run));
  }
  const auto aligned = static_cast<double>(path.back().a - path.front().a + 1);
  const double found = std::min(1.0, aligned / static_cast<double>(std::min(rows, columns)));
  const std::vector<BandMoves> moves =
      MovesOfBands(original.bands, original.bands.values, bands.values, path, 0, path.size());
  likeness.similarity = found * Correlation(moves);
  likeness.quartile = found * QuartileCorrelation(moves);
  likeness.detail =
      found * Correlation(MovesOfBands(original.bands, Detail(original.bands), Detail(bands), path, 0, path.size()));
  MeasureWindows(original.bands, bands, path, likeness);
  MeasureDrift(Offsets(a, original.bands.rate_hz, b, bands.rate_hz, path), path, original.bands.rate_hz,
               likeness);
  return likeness;
}

}  // namespace grym
