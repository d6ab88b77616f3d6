// Judging.
#include "grymsynth/evaluation.h"

#include <limits>

#include "call.h"

using namespace grym::capi;  // NOLINT: this file is the edge of that namespace

grym_status grym_compare(const grym_audio* original, const char* original_path, const grym_audio* result,
                         const char* result_path, grym_progress_fn progress, void* user_data, grym_comparison** out) {
  return Guard([&]() -> absl::Status {
    GRYM_C_RETURN_IF_ERROR(ClearOut(out));
    GRYM_C_ASSIGN_OR_RETURN(const KeptInput before, KeptInput::From(original, original_path, "original"));
    GRYM_C_ASSIGN_OR_RETURN(const KeptInput after, KeptInput::From(result, result_path, "result"));
    return RunInto(progress, user_data, out, [&](const grym::RunOptions& run) {
      return grym::Compare(before.input(), after.input(), run);
    });
  });
}

double grym_comparison_quality_score(const grym_comparison* comparison) {
  return GuardValue<double>(std::numeric_limits<double>::quiet_NaN(), [&]() -> absl::StatusOr<double> {
    GRYM_C_ASSIGN_OR_RETURN(auto found, Find(comparison, "comparison"));
    return found->quality_score;
  });
}

size_t grym_comparison_area_count(const grym_comparison* comparison) {
  return GuardValue<size_t>(0, [&]() -> absl::StatusOr<size_t> {
    GRYM_C_ASSIGN_OR_RETURN(auto found, Find(comparison, "comparison"));
    return found->improvement_areas.size();
  });
}

grym_status grym_comparison_area(const grym_comparison* comparison, size_t index, const char** area, double* severity,
                                 const char** text) {
  return Guard([&]() -> absl::Status {
    GRYM_C_ASSIGN_OR_RETURN(auto found, Find(comparison, "comparison"));
    GRYM_C_RETURN_IF_ERROR(CheckIndex(index, found->improvement_areas.size(), "index"));
    const grym::ImprovementArea& improvement = found->improvement_areas[index];
    if (area) *area = improvement.area.c_str();
    if (severity) *severity = improvement.severity;
    if (text) *text = improvement.text.c_str();
    return absl::OkStatus();
  });
}

grym_status grym_comparison_to_json(const grym_comparison* comparison, grym_text** out) {
  return Guard([&]() -> absl::Status {
    GRYM_C_RETURN_IF_ERROR(ClearOut(out));
    GRYM_C_ASSIGN_OR_RETURN(auto found, Find(comparison, "comparison"));
    return TextInto(grym::ComparisonToJson(*found), out);
  });
}

grym_status grym_comparison_destroy(grym_comparison* comparison) { return Destroy(comparison, "comparison"); }
