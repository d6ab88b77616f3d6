// Sections: where the music changes, and which parts are alike.
#pragma once
#include <span>
#include <vector>

#include "analysis/tonal.h"
#include "grymsynth/audio_features.h"

namespace grym {

// Spans from 0 to `duration_s` without gaps; one section "A" for what is too short or does not change.
std::vector<Section> FindSections(const FrameSeries& mfcc, const ChromaFrames& chroma, std::span<const double> beats_s,
                                  double duration_s);

}  // namespace grym
