// Conditions: two JSON values and an operator, without coercion.
#pragma once
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "base/json.h"
#include "workflow/document.h"

namespace grym {

const char* OperatorName(CompareOperator op);  // "equals", "contains", "greater_than", "less_than"
bool ParseOperator(std::string_view name, CompareOperator& op);

// InvalidArgument (code "condition_type_error") for a pairing that the operator does not know.
absl::StatusOr<bool> CompareValues(CompareOperator op, const Json& left, const Json& right);
// The same for a left side that may be missing (nullptr): InvalidArgument (code "condition_path_missing", naming
// `path`), or `if_missing`.
absl::StatusOr<bool> EvaluateCondition(CompareOperator op, const Json* left, const std::string& path, const Json& right,
                                       std::optional<bool> if_missing);

// Whether a value of `left` could ever be compared with the literal `right`.
bool CanCompare(CompareOperator op, ValueKind left, const Json& right);

// "<path> <operator> <JSON literal>". InvalidArgument (code "bad_condition") says what is wrong.
absl::StatusOr<StepCondition> ParseComparison(std::string_view text);

}  // namespace grym
