// Drums: the genre's groove at a section's energy, with ghost notes, fills and cymbals.
#pragma once
#include "generation/draft.h"

namespace grym {

// Writes the drums of every section and the last hit. Returns a part without notes for a genre without a kit.
DraftPart WriteDrums(const PiecePlan& plan);

}  // namespace grym
