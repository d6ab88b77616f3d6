#include "base/status.h"

#include <gtest/gtest.h>

namespace grym {
namespace {

TEST(StatusTest, ErrorKeepsItsStableCode) {
  const absl::Status status = Error(absl::StatusCode::kNotFound, "file_not_found", "x");
  EXPECT_EQ(ErrorCode(status), "file_not_found");
  EXPECT_EQ(ErrorCode(Annotate(status, "audio")), "file_not_found");
  EXPECT_EQ(Annotate(status, "audio").message(), "audio: x");
  EXPECT_EQ(ErrorCode(absl::DataLossError("x")), "data_loss");
  EXPECT_EQ(ErrorCode(absl::OkStatus()), "ok");
}

TEST(StatusTest, MessagesAreShortAndPrintable) {
  const absl::Status status = Error(absl::StatusCode::kInternal, "c", std::string(10000, 'x') + "\n\x1b[31m");
  EXPECT_LT(status.message().size(), 4000u);
  EXPECT_EQ(Printable("a\x1b[0m\nb\xff\xc2\x9b"), "a?[0m?b??");
  EXPECT_EQ(Printable("h\xc3\xa9llo", 2), "h...");
}

TEST(StatusTest, ProblemsTravelWithTheStatus) {
  std::vector<Problem> problems(150, Problem{"/steps/a", "unknown_step", "no step \"b\"", "c"});
  const absl::Status status = ProblemsError("invalid_workflow", "workflow", problems);
  EXPECT_EQ(ErrorProblems(status).size(), 100u);
  EXPECT_EQ(ErrorProblems(status)[0].hint, "c");
  EXPECT_EQ(ErrorCode(status), "invalid_workflow");
  EXPECT_TRUE(ErrorProblems(absl::OkStatus()).empty());
}

}  // namespace
}  // namespace grym
