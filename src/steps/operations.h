// One function per built-in operation; their inputs, parameters and results stand in BuiltinOperations().
// Each is a pure function of its call, so that an attempt which a crash cut off can be made again: results hold no
// times, no ids of the memory and no place on this machine but the path of the original.
#pragma once
#include "steps/step_runner.h"

namespace grym {

absl::StatusOr<Json> RunPatterns(const StepServices& services, const OperationCall& call, const RunOptions& run);
absl::StatusOr<Json> RunFeatures(const StepServices& services, const OperationCall& call, const RunOptions& run);
absl::StatusOr<Json> RunClassify(const StepServices& services, const OperationCall& call, const RunOptions& run);
absl::StatusOr<Json> RunEnhance(const StepServices& services, const OperationCall& call, const RunOptions& run);
absl::StatusOr<Json> RunGenerate(const StepServices& services, const OperationCall& call, const RunOptions& run);
absl::StatusOr<Json> RunCompare(const StepServices& services, const OperationCall& call, const RunOptions& run);
absl::StatusOr<Json> RunExport(const StepServices& services, const OperationCall& call, const RunOptions& run);

}  // namespace grym
