// The whole of the hearing in one call.
#include "call.h"

using namespace grym::capi;  // NOLINT: this file is the edge of that namespace

namespace {

grym_process_options ProcessDefaults() {
  grym_process_options to{};
  to.struct_size = sizeof to;
  return to;
}

// A part of `processed` as a handle of its own, which keeps the whole alive.
template <class Handle, class Part>
grym_status PartInto(const grym_processed* processed, Part ProcessedBox::*part, Handle** out) {
  return Guard([&]() -> absl::Status {
    GRYM_C_RETURN_IF_ERROR(ClearOut(out));
    GRYM_C_ASSIGN_OR_RETURN(auto found, Find(processed, "processed"));
    *out = NewHandle<Handle>(std::shared_ptr<const Part>(found, &((*found).*part)));
    return absl::OkStatus();
  });
}

}  // namespace

absl::StatusOr<ProcessedBox> grym::capi::ProcessedBox::From(absl::StatusOr<ProcessedAudio> made) {
  if (!made.ok()) return made.status();
  return ProcessedBox{EnhancedAudio{std::move(made->audio), std::move(made->stages), std::move(made->warnings)},
                      std::move(made->features), std::move(made->patterns), std::move(made->style)};
}

absl::StatusOr<grym::ProcessOptions> grym::capi::ProcessOptionsFromC(const grym_process_options* options) {
  GRYM_C_ASSIGN_OR_RETURN(const grym_process_options from, ReadOptions(options, ProcessDefaults(), "options"));
  ProcessOptions to;
  if (from.rate_hz != 0) to.rate_hz = from.rate_hz;
  GRYM_C_ASSIGN_OR_RETURN(to.enhance, EnhanceParamsFromC(from.enhance));
  return to;
}

grym_status grym_process_options_init(grym_process_options* options, uint32_t size) {
  return InitOptions(options, size, ProcessDefaults());
}

grym_status grym_engine_process(grym_engine* engine, const grym_audio* audio, const char* path_utf8,
                                const grym_process_options* options, grym_progress_fn progress, void* user_data,
                                grym_processed** out) {
  return Guard([&]() -> absl::Status {
    GRYM_C_RETURN_IF_ERROR(ClearOut(out));
    GRYM_C_ASSIGN_OR_RETURN(auto found, Find(engine, "engine"));
    GRYM_C_ASSIGN_OR_RETURN(const KeptInput kept, KeptInput::From(audio, path_utf8));
    GRYM_C_ASSIGN_OR_RETURN(const grym::ProcessOptions how, ProcessOptionsFromC(options));
    return RunInto(progress, user_data, out, [&](const grym::RunOptions& run) {
      return ProcessedBox::From(found->processor().Process(kept.input(), how, run));
    });
  });
}

grym_status grym_processed_enhanced(const grym_processed* processed, grym_enhanced** out) {
  return PartInto(processed, &ProcessedBox::enhanced, out);
}
grym_status grym_processed_features(const grym_processed* processed, grym_features** out) {
  return PartInto(processed, &ProcessedBox::features, out);
}
grym_status grym_processed_patterns(const grym_processed* processed, grym_patterns** out) {
  return PartInto(processed, &ProcessedBox::patterns, out);
}
grym_status grym_processed_style(const grym_processed* processed, grym_style** out) {
  return PartInto(processed, &ProcessedBox::style, out);
}
grym_status grym_processed_destroy(grym_processed* processed) { return Destroy(processed, "processed"); }
