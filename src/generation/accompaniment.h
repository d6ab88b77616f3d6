// Parts for a recording that is already there: on its beats, in its key, with its chords and sections.
#pragma once
#include <string>
#include <vector>

#include "generation/score.h"
#include "grymsynth/audio_features.h"
#include "grymsynth/generation.h"

namespace grym {

struct Accompaniment {
  Score score;                        // no parts when nothing can follow the recording
  std::string basis;                  // "chords", "key", "beats" or "none": what the parts rest on
  std::vector<std::string> material;  // what of the request's patterns they are made of: "rhythm", "motif", "chords"
  std::vector<std::string> warnings;
};

// Percussion where beats are known; a pad (and a plucked figure and, under a thin recording, a bass) on the chords
// where these are heard clearly, else a fifth on the key's tonic when the key is sure, else nothing pitched. Notes lie
// on `features.beats_s`, not on a constant grid, tuned to `features.tuning_hz`. The request's patterns give the parts
// their material: the percussion accents a rhythm's grid, the figure has a motif's rhythm and contour on the chords'
// tones, and where chords are not heard clearly a chord loop that agrees with what is heard stands in.
Accompaniment Accompany(const GenerateAudioRequest& request, const AudioFeatures& features);

}  // namespace grym
