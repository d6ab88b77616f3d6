#include "orchestrator/recovery.h"

#include <gtest/gtest.h>

#include "base/status.h"

namespace grym {
namespace {

RecoveryStrategy For(const absl::Status& status, int attempt, const std::string& other = "",
                     const std::string& smaller = "") {
  return ChooseRecovery({status, "m", attempt},
                        [&](const std::string&, bool small) { return small ? smaller : other; });
}
RecoveryAction ActionFor(absl::StatusCode code, int attempt, const std::string& other = "",
                         const std::string& smaller = "") {
  return For(absl::Status(code, "x"), attempt, other, smaller).action;
}

TEST(RecoveryTest, EveryErrorEndsAtTheThirdAttempt) {
  for (int code = 0; code <= 16; ++code) {
    for (int attempt = kMaxAttempts; attempt < kMaxAttempts + 3; ++attempt) {
      EXPECT_EQ(ActionFor(static_cast<absl::StatusCode>(code), attempt, "other", "small"), RecoveryAction::kFail)
          << code;
    }
  }
}

TEST(RecoveryTest, FollowsTheTaxonomy) {
  using absl::StatusCode;
  for (const StatusCode code : {StatusCode::kInvalidArgument, StatusCode::kCancelled, StatusCode::kInternal,
                                StatusCode::kNotFound, StatusCode::kDataLoss, StatusCode::kFailedPrecondition}) {
    EXPECT_EQ(ActionFor(code, 1, "other", "small"), RecoveryAction::kFail) << static_cast<int>(code);
  }
  EXPECT_EQ(ActionFor(StatusCode::kUnavailable, 1, "other"), RecoveryAction::kRetry);
  EXPECT_EQ(ActionFor(StatusCode::kUnavailable, 2, "other"), RecoveryAction::kUseModel);
  EXPECT_EQ(ActionFor(StatusCode::kUnavailable, 2), RecoveryAction::kRetry);
  EXPECT_EQ(ActionFor(StatusCode::kResourceExhausted, 1, "other"), RecoveryAction::kFail);
  EXPECT_EQ(ActionFor(StatusCode::kResourceExhausted, 1, "other", "small"), RecoveryAction::kUseModel);
  EXPECT_EQ(ActionFor(StatusCode::kResourceExhausted, 2, "other", "small"), RecoveryAction::kUseModel);
  EXPECT_EQ(ActionFor(StatusCode::kAborted, 1), RecoveryAction::kRetryOtherSeed);
  EXPECT_EQ(ActionFor(StatusCode::kUnimplemented, 1), RecoveryAction::kFail);
  EXPECT_EQ(ActionFor(StatusCode::kUnimplemented, 1, "other"), RecoveryAction::kUseModel);
  // Who waited in turn and was refused does not wait as long again, for this model or a smaller one.
  for (const char* waited : {"resource_busy", "over_budget"}) {
    EXPECT_EQ(For(Error(StatusCode::kResourceExhausted, waited, "x"), 1, "other", "small").action,
              RecoveryAction::kFail);
  }
  EXPECT_EQ(For(Error(StatusCode::kResourceExhausted, "resource_impossible", "x"), 1).action, RecoveryAction::kFail);
  EXPECT_EQ(For(Error(StatusCode::kResourceExhausted, "resource_impossible", "x"), 1, "", "small").model, "small");
}

TEST(RecoveryTest, WaitsGrowAndReasonsAreGiven) {
  EXPECT_LT(For(absl::UnavailableError("x"), 1).wait_s, For(absl::UnavailableError("x"), 2).wait_s);
  EXPECT_GT(For(absl::UnavailableError("x"), 1).wait_s, 0);
  for (int code = 0; code <= 16; ++code)
    EXPECT_FALSE(For(absl::Status(static_cast<absl::StatusCode>(code), "x"), 1).reason.empty());
}

}  // namespace
}  // namespace grym
