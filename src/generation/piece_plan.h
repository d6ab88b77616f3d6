// From a request to a plan: genre, tempo, key, metre, form and orchestra, each asked for or drawn from the seed.
#pragma once
#include "absl/status/statusor.h"
#include "generation/draft.h"
#include "grymsynth/generation.h"

namespace grym {

// Each decision draws from a stream of its own, so giving one of them in the request leaves the others as they were:
// a request that is resolved (tempo, key, metre, structure, genre set to what was planned) plans the same piece.
// InvalidArgument (code "unsupported_field") for a structure, mood or instrument that the composer does not know, which
// is a warning in the plan when the request allows it.
absl::StatusOr<PiecePlan> PlanPiece(const GenerateAudioRequest& request);

// The chords of the whole piece and its last chord.
ChordTrack LayOutChords(const PiecePlan& plan);

}  // namespace grym
