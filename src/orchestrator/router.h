// Picks the chain for a task from what is registered, and says why.
#pragma once
#include <cstdint>

#include "absl/status/statusor.h"
#include "grymsynth/model_orchestrator.h"
#include "orchestrator/cost_table.h"
#include "orchestrator/model_registry.h"

namespace grym {

// One link, or two where a task hears (embeds, analyses, classifies, finds patterns) and brings no audio but a prompt:
// then one is generated first. Among the models that can, the one with the least estimated time, then the first by id.
absl::StatusOr<ModelChain> Route(const AudioTask& task, const ModelRegistry& registry, const CostTable& costs,
                                 int64_t budget_bytes);

// InvalidArgument (code "bad_metrics").
absl::Status CheckMetrics(const PerformanceMetrics& metrics);

// Seconds of the recording that a task hears, 0 where only decoding the file could tell.
double HeardSeconds(const AudioTask& task);

// What a run of a model takes of its device: of one with a budget of its own no bytes, which that one counts.
ResourceDemands DemandsOf(const ModelInfo& info, const ResourceNeed& need);

bool MakesAudio(Capability capability);  // kGenerate, kEnhance

}  // namespace grym
