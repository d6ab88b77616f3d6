// Runs that are killed at each of their journal commits, before the commit, between write and sync, and after, and then
// taken up: the same trace, the same bytes, nothing done twice but what was lost.
#ifndef _WIN32
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <fstream>
#include <map>

#include "support/scratch.h"
#include "workflow/executor.h"
#include "workflow/scripted_runner.h"

namespace grym {
namespace {

using testing::Scratch;
using testing::ScriptedRunner;

Json SongParameter() {
  Json parameters = Json::Object();
  parameters["audioFile"] = "song.wav";
  return parameters;
}

// Ends the process at the n-th sync of a write-ahead log: before the real sync (the bytes are with the system, not on
// the disk) or after it.
struct SyncKiller {
  int64_t countdown = 0;
  bool after = false;
  sqlite3_vfs vfs{};
  sqlite3_vfs* real = nullptr;
  sqlite3_io_methods methods{};
  const sqlite3_io_methods* real_methods = nullptr;
};
SyncKiller& Killer() {
  static SyncKiller* const killer = new SyncKiller();
  return *killer;
}

int KillingSync(sqlite3_file* file, int flags) {
  SyncKiller& killer = Killer();
  const bool now = killer.countdown > 0 && --killer.countdown == 0;
  if (now && !killer.after) raise(SIGKILL);
  const int result = killer.real_methods->xSync(file, flags);
  if (now) raise(SIGKILL);
  return result;
}

int KillingOpen(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  SyncKiller& killer = Killer();
  const int result = killer.real->xOpen(killer.real, name, file, flags, out_flags);
  if (result == SQLITE_OK && (flags & SQLITE_OPEN_WAL)) {
    killer.real_methods = file->pMethods;
    killer.methods = *file->pMethods;
    killer.methods.xSync = KillingSync;
    file->pMethods = &killer.methods;
  }
  return result;
}

void RegisterKiller(int64_t nth, bool after) {
  SyncKiller& killer = Killer();
  killer.real = sqlite3_vfs_find(nullptr);
  killer.vfs = *killer.real;
  killer.vfs.zName = "killing";
  killer.vfs.xOpen = KillingOpen;
  killer.vfs.pNext = nullptr;
  killer.countdown = nth;
  killer.after = after;
  sqlite3_vfs_register(&killer.vfs, 0);
}

struct Outcome {
  std::string state, result;
  std::vector<std::string> trace;
};

absl::StatusOr<Outcome> RunOnce(const std::filesystem::path& folder, const JournalOptions& options) {
  GRYM_ASSIGN_OR_RETURN(const std::unique_ptr<Journal> journal, Journal::Open(folder / "journal", options));
  ScriptedRunner runner;
  runner.scores["regenerate"] = 0.9;
  runner.log = std::fopen((folder / "runs.log").c_str(), "a");
  ExecutorOptions executor_options;
  executor_options.recovery_limit = 5;
  auto run = WorkflowExecutor().Run(*Workflow::Template("audio-enhancement"), SongParameter(), "run", runner, *journal,
                                    executor_options);
  std::fclose(runner.log);
  GRYM_RETURN_IF_ERROR(run.status());
  Outcome outcome{run->state, run->result_json, {}};
  for (const WorkflowVisit& visit : run->visits)
    outcome.trace.push_back(visit.step + visit.outcome + visit.result_json);
  return outcome;
}

enum class KillAt { kBeforeCommit, kBeforeSync, kAfterSync, kAfterCommit };

// True when the child was killed, false when it got to its end.
bool RunAndKill(const std::filesystem::path& folder, KillAt at, int64_t nth) {
  const pid_t child = fork();
  if (child == 0) {
    JournalOptions options;
    if (at == KillAt::kBeforeSync || at == KillAt::kAfterSync) {
      RegisterKiller(nth, at == KillAt::kAfterSync);
      options.vfs = "killing";
    } else {
      const CommitMoment moment = at == KillAt::kBeforeCommit ? CommitMoment::kBefore : CommitMoment::kAfter;
      options.on_commit = [=](CommitMoment now, int64_t commit) {
        if (now == moment && commit == nth) raise(SIGKILL);
      };
    }
    _exit(RunOnce(folder, options).ok() ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFSIGNALED(status)) {
    EXPECT_EQ(WTERMSIG(status), SIGKILL);
    return true;
  }
  EXPECT_EQ(WEXITSTATUS(status), 0);
  return false;
}

std::map<std::string, int> RunsIn(const std::filesystem::path& folder) {
  std::map<std::string, int> runs;
  std::ifstream log(folder / "runs.log");
  for (std::string line; std::getline(log, line);) ++runs[line];
  return runs;
}

class ResumeTest : public ::testing::TestWithParam<KillAt> {};

TEST_P(ResumeTest, KilledAtEachCommitItEndsTheSame) {
  Scratch whole;
  const auto wanted = RunOnce(whole.path(), {});
  ASSERT_TRUE(wanted.ok()) << wanted.status();
  ASSERT_EQ(wanted->state, "completed");
  int64_t kills = 0;
  for (int64_t nth = 1; nth < 60; ++nth) {
    Scratch scratch;
    if (!RunAndKill(scratch.path(), GetParam(), nth)) break;
    ++kills;
    const auto resumed = RunOnce(scratch.path(), {});
    ASSERT_TRUE(resumed.ok()) << nth << ": " << resumed.status();
    EXPECT_EQ(resumed->state, "completed") << nth;
    EXPECT_EQ(resumed->trace, wanted->trace) << nth;
    EXPECT_EQ(resumed->result, wanted->result) << nth;
    // One kill loses at most the visit that was at work.
    int again = 0;
    for (const auto& [visit, runs] : RunsIn(scratch.path())) {
      EXPECT_LE(runs, 2) << nth << " " << visit;
      again += runs - 1;
    }
    EXPECT_LE(again, 1) << nth;
  }
  EXPECT_GE(kills, 8);  // the start and seven visits
}

std::string MomentName(const ::testing::TestParamInfo<KillAt>& moment) {
  constexpr const char* kNames[] = {"BeforeCommit", "BeforeSync", "AfterSync", "AfterCommit"};
  return kNames[static_cast<size_t>(moment.param)];
}
INSTANTIATE_TEST_SUITE_P(EachMoment, ResumeTest,
                         ::testing::Values(KillAt::kBeforeCommit, KillAt::kBeforeSync, KillAt::kAfterSync,
                                           KillAt::kAfterCommit),
                         MomentName);

// A document of one step that kills the process whenever it runs.
constexpr char kDeadlyStep[] =
    R"({"id":"w","name":"w","initialStep":"s","steps":{"s":{"id":"s","type":"analysis","operation":"patterns",
  "inputs":[{"source":"parameter","key":"audioFile"}],"parameters":{},"nextSteps":{}}},"parameters":{"audioFile":null}})";

