#include "workflow/run_errors.h"

#include <algorithm>
#include <iterator>

#include "base/status.h"

namespace grym {
namespace {

constexpr const char* kLimitCodes[] = {"loop_limit_exceeded", "visit_limit_exceeded", "timeout",
                                       "execution_timeout",   "recovery_limit",       "result_too_large"};

}  // namespace

std::string ErrorClass(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kNotFound:
      return "not_found";
    case absl::StatusCode::kAlreadyExists:
      return "conflict";
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kAborted:
    case absl::StatusCode::kDataLoss:
      return "operation";
    case absl::StatusCode::kResourceExhausted: {
      const std::string code = ErrorCode(status);
      return std::any_of(std::begin(kLimitCodes), std::end(kLimitCodes),
                         [&](const char* limit) { return code == limit; })
                 ? "limit"
                 : "resource";
    }
    case absl::StatusCode::kDeadlineExceeded:
      return "limit";
    case absl::StatusCode::kUnavailable:
      return "transient";
    case absl::StatusCode::kCancelled:
      return "cancelled";
    case absl::StatusCode::kInternal:
    case absl::StatusCode::kUnknown:
      return "internal";
    default:
      return "invalid";
  }
}

bool IsRetryable(const absl::Status& status) {
  const std::string error_class = ErrorClass(status);
  return error_class == "transient" || error_class == "resource" || status.code() == absl::StatusCode::kAborted;
}

absl::Status LimitError(const std::string& code, const std::string& message) {
  return Error(absl::StatusCode::kResourceExhausted, code, message);
}

Json ErrorToJson(const absl::Status& status, const std::string& step, int visit, int attempt) {
  Json json = Json::Object();
  json["code"] = ErrorCode(status);
  json["class"] = ErrorClass(status);
  json["message"] = std::string(status.message());
  json["retryable"] = IsRetryable(status);
  json["status"] = static_cast<int>(status.code());
  if (!step.empty()) {
    json["step"] = step;
    json["visit"] = visit;
    json["attempt"] = attempt;
  }
  return json;
}

absl::Status ErrorFromJson(const std::string& text) {
  if (text.empty()) return absl::OkStatus();
  const absl::StatusOr<Json> json = Json::Parse(text);
  if (!json.ok())
    return Error(absl::StatusCode::kDataLoss, "journal_damaged", "journal: an error object does not parse");
  return Error(static_cast<absl::StatusCode>(json->at("status").integer(13)), json->at("code").text(),
               json->at("message").text());
}

}  // namespace grym
