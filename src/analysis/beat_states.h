// Where in a beat the music may be, and how long that beat is.
#pragma once
#include <span>
#include <vector>

namespace grym {

// States are (interval, position) as in the bar pointer model of Krebs, Böck and Widmer 2015; intervals change at
// beats only. One ring per interval holds the log probabilities of its positions, so moving on costs nothing. Intervals
// are numbered from 0, the shortest. Allocates when made, never after. Threads: one at a time.
class BeatStates {
 public:
  static constexpr int kObservation = 16;  // the first sixteenth of a beat is "on the beat"
  // Intervals of `shortest` to `longest` frames.
  BeatStates(int shortest, int longest);
  // Starts anew with an interval of about `likely` frames; `spread` in octaves.
  void Begin(double likely, double spread = 0.1);
  // From now on every beat pays for its distance from an interval of `likely` frames.
  void Prefer(double likely);
  // One frame further. `from` [intervals] receives the interval from which each is best entered, or is empty.
  void Step(float activation, std::span<unsigned short> from);
  struct Place {
    int interval = 0;  // number
    int position = 0;  // frames since its beat
  };
  Place Best() const;
  int intervals() const { return count_; }
  int frames(int interval) const { return shortest_ + interval; }

 private:
  double& At(int i, int position) {
    return states_[static_cast<size_t>(start_[i] + (heads_[i] + position) % (shortest_ + i))];
  }
  int shortest_, count_;
  std::vector<double> states_;  // the rings, one after another
  std::vector<int> start_, heads_;
  std::vector<double> change_, last_;  // change_ [to, from]
};

}  // namespace grym
