#include "model/stream_of_whole.h"

#include <utility>

#include "base/status.h"

namespace grym {

absl::Status GenerationStream::Save(const std::filesystem::path&) const {
  return Error(absl::StatusCode::kUnimplemented, "no_saved_state", "this model's stream cannot be saved");
}

absl::StatusOr<AudioBuffer> StreamOfWhole::Next(const RunOptions& run) {
  GRYM_RETURN_IF_ERROR(failed_);
  if (!made_) {
    absl::StatusOr<GenerateAudioResult> made = make_(run);
    if (absl::IsCancelled(made.status())) return made.status();
    failed_ = made.status();
    GRYM_RETURN_IF_ERROR(failed_);
    made_ = *std::move(made);
  }
  AudioBuffer block = made_->audio.Slice(given_, made_->audio.rate_hz());
  given_ += block.frames();
  return block;
}

absl::StatusOr<GenerateAudioResult> StreamOfWhole::Finish() {
  GRYM_RETURN_IF_ERROR(failed_);
  if (!made_ || given_ < made_->audio.frames()) {
    return Error(absl::StatusCode::kFailedPrecondition, "not_finished", "want the last block given first, got " +
                     std::to_string(given_) + " frames so far");
  }
  given_ = 0;
  made_->audio = AudioBuffer();  // given already: nothing is copied, and Next has no more
  return *made_;
}

}  // namespace grym
