// Comparing what was measured: for callers that compare one take with many.
#pragma once
#include "absl/status/statusor.h"
#include "evaluation/take_measures.h"
#include "grymsynth/evaluation.h"

namespace grym {

absl::StatusOr<Comparison> CompareMeasured(const TakeMeasures& original, const TakeMeasures& result,
                                           const RunOptions& run = {});

}  // namespace grym
