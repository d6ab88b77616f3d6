// An enhanced take of a recording: the recording cleaned, and quiet composed parts that follow its beats, key and form.
#pragma once
#include "absl/status/statusor.h"
#include "grymsynth/generation.h"
#include "grymsynth/job.h"

namespace grym {

// What preserve_original_characteristics keeps, measured between the recording and the take.
inline constexpr double kKeptTempoChange = 0.0;   // of the tempo: time is never stretched
inline constexpr double kKeptBandDb = 3.0;        // each octave band that is heard, relative to the whole
inline constexpr double kHeardBandDb = 30.0;      // a band is heard when it is within this of the strongest

// 44.1 kHz stereo, as long as the reference (the request's duration is not used). enhancement_level 0 without a
// loudness target gives the recording back, bit for bit if it is 44.1 kHz stereo. Parts are added where the tempo is
// known; chords where they are heard clearly, else a drone on the key, else percussion alone; speech, silence and free
// time are only cleaned, with a warning. Errors: those of the file; InvalidArgument for an empty reference.
absl::StatusOr<GenerateAudioResult> MakeEnhancedTake(const GenerateAudioRequest& request, const RunOptions& run);

}  // namespace grym
