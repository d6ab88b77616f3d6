// Several takes of one prompt, the nearest to it first.
#pragma once
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "grymsynth/generation.h"
#include "grymsynth/job.h"
#include "grymsynth/model_orchestrator.h"

namespace grym {

// The id of the model that ranks: `asked`, which must embed both sound and text (NotFound, code "no_model"), or the
// first open one that does; "" for none.
absl::StatusOr<std::string> FindRanker(const ModelOrchestrator& orchestrator, const std::string& asked);

// By the cosine of each take's embedding with the prompt's, as AudioLDM's own pipeline scores its waveforms; takes of
// one score keep their order. Without a ranker they all do, which a warning tells. Requires a take.
// Source: diffusers 0.42, AudioLDM2Pipeline.score_waveforms.
absl::StatusOr<GenerateAudioResult> RankTakes(ModelOrchestrator& orchestrator, const std::string& ranker,
                                              const std::string& prompt, std::vector<GenerateAudioResult> takes,
                                              const RunOptions& run);

}  // namespace grym
