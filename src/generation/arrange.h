// Puts a piece together: every part over every section, transitions, automation, the last chord.
#pragma once
#include "generation/draft.h"
#include "generation/score.h"

namespace grym {

// The whole score of a plan, played by people (see humanise.h), ready to be rendered.
Score ArrangePiece(const PiecePlan& plan, const ChordTrack& chords);

}  // namespace grym
