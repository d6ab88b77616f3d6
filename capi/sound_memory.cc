// The pattern memory by ear.
#include "call.h"
#include "grymsynth/engine.h"

using namespace grym::capi;  // NOLINT: this file is the edge of that namespace

grym_status grym_engine_hear_patterns(grym_engine* engine, const grym_patterns* patterns, const grym_audio* audio,
                                      const char* path_utf8, const char* model, grym_progress_fn progress,
                                      void* user_data) {
  return Guard([&]() -> absl::Status {
    GRYM_C_ASSIGN_OR_RETURN(const auto found, Find(engine, "engine"));
    GRYM_C_ASSIGN_OR_RETURN(const auto stored, Find(patterns, "patterns"));
    GRYM_C_ASSIGN_OR_RETURN(const KeptInput input, KeptInput::From(audio, path_utf8));
    GRYM_C_RETURN_IF_ERROR(CheckSet(model, "model"));
    grym::RunOptions run;
    TellProgress(progress, user_data, run);
    return found->HearPatterns(*stored, input.input(), model, run);
  });
}

grym_status grym_engine_search_memory(grym_engine* engine, const char* words_utf8, const char* model, int32_t limit,
                                      grym_progress_fn progress, void* user_data, grym_matches** out) {
  return Guard([&]() -> absl::Status {
    GRYM_C_RETURN_IF_ERROR(ClearOut(out));
    GRYM_C_ASSIGN_OR_RETURN(const auto found, Find(engine, "engine"));
    GRYM_C_RETURN_IF_ERROR(CheckSet(words_utf8, "words_utf8"));
    GRYM_C_RETURN_IF_ERROR(CheckSet(model, "model"));
    grym::RunOptions run;
    TellProgress(progress, user_data, run);
    GRYM_C_ASSIGN_OR_RETURN(auto matches, found->SearchMemory(words_utf8, model, limit, run));
    *out = NewHandleOf<grym_matches>(Unrelated(std::move(matches)));
    return absl::OkStatus();
  });
}
