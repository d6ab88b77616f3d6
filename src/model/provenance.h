// Who made a result, as every generator tells it.
#pragma once
#include "grymsynth/generation.h"
#include "grymsynth/model.h"

namespace grym {

// Model, version, software and seed; what was made from what request is the generator's own to tell.
void SignResult(const ModelInfo& info, const GenerateAudioRequest& request, Provenance& provenance);

}  // namespace grym
