#include "patterns/bar_grid.h"

#include <algorithm>
#include <cmath>
#include <string>

namespace grym {
namespace {

// First and one past the last frame whose centre lies in [from_s, to_s).
std::pair<int64_t, int64_t> FramesWithin(const FrameSeries& series, double from_s, double to_s) {
  const int64_t count = series.frames();
  if (count == 0 || !(series.rate_hz > 0) || !(to_s > from_s)) return {0, 0};
  const auto frame_at = [&](double time_s) {
    const double frame = std::ceil((time_s - series.start_s) * series.rate_hz - 1e-9);
    return static_cast<int64_t>(std::clamp(frame, 0.0, static_cast<double>(count)));
  };
  return {frame_at(from_s), frame_at(to_s)};
}

}  // namespace

TimeSpan BarGrid::Span(size_t first, size_t count) const {
  return {bars[first].start_s, bars[std::min(first + count, bars.size()) - 1].end_s};
}

BarGrid MakeBarGrid(const AudioFeatures& features) {
  BarGrid grid;
  for (const double beat_s : features.beats_s) {
    if (std::isfinite(beat_s) && (grid.beats_s.empty() || beat_s > grid.beats_s.back())) grid.beats_s.push_back(beat_s);
  }
  if (grid.beats_s.size() < 8) return grid;
  if (features.meter >= 2 && features.meter <= 12) grid.beats_per_bar = features.meter;
  const auto per_bar = static_cast<size_t>(grid.beats_per_bar);
  // Phase: the beat residue that most downbeats fall on. Beats are laid out evenly from it, so that a downbeat that was
  // misheard in one place does not shift the bars after it.
  std::vector<int> votes(per_bar, 0);
  for (const double downbeat_s : features.downbeats_s) {
    if (!std::isfinite(downbeat_s)) continue;
    const auto after = std::lower_bound(grid.beats_s.begin(), grid.beats_s.end(), downbeat_s);
    auto nearest = static_cast<size_t>(after - grid.beats_s.begin());
    if (nearest == grid.beats_s.size() ||
        (nearest > 0 && downbeat_s - grid.beats_s[nearest - 1] < grid.beats_s[nearest] - downbeat_s)) {
      --nearest;
    }
    ++votes[nearest % per_bar];
  }
  const auto phase = static_cast<size_t>(std::max_element(votes.begin(), votes.end()) - votes.begin());
  for (size_t beat = phase; beat + per_bar <= grid.beats_s.size(); beat += per_bar) {
    // The last bar has no next beat: its last beat lasts as long as the one before.
    const size_t next = beat + per_bar;
    const double end_s =
        next < grid.beats_s.size() ? grid.beats_s[next] : 2 * grid.beats_s[next - 1] - grid.beats_s[next - 2];
    grid.bars.push_back({grid.beats_s[beat], end_s});
    grid.first_beat.push_back(beat);
  }
  return grid;
}

double LargestIn(const FrameSeries& series, double from_s, double to_s) {
  if (series.frames() == 0 || series.dim < 1) return 0;
  auto [first, last] = FramesWithin(series, from_s, to_s);
  if (first >= last) {
    first =
        std::clamp<int64_t>(static_cast<int64_t>(std::lround(((from_s + to_s) / 2 - series.start_s) * series.rate_hz)),
                            0, series.frames() - 1);
    last = first + 1;
  }
  double largest = 0;
  for (int64_t frame = first; frame < last; ++frame) {
    const double value = series.values[static_cast<size_t>(frame * series.dim)];
    if (std::isfinite(value)) largest = std::max(largest, value);
  }
  return largest;
}

SeriesStatistics StatisticsOver(const FrameSeries& series, const TimeSpan& span) {
  const auto dim = static_cast<size_t>(std::max(series.dim, 0));
  SeriesStatistics made{std::vector<double>(dim, 0), std::vector<double>(dim, 0)};
  const auto [first, last] = FramesWithin(series, span.start_s, span.end_s);
  if (first >= last) return made;
  const auto count = static_cast<double>(last - first);
  for (size_t d = 0; d < dim; ++d) {
    double sum = 0, squares = 0;
    for (int64_t frame = first; frame < last; ++frame) {
      const double value = series.values[static_cast<size_t>(frame) * dim + d];
      if (!std::isfinite(value)) continue;
      sum += value;
      squares += value * value;
    }
    made.mean[d] = sum / count;
    made.deviation[d] = std::sqrt(std::max(0.0, squares / count - made.mean[d] * made.mean[d]));
  }
  return made;
}

std::string Times(size_t count) { return count == 1 ? "once" : std::to_string(count) + " times"; }

}  // namespace grym
