// A recording that repeats itself: a loop played on.
#include <algorithm>
#include <cmath>
#include <vector>

#include "base/format.h"
#include "patterns/embedding.h"
#include "patterns/kinds.h"

namespace grym {
namespace {

constexpr int kLoopDims = 13;             // of the MFCC, each in its own deviations
constexpr int kLongestLoopBeats = 64;
constexpr double kShortestLoop_s = 0.5;
constexpr double kLeastTurns = 1.8;       // of the recording
constexpr int64_t kComparedFrames = 4096;  // at most, so that an hour costs what two minutes do
// Distances of frames one loop apart, by those of frames at random. Measured: eight loops at most 0.03, half or a
// quarter of one from 0.04, played or programmed drums from 0.06, music that no loop makes from 0.2.
constexpr double kMostLoopDistance = 0.035;

struct LoopFrames {
  std::vector<float> values;  // [frames, kLoopDims], smoothed over five frames: a loop is no whole number of them
  int64_t count = 0;
  double rate_hz = 0;
  double scatter = 0;  // mean squared distance of two frames at random
};

LoopFrames FramesOf(const FrameSeries& mfcc) {
  constexpr float kTaps[] = {1 / 16.f, 4 / 16.f, 6 / 16.f, 4 / 16.f, 1 / 16.f};
  LoopFrames frames{{}, mfcc.frames(), mfcc.rate_hz, 0};
  frames.values.assign(static_cast<size_t>(frames.count * kLoopDims), 0.0f);
  for (int d = 0; d < kLoopDims; ++d) {
    const auto at = [&](int64_t n) { return mfcc.values[std::clamp<int64_t>(n, 0, frames.count - 1) * mfcc.dim + d]; };
    double sum = 0, squares = 0;
    for (int64_t n = 0; n < frames.count; ++n) sum += at(n), squares += double{at(n)} * at(n);
    const double mean = sum / static_cast<double>(frames.count);
    const double deviation = std::sqrt(std::max(squares / static_cast<double>(frames.count) - mean * mean, 1e-12));
    double smooth_squares = 0;
    for (int64_t n = 0; n < frames.count; ++n) {
      double smooth = 0;
      for (int k = -2; k <= 2; ++k) smooth += kTaps[k + 2] * (at(n + k) - mean) / deviation;
      frames.values[n * kLoopDims + d] = static_cast<float>(smooth);
      smooth_squares += smooth * smooth;
    }
    frames.scatter += 2 * smooth_squares / static_cast<double>(frames.count);
  }
  return frames;
}

// Mean squared distance of frames `lag` frames apart, between frames by linear interpolation, by their scatter.
double DistanceAt(const LoopFrames& frames, double lag) {
  const auto whole = static_cast<int64_t>(lag);
  const auto part = static_cast<float>(lag - static_cast<double>(whole));
  const int64_t compared = frames.count - whole - 1;
  const int64_t step = std::max<int64_t>(1, compared / kComparedFrames);
  double sum = 0;
  int64_t taken = 0;
  for (int64_t n = 0; n < compared; n += step, ++taken) {
    const float* here = &frames.values[n * kLoopDims];
    const float* there = here + whole * kLoopDims;
    float squares = 0;
    for (int d = 0; d < kLoopDims; ++d) {
      const float difference = there[d] + part * (there[d + kLoopDims] - there[d]) - here[d];
      squares += difference * difference;
    }
    sum += squares;
  }
  return sum / (static_cast<double>(std::max<int64_t>(1, taken)) * frames.scatter);
}

}  // namespace

void FindLoop(const AudioFeatures& features, std::vector<AudioPattern>& found) {
  const FrameSeries& mfcc = features.spectral.mfcc;
  if (!(features.tempo_bpm > 0) || !(mfcc.rate_hz > 0) || mfcc.dim < kLoopDims || mfcc.frames() < 16) return;
  const LoopFrames frames = FramesOf(mfcc);
  if (!(frames.scatter > 1e-3)) return;
  const double beat = 60 / features.tempo_bpm * frames.rate_hz;
  double lag = 0, distance = 1;
  int beats = 0;
  for (int k = 1; k <= kLongestLoopBeats && !(distance <= kMostLoopDistance); ++k) {
    if (!(k * beat * kLeastTurns <= static_cast<double>(frames.count))) break;
    if (k * beat < kShortestLoop_s * frames.rate_hz) continue;
    // The tempo is exact to a tenth of a percent or so.
    const double reach = 0.5 + 5e-4 * k * beat;
    double nearest = 1;
    for (double off = -reach; off <= reach; off += reach / 4) {
      const double at = DistanceAt(frames, k * beat + off);
      if (at < nearest) nearest = at, lag = k * beat + off;
    }
    distance = nearest;
    beats = k;
  }
  if (!(distance <= kMostLoopDistance)) return;
  const double length_s = static_cast<double>(frames.count) / frames.rate_hz;
  const double loop_s = lag / frames.rate_hz, turns = length_s / loop_s;
  AudioPattern pattern;
  pattern.kind = PatternKind::kStructural;
  pattern.section_label = "loop";
  pattern.tempo_bpm = features.tempo_bpm;
  pattern.meter = features.meter;
  pattern.key = features.key.value_or("");
  for (double start_s = 0; start_s + 0.5 * loop_s < length_s; start_s += loop_s)
    pattern.spans.push_back({start_s, std::min(start_s + loop_s, length_s)});
  pattern.strength = std::clamp(1 - 0.3 * distance / kMostLoopDistance, 0.0, 1.0);
  pattern.embedding = StructuralEmbedding(features, std::span<const TimeSpan>(pattern.spans.data(), 1));
  pattern.description = Formatted("loop of %.2f s, %d beats, %s", loop_s, beats, Times(pattern.spans.size()));
  pattern.evidence = {{"loop_s", loop_s, Formatted("everything returns after %.2f s", loop_s)},
                      {"turns", turns, Formatted("the recording is %.1f turns long", turns)},
                      {"loop_distance", distance,
                       Formatted("one turn later it differs by %.1f %% of what moments differ at random",
                                 100 * std::sqrt(distance))}};
  found.push_back(std::move(pattern));
}

}  // namespace grym
