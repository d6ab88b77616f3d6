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
//
// Of several takes (request.takes) each is made so, the k-th on DeriveSeed(seed, "take k"), and they are ranked by
// RankTakes; the best is the result, the others stand in other_takes. A take that fails its gate is left out with a
// warning; when all do, the first's error is answered. Facts: "take_scores" and "take_seeds", best first, "ranked_by".
absl::StatusOr<GenerateAudioResult> MakeTake(ModelOrchestrator& orchestrator, GenerateAudioRequest request,
                                             const RunOptions& run);

// One that nobody asked for; never negative, exact in every JSON reader.
int64_t RandomSeed();
// The seed of the retry; never negative.
int64_t NextSeed(int64_t seed);
// A seed for a named part of a run, derived from the run's own; never negative.
int64_t DeriveSeed(int64_t seed, std::string_view part);

}  // namespace grym
