// Level over time and space: what jumps out, and how wide it is.
#pragma once
#include "absl/status/statusor.h"
#include "grymsynth/audio_buffer.h"
#include "grymsynth/audio_processor.h"
#include "grymsynth/job.h"

namespace grym {

// Passages (400 ms) that stand more than 8 dB above the middle of what is heard come down by half of what is beyond,
// times `amount`. Strokes within a passage keep their shape. change_db: the largest reduction, negative.
absl::StatusOr<EnhanceStage> TameOutliers(AudioBuffer& audio, double amount, const RunOptions& run = {});

struct StereoFacts {
  double side_db = 0;      // side over mid, -infinity for mono
  double correlation = 1;  // of left and right, [-1, 1]; 1 for mono and silence
};
StereoFacts MeasureStereo(const AudioBuffer& audio);

// Two channels alone: a narrow image (side 20 to 50 dB below mid) is widened by at most 6 dB towards 16 dB below; one
// out of phase (negative correlation) gets less side until the correlation is 0.1. Mono stays mono.
// change_db: the side's gain.
absl::StatusOr<EnhanceStage> ShapeStereo(AudioBuffer& audio, double amount, const RunOptions& run = {});

}  // namespace grym
