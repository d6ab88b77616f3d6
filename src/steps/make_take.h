// One take: routed, made, gated, retried once on another seed.
#pragma once
#include "absl/status/statusor.h"
#include "grymsynth/evaluation.h"
#include "grymsynth/generation.h"
#include "grymsynth/job.h"
#include "grymsynth/model_orchestrator.h"

namespace grym {

// A seed of -1 is replaced by a random one; every other gives the same bytes again. A take that fails the gate is made
// once more with NextSeed(); when that fails too: FailedPrecondition (code "take_rejected") with what was measured.
// With a reference recording, faults that the recording has itself are warnings: a take of silence may be silent.
absl::StatusOr<GenerateAudioResult> MakeTake(ModelOrchestrator& orchestrator, GenerateAudioRequest request,
                                             const RunOptions& run);

// One that nobody asked for; never negative, exact in every JSON reader.
int64_t RandomSeed();
// The seed of the retry; never negative.
int64_t NextSeed(int64_t seed);
// A seed for a named part of a run, derived from the run's own; never negative.
int64_t DeriveSeed(int64_t seed, std::string_view part);

}  // namespace grym
