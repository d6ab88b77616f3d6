// Beats and bars as a grid that patterns are laid on, and readings of frame series over spans of time.
#pragma once
#include <string>
#include <vector>

#include "grymsynth/audio_features.h"

namespace grym {

struct BarGrid {
  int beats_per_bar = 4;
  std::vector<double> beats_s;     // rising
  std::vector<TimeSpan> bars;      // whole bars, back to back
  std::vector<size_t> first_beat;  // per bar: index into beats_s
  bool empty() const { return bars.empty(); }
  // From the start of bar `first` to the end of bar `first + count - 1`, clipped.
  TimeSpan Span(size_t first, size_t count) const;
};

// From beats and downbeats; without downbeats every fourth (or meter-th) beat starts a bar. Empty below 8 beats.
BarGrid MakeBarGrid(const AudioFeatures& features);

// Largest value of dimension 0 in [from_s, to_s]; the nearest frame's when no frame lies inside; 0 for no frames.
double LargestIn(const FrameSeries& series, double from_s, double to_s);
// Mean and standard deviation per dimension over the frames in `span`; zeros for no frames.
struct SeriesStatistics {
  std::vector<double> mean, deviation;
};
SeriesStatistics StatisticsOver(const FrameSeries& series, const TimeSpan& span);

// "3 times"; "once".
std::string Times(size_t count);

}  // namespace grym
