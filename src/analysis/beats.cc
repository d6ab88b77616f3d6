#include <algorithm>
#include <cmath>
#include <iterator>

#include "analysis/beat_states.h"
#include "analysis/rhythm.h"

namespace grym {
namespace {

constexpr int kObservation = BeatStates::kObservation;

// The best path through the states, with what leads back along it.
class BeatPath {
 public:
  BeatPath(int shortest, int longest, double likely) : states_(shortest, longest) { states_.Begin(likely); }

  void Step(float activation) {
    std::vector<unsigned short> from(states_.intervals());
    states_.Step(activation, from);
    from_.push_back(std::move(from));
  }

  // Frames of the beats on the best path. The first may lie just before frame 0: a path may start anywhere in a beat,
  // and one that starts at a beat's first sixteenth has it where the recording begins.
  std::vector<int64_t> Beats() const {
    auto [interval, position] = states_.Best();
    std::vector<int64_t> beats;
    int64_t frame = static_cast<int64_t>(from_.size()) - 1 - position;
    while (frame >= 0) {
      beats.push_back(frame);
      interval = from_[frame][interval];
      frame -= states_.frames(interval);
    }
    if (-frame * kObservation < states_.frames(interval)) beats.push_back(frame);
    std::reverse(beats.begin(), beats.end());
    return beats;
  }

 private:
  BeatStates states_;
  std::vector<std::vector<unsigned short>> from_;
};

// The activation's own peak within a sixteenth of a beat, between frames.
double Refine(const BeatCurve& activation, int64_t frame, double period) {
  const int64_t reach = std::max<int64_t>(1, std::lround(period / kObservation));
  const int64_t count = static_cast<int64_t>(activation.values.size());
  int64_t peak = frame;
  for (int64_t i = std::max<int64_t>(0, frame - reach); i <= std::min(count - 1, frame + reach); ++i) {
    if (activation.values[i] > activation.values[peak]) peak = i;
  }
  if (activation.values[peak] < 0.1f) return static_cast<double>(frame);
  if (peak == 0 || peak + 1 >= count) return static_cast<double>(peak);
  const double a = activation.values[peak - 1], b = activation.values[peak], c = activation.values[peak + 1];
  const double curve = a - 2 * b + c;
  return static_cast<double>(peak) + (curve < -1e-9 ? std::clamp(0.5 * (a - c) / curve, -0.5, 0.5) : 0);
}

// The onset nearest to `time_s`, or that time itself where none is within `reach_s`.
double NearestOnset(std::span<const double> onsets_s, double time_s, double reach_s) {
  double nearest = time_s, distance = reach_s;
  for (auto at = std::lower_bound(onsets_s.begin(), onsets_s.end(), time_s - reach_s);
       at != onsets_s.end() && *at <= time_s + reach_s; ++at) {
    if (std::abs(*at - time_s) < distance) {
      distance = std::abs(*at - time_s);
      nearest = *at;
    }
  }
  return nearest;
}

}  // namespace

std::vector<double> TrackBeats(const BeatCurve& activation, double bpm, std::span<const double> onsets_s, double range,
                               const CancelToken& cancel) {
  std::vector<double> times;
  if (bpm <= 0 || activation.values.empty()) return times;
  const double period = 60 * activation.rate_hz / bpm;
  BeatPath path(std::max(4, static_cast<int>(period / range)), static_cast<int>(std::ceil(period * range)), period);
  constexpr size_t kPollFrames = 256;  // each tries every period
  for (size_t n = 0; n < activation.values.size(); ++n) {
    if (n % kPollFrames == 0 && cancel.cancelled()) return {};
    path.Step(activation.values[n]);
  }
  for (int64_t frame : path.Beats()) {
    if (frame < 0) {
      const int64_t near = std::min<int64_t>(std::lround(period / kObservation) + 1, std::ssize(activation.values));
      if (*std::max_element(activation.values.begin(), activation.values.begin() + near) < 0.1f) continue;
      frame = 0;
    }
    // A quarter of a frame, since a frame is the mean of two of half its length.
    const double time = std::max(0.0, (Refine(activation, frame, period) + 0.25) / activation.rate_hz);
    const double beat = NearestOnset(onsets_s, time, 0.03);
    // What lies before the recording and its first beat may both be drawn to the beginning.
    if (times.empty() || beat - times.back() > 0.25 * period / activation.rate_hz) times.push_back(beat);
  }
  return times;
}

}  // namespace grym
