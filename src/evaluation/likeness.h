// Whether two takes are the same music, and how time and pitch moved between them.
#pragma once
#include <vector>

#include "absl/status/statusor.h"
#include "evaluation/take_measures.h"

namespace grym {

struct Likeness {
  double similarity = 0;     // correlation of the aligned band pictures, where the original has energy; [-1, 1]
  double quartile = 0;       // the same of the band at the lower quartile; [-1, 1]
  double detail = 0;         // similarity of what stands out among its neighbouring bands; [-1, 1]
  double bent = 0;           // share of the alignment's steps in which one of the two stands still
  double coverage = 0;       // share of the original that the result's length reaches, [0, 1]
  double held = 0;           // share of the original's windows of 2 s that are found in the result
  double clarity = 0;        // mean correlation of those windows
  std::vector<TimeSpan> lost;  // the others, merged
  double drift_s = 0;        // mean distance of the aligned times from their median offset
  double speed = 1;          // result's time over original's, straight-line fit
  std::vector<TimeSpan> drifting;  // where the offset leaves its median by more than 80 ms
  double cents = 0;          // pitch of the result over the original's, within +-600; 0 when it cannot be told
  double pitch_evidence = 0; // correlation of the fine spectra there
  double detuned_cents = 0;  // how far the pitches lie from the original's, also where they waver; 0 for itself
};

// Aligns the band pictures by dynamic time warping within 1 s (a quarter of what is shorter than 4 s) or 12 % of the
// diagonal, both ends free within that, at a price.
// Source: Sakoe and Chiba 1978. What the result has beyond the original does not count against it: the correlations are
// weighed by the original's own energy. What the alignment leaves out of the shorter of the two does.
// Pieces of one genre and tempo share their long spectrum and their beat, so they are alike until those are taken
// away: `detail` sees chords, voices and melodies, `quartile` the bands beside kick and bass. Beats of another tempo
// are alike only along a path that stops and jumps from one to the next, which no tape and no player does: `bent`
// sees that. A result up to a semitone off is moved back before it is aligned. Cancelled when asked to stop.
absl::StatusOr<Likeness> MeasureLikeness(const TakeMeasures& original, const TakeMeasures& result,
                                         const RunOptions& run = {});

}  // namespace grym
