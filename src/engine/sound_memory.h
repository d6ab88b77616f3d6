// The pattern memory by ear: what an embedder hears of patterns, and which of them sound like some words.
#pragma once
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grymsynth/audio_file.h"
#include "grymsynth/model_orchestrator.h"
#include "grymsynth/pattern_memory.h"

namespace grym {

// See Engine::HearPatterns and Engine::SearchMemory.
absl::Status HearStoredPatterns(ModelOrchestrator& orchestrator, PatternMemory& memory, const AudioPatterns& patterns,
                                const AudioInput& audio, std::string_view model, const RunOptions& run);
absl::StatusOr<std::vector<PatternMatch>> SearchByWords(ModelOrchestrator& orchestrator, PatternMemory& memory,
                                                        std::string_view words_utf8, std::string_view model, int limit,
                                                        const RunOptions& run);

}  // namespace grym
