// What one link of a chain gives the next: audio that is what it was declared to be.
#pragma once
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "grymsynth/generation.h"
#include "grymsynth/model_orchestrator.h"

namespace grym {

// The length that a request binds its generator to; none where a reference recording sets it.
std::optional<double> WantedDuration(const GenerateAudioRequest& request);

// Rate and channels as the link declares, frames, every sample finite, the wanted duration within 50 ms or 1 %, and
// stems of the same shape with plain names, each once. A break is the maker's bug: Internal (code "bad_hand_over",
// naming the model).
absl::Status CheckMadeAudio(const ChainLink& link, const GenerateAudioResult& made,
                            std::optional<double> wanted_duration_s);

// Audio that goes into a link that takes audio: frames and finite samples. InvalidArgument (code "bad_hand_over").
absl::Status CheckGivenAudio(const ChainLink& link, const AudioBuffer& audio);

}  // namespace grym
