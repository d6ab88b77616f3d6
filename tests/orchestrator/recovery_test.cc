#include "orchestrator/recovery.h"

#include <gtest/gtest.h>

#include "base/status.h"

namespace grym {
namespace {

RecoveryAction ActionFor(absl::StatusCode code, int attempt, const std::string& other = "") {
  return StrategyFor({absl::Status(code, "x"), "m", attempt}, other).action;
}

TEST(RecoveryTest, EveryErrorEndsAtTheThirdAttempt) {
  for (int code = 0; code <= 16; ++code) {
    for (int attempt = kMostAttempts; attempt < kMostAttempts + 3; ++attempt) {
      EXPECT_EQ(ActionFor(static_cast<absl::StatusCode>(code), attempt, "other"), RecoveryAction::kFail) << code;
    }
  }
}

TEST(RecoveryTest, FollowsTheTaxonomy) {
  EXPECT_EQ(ActionFor(absl::StatusCode::kInvalidArgument, 1), RecoveryAction::kFail);
  EXPECT_EQ(ActionFor(absl::StatusCode::kCancelled, 1), RecoveryAction::kFail);
  EXPECT_EQ(ActionFor(absl::StatusCode::kUnavailable, 1), RecoveryAction::kRetry);
  EXPECT_EQ(ActionFor(absl::StatusCode::kResourceExhausted, 1), RecoveryAction::kEvictAndRetry);
  EXPECT_EQ(ActionFor(absl::StatusCode::kResourceExhausted, 2), RecoveryAction::kFail);
  EXPECT_EQ(ActionFor(absl::StatusCode::kInternal, 1), RecoveryAction::kRetryOtherSeed);
  EXPECT_EQ(ActionFor(absl::StatusCode::kInternal, 2, "other"), RecoveryAction::kUseModel);
  EXPECT_EQ(ActionFor(absl::StatusCode::kInternal, 2), RecoveryAction::kFail);
  const absl::Status impossible = Error(absl::StatusCode::kResourceExhausted, "resource_impossible", "x");
  EXPECT_EQ(StrategyFor({impossible, "m", 1}, "").action, RecoveryAction::kFail);
}

TEST(RecoveryTest, WaitsGrow) {
  const ProcessingError first{absl::UnavailableError("x"), "m", 1}, second{absl::UnavailableError("x"), "m", 2};
  EXPECT_LT(StrategyFor(first, "").wait_s, StrategyFor(second, "").wait_s);
}

}  // namespace
}  // namespace grym
