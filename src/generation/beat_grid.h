// Where the beats lie in time: steady for a new piece, as played for a recording.
#pragma once
#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

namespace grym {

// Beat b (fractions allowed) to seconds, linear between beats and continued with the outermost interval beyond them.
class BeatGrid {
 public:
  // Beat 0 at time 0.
  static BeatGrid Steady(double tempo_bpm) { return BeatGrid({0.0, 60.0 / tempo_bpm}); }
  // Requires at least two rising times; beat 0 is the first.
  static BeatGrid FromTimes(std::vector<double> times_s) { return BeatGrid(std::move(times_s)); }

  double At(double beat) const {
    const double last = static_cast<double>(times_s_.size()) - 2;
    const double at = std::clamp(static_cast<double>(static_cast<long long>(beat < 0 ? 0 : beat)), 0.0, last);
    const size_t index = static_cast<size_t>(at);
    return times_s_[index] + (beat - at) * (times_s_[index + 1] - times_s_[index]);
  }
  size_t size() const { return times_s_.size(); }

 private:
  explicit BeatGrid(std::vector<double> times_s) : times_s_(std::move(times_s)) {}
  std::vector<double> times_s_;
};

}  // namespace grym
