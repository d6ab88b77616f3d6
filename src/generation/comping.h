// Accompaniment: chords held, struck, strummed or broken, each voice led by the shortest way.
#pragma once
#include "generation/draft.h"

namespace grym {

std::vector<DraftNote> WriteComping(const PiecePlan& plan, const ChordTrack& chords, const PartTable& table,
                                    const std::map<std::string, const char*>& figures);

}  // namespace grym
