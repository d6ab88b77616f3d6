#include "analysis/sections.h"

#include <algorithm>
#include <cmath>

#include "dsp/statistics.h"

namespace grym {
namespace {

constexpr int kSectionMfcc = 12;                       // without the zeroth: loudness is no section
constexpr int kSectionDims = kSectionMfcc + 12;
constexpr int kMostUnits = 1200;                       // bounds the self-similarity: long recordings get longer units
constexpr double kShortestSection_s = 4;

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

std::vector<size_t> PickBoundaries(const Units& units, const std::vector<double>& novelty, double duration_s) {
  const int count = static_cast<int>(novelty.size());
  const double unit_s = duration_s / std::max(1, count);
  const int apart = std::max(1, static_cast<int>(std::lround(kShortestSection_s / unit_s)));
  const double threshold = Mean(novelty) + 0.6 * StandardDeviation(novelty);
  std::vector<size_t> picked = {0};
  for (int u = 1; u < count; ++u) {
    if (novelty[u] < std::max(0.15, threshold)) continue;
    const int from = std::max(0, u - apart), to = std::min(count - 1, u + apart);
    if (*std::max_element(novelty.begin() + from, novelty.begin() + to + 1) > novelty[u]) continue;
    if (units.edges_s[u] - units.edges_s[picked.back()] < kShortestSection_s ||
        duration_s - units.edges_s[u] < kShortestSection_s / 2)
      continue;
    picked.push_back(static_cast<size_t>(u));
  }
  picked.push_back(units.values.size());
  return picked;
}

}  // namespace

std::vector<Section> FindSections(const FrameSeries& mfcc, const ChromaFrames& chroma, std::span<const double> beats_s,
                                  double duration_s) {
  if (duration_s < 2 * kShortestSection_s || mfcc.frames() == 0)
    return {{0, duration_s, "A", duration_s > 0 ? 0.5 : 0.0}};
  const Units units = MakeUnits(mfcc, chroma, beats_s, duration_s);
  const double unit_s = duration_s / static_cast<double>(units.values.size());
  const int reach = std::clamp(static_cast<int>(std::lround(6 / unit_s)), 4, 32);
  const std::vector<double> novelty = Novelty(units, reach);
  const std::vector<size_t> edges = PickBoundaries(units, novelty, duration_s);
  double spread = 0;
  const Unit whole = MeanOf(units, 0, units.values.size());
  for (const Unit& unit : units.values) spread += Distance(unit, whole) / static_cast<double>(units.values.size());
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
    section.confidence =
        edges[s] == 0 ? 0.5 : std::clamp(novelty[edges[s]] / (novelty[edges[s]] + 0.5 * spread + 1e-9), 0.0, 1.0);
    sections.push_back(section);
  }
  return sections;
}

}  // namespace grym
