// The whole repair and mastering chain.
#pragma once
#include "absl/status/statusor.h"
#include "grymsynth/audio_buffer.h"
#include "grymsynth/audio_processor.h"
#include "grymsynth/job.h"

namespace grym {

// Declip, dehum, denoise, balance, dynamics, stereo, loudness, limiter, in this order; a stage without evidence leaves
// every bit. The repairs reach their full depth at level 0.5 already (half a repair is still a fault), denoise its
// deepest floor at 1; balance, dynamics and stereo grow with `level`. A target loudness is met at any level above 0, or
// missed with a warning where the peak limit stands against it; without one the input's loudness is kept, less what
// would take more than 3 dB of limiting (rebuilt peaks need room).
// Level 0 returns the input, bit for bit, with every stage listed as not applied. NaN and infinity become 0 above level
// 0. InvalidArgument: no frames, or a parameter out of its range. Works in `audio` itself, beside
// which it holds one copy.
absl::StatusOr<EnhancedAudio> EnhanceAudio(AudioBuffer audio, const EnhanceParams& params = {},
                                           const RunOptions& run = {});

}  // namespace grym
