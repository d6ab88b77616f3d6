// The journal's disk fails at every operation, while it is opened, written and closed: a run says so or ends well, and
// taken up once the disk is whole it ends as if nothing had been, with at most the lost visit done twice.
#include <gtest/gtest.h>

#include <map>

#include "store/fault_vfs.h"
#include "support/child.h"
#include "support/scratch.h"
#include "support/small_disk.h"
#include "workflow/executor.h"
#include "workflow/scripted_runner.h"

namespace grym {
namespace {

using testing::FaultVfs;
using testing::Scratch;
using testing::ScriptedRunner;

struct FaultyOutcome {
  absl::Status status;
  std::string state, result;
  std::vector<std::string> trace, runs;
};

FaultyOutcome RunOn(const std::filesystem::path& folder, const std::string& vfs) {
  FaultyOutcome outcome;
  JournalOptions options;
  options.vfs = vfs;
  auto journal = Journal::Open(folder, options);
  outcome.status = journal.status();
  if (!journal.ok()) return outcome;
  Json parameters = Json::Object();
  parameters["audioFile"] = "song.wav";
  ScriptedRunner runner;
  runner.scores["regenerate"] = 0.9;
  ExecutorOptions executor_options;
  executor_options.recovery_limit = 5;
  const Workflow workflow = Workflow::Template("audio-enhancement").value();
  const auto run = WorkflowExecutor().Run(workflow, parameters, "run", runner, **journal, executor_options);
  outcome.status = run.status();
  outcome.runs = runner.runs;
  if (!run.ok()) return outcome;
  outcome.state = run->state;
  outcome.result = run->result_json;
  for (const WorkflowVisit& visit : run->visits)
    outcome.trace.push_back(visit.step + visit.outcome + visit.result_json);
  return outcome;
}

bool IsDiskError(const absl::Status& status) {
  return status.code() == absl::StatusCode::kResourceExhausted || status.code() == absl::StatusCode::kUnavailable;
}

struct DiskFault {
  const char* name;
  bool reads, for_good;
};

class JournalFaultsTest : public ::testing::TestWithParam<DiskFault> {};

TEST_P(JournalFaultsTest, ARunIsToldAndTakenUp) {
  Scratch whole;
  const FaultyOutcome wanted = RunOn(whole.path(), "");
  ASSERT_EQ(wanted.state, "completed") << wanted.status;
  FaultVfs faults;
  int refused = 0;
  bool reached = true;
  for (int n = 1; reached; ++n) {
    Scratch scratch;
    if (GetParam().reads) {
      faults.FailReadAt(n, GetParam().for_good);
    } else {
      faults.FailAt(n, GetParam().for_good);
    }
    const FaultyOutcome hit = RunOn(scratch.path(), FaultVfs::kName);
    reached = faults.failed() > 0;
    faults.Heal();
    if (hit.status.ok()) {
      EXPECT_EQ(hit.trace, wanted.trace) << n;
      EXPECT_EQ(hit.result, wanted.result) << n;
    } else {
      ++refused;
      EXPECT_TRUE(IsDiskError(hit.status)) << n << ": " << hit.status;
    }
    const FaultyOutcome again = RunOn(scratch.path(), FaultVfs::kName);
    ASSERT_TRUE(again.status.ok()) << n << ": " << again.status;
    EXPECT_EQ(again.state, "completed") << n;
    EXPECT_EQ(again.trace, wanted.trace) << n;
    EXPECT_EQ(again.result, wanted.result) << n;
    std::map<std::string, int> runs;
    for (const std::string& run : hit.runs) ++runs[run];
    for (const std::string& run : again.runs) ++runs[run];
    int twice = 0;
    for (const auto& [visit, times] : runs) twice += times - 1;
    EXPECT_LE(twice, 1) << n;
  }
  EXPECT_GT(refused, GetParam().reads ? 0 : 10);
}

INSTANTIATE_TEST_SUITE_P(Faults, JournalFaultsTest,
                         ::testing::Values(DiskFault{"WritesOnce", false, false},
                                           DiskFault{"WritesForGood", false, true},
                                           DiskFault{"ReadsOnce", true, false}, DiskFault{"ReadsForGood", true, true}),
                         [](const auto& fault) { return std::string(fault.param.name); });

#ifndef _WIN32
// The limit holds for the journal's database and for the files beside it alike.
TEST(JournalLimitTest, AFileSizeLimitEndsTheRunAndItIsTakenUp) {
  Scratch whole;
  const FaultyOutcome wanted = RunOn(whole.path(), "");
  for (const rlim_t limit : {0u, 100u, 10000u, 40000u, 60000u, 80000u}) {
    Scratch scratch;
    const testing::ChildEnd end = testing::InChild([&] {
      if (!testing::LimitFileSize(limit)) return 77;
      const FaultyOutcome hit = RunOn(scratch.path(), "");
      if (hit.status.code() != absl::StatusCode::kResourceExhausted) {
        std::fprintf(stderr, "%s\n", hit.status.ToString().c_str());
        return 1;
      }
      if (!testing::LimitFileSize(RLIM_INFINITY)) return 77;
      const FaultyOutcome again = RunOn(scratch.path(), "");
      return again.status.ok() && again.trace == wanted.trace && again.result == wanted.result ? 0 : 2;
    });
    EXPECT_EQ(end.code, 0) << limit;
  }
}
#endif

}  // namespace
}  // namespace grym
