// Checks a document against the operations that there are.
#pragma once
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "grymsynth/workflow.h"
#include "workflow/document.h"
#include "workflow/operations.h"

namespace grym {

// InvalidArgument (code "invalid_workflow") with every error, or the steps with every warning.
absl::StatusOr<WorkflowPlan> PlanDocument(const Workflow::Document& document, const OperationSet& operations);

// The step's operation, or nullptr for a conditional step or one that is unknown.
const OperationInfo* OperationOf(const StepDefinition& step, const OperationSet& operations);

// Which declared input each of the step's inputs fills (indices into info.inputs, -1: none): those with a name first,
// the others in order.
std::vector<int> AssignInputs(const StepDefinition& step, const OperationInfo& info);

// Whether `value` may be parameter `name` of the operation; with `unknown_value` only the name is looked at. Codes
// "unknown_parameter", "wrong_type", "out_of_range", "unknown_value".
absl::Status CheckStepParameter(const OperationInfo& info, const std::string& name, const Json& value,
                                bool unknown_value);

}  // namespace grym
