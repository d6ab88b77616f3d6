// The lead: a motif per section letter, developed in phrases of question and answer over the chords.
#pragma once
#include "generation/draft.h"

namespace grym {

std::vector<DraftNote> WriteMelody(const PiecePlan& plan, const ChordTrack& chords, const PartTable& table,
                                   const std::map<std::string, const char*>& figures);

}  // namespace grym
