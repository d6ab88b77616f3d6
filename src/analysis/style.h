// Style from measured features, by rules.
#pragma once
#include "grymsynth/audio_features.h"
#include "grymsynth/audio_processor.h"

namespace grym {

// Never looks at names or metadata. "unsure" for what is silent or too short, and where the best genre barely leads.
StyleClassification ClassifyStyleOf(const AudioFeatures& features);

}  // namespace grym
