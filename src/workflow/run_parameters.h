// The parameters of a run: defaults of the document, values of the caller, checked before anything starts.
#pragma once
#include "absl/status/statusor.h"
#include "base/json.h"
#include "workflow/document.h"

namespace grym {

// InvalidArgument (code "invalid_parameters") lists what is unknown, missing or of another type than its schema says.
// A file that the document itself names becomes an absolute path in the document's folder.
absl::StatusOr<Json> StartParameters(const Workflow::Document& document, const Json& given);

}  // namespace grym
