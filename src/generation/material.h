// Music that is brought along: patterns heard elsewhere, or a MIDI file, as chords, a motif, a rhythm, a key.
#pragma once
#include <vector>

#include "generation/draft.h"
#include "grymsynth/midi.h"
#include "grymsynth/pattern.h"

namespace grym {

// The strongest pattern of each kind gives its part; what is unknown stays empty.
Material MaterialFromPatterns(const std::vector<AudioPattern>& patterns);
// Chords per bar from the sounding pitch classes, the motif from the top line's first phrase, tempo, metre and key
// (Krumhansl) from the notes. Percussion is left out. An empty file gives an empty material.
Material MaterialFromMidi(const Midi& midi);
// Moves the chords so that its key's tonic becomes `key`'s. Without a key of its own the material stays.
void TransposeMaterial(const MusicalKey& key, Material* material);

}  // namespace grym
