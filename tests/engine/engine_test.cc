#include "grymsynth/engine.h"

#include <gtest/gtest.h>

#ifndef _WIN32
#include <csignal>
#include <sys/wait.h>
#include <unistd.h>
#endif

#include "base/fs.h"
#include "base/hash.h"
#include "base/status.h"
#include "support/scratch.h"
#include "support/test_music.h"
#include "workflow/journal.h"

namespace grym {
namespace {

std::filesystem::path WornRecording(const testing::Scratch& scratch) {
  testing::TestMusicOptions music;
  music.seconds = 6;
  music.noise_db = -40;
  music.hum_db = -40;
  const std::filesystem::path path = scratch / "worn.wav";
  EXPECT_TRUE(SaveAudio(path, testing::MakeTestMusic(music)).ok());
  return path;
}

WorkflowRunOptions OptionsFor(const std::filesystem::path& input, const std::filesystem::path& output) {
  WorkflowRunOptions options;
  options.parameters["audioFile"] = JsonText(input.string());
  options.output_dir = output;
  return options;
}

TEST(EngineTest, MainJobEndsWithTheBestTakeAndAReport) {
  testing::Scratch scratch;
  const auto input = WornRecording(scratch);
  auto engine = Engine::Create();
  ASSERT_TRUE(engine.ok()) << engine.status();
  WorkflowRunOptions options = OptionsFor(input, scratch / "out");
  double last = 0;
  options.run.progress = [&](const Progress& progress) {
    EXPECT_GE(progress.fraction, last);
    EXPECT_LE(progress.fraction, 1);
    last = progress.fraction;
  };
  const auto run = (*engine)->RunWorkflow(Workflow::Template("audio-enhancement").value(), options);
  ASSERT_TRUE(run.ok()) << run.status();
  ASSERT_EQ(run->state, "completed") << run->error;
  const auto summary = (*engine)->Summarize(*run);
  ASSERT_TRUE(summary.ok()) << summary.status();
  ASSERT_FALSE(summary->takes.empty());
  EXPECT_LE(summary->takes.size(), 4u);
  double best = 0;
  for (const TakeSummary& take : summary->takes) best = std::max(best, take.quality_score);
  for (const TakeSummary& take : summary->takes) {
    if (take.exported) {
      EXPECT_EQ(take.quality_score, best);
    }
  }
  for (const auto& file : summary->files) EXPECT_TRUE(std::filesystem::exists(file)) << file;
  EXPECT_GT(best, Compare(input, input)->quality_score) << "the untouched recording must score below its enhanced take";
  ASSERT_TRUE((*engine)->WriteReport(*run, scratch / "out/report.html").ok());
  EXPECT_GT(std::filesystem::file_size(scratch / "out/report.html"), 50000u);
  EXPECT_GT((*engine)->memory().Stats()->patterns, 0);
}

TEST(EngineTest, SameInputAndSeedGiveTheSameBytes) {
  testing::Scratch scratch;
  const auto input = WornRecording(scratch);
  std::string digests[2];
  for (int i = 0; i < 2; ++i) {
    auto engine = Engine::Create();
    ASSERT_TRUE(engine.ok());
    const auto out = scratch / ("out" + std::to_string(i));
    const auto run = (*engine)->RunWorkflow(Workflow::Template("audio-enhancement").value(), OptionsFor(input, out));
    ASSERT_TRUE(run.ok() && run->state == "completed");
    digests[i] = Sha256OfFile(out / "worn-enhanced.wav").value();
  }
  EXPECT_EQ(digests[0], digests[1]);
}

TEST(EngineTest, GenerateIsGatedAndRepeatable) {
  auto engine = Engine::Create();
  ASSERT_TRUE(engine.ok());
  GenerateAudioRequest request;
  request.prompt = "funk, 110 bpm in E minor";
  request.duration_s = 4;
  request.seed = 3;
  const auto first = (*engine)->Generate(request), second = (*engine)->Generate(request);
  ASSERT_TRUE(first.ok()) << first.status();
  ASSERT_TRUE(second.ok());
  EXPECT_FALSE(first->attempts.empty());
  EXPECT_TRUE(std::equal(first->audio.planar().begin(), first->audio.planar().end(), second->audio.planar().begin(),
                         second->audio.planar().end()));
}

TEST(EngineTest, DestroyingItStopsItsJobs) {
  auto engine = Engine::Create();
  ASSERT_TRUE(engine.ok());
  GenerateAudioRequest request;
  request.prompt = "ambient";
  request.duration_s = 600;
  request.seed = 1;
  auto job = (*engine)->StartGenerate(request);
  engine->reset();
  EXPECT_TRUE(job.done() || job.WaitFor(10));
  EXPECT_EQ(job.Take().status().code(), absl::StatusCode::kCancelled);
}

TEST(EngineTest, ACallbackCannotWaitForItsOwnCall) {
  const auto engine = Engine::Create().value();
  GenerateAudioRequest request;
  request.prompt = "rock";
  request.duration_s = 20;
  request.seed = 1;
  RunOptions run;
  std::string code;
  run.progress = [&](const Progress&) { code = ErrorCode(engine->Close()); };
  EXPECT_TRUE(absl::IsCancelled(engine->Generate(request, run).status()));
  EXPECT_EQ(code, "closed_from_callback");
  EXPECT_TRUE(engine->Close().ok());
}

TEST(EngineTest, ParametersMustBeJsonAndComplete) {
  auto engine = Engine::Create();
  ASSERT_TRUE(engine.ok());
  const Workflow workflow = Workflow::Template("audio-enhancement").value();
  WorkflowRunOptions options;
  EXPECT_FALSE((*engine)->RunWorkflow(workflow, options).ok());
  options.parameters["audioFile"] = "{";
  const absl::Status status = (*engine)->RunWorkflow(workflow, options).status();
  EXPECT_EQ(ErrorCode(status), "bad_json");
  EXPECT_NE(std::string(status.message()).find("audioFile"), std::string::npos);
}

TEST(EngineTest, AMissingFileFailsTheRunWithItsStepAndName) {
  testing::Scratch scratch;
  auto engine = Engine::Create();
  ASSERT_TRUE(engine.ok());
  const auto run = (*engine)->RunWorkflow(Workflow::Template("audio-enhancement").value(),
                                          OptionsFor(scratch / "none.wav", scratch.path()));
  const absl::Status error = run.ok() ? run->error : run.status();
  EXPECT_FALSE(error.ok());
  EXPECT_NE(std::string(error.message()).find("none.wav"), std::string::npos) << error;
  EXPECT_FALSE((*engine)->Summarize(run.ok() ? *run : WorkflowRun()).ok());
}

TEST(EngineTest, AFolderThatTakesNoExportsIsToldOfBeforeAnythingRuns) {
  testing::Scratch scratch;
  auto engine = Engine::Create();
  ASSERT_TRUE(engine.ok());
  ASSERT_TRUE(WriteFile(scratch / "file", "x").ok());
  WorkflowRunOptions options = OptionsFor(WornRecording(scratch), scratch / "file/out");
  options.execution_id = "never-begun";
  options.on_event = [](const WorkflowEvent& event) { ADD_FAILURE() << event.kind; };
  const auto run = (*engine)->RunWorkflow(Workflow::Template("audio-enhancement").value(), options);
  EXPECT_EQ(run.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ErrorCode(run.status()), "write_failed");
  EXPECT_NE(std::string(run.status().message()).find("export"), std::string::npos) << run.status();
  EXPECT_TRUE((*engine)->Executions().value().empty());
}

TEST(EngineTest, ABudgetOfNothingIsRefused) {
  for (const int64_t bytes : {int64_t{0}, int64_t{-1}}) {
    EngineOptions options;
    options.budget_bytes = bytes;
    const absl::Status refused = Engine::Create(options).status();
    EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(ErrorCode(refused), "bad_budget");
  }
}

TEST(EngineTest, ExecutionsTellTheStatesThatARunHas) {
  testing::Scratch scratch;
  EngineOptions options;
  options.data_dir = scratch / "data";
  {
    const auto journal = *Journal::Open(options.data_dir / "runs");
    for (const char* state : {"running", "completed", "failed", "cancelled", "needs_decision", "parked"}) {
      ExecutionRecord record;
      record.id = record.state = state;
      Transition first;
      first.execution_id = record.id;
      first.state = state;
      ASSERT_TRUE(journal->Create(record, first, nullptr).ok());
    }
  }
  const auto engine = *Engine::Create(options);
  const auto runs = engine->Executions();
  ASSERT_TRUE(runs.ok()) << runs.status();
  ASSERT_EQ(runs->size(), 6u);
  for (const WorkflowRun& run : *runs) {
    const std::string& id = run.execution_id;
    EXPECT_EQ(run.state, id == "completed" || id == "failed" || id == "cancelled" ? id : "interrupted");
  }
}

TEST(EngineTest, JsonTextEscapes) { EXPECT_EQ(JsonText("a\"b\\\n"), "\"a\\\"b\\\\\\n\""); }

#ifndef _WIN32
// Runs the main job in a child that is killed when its n-th visit completes, then resumes it here.
TEST(EngineTest, KilledBetweenStepsItResumesToTheSameBytes) {
  testing::Scratch scratch;
  const auto input = WornRecording(scratch);
  const Workflow workflow = Workflow::Template("audio-enhancement").value();
  std::string whole;
#ifdef __SANITIZE_ADDRESS__  // five times slower: one kill shows what there is to show
  const std::vector<int> kills = {0, 3};
#else
  const std::vector<int> kills = {0, 1, 3, 4};
#endif
  for (const int kill_at : kills) {
    EngineOptions engine_options;
    engine_options.data_dir = scratch / ("data" + std::to_string(kill_at));
    WorkflowRunOptions options = OptionsFor(input, scratch / ("out" + std::to_string(kill_at)));
    options.execution_id = "main-job";
    const pid_t child = kill_at > 0 ? fork() : 0;
    if (kill_at > 0 && child == 0) {
      int completed = 0;
      options.on_event = [&](const WorkflowEvent& event) {
        if (event.kind == "visit_completed" && ++completed == kill_at) raise(SIGKILL);
      };
      auto engine = Engine::Create(engine_options);
      if (engine.ok()) (void)(*engine)->RunWorkflow(workflow, options);
      _exit(1);  // not reached when the kill came
    }
    if (kill_at > 0) {
      int state = 0;
      ASSERT_EQ(waitpid(child, &state, 0), child);
      ASSERT_TRUE(WIFSIGNALED(state)) << kill_at;
    }
    auto engine = Engine::Create(engine_options);
    ASSERT_TRUE(engine.ok()) << engine.status();
    const auto run = (*engine)->RunWorkflow(workflow, options);
    ASSERT_TRUE(run.ok()) << run.status();
    ASSERT_EQ(run->state, "completed") << run->error;
    int repeated = 0;
    for (const WorkflowVisit& visit : run->visits) repeated += visit.attempts - 1;
    EXPECT_LE(repeated, 1);
    const std::string digest = Sha256OfFile(options.output_dir / "worn-enhanced.wav").value();
    if (whole.empty()) whole = digest;
    EXPECT_EQ(digest, whole) << "killed after visit " << kill_at;
  }
}
#endif

TEST(EngineTest, AClosedEngineRefusesAndLetsGo) {
  testing::Scratch scratch;
  EngineOptions options;
  options.data_dir = scratch / "data";
  auto engine = Engine::Create(options);
  ASSERT_TRUE(engine.ok()) << engine.status();
  ASSERT_TRUE((*engine)->Executions().ok());  // the journal is open
  GenerateAudioRequest request;
  request.prompt = "house";
  request.duration_s = 120;
  auto job = (*engine)->StartGenerate(request);
  EXPECT_TRUE((*engine)->Close().ok());
  EXPECT_TRUE((*engine)->Close().ok());
  EXPECT_FALSE(job.Take().ok());
  EXPECT_EQ(ErrorCode((*engine)->Generate(request).status()), "engine_closed");
  EXPECT_EQ(ErrorCode((*engine)->Executions().status()), "engine_closed");
  EXPECT_EQ((*engine)->memory().Stats().status().code(), absl::StatusCode::kFailedPrecondition);
  auto next = Engine::Create(options);
  ASSERT_TRUE(next.ok()) << next.status();
  EXPECT_TRUE((*next)->Executions().ok());
}

// A workflow may start from words alone, hear what it made, and work on that.
TEST(EngineTest, AMadeTakeCanBeHeardAndWorkedOn) {
  testing::Scratch scratch;
  auto engine = Engine::Create();
  ASSERT_TRUE(engine.ok()) << engine.status();
  const auto step = [](const std::string& id, const std::string& type, const std::string& operation,
                       const std::string& inputs, const std::string& parameters, const std::string& next) {
    return "\"" + id + R"(":{"id":")" + id + R"(","type":")" + type + R"(","operation":")" + operation +
           R"(","inputs":[)" + inputs + R"(],"parameters":{)" + parameters + R"(},"nextSteps":{)" +
           (next.empty() ? "" : R"("default":")" + next + "\"") + "}}";
  };
  const auto from = [](const std::string& id, const std::string& name) {
    return R"({"source":"previous_step","key":")" + id + R"(.result","name":")" + name + "\"}";
  };
  const auto workflow = Workflow::FromJson(
      R"({"id":"w","name":"w","initialStep":"make","steps":{)" +
      step("make", "generation", "generate", "", R"("prompt":"pop 110 bpm","durationSeconds":6,"seed":1)", "hear") +
      "," + step("hear", "analysis", "features", from("make", "audio"), "", "find") + "," +
      step("find", "analysis", "patterns", from("make", "audio"), "", "again") + "," +
      step("again", "generation", "generate", from("find", "patterns") + "," + from("hear", "features"), "", "save") +
      "," + step("save", "transformation", "export", from("again", "take"), "", "") + "}}");
  ASSERT_TRUE(workflow.ok()) << workflow.status();
  WorkflowRunOptions options;
  options.output_dir = scratch / "out";
  const auto run = (*engine)->RunWorkflow(*workflow, options);
  ASSERT_TRUE(run.ok()) << run.status();
  EXPECT_EQ(run->state, "completed") << run->error;
}

TEST(EngineTest, ADeletedRunTakesItsFilesAlong) {
  testing::Scratch scratch;
  const auto input = WornRecording(scratch);
  EngineOptions engine_options;
  engine_options.data_dir = scratch / "data";
  auto engine = Engine::Create(engine_options);
  ASSERT_TRUE(engine.ok()) << engine.status();
  const auto kept_bytes = [&] {
    uintmax_t bytes = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(scratch / "data/runs/files")) {
      if (entry.is_regular_file()) bytes += entry.file_size();
    }
    return bytes;
  };
  const auto run =
      (*engine)->RunWorkflow(Workflow::Template("audio-enhancement").value(), OptionsFor(input, scratch / "out"));
  ASSERT_TRUE(run.ok()) << run.status();
  EXPECT_GT(kept_bytes(), 1000000u);
  EXPECT_EQ((*engine)->DeleteExecution("other").code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE((*engine)->DeleteExecution(run->execution_id).ok());
  EXPECT_EQ(kept_bytes(), 0u);
  EXPECT_TRUE((*engine)->Executions()->empty());
  EXPECT_EQ((*engine)->DeleteExecution(run->execution_id).code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(std::filesystem::exists(scratch / "out/worn-enhanced.wav"));
}

#ifndef _WIN32
TEST(EngineTest, RelativePathsMeanTheFolderThatTheyWereGivenIn) {
  testing::Scratch scratch;
  std::filesystem::create_directories(scratch / "a/b");
  std::filesystem::rename(WornRecording(scratch), scratch / "a/worn.wav");
  ASSERT_EQ(chdir((scratch / "a").c_str()), 0);
  EngineOptions engine_options;
  engine_options.data_dir = "data";
  auto engine = Engine::Create(engine_options);
  ASSERT_TRUE(engine.ok()) << engine.status();
  WorkflowRunOptions options = OptionsFor("worn.wav", "out");
  options.execution_id = "once";
  options.on_event = [&](const WorkflowEvent& event) {
    if (event.kind == "visit_completed" && event.step == "extract-features") options.run.cancel.Interrupt();
  };
  const Workflow workflow = Workflow::Template("audio-enhancement").value();
  EXPECT_EQ((*engine)->RunWorkflow(workflow, options)->state, "interrupted");
  ASSERT_EQ(chdir("b"), 0);
  WorkflowRunOptions again = OptionsFor("../worn.wav", "../out");
  again.execution_id = "once";
  const auto run = (*engine)->RunWorkflow(workflow, again);
  ASSERT_TRUE(run.ok()) << run.status();
  EXPECT_EQ(run->state, "completed") << run->error;
  EXPECT_TRUE(std::filesystem::exists(scratch / "a/out/worn-enhanced.wav"));
  EXPECT_TRUE((*engine)->WriteReport(*run, "report.html").ok());
  EXPECT_FALSE(std::filesystem::exists(scratch / "a/b/data"));
  ASSERT_EQ(chdir("/"), 0);
}
#endif

}  // namespace
}  // namespace grym
