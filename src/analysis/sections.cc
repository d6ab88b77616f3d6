#include "analysis/sections.h"

#include <algorithm>
#include <cmath>

#include "dsp/statistics.h"

namespace grym {
namespace {

constexpr int kSectionMfcc = 12;  // without the zeroth: loudness is no section
constexpr int kSectionDims = kSectionMfcc + 12;
constexpr int kMostUnits = 1200;  // bounds the self-similarity: long recordings get longer units
constexpr double kShortestSection_s = 4;
constexpr double kLeastChange = 0.15;  // distance of units
constexpr int kBarUnits = 4;           // beats, or two seconds without them
constexpr double kAlikeShare = 0.05;   // of the units: as many others each one repeats
constexpr double kSameShare = 0.07;    // of how much units differ: neighbours this near are one section
constexpr double kOffDownbeat = 0.8;   // novelty of an edge that no bar begins at

using Unit = std::array<double, kSectionDims>;

struct Units {
  std::vector<double> edges_s;
  std::vector<Unit> values;
};

Units MakeUnits(const FrameSeries& mfcc, const ChromaFrames& chroma, std::span<const double> beats_s,
                double duration_s) {
  Units units;
  const double step = std::max(0.5, duration_s / kMostUnits);
  units.edges_s.push_back(0);
  if (beats_s.size() > 8) {
    for (const double beat : beats_s) {
      if (beat > units.edges_s.back() + std::max(0.25, 0.7 * duration_s / kMostUnits) && beat < duration_s - 0.25)
        units.edges_s.push_back(beat);
    }
  } else {
    for (double t = step; t < duration_s - 0.25; t += step) units.edges_s.push_back(t);
  }
  units.edges_s.push_back(duration_s);
  for (size_t u = 0; u + 1 < units.edges_s.size(); ++u) {
    Unit unit{};
    const auto range = [&](double rate_hz, int64_t count) {
      const int64_t from =
          std::clamp<int64_t>(std::lround(units.edges_s[u] * rate_hz), 0, std::max<int64_t>(0, count - 1));
      const int64_t to = std::clamp<int64_t>(std::lround(units.edges_s[u + 1] * rate_hz), from + 1,
                                             std::max<int64_t>(from + 1, count));
      return std::pair{from, std::min(to, count)};
    };
    const auto [from, to] = range(mfcc.rate_hz, mfcc.frames());
    for (int64_t i = from; i < to; ++i) {
      for (int d = 0; d < kSectionMfcc; ++d)
        unit[d] += mfcc.values[i * mfcc.dim + d + 1] / static_cast<double>(to - from);
    }
    const auto [first, last] = range(chroma.rate_hz, static_cast<int64_t>(chroma.treble.size()));
    double norm = 1e-9;
    for (int64_t i = first; i < last; ++i) {
      for (int p = 0; p < 12; ++p) unit[kSectionMfcc + p] += chroma.treble[i][p] + 0.5 * chroma.bass[i][p];
    }
    for (int p = 0; p < 12; ++p) norm += unit[kSectionMfcc + p] * unit[kSectionMfcc + p];
    for (int p = 0; p < 12; ++p) unit[kSectionMfcc + p] /= std::sqrt(norm);
    units.values.push_back(unit);
  }
  // Timbre is measured by how much it varies here, harmony by its own length.
  for (int d = 0; d < kSectionMfcc; ++d) {
    std::vector<double> column;
    for (const Unit& unit : units.values) column.push_back(unit[d]);
    const double mean = Mean(column), deviation = std::max(2.0, StandardDeviation(column));
    for (Unit& unit : units.values) unit[d] = (unit[d] - mean) / deviation / std::sqrt(kSectionMfcc);
  }
  return units;
}

double Distance(const Unit& a, const Unit& b) {
  double sum = 0;
  for (int d = 0; d < kSectionDims; ++d) sum += (a[d] - b[d]) * (a[d] - b[d]);
  return sum;
}

Unit MeanOf(const Units& units, size_t from, size_t to) {
  Unit mean{};
  for (size_t u = from; u < to; ++u) {
    for (int d = 0; d < kSectionDims; ++d) mean[d] += units.values[u][d] / static_cast<double>(to - from);
  }
  return mean;
}

// Checkerboard novelty along the diagonal. Source: Foote 2000. `reach` units on either side.
std::vector<double> Novelty(const Units& units, int reach) {
  const int count = static_cast<int>(units.values.size());
  std::vector<double> novelty(count);
  for (int u = 1; u < count; ++u) {
    const int size = std::min({reach, u, count - u});
    double across = 0, within = 0, across_weight = 0, within_weight = 0;
    for (int i = -size; i < size; ++i) {
      for (int j = i + 1; j < size; ++j) {
        const double taper = std::exp(-2.0 * (i * i + j * j) / static_cast<double>(size * size + 1));
        const bool crosses = i < 0 && j >= 0;
        (crosses ? across : within) += taper * Distance(units.values[u + i], units.values[u + j]);
        (crosses ? across_weight : within_weight) += taper;
      }
    }
    if (across_weight > 0 && within_weight > 0)
      novelty[u] = std::max(0.0, across / across_weight - within / within_weight);
  }
  return novelty;
}

// Distances of the bars that end at each pair of units: sums along the diagonals.
std::vector<float> BarDistances(const Units& units) {
  const size_t count = units.values.size();
  std::vector<float> single(count * count), bars(count * count);
  for (size_t i = 0; i < count; ++i) {
    for (size_t j = i; j < count; ++j)
      single[i * count + j] = static_cast<float>(Distance(units.values[i], units.values[j]));
  }
  for (size_t lag = 0; lag < count; ++lag) {
    for (size_t i = 0; i + lag < count; ++i) {
      const size_t from = i >= kBarUnits - 1 ? i - (kBarUnits - 1) : 0;
      float sum = 0;
      for (size_t k = from; k <= i; ++k) sum += single[k * count + k + lag];
      bars[i * count + i + lag] = bars[(i + lag) * count + i] = sum / static_cast<float>(i - from + 1);
    }
  }
  return bars;
}

// For each unit the lags, around the circle, at which it repeats another that repeats it.
std::vector<std::vector<size_t>> RepeatingLags(const Units& units) {
  const size_t count = units.values.size();
  const auto alike = std::max<size_t>(2, static_cast<size_t>(kAlikeShare * static_cast<double>(count)));
  std::vector<float> bars = BarDistances(units), near(count), row;
  for (size_t i = 0; i < count; ++i) {
    row.assign(bars.begin() + static_cast<int64_t>(i * count), bars.begin() + static_cast<int64_t>((i + 1) * count));
    std::nth_element(row.begin(), row.begin() + static_cast<int64_t>(alike), row.end());
    near[i] = row[alike];
  }
  std::vector<std::vector<size_t>> lags(count);
  for (size_t i = 0; i < count; ++i) {
    for (size_t j = 0; j < count; ++j) {
      if (j != i && bars[i * count + j] <= std::min(near[i], near[j])) lags[i].push_back((j + count - i) % count);
    }
  }
  return lags;
}

std::vector<float> GaussianTaps(int sigma) {
  std::vector<float> taps;
  for (int k = -3 * sigma; k <= 3 * sigma; ++k)
    taps.push_back(std::exp(-0.5f * static_cast<float>(k * k) / static_cast<float>(sigma * sigma)));
  return taps;
}

// How far the smoothed lags of repetition differ from one unit to the next, at most 1.
std::vector<double> RepetitionNovelty(const Units& units) {
  const int count = static_cast<int>(units.values.size());
  const std::vector<std::vector<size_t>> lags = RepeatingLags(units);
  const std::vector<float> in_time = GaussianTaps(kBarUnits), in_lag = GaussianTaps(1);
  std::vector<double> novelty(static_cast<size_t>(count), 0.0);
  std::vector<float> change(static_cast<size_t>(count));
  for (int u = 1; u < count; ++u) {
    std::fill(change.begin(), change.end(), 0.0f);
    for (int k = -3 * kBarUnits; k <= 3 * kBarUnits + 1; ++k) {  // units before u, minus those before u - 1
      if (u + k < 0 || u + k >= count) continue;
      const auto tap = [&](int at) { return std::abs(at) > 3 * kBarUnits ? 0.0f : in_time[at + 3 * kBarUnits]; };
      const float weight = tap(k) - tap(k + 1);
      for (const size_t lag : lags[u + k]) {
        for (int l = -3; l <= 3; ++l) change[(lag + static_cast<size_t>(count + l)) % count] += weight * in_lag[l + 3];
      }
    }
    double squares = 0;
    for (const float value : change) squares += double{value} * value;
    novelty[u] = squares;
  }
  // A bar's distance lies at its last unit.
  std::rotate(novelty.begin(), novelty.begin() + std::min(count, kBarUnits / 2), novelty.end());
  std::fill(novelty.end() - std::min(count, kBarUnits / 2), novelty.end(), 0.0);
  const double most = *std::max_element(novelty.begin(), novelty.end());
  for (double& value : novelty) value /= std::max(most, 1e-9);
  return novelty;
}

// The sum of both kinds, each at most 1; empty where nothing changes.
std::vector<double> Changes(const Units& units, std::span<const double> downbeats_s, int reach) {
  std::vector<double> changes = Novelty(units, reach);
  const double most = *std::max_element(changes.begin(), changes.end());
  if (most < kLeastChange) return {};
  const std::vector<double> repetition = RepetitionNovelty(units);
  for (size_t u = 0; u < changes.size(); ++u) {
    const auto bar = std::lower_bound(downbeats_s.begin(), downbeats_s.end(), units.edges_s[u] - 0.05);
    const bool begins_bar = bar != downbeats_s.end() && *bar < units.edges_s[u] + 0.05;
    changes[u] = (changes[u] / most + repetition[u]) * (begins_bar || downbeats_s.empty() ? 1 : kOffDownbeat);
  }
  return changes;
}

std::vector<size_t> PickBoundaries(const Units& units, const std::vector<double>& novelty, double duration_s) {
  const int count = static_cast<int>(novelty.size());
  const double unit_s = duration_s / std::max(1, count);
  const int apart = std::max(1, static_cast<int>(std::lround(kShortestSection_s / unit_s)));
  const double threshold = Mean(novelty) + 0.6 * StandardDeviation(novelty);
  std::vector<size_t> picked = {0};
  for (int u = 1; u < count; ++u) {
    if (novelty[u] < threshold) continue;
    const int from = std::max(0, u - apart), to = std::min(count - 1, u + apart);
    if (*std::max_element(novelty.begin() + from, novelty.begin() + to + 1) > novelty[u]) continue;
    if (units.edges_s[u] - units.edges_s[picked.back()] < kShortestSection_s ||
        duration_s - units.edges_s[u] < kShortestSection_s)
      continue;
    picked.push_back(static_cast<size_t>(u));
  }
  picked.push_back(units.values.size());
  return picked;
}

// Loops differ within, not from one turn to the next.
void JoinNeighboursAlike(const Units& units, double spread, std::vector<size_t>& edges) {
  for (size_t e = 1; e + 1 < edges.size();) {
    const Unit before = MeanOf(units, edges[e - 1], edges[e]), after = MeanOf(units, edges[e], edges[e + 1]);
    if (Distance(before, after) < kSameShare * spread) {
      edges.erase(edges.begin() + static_cast<int64_t>(e));
    } else {
      ++e;
    }
  }
}

}  // namespace

std::vector<Section> FindSections(const FrameSeries& mfcc, const ChromaFrames& chroma, std::span<const double> beats_s,
                                  std::span<const double> downbeats_s, double duration_s) {
  if (duration_s < 2 * kShortestSection_s || mfcc.frames() == 0)
    return {{0, duration_s, "A", duration_s > 0 ? 0.5 : 0.0}};
  const Units units = MakeUnits(mfcc, chroma, beats_s, duration_s);
  const double unit_s = duration_s / static_cast<double>(units.values.size());
  const int reach = std::clamp(static_cast<int>(std::lround(6 / unit_s)), 4, 32);
  const std::vector<double> novelty = Changes(units, downbeats_s, reach);
  if (novelty.empty()) return {{0, duration_s, "A", 0.5}};
  std::vector<size_t> edges = PickBoundaries(units, novelty, duration_s);
  double spread = 0;
  const Unit whole = MeanOf(units, 0, units.values.size());
  for (const Unit& unit : units.values) spread += Distance(unit, whole) / static_cast<double>(units.values.size());
  JoinNeighboursAlike(units, spread, edges);
  std::vector<Section> sections;
  std::vector<Unit> kinds;
  for (size_t s = 0; s + 1 < edges.size(); ++s) {
    const Unit mean = MeanOf(units, edges[s], edges[s + 1]);
    size_t kind = kinds.size();
    double nearest = 0.35 * spread;  // alike when closer than what units differ by anyway
    for (size_t k = 0; k < kinds.size(); ++k) {
      if (Distance(mean, kinds[k]) < nearest) {
        nearest = Distance(mean, kinds[k]);
        kind = k;
      }
    }
    if (kind == kinds.size()) kinds.push_back(mean);
    Section section;
    section.start_s = units.edges_s[edges[s]];
    section.end_s = units.edges_s[edges[s + 1]];
    section.label = kind < 26 ? std::string(1, static_cast<char>('A' + kind)) : "A" + std::to_string(kind);
    section.confidence = edges[s] == 0 ? 0.5 : std::clamp(novelty[edges[s]] / 2, 0.0, 1.0);
    sections.push_back(section);
  }
  return sections;
}

}  // namespace grym
