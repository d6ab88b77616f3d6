#include "steps/step_runner.h"

#include "base/status.h"
#include "steps/operations.h"

namespace grym {

absl::StatusOr<Json> StepRunner::Run(const OperationCall& call, const RunOptions& run) {
  using Operation = absl::StatusOr<Json> (*)(const StepServices&, const OperationCall&, const RunOptions&);
  static constexpr std::pair<const char*, Operation> kOperations[] = {
      {"patterns", &RunPatterns}, {"features", &RunFeatures}, {"classify", &RunClassify}, {"enhance", &RunEnhance},
      {"generate", &RunGenerate}, {"compare", &RunCompare},   {"export", &RunExport}};
  for (const auto& [name, operation] : kOperations) {
    if (call.operation == name) return operation(services_, call, run);
  }
  return Error(absl::StatusCode::kUnimplemented, "operation_unavailable",
               call.step + ": no operation \"" + Printable(call.operation) + "\" here");
}

}  // namespace grym
