// From a mix to a finished recording.
#pragma once
#include "absl/status/statusor.h"
#include "generation/score.h"
#include "grymsynth/audio_buffer.h"
#include "grymsynth/job.h"

namespace grym {

// In this order: level to the middle of the chain's range, high-pass at 25 Hz, tilt, glue compression, saturation,
// width, DC blocker, 25 ms fade at the very end, gain to the loudness target, true-peak limiter. Frames, rate and
// channels are those of `mix`; silence stays silence. The peak wins over the loudness. Progress stage "master".
// Errors: InvalidArgument "bad_mastering" names the field; "bad_audio" for no frames, NaN, or not 1 or 2 channels.
absl::StatusOr<AudioBuffer> MasterMix(const AudioBuffer& mix, const Mastering& mastering, const RunOptions& run = {});

}  // namespace grym
