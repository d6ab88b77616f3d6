#include <algorithm>
#include <cmath>
#include <iterator>

#include "base/format.h"
#include "patterns/embedding.h"
#include "patterns/kinds.h"

namespace grym {
namespace {

constexpr int kStepsPerBeat = 4;
constexpr double kGridMatch = 0.6;  // correlation above which two bars count as one rhythm
constexpr size_t kMaxRhythms = 3;

using StepGrid = std::vector<double>;

// Correlation of mean-free grids; 0 when one is flat.
double GridLikeness(const StepGrid& a, const StepGrid& b) {
  double mean_a = 0, mean_b = 0, product = 0, square_a = 0, square_b = 0;
  const auto count = static_cast<double>(a.size());
  for (size_t i = 0; i < a.size(); ++i) {
    mean_a += a[i] / count;
    mean_b += b[i] / count;
  }
  for (size_t i = 0; i < a.size(); ++i) {
    product += (a[i] - mean_a) * (b[i] - mean_b);
    square_a += (a[i] - mean_a) * (a[i] - mean_a);
    square_b += (b[i] - mean_b) * (b[i] - mean_b);
  }
  return square_a > 1e-9 && square_b > 1e-9 ? product / std::sqrt(square_a * square_b) : 0;
}

// Onset strength at `points` points a beat from beat `first` on, the largest within half a step around each point.
StepGrid OnsetsOnBeats(const AudioFeatures& features, const BarGrid& bars, size_t first, size_t beats, int points) {
  StepGrid grid;
  for (size_t beat = first; beat < first + beats && beat < bars.beats_s.size(); ++beat) {
    const double start_s = bars.beats_s[beat];
    const double length_s =
        beat + 1 < bars.beats_s.size() ? bars.beats_s[beat + 1] - start_s : start_s - bars.beats_s[beat - 1];
    const double half_s = length_s / points / 2;
    for (int point = 0; point < points; ++point) {
      const double at_s = start_s + length_s * point / points;
      grid.push_back(LargestIn(features.onset_strength, at_s - half_s, at_s + half_s));
    }
  }
  return grid;
}

struct RhythmGroup {
  std::vector<size_t> bars;  // first bar of each occurrence
  StepGrid grid;             // their mean
  double likeness = 0;       // mean over occurrences
};

StepGrid LoopAt(const std::vector<StepGrid>& bars, size_t bar, size_t loop) {
  StepGrid grid;
  for (size_t i = 0; i < loop; ++i) grid.insert(grid.end(), bars[bar + i].begin(), bars[bar + i].end());
  return grid;
}

// Bars that match the mean of the free bars; twice, so that the mean forgets what did not match.
RhythmGroup GroupAround(const std::vector<StepGrid>& bars, const std::vector<size_t>& starts, size_t loop) {
  RhythmGroup group;
  group.bars = starts;
  for (int round = 0; round < 3 && !group.bars.empty(); ++round) {
    group.grid.assign(bars[0].size() * loop, 0);
    for (const size_t bar : group.bars) {
      const StepGrid grid = LoopAt(bars, bar, loop);
      for (size_t i = 0; i < grid.size(); ++i) group.grid[i] += grid[i] / static_cast<double>(group.bars.size());
    }
    group.bars.clear();
    group.likeness = 0;
    for (const size_t bar : starts) {
      const double likeness = GridLikeness(LoopAt(bars, bar, loop), group.grid);
      if (likeness < kGridMatch) continue;
      group.bars.push_back(bar);
      group.likeness += likeness;
    }
    if (!group.bars.empty()) group.likeness /= static_cast<double>(group.bars.size());
  }
  return group;
}

// Mean likeness of bars `lag` apart: the autocorrelation of the rhythm on the bar grid.
double BarAutocorrelation(const std::vector<StepGrid>& bars, size_t lag) {
  double sum = 0;
  size_t count = 0;
  for (size_t bar = 0; bar + lag < bars.size(); ++bar, ++count) sum += GridLikeness(bars[bar], bars[bar + lag]);
  return count > 0 ? sum / static_cast<double>(count) : 0;
}

// The shortest of 1, 2 and 4 bars whose autocorrelation comes near the best.
size_t LoopBars(const std::vector<StepGrid>& bars) {
  double best = 0;
  for (const size_t lag : {1, 2, 4}) best = std::max(best, BarAutocorrelation(bars, lag));
  for (const size_t lag : {1, 2, 4}) {
    if (BarAutocorrelation(bars, lag) >= 0.9 * best - 1e-9 && bars.size() >= 2 * lag) return lag;
  }
  return 1;
}

AudioPattern DescribeRhythm(const AudioFeatures& features, const BarGrid& bars, const RhythmGroup& group, size_t loop,
                            double autocorrelation) {
  AudioPattern pattern;
  pattern.kind = PatternKind::kRhythmic;
  pattern.tempo_bpm = features.tempo_bpm;
  pattern.meter = bars.beats_per_bar;
  const double largest = *std::max_element(group.grid.begin(), group.grid.end());
  int hits = 0;
  for (const double value : group.grid) {
    pattern.onset_grid.push_back(static_cast<float>(largest > 0 ? value / largest : 0));
    hits += pattern.onset_grid.back() >= 0.4f;
  }
  StepGrid beat_onsets;
  for (const size_t bar : group.bars) {
    pattern.spans.push_back(bars.Span(bar, loop));
    if (beat_onsets.size() > 4096) continue;  // enough for the autocorrelation
    const StepGrid more =
        OnsetsOnBeats(features, bars, bars.first_beat[bar], loop * static_cast<size_t>(bars.beats_per_bar), 8);
    beat_onsets.insert(beat_onsets.end(), more.begin(), more.end());
  }
  const double coverage = static_cast<double>(group.bars.size() * loop) / static_cast<double>(bars.bars.size());
  pattern.strength = std::clamp(group.likeness * (0.4 + 0.6 * coverage), 0.0, 1.0);
  pattern.embedding = RhythmicEmbedding(beat_onsets, pattern.onset_grid);
  pattern.description =
      Formatted("%d-bar rhythm in %d/4, %d hits, %s", loop, bars.beats_per_bar, hits, Times(group.bars.size()));
  pattern.evidence = {
      {"autocorrelation_peak", autocorrelation, Formatted("bars %d apart agree at %.2f", loop, autocorrelation)},
      {"grid_likeness", group.likeness,
       Formatted("its occurrences agree with their mean at %.2f", group.likeness)},
      {"coverage", coverage, Formatted("it fills %.0f %% of the bars", 100 * coverage)}};
  return pattern;
}

}  // namespace

void FindRhythmic(const AudioFeatures& features, const BarGrid& bars, std::vector<AudioPattern>& found) {
  if (bars.bars.size() < 2 || features.onset_strength.frames() == 0) return;
  std::vector<StepGrid> grids;
  for (const size_t first : bars.first_beat) {
    grids.push_back(OnsetsOnBeats(features, bars, first, static_cast<size_t>(bars.beats_per_bar), kStepsPerBeat));
    grids.back().resize(static_cast<size_t>(bars.beats_per_bar * kStepsPerBeat), 0);
  }
  const size_t loop = LoopBars(grids);
  const double autocorrelation = BarAutocorrelation(grids, loop);
  std::vector<size_t> starts;
  for (size_t bar = 0; bar + loop <= grids.size(); bar += loop) starts.push_back(bar);
  for (size_t round = 0; round < kMaxRhythms; ++round) {
    const RhythmGroup group = GroupAround(grids, starts, loop);
    if (group.bars.size() < 2) return;
    found.push_back(DescribeRhythm(features, bars, group, loop, autocorrelation));
    std::vector<size_t> left;
    std::set_difference(starts.begin(), starts.end(), group.bars.begin(), group.bars.end(), std::back_inserter(left));
    starts = std::move(left);
  }
}

}  // namespace grym
