// The built-in composer: a request becomes a plan, a score, sound, and a master. No weights; any CPU.
#pragma once
#include <memory>

#include "grymsynth/model.h"

namespace grym {

// Model id "composer". With reference audio in the request it makes an enhanced take (see enhanced_take.h). What fields
// mean here:
// - temperature [0, 2], default 1: 0 repeats itself but for the players' hands; above 1 chords gain colours, fills,
//   ornaments and leaps grow more frequent.
// - reference_midi: its tempo, metre and key; from reference_strength 0.25 on its chords; its motif in the share
//   `reference_strength` of the lead's phrases. Strength 0 takes nothing. Tempo, key and metre of the request win.
// - patterns: chords, motif, rhythm (in the drums), tempo, metre and key of the strongest that have one.
// - quality: the same notes in every tier. Draft has no room, echoes, glue or warmth; best renders at twice the rate.
std::shared_ptr<const Model> MakeComposer();

}  // namespace grym
