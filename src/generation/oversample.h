// The best quality tier: a score played at twice its rate.
#pragma once
#include "absl/status/statusor.h"
#include "generation/render.h"

namespace grym {

// RenderScore at twice `score.rate_hz`, brought back by libsamplerate's best converter. What FM, saturation and sharp
// edges make beyond half the rate is filtered away instead of folding back into the music, and filters keep their shape
// up to the top octave. Takes two to three times as long and, with stems, up to three times the memory.
absl::StatusOr<Rendered> RenderOversampled(const Score& score, const RunOptions& run = {}, bool keep_stems = true);

}  // namespace grym
