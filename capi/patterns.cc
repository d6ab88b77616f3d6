// Patterns: found, read, written.
#include "call.h"

using namespace grym::capi;  // NOLINT: this file is the edge of that namespace

namespace {

// The pattern at `index`, kept alive by `found`.
absl::StatusOr<const grym::AudioPattern*> PatternAt(const std::shared_ptr<const grym::AudioPatterns>& found,
                                                    size_t index) {
  GRYM_C_RETURN_IF_ERROR(CheckIndex(index, found->patterns.size(), "index"));
  return &found->patterns[index];
}

}  // namespace

grym_status grym_engine_detect_patterns(grym_engine* engine, const grym_audio* audio, const char* path_utf8,
                                        grym_progress_fn progress, void* user_data, grym_patterns** out) {
  return Guard([&]() -> absl::Status {
    GRYM_C_RETURN_IF_ERROR(ClearOut(out));
    GRYM_C_ASSIGN_OR_RETURN(auto found, Find(engine, "engine"));
    GRYM_C_ASSIGN_OR_RETURN(const KeptInput kept, KeptInput::From(audio, path_utf8));
    return RunInto(progress, user_data, out,
                   [&](const grym::RunOptions& run) { return found->processor().DetectPatterns(kept.input(), run); });
  });
}

grym_status grym_engine_patterns_of_features(grym_engine* engine, const grym_features* features, grym_patterns** out) {
  return Guard([&]() -> absl::Status {
    GRYM_C_RETURN_IF_ERROR(ClearOut(out));
    GRYM_C_ASSIGN_OR_RETURN(auto found, Find(engine, "engine"));
    GRYM_C_ASSIGN_OR_RETURN(auto heard, Find(features, "features"));
    GRYM_C_ASSIGN_OR_RETURN(grym::AudioPatterns patterns, found->recognizer().DetectPatterns(*heard));
    *out = NewHandleOf<grym_patterns>(std::move(patterns));
    return absl::OkStatus();
  });
}

grym_status grym_patterns_from_json(const char* json_utf8, grym_patterns** out) {
  return Guard([&]() -> absl::Status {
    GRYM_C_RETURN_IF_ERROR(ClearOut(out));
    GRYM_C_RETURN_IF_ERROR(CheckSet(json_utf8, "json_utf8"));
    GRYM_C_ASSIGN_OR_RETURN(grym::AudioPatterns patterns, grym::PatternsFromJson(json_utf8));
    *out = NewHandleOf<grym_patterns>(std::move(patterns));
    return absl::OkStatus();
  });
}

grym_status grym_patterns_to_json(const grym_patterns* patterns, grym_text** out) {
  return Guard([&]() -> absl::Status {
    GRYM_C_RETURN_IF_ERROR(ClearOut(out));
    GRYM_C_ASSIGN_OR_RETURN(auto found, Find(patterns, "patterns"));
    return TextInto(grym::PatternsToJson(*found), out);
  });
}

size_t grym_patterns_count(const grym_patterns* patterns) {
  return GuardValue<size_t>(0, [&]() -> absl::StatusOr<size_t> {
    GRYM_C_ASSIGN_OR_RETURN(auto found, Find(patterns, "patterns"));
    return found->patterns.size();
  });
}

grym_status grym_patterns_get(const grym_patterns* patterns, size_t index, int64_t* id, int32_t* kind,
                              double* strength, const char** description) {
  return Guard([&]() -> absl::Status {
    GRYM_C_ASSIGN_OR_RETURN(auto found, Find(patterns, "patterns"));
    GRYM_C_ASSIGN_OR_RETURN(const grym::AudioPattern* pattern, PatternAt(found, index));
    if (id) *id = pattern->id;
    if (kind) *kind = static_cast<int32_t>(pattern->kind);
    if (strength) *strength = pattern->strength;
    if (description) *description = pattern->description.c_str();
    return absl::OkStatus();
  });
}

const float* grym_patterns_embedding(const grym_patterns* patterns, size_t index) {
  return GuardValue<const float*>(nullptr, [&]() -> absl::StatusOr<const float*> {
    GRYM_C_ASSIGN_OR_RETURN(auto found, Find(patterns, "patterns"));
    GRYM_C_ASSIGN_OR_RETURN(const grym::AudioPattern* pattern, PatternAt(found, index));
    return pattern->embedding.data();
  });
}

size_t grym_patterns_span_count(const grym_patterns* patterns, size_t index) {
  return GuardValue<size_t>(0, [&]() -> absl::StatusOr<size_t> {
    GRYM_C_ASSIGN_OR_RETURN(auto found, Find(patterns, "patterns"));
    GRYM_C_ASSIGN_OR_RETURN(const grym::AudioPattern* pattern, PatternAt(found, index));
    return pattern->spans.size();
  });
}

grym_status grym_patterns_span(const grym_patterns* patterns, size_t index, size_t span, double* start_s,
                               double* end_s) {
  return Guard([&]() -> absl::Status {
    GRYM_C_ASSIGN_OR_RETURN(auto found, Find(patterns, "patterns"));
    GRYM_C_ASSIGN_OR_RETURN(const grym::AudioPattern* pattern, PatternAt(found, index));
    GRYM_C_RETURN_IF_ERROR(CheckIndex(span, pattern->spans.size(), "span"));
    if (start_s) *start_s = pattern->spans[span].start_s;
    if (end_s) *end_s = pattern->spans[span].end_s;
    return absl::OkStatus();
  });
}

grym_status grym_patterns_destroy(grym_patterns* patterns) { return Destroy(patterns, "patterns"); }
