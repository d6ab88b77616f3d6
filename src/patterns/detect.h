// What returns in a recording: rhythmic, harmonic, melodic, timbral and structural patterns from its features.
#pragma once
#include "grymsynth/audio_features.h"
#include "grymsynth/pattern.h"

namespace grym {

// Strongest first; ids are 0 and `source` is empty. Features may lack anything: a kind whose input is missing (no
// beats, no chords, no voiced pitch, no sections) yields nothing. Non-finite values are treated as absent. Linear in
// the length.
AudioPatterns DetectPatternsIn(const AudioFeatures& features);

}  // namespace grym
