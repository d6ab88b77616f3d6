// Errors of a run as journalled objects: {code, class, message, retryable, status, step, visit, attempt}.
#pragma once
#include <string>

#include "absl/status/status.h"
#include "base/json.h"

namespace grym {

// "invalid", "not_found", "conflict", "limit", "transient", "resource", "operation", "cancelled" or "internal".
std::string ErrorClass(const absl::Status& status);
// Whether an error of its class may be tried again at all.
bool IsRetryable(const absl::Status& status);

// A limit of the run itself: ResourceExhausted of class `limit`.
absl::Status LimitError(const std::string& code, const std::string& message);

Json ErrorToJson(const absl::Status& status, const std::string& step, int visit, int attempt);
absl::Status ErrorFromJson(const std::string& json);

}  // namespace grym
