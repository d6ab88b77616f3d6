// Players: from beats to seconds with swing, a lean on the beat, and small deviations of time and strength.
#pragma once
#include "generation/beat_grid.h"
#include "generation/draft.h"

namespace grym {

// Deviations are normal with the genre's spread (a drummer's 5 ms; Raesaenen et al. 2015), independent per part, and
// have mean zero, so the tempo stays exact. Notes are sorted; none starts before 0 or after `duration_s`.
InstrumentPart PlayPart(const PiecePlan& plan, const BeatGrid& grid, const DraftPart& draft);

// Moves the second of two steps of `swing_beats` so that the first takes the share `swing`.
double SwungBeat(double beat, double swing, double swing_beats);

}  // namespace grym
