// The best quality tier: a score played at twice its rate.
#pragma once
#include "absl/status/statusor.h"
#include "generation/render.h"

namespace grym {

// Every other frame behind a linear-phase filter without delay: flat up to 0.95 of the lower Nyquist frequency, 140 dB
// down from 1 on. `frames` of them, about half of the audio's. A fifth of the cost of libsamplerate's best converter,
// which handles any ratio. Cancelled within 8192 frames.
absl::StatusOr<AudioBuffer> HalveRate(const AudioBuffer& audio, int64_t frames, const RunOptions& run = {});

// RenderScore at twice `score.rate_hz`, halved. What FM, saturation and sharp edges make beyond half the rate is
// filtered away instead of folding back into the music, and filters keep their shape up to the top octave. Takes about
// three times as long, with stems six times, and up to three times the memory.
absl::StatusOr<Rendered> RenderOversampled(const Score& score, const RunOptions& run = {}, bool keep_stems = true);

}  // namespace grym
