// What a visit asks of its operation, resolved once when the visit starts.
#pragma once
#include <string>

#include "absl/status/statusor.h"
#include "base/json.h"
#include "workflow/document.h"
#include "workflow/file_roots.h"
#include "workflow/operations.h"
#include "workflow/run_context.h"

namespace grym {

// {"operation", "major", "inputs": [{"name", "key", "value"}], "parameters"}: what the journal keeps of a call.
// NotFound (codes "input_missing", "reference_missing") and InvalidArgument for a parameter the operation cannot take
// or a file that the run may not touch.
absl::StatusOr<Json> ResolveCall(const StepDefinition& step, const OperationInfo& info, const RunContext& context,
                                 const FileRoots& roots);

// The call of a journalled visit; attempt, seeds, files and previous result are the executor's to set.
OperationCall CallFromJson(const Json& json);

// The seed of a visit: the same in every run with the same execution seed, whatever its id.
int64_t VisitSeed(int64_t execution_seed, const std::string& step, int visit);

}  // namespace grym