TEST(ResumeLimitTest, ACrashingStepIsParkedAfterFiveRecoveries) {
  Scratch scratch;
  const auto run_it = [&](bool deadly) -> absl::StatusOr<WorkflowRun> {
    GRYM_ASSIGN_OR_RETURN(const std::unique_ptr<Journal> journal, Journal::Open(scratch / "journal"));
    ScriptedRunner runner;
    runner.instead = [&](const OperationCall&, const RunOptions&) -> absl::StatusOr<Json> {
      if (deadly) raise(SIGKILL);
      return Json::Object();
    };
    return WorkflowExecutor().Run(*Workflow::FromJson(kDeadlyStep), SongParameter(), "run", runner, *journal);
  };
  int killed = 0;
  for (int round = 0; round < 10; ++round) {
    const pid_t child = fork();
    if (child == 0) _exit(run_it(true).ok() ? 0 : 1);
    int status = 0;
    waitpid(child, &status, 0);
    if (!WIFSIGNALED(status)) break;
    ++killed;
  }
  EXPECT_EQ(killed, 6);  // the first run and five recoveries
  const auto parked = run_it(false);
  ASSERT_TRUE(parked.ok()) << parked.status();
  EXPECT_EQ(parked->state, "interrupted");
  EXPECT_EQ(ErrorCode(parked->error), "recovery_limit");
}

TEST(ResumeLimitTest, AnEffectThatMayHappenOnceWaitsForADecision) {
  std::string text = kDeadlyStep;
  text.replace(text.find("\"nextSteps\":{}"), 14, "\"effects\":\"once\",\"nextSteps\":{}");
  for (const VisitDecision::What what :
       {VisitDecision::What::kRetry, VisitDecision::What::kFail, VisitDecision::What::kComplete}) {
    Scratch scratch;
    int runs = 0;
    const auto run_it = [&](bool deadly, std::optional<VisitDecision> decision) -> absl::StatusOr<WorkflowRun> {
      GRYM_ASSIGN_OR_RETURN(const std::unique_ptr<Journal> journal, Journal::Open(scratch / "journal"));
      ScriptedRunner runner;
      runner.instead = [&](const OperationCall&, const RunOptions&) -> absl::StatusOr<Json> {
        ++runs;
        if (deadly) raise(SIGKILL);
        return Json("ran");
      };
      ExecutorOptions options;
      options.decision = decision;
      return WorkflowExecutor().Run(*Workflow::FromJson(text), SongParameter(), "run", runner, *journal, options);
    };
    const pid_t child = fork();
    if (child == 0) _exit(run_it(true, {}).ok() ? 0 : 1);
    int status = 0;
    waitpid(child, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status));
    for (int round = 0; round < 2; ++round) {
      const auto waiting = run_it(false, {});
      ASSERT_TRUE(waiting.ok()) << waiting.status();
      EXPECT_EQ(waiting->state, "interrupted");
      EXPECT_EQ(ErrorCode(waiting->error), "needs_decision");
    }
    EXPECT_EQ(runs, 0);
    const auto decided = run_it(false, VisitDecision{what, Json("given")});
    ASSERT_TRUE(decided.ok()) << decided.status();
    EXPECT_EQ(decided->state, what == VisitDecision::What::kFail ? "failed" : "completed") << decided->error;
    EXPECT_EQ(runs, what == VisitDecision::What::kRetry ? 1 : 0);
    EXPECT_EQ(decided->result_json, what == VisitDecision::What::kRetry      ? "\"ran\""
                                    : what == VisitDecision::What::kComplete ? "\"given\""
                                                                             : "");
    EXPECT_EQ(ErrorCode(decided->error), what == VisitDecision::What::kFail ? "decided_fail" : "ok");
  }
}

}  // namespace
}  // namespace grym
#endif
