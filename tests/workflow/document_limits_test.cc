// Both sides of every limit of a workflow document and of its run.
#include <gtest/gtest.h>

#include "base/status.h"
#include "support/scratch.h"
#include "workflow/document.h"
#include "workflow/executor.h"
#include "workflow/plan.h"
#include "workflow/scripted_runner.h"

namespace grym {
namespace {

std::string Step(const std::string& id, const std::string& next, const std::string& rest = "",
                 const std::string& inputs = R"({"source":"parameter","key":"audioFile"})") {
  return "\"" + id + R"(":{"id":")" + id + R"(","type":"analysis","operation":"patterns","inputs":[)" + inputs +
         R"(],"parameters":{},"nextSteps":)" + (next.empty() ? "{}" : R"({"default":")" + next + "\"}") + rest + "}";
}
std::string Document(const std::string& steps, const std::string& rest = "", const std::string& id = "w") {
  return R"({"id":")" + id + R"(","name":"w","initialStep":"s0","steps":{)" + steps +
         R"(},"parameters":{"audioFile":"a.wav"})" + rest + "}";
}
std::string Chain(size_t steps) {
  std::string text;
  for (size_t i = 0; i < steps; ++i) {
    text += (i > 0 ? "," : "") + Step("s" + std::to_string(i), i + 1 < steps ? "s" + std::to_string(i + 1) : "");
  }
  return Document(text);
}
bool IsAccepted(const std::string& text) {
  const auto workflow = Workflow::FromJson(text);
  return workflow.ok() && workflow->Plan().ok();
}

TEST(DocumentLimitsTest, Steps) {
  EXPECT_TRUE(IsAccepted(Chain(kMaxDocumentSteps)));
  EXPECT_FALSE(IsAccepted(Chain(kMaxDocumentSteps + 1)));
}

TEST(DocumentLimitsTest, InputsOfAStep) {
  // As many as are read are then too many for this operation; one more is refused for its number.
  const auto problems = [](size_t count) {
    std::string inputs;
    for (size_t i = 0; i < count; ++i)
      inputs += std::string(i > 0 ? "," : "") + R"({"source":"parameter","key":"audioFile"})";
    const auto workflow = Workflow::FromJson(Document(Step("s0", "", "", inputs)));
    return ErrorProblems(workflow.ok() ? workflow->Plan().status() : workflow.status());
  };
  const auto counted = [](const std::vector<Problem>& found) {
    for (const Problem& problem : found) {
      if (problem.message.find(std::to_string(kMaxStepInputs)) != std::string::npos) return true;
    }
    return false;
  };
  EXPECT_FALSE(counted(problems(kMaxStepInputs)));
  EXPECT_TRUE(counted(problems(kMaxStepInputs + 1)));
}

TEST(DocumentLimitsTest, VisitsOfARunAndOfALoop) {
  const auto run = [](int64_t visits) {
    return IsAccepted(Document(Step("s0", ""), R"(,"limits":{"maxVisits":)" + std::to_string(visits) + "}"));
  };
  EXPECT_TRUE(run(1));
  EXPECT_TRUE(run(kMaxStepVisits));
  EXPECT_FALSE(run(0));
  EXPECT_FALSE(run(kMaxStepVisits + 1));
  const auto loop = [](int visits) {
    return IsAccepted(
        Document(Step("s0", "s1", R"(,"loop":{"maxVisits":)" + std::to_string(visits) + R"(,"onLimit":"s1"})") + "," +
                 Step("s1", "")));
  };
  EXPECT_TRUE(loop(1));
  EXPECT_TRUE(loop(kMaxLoopVisits));
  EXPECT_FALSE(loop(0));
  EXPECT_FALSE(loop(kMaxLoopVisits + 1));
}

TEST(DocumentLimitsTest, BytesTextsDepthAndIds) {
  const std::string plain = Document(Step("s0", ""));
  EXPECT_TRUE(IsAccepted(plain + std::string(kMaxDocumentBytes - plain.size(), ' ')));
  EXPECT_FALSE(IsAccepted(plain + std::string(kMaxDocumentBytes - plain.size() + 1, ' ')));
  const auto note = [](const std::string& value) { return Document(Step("s0", ""), ",\"x-note\":" + value); };
  EXPECT_TRUE(IsAccepted(note("\"" + std::string(kMaxDocumentString, 'x') + "\"")));
  EXPECT_FALSE(IsAccepted(note("\"" + std::string(kMaxDocumentString + 1, 'x') + "\"")));
  const auto nested = [](size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  EXPECT_TRUE(IsAccepted(note(nested(kMaxDocumentDepth - 1))));  // the document is one level itself
  EXPECT_FALSE(IsAccepted(note(nested(kMaxDocumentDepth))));
  EXPECT_TRUE(IsAccepted(Document(Step("s0", ""), "", std::string(128, 'a'))));
  EXPECT_FALSE(IsAccepted(Document(Step("s0", ""), "", std::string(129, 'a'))));
}

TEST(DocumentLimitsTest, ExecutionIds) {
  testing::Scratch scratch;
  const auto journal = Journal::Open(scratch / "journal").value();
  testing::ScriptedRunner runner;
  const Workflow workflow = Workflow::FromJson(Document(Step("s0", ""))).value();
  const auto told = [&](const std::string& id) {
    return WorkflowExecutor().Run(workflow, Json::Object(), id, runner, *journal).status();
  };
  EXPECT_TRUE(told("A-z0._9").ok()) << told("A-z0._9");
  EXPECT_TRUE(told(std::string(128, 'a')).ok());
  for (const std::string& id :
       {std::string(129, 'a'), std::string(), std::string("-a"), std::string("a/b"), std::string("a\0", 2)})
    EXPECT_EQ(ErrorCode(told(id)), "bad_id") << id;
}

// A run as long as a document can ask for, which never ends by itself.
TEST(DocumentLimitsTest, ARunThatNeverEndsEndsAtItsLoops) {
  testing::Scratch scratch;
  const auto journal = Journal::Open(scratch / "journal").value();
  testing::ScriptedRunner runner;
  std::string steps;
  for (int i = 0; i < 30; ++i) {
    steps += (i > 0 ? "," : "") + Step("s" + std::to_string(i), "s" + std::to_string((i + 1) % 30),
                                       R"(,"loop":{"maxVisits":3})");
  }
  const Workflow workflow = Workflow::FromJson(Document(steps)).value();
  const auto run = WorkflowExecutor().Run(workflow, Json::Object(), "run", runner, *journal);
  ASSERT_TRUE(run.ok()) << run.status();
  EXPECT_EQ(run->state, "failed");
  EXPECT_EQ(run->error.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(run->visits.size(), 90u);
  const std::string words(run->error.message());
  EXPECT_NE(words.find("the loop is s0 -> s1 -> s2"), std::string::npos) << words;
  EXPECT_NE(words.find("... -> s0"), std::string::npos) << words;
}

}  // namespace
}  // namespace grym
