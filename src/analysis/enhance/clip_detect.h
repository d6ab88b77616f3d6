// Where a recording was clipped: flat tops with corners at its highest and lowest level.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "grymsynth/job.h"

namespace grym {

struct ClippedRun {
  int64_t start = 0;
  int64_t count = 0;
  float level = 0;  // the flat value, with its sign
};

// Runs in rising order, empty for a channel without evidence. The level need not be full scale: a clipped recording
// that was turned down is still clipped. Evidence is at least three runs of three samples that lie within 0.05 % of the
// channel's extreme and leave it on both sides far faster than the top of a smooth wave would; then shorter runs at
// that level count too. A square wave (IsSquareWave) is not clipped.
// Cancelled: soon, with no runs; the caller looks at the token.
std::vector<ClippedRun> FindClippedRuns(std::span<const float> channel, const CancelToken& cancel = {});

// Whether a channel is a square or pulse wave, however it was filtered: hardly anything lies between its two levels,
// and nine tenths of its time are half-waves of one length, to a sample, eight of them or more on end. What was driven
// into two levels has no such pitch.
bool IsSquareWave(std::span<const float> channel, float level);

}  // namespace grym
