// Reads a finished run's results back into values, for people and for the report.
#pragma once
#include <string>

#include "absl/status/statusor.h"
#include "grymsynth/engine.h"

namespace grym {

// FailedPrecondition (code "nothing_exported") for a run that did not complete or exported no take.
absl::StatusOr<RunSummary> SummarizeRun(const WorkflowRun& run);
// The report page; hears nothing again but the style of the original.
absl::StatusOr<std::string> ReportOfRun(const WorkflowRun& run);

}  // namespace grym
