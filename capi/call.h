// What the calls of the C ABI share: inputs, progress, option structs, text results.
#pragma once
#include <atomic>
#include <cstring>
#include <filesystem>
#include <optional>
#include <string>

#include "grymsynth/audio_file.h"
#include "grymsynth/job.h"
#include "handle.h"

namespace grym::capi {

inline std::filesystem::path PathFromUtf8(const char* path) {
  return std::filesystem::path(reinterpret_cast<const char8_t*>(path));
}
inline std::string TextOr(const char* text, const char* fallback = "") { return text ? text : fallback; }

// An AudioInput together with what it borrows from, so that a job can keep it.
class KeptInput {
 public:
  // InvalidArgument unless exactly one of the two is given.
  static absl::StatusOr<KeptInput> From(const grym_audio* audio, const char* path, const char* name = "audio");
  AudioInput input() const { return audio_ ? AudioInput(*audio_) : AudioInput(path_); }

 private:
  std::shared_ptr<const AudioBuffer> audio_;
  std::filesystem::path path_;
};

// The recording itself, read from the path where one is given. Errors as of KeptInput::From and LoadAudio.
absl::StatusOr<std::shared_ptr<const AudioBuffer>> RecordingFrom(const grym_audio* audio, const char* path);

// Calls `progress` for what `run` tells; its wish to stop cancels `run`. What `run` told before is told first.
void TellProgress(grym_progress_fn progress, void* user_data, RunOptions& run);

// Takes what one call at a time may work with, if no other has it: one of another thread's, or one whose callback this
// is. An atomic flag, as a mutex must not be tried by the thread that holds it.
class Turn {
 public:
  explicit Turn(std::atomic<bool>& taken) : taken_(taken), mine_(!taken.exchange(true, std::memory_order_acquire)) {}
  ~Turn() {
    if (mine_) taken_.store(false, std::memory_order_release);
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  // FailedPrecondition in the words of `who` unless it was free.
  absl::Status Check(const char* who) const {
    return mine_ ? absl::OkStatus() : absl::FailedPreconditionError(std::string(who) + " (busy)");
  }

 private:
  std::atomic<bool>& taken_;
  const bool mine_;
};

// A blocking call: `work(run)` returns absl::StatusOr<T>, T behind Handle. A cancel wish always wins over a result.
template <class Handle, class Work>
absl::Status RunInto(grym_progress_fn progress, void* user_data, Handle** out, Work work) {
  RunOptions run;
  TellProgress(progress, user_data, run);
  GRYM_C_ASSIGN_OR_RETURN(auto value, work(run));
  GRYM_C_RETURN_IF_ERROR(run.cancel.Check());
  *out = NewHandleOf<Handle>(std::move(value));
  return absl::OkStatus();
}

// Matches that come without a relation.
inline std::vector<RelatedPattern> Unrelated(std::vector<PatternMatch> found) {
  std::vector<RelatedPattern> matches;
  for (PatternMatch& match : found) matches.push_back({std::move(match), ""});
  return matches;
}

inline absl::Status TextInto(std::string text, grym_text** out) {
  *out = NewHandleOf<grym_text>(std::move(text));
  return absl::OkStatus();
}

// Far above any struct of ours, and low enough that a wild size is not followed far.
inline constexpr uint32_t kMaxStructSize = 1024;

// The struct that the caller filled, as far as its struct_size reaches, over `defaults`; NULL gives the defaults.
// A size is that of a version of the struct: a multiple of its alignment.
template <class Options>
absl::StatusOr<Options> ReadOptions(const Options* given, Options defaults, const char* name) {
  if (!given) return defaults;
  const uint32_t size = given->struct_size;
  if (size < alignof(Options) || size % alignof(Options) != 0 || size > kMaxStructSize) {
    return Bad(std::string(name) + ": want the struct_size that its _init function sets (" +
               std::to_string(sizeof(Options)) + "), got " + std::to_string(size));
  }
  const char* bytes = reinterpret_cast<const char*>(given);
  for (size_t i = sizeof(Options); i < size; ++i) {
    if (bytes[i] != 0) {
      return Bad(std::string(name) + ": byte " + std::to_string(i) + " is set, and this library knows " +
                 std::to_string(sizeof(Options)) + "; it is older than the program");
    }
  }
  std::memcpy(&defaults, given, size < sizeof(Options) ? size : sizeof(Options));
  defaults.struct_size = sizeof(Options);
  return defaults;
}

// The body of every _init: writes no more than `size` bytes, and zeros beyond what this library knows.
template <class Options>
grym_status InitOptions(Options* options, uint32_t size, Options defaults) noexcept {
  return Guard([&]() -> absl::Status {
    GRYM_C_RETURN_IF_ERROR(CheckSet(options, "options"));
    if (size < alignof(Options) || size % alignof(Options) != 0 || size > kMaxStructSize) {
      return Bad("size: want sizeof the options (" + std::to_string(sizeof(Options)) + "), got " +
                 std::to_string(size));
    }
    defaults.struct_size = size;
    std::memset(static_cast<void*>(options), 0, size);
    std::memcpy(static_cast<void*>(options), &defaults, size < sizeof(Options) ? size : sizeof(Options));
    return absl::OkStatus();
  });
}

// From the options of C; also used by the jobs.
absl::StatusOr<AnalysisParts> AnalysisPartsFromC(const char* names);
absl::StatusOr<EnhanceParams> EnhanceParamsFromC(const grym_enhance_options* options);
absl::StatusOr<ProcessOptions> ProcessOptionsFromC(const grym_process_options* options);
absl::StatusOr<GenerateAudioRequest> RequestFromC(const grym_generate_options* options);
absl::StatusOr<GenerateAudioRequest> RequestFromCJson(const char* request_json, const grym_audio* reference);
absl::StatusOr<WorkflowRunOptions> WorkflowRunOptionsFromC(const grym_workflow_options* options);

// A processed recording with its cleaned audio as what `enhance` answers, so that each part can be a handle.
struct ProcessedBox {
  static absl::StatusOr<ProcessedBox> From(absl::StatusOr<ProcessedAudio> made);
  EnhancedAudio enhanced;
  AudioFeatures features;
  AudioPatterns patterns;
  StyleClassification style;
};

// A finished run with its error in words, so that they can be borrowed.
struct RunBox {
  explicit RunBox(WorkflowRun finished) : run(std::move(finished)), error(TextsOf(run.error)) {}
  WorkflowRun run;
  ErrorTexts error;
};

}  // namespace grym::capi
