// Faults in every step of the shipped template: tried again as the policy says, then the run ends with that step's
// cause, and what was done before stays done.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <new>

#include "support/scratch.h"
#include "support/waiting_clock.h"
#include "workflow/executor.h"
#include "workflow/scripted_runner.h"

namespace grym {
namespace {

using testing::Scratch;
using testing::ScriptedRunner;
using testing::WaitingClock;

struct FaultyRun {
  // The step fails with `fault` at its first `times` attempts.
  FaultyRun(const std::string& step, absl::Status fault, int times) {
    runner.scores["regenerate"] = 0.9;
    runner.instead = [this, step, fault, left = times](const OperationCall& call,
                                                       const RunOptions&) mutable -> absl::StatusOr<Json> {
      if (call.step == step && left-- > 0) return fault;
      return runner.Answer(call);
    };
  }
  absl::StatusOr<WorkflowRun> Run() {
    Json parameters = Json::Object();
    parameters["audioFile"] = "song.wav";
    ExecutorOptions options;
    options.clock = &clock;
    const Workflow workflow = Workflow::Template("audio-enhancement").value();
    return WorkflowExecutor().Run(workflow, parameters, "run", runner, *journal, options);
  }
  Scratch scratch;
  std::unique_ptr<Journal> journal = Journal::Open(scratch / "journal").value();
  ScriptedRunner runner;
  WaitingClock clock;
};

class TemplateFaultsTest : public ::testing::TestWithParam<const char*> {
 protected:
  // An undisturbed run, as step and result.
  std::vector<std::pair<std::string, std::string>> Wanted() {
    FaultyRun plain("", absl::OkStatus(), 0);
    std::vector<std::pair<std::string, std::string>> wanted;
    const auto run = plain.Run();
    for (const WorkflowVisit& visit : run->visits) wanted.push_back({visit.step, visit.result_json});
    return wanted;
  }
};

TEST_P(TemplateFaultsTest, TwoPassingFaultsAreTriedAgain) {
  FaultyRun faulty(GetParam(), absl::UnavailableError("busy"), 2);
  const auto run = faulty.Run();
  ASSERT_TRUE(run.ok()) << run.status();
  EXPECT_EQ(run->state, "completed") << run->error;
  std::vector<std::pair<std::string, std::string>> done;
  int attempts = 0;
  for (const WorkflowVisit& visit : run->visits) {
    done.push_back({visit.step, visit.result_json});
    if (visit.step == GetParam()) attempts = std::max(attempts, visit.attempts);
  }
  EXPECT_EQ(done, Wanted());  // a retry changes no result
  EXPECT_EQ(attempts, 3);
  EXPECT_EQ(faulty.clock.waits_ms.size(), 2u);
  for (const int64_t wait_ms : faulty.clock.waits_ms) EXPECT_LE(wait_ms, 60000);
}

TEST_P(TemplateFaultsTest, ALastingFaultEndsTheRunWithItsStepAndCause) {
  for (const auto& [fault, attempts] : std::vector<std::pair<absl::Status, int>>{
           {Error(absl::StatusCode::kUnavailable, "out_there", "nobody answers"), 3},
           {Error(absl::StatusCode::kResourceExhausted, "no_room", "4 bytes of 3"), 2},
           {Error(absl::StatusCode::kInvalidArgument, "wrong_thing", "not this"), 1},
           {Error(absl::StatusCode::kInternal, "our_bug", "NaN"), 1}}) {
    FaultyRun faulty(GetParam(), fault, 1000);
    const auto run = faulty.Run();
    ASSERT_TRUE(run.ok()) << run.status();
    if (GetParam() == std::string("regenerate")) {  // a take is there already: it is exported
      EXPECT_EQ(run->state, "completed") << run->error;
      EXPECT_EQ(run->visits.back().step, "finalize");
      EXPECT_EQ(run->visits[run->visits.size() - 2].state, VisitState::kFailed);
      EXPECT_EQ(run->visits[run->visits.size() - 2].attempts, attempts);
      continue;
    }
    EXPECT_EQ(run->state, "failed");
    EXPECT_EQ(run->error.code(), fault.code());
    EXPECT_EQ(ErrorCode(run->error), ErrorCode(fault));
    EXPECT_THAT(std::string(run->error.message()), ::testing::HasSubstr("\"" + std::string(GetParam()) + "\""));
    EXPECT_THAT(std::string(run->error.message()), ::testing::HasSubstr(std::string(fault.message())));
    const auto wanted = Wanted();
    ASSERT_FALSE(run->visits.empty());
    for (size_t i = 0; i + 1 < run->visits.size(); ++i) {
      EXPECT_EQ(run->visits[i].state, VisitState::kCompleted);
      EXPECT_EQ(std::pair(run->visits[i].step, run->visits[i].result_json), wanted[i]);
    }
    EXPECT_EQ(run->visits.back().step, GetParam());
    EXPECT_EQ(run->visits.back().state, VisitState::kFailed);
    EXPECT_EQ(run->visits.back().attempts, attempts);
    // And so it stays when it is asked for again.
    const auto again = faulty.Run();
    ASSERT_TRUE(again.ok());
    EXPECT_EQ(again->error, run->error);
  }
}

TEST_P(TemplateFaultsTest, MemoryThatRunsOutInAStepLeavesARunThatIsTakenUp) {
  FaultyRun faulty(GetParam(), absl::OkStatus(), 0);
  const auto answer = faulty.runner.instead;
  faulty.runner.instead = [&](const OperationCall& call, const RunOptions& run) -> absl::StatusOr<Json> {
    if (call.step == GetParam()) throw std::bad_alloc();
    return answer(call, run);
  };
  EXPECT_THROW((void)faulty.Run(), std::bad_alloc);
  faulty.runner.instead = answer;
  const auto run = faulty.Run();
  ASSERT_TRUE(run.ok()) << run.status();
  EXPECT_EQ(run->state, "completed") << run->error;
  std::vector<std::pair<std::string, std::string>> done;
  for (const WorkflowVisit& visit : run->visits) done.push_back({visit.step, visit.result_json});
  EXPECT_EQ(done, Wanted());
}

INSTANTIATE_TEST_SUITE_P(Steps, TemplateFaultsTest,
                         ::testing::Values("analyze-audio", "extract-features", "generate-enhanced", "evaluate-result",
                                           "regenerate", "finalize"),
                         [](const auto& step) {
                           std::string name = step.param;
                           name.erase(std::remove(name.begin(), name.end(), '-'), name.end());
                           return name;
                         });

}  // namespace
}  // namespace grym
