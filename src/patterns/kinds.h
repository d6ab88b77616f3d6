// The finders behind DetectPatternsIn. Each appends what it finds.
#pragma once
#include <vector>

#include "grymsynth/audio_features.h"
#include "grymsynth/pattern.h"
#include "patterns/bar_grid.h"

namespace grym {

// Bars whose onset grids agree, at the shortest loop length (1, 2 or 4 bars) that explains them.
void FindRhythmic(const AudioFeatures& features, const BarGrid& bars, std::vector<AudioPattern>& found);
// Chord loops: the shortest sequence of beat-aligned chords that repeats, then the next among what is left.
void FindHarmonic(const AudioFeatures& features, const BarGrid& bars, std::vector<AudioPattern>& found);
// Motifs: sequences of intervals and duration classes that return at any pitch.
void FindMelodic(const AudioFeatures& features, const BarGrid& bars, std::vector<AudioPattern>& found);
// Groups of windows with one texture.
void FindTimbral(const AudioFeatures& features, std::vector<AudioPattern>& found);
// Sections with one letter.
void FindStructural(const AudioFeatures& features, std::vector<AudioPattern>& found);
// The shortest stretch, in whole beats, after which the recording is the same again; structural, labelled "loop".
void FindLoop(const AudioFeatures& features, std::vector<AudioPattern>& found);

}  // namespace grym
