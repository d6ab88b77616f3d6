// Everything that is heard in one recording, in one pass over its blocks.
#pragma once
#include "absl/status/statusor.h"
#include "audio/block_source.h"
#include "grymsynth/audio_features.h"
#include "grymsynth/job.h"

namespace grym {

// Reads `source` from where it stands to its end in blocks; memory beyond one block is the frame-wise series alone
// (about 20 KB a second of audio). InvalidArgument (code "no_frames") for an empty source, and below 1 kHz; Cancelled
// once asked; errors of the source as they are.
// With two threads or more one hears the spectra and one the rest, with the same result to the last bit.
// Listens for `parts` and what they rest on.
absl::StatusOr<AudioFeatures> AnalyzeSource(BlockSource& source, const RunOptions& run, int threads = 1,
                                            const AnalysisParts& parts = {});

}  // namespace grym
