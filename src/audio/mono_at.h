// What a network that hears one channel at one rate is given.
#pragma once
#include <string>

#include "absl/status/statusor.h"
#include "grymsynth/audio_buffer.h"
#include "grymsynth/job.h"

namespace grym {

// `audio` mixed to one channel and resampled (kBest), samples that are no numbers taken for 0. InvalidArgument (code
// "no_frames", told as of `where`) for an empty buffer; Cancelled.
absl::StatusOr<AudioBuffer> MonoAt(const AudioBuffer& audio, int rate_hz, const std::string& where,
                                   const RunOptions& run = {});

}  // namespace grym
