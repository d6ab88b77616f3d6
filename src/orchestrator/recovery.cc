#include "orchestrator/recovery.h"

#include <cmath>

#include "base/status.h"

namespace grym {
namespace {

constexpr double kFirstWaitSeconds = 0.2;

RecoveryStrategy Fail(const std::string& reason) { return {RecoveryAction::kFail, 0, "", reason}; }

RecoveryStrategy UseOther(const std::string& other, const std::string& reason) {
  return {RecoveryAction::kUseModel, 0, other, reason};
}

}  // namespace

RecoveryStrategy ChooseRecovery(const ProcessingError& error, const OtherModel& other_model) {
  if (error.attempt >= kMaxAttempts)
    return Fail("attempt " + std::to_string(error.attempt) + " of " + std::to_string(kMaxAttempts) + " failed");
  const std::string code = ErrorCode(error.status);
  switch (error.status.code()) {
    case absl::StatusCode::kOk:
      return Fail("there is no error to recover from");
    case absl::StatusCode::kUnavailable: {
      const std::string other = error.attempt > 1 ? other_model(error.model, false) : "";
      if (!other.empty()) return UseOther(other, "transient error twice: another model can do it");
      return {RecoveryAction::kRetry, kFirstWaitSeconds * std::ldexp(1.0, error.attempt - 1), "",
              "transient error (" + code + ")"};
    }
    case absl::StatusCode::kResourceExhausted: {
      // Who is refused so has waited in turn, as long as it may, and what was idle has been let go of for it.
      if (code == "resource_busy" || code == "over_budget")
        return Fail("waited for memory as long as it may (" + code + ")");
      const std::string smaller = other_model(error.model, true);
      return smaller.empty() ? Fail("out of resources, and no smaller model can do it")
                             : UseOther(smaller, "out of resources: a smaller model can do it");
    }
    case absl::StatusCode::kAborted:
      return {RecoveryAction::kRetryOtherSeed, 0, "", "the take was turned down (" + code + ")"};
    case absl::StatusCode::kUnimplemented: {
      const std::string other = other_model(error.model, false);
      return other.empty() ? Fail("no other model can do it") : UseOther(other, "the model cannot do it, another can");
    }
    case absl::StatusCode::kCancelled:
      return Fail("cancelled by the caller");
    case absl::StatusCode::kInternal:
      return Fail("a bug is not tried again (" + code + ")");
    default:
      return Fail("the same call would fail again (" + code + ")");
  }
}

}  // namespace grym
