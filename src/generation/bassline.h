// The bass: the genre's figure over the chords, walking lines, steps into the next chord.
#pragma once
#include "generation/draft.h"

namespace grym {

// `figures` gives the figure of each section letter.
std::vector<DraftNote> WriteBass(const PiecePlan& plan, const ChordTrack& chords, const PartTable& table,
                                 const std::map<std::string, const char*>& figures);

}  // namespace grym
