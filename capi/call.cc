#include "call.h"

namespace grym::capi {

absl::StatusOr<KeptInput> KeptInput::From(const grym_audio* audio, const char* path, const char* name) {
  if (!audio == !path) {
    return Bad(std::string(name) + ": want either audio or a path, got " + (audio ? "both" : "neither"));
  }
  KeptInput kept;
  if (audio) {
    GRYM_C_ASSIGN_OR_RETURN(kept.audio_, Find(audio, name));
  } else {
    kept.path_ = PathFromUtf8(path);
  }
  return kept;
}

absl::StatusOr<std::shared_ptr<const AudioBuffer>> RecordingFrom(const grym_audio* audio, const char* path) {
  GRYM_C_RETURN_IF_ERROR(KeptInput::From(audio, path).status());  // exactly one of them
  if (audio) return Find(audio, "audio");
  GRYM_C_ASSIGN_OR_RETURN(AudioBuffer loaded, LoadAudio(PathFromUtf8(path)));
  return std::make_shared<const AudioBuffer>(std::move(loaded));
}

void TellProgress(grym_progress_fn progress, void* user_data, RunOptions& run) {
  if (!progress) return;
  run.progress = [progress, user_data, cancel = run.cancel, before = run.progress](const Progress& now) mutable {
    if (before) before(now);
    bool go_on = false;
    try {
      go_on = progress(now.fraction, now.eta_s, now.stage.c_str(), user_data) == 0;
    } catch (...) {
      // A C++ caller threw out of its callback. It must not unwind through code that does not expect it.
    }
    if (!go_on) cancel.Cancel();
  };
}

}  // namespace grym::capi
