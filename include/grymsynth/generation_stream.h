// Sound that comes out while the rest of it is still being made.
#pragma once
#include <filesystem>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grymsynth/audio_buffer.h"
#include "grymsynth/export.h"
#include "grymsynth/generation.h"
#include "grymsynth/job.h"

namespace grym {

// One request on its way. The work is done inside Next, so to pause is not to call it. Belongs to the thread of the
// Generator that made it, and ends before it.
class GRYM_EXPORT GenerationStream {
 public:
  virtual ~GenerationStream() = default;
  // The next block of sound, of any length, all of one rate and channel count; an empty one once there is no more. All
  // blocks one after another are the sound that Generate makes of the request, within 1e-4. Cancelled loses nothing:
  // the next call goes on from there. After another error every call answers that error.
  virtual absl::StatusOr<AudioBuffer> Next(const RunOptions& run) = 0;
  // What Generate answers, but for the sound itself: seed, warnings, timings, facts. FailedPrecondition (code
  // "not_finished") before the last block was given.
  virtual absl::StatusOr<GenerateAudioResult> Finish() = 0;
  // Writes what Generator::Resume needs to go on in another process; the file is whole or not there. Unimplemented
  // (code "no_saved_state") for a model that cannot.
  virtual absl::Status Save(const std::filesystem::path& path) const;
};

}  // namespace grym
