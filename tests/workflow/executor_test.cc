#include "workflow/executor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/scratch.h"
#include "support/waiting_clock.h"
#include "workflow/scripted_runner.h"

namespace grym {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::PlanExample;
using testing::Scratch;
using testing::ScriptedRunner;

Json AudioParameter() {
  Json parameters = Json::Object();
  parameters["audioFile"] = "song.wav";
  return parameters;
}

std::vector<std::string> TraceOf(const WorkflowRun& run) {
  std::vector<std::string> trace;
  for (const WorkflowVisit& visit : run.visits) {
    trace.push_back(visit.step + "#" + std::to_string(visit.visit) +
                    (visit.outcome.empty() ? "" : " " + visit.outcome));
  }
  return trace;
}

struct Bench {
  Scratch scratch;
  std::unique_ptr<Journal> journal = Journal::Open(scratch / "journal").value();
  ScriptedRunner runner;
  WorkflowExecutor executor;
  absl::StatusOr<WorkflowRun> Run(const Workflow& workflow, const Json& parameters = Json::Object(),
                                  const std::string& id = "run", const ExecutorOptions& options = {},
                                  const RunOptions& run = {}) {
    return executor.Run(workflow, parameters, id, runner, *journal, options, run);
  }
};

// A step of operation `echo`, which takes anything and answers its parameters.
const OperationSet& EchoOperations() {
  static const OperationSet* const operations = [] {
    auto* set = new OperationSet();
    OperationInfo echo;
    echo.name = "echo";
    echo.types = {StepType::kAnalysis};
    echo.inputs = {{"a", true}, {"b", true}};
    echo.parameters = {{"value"}, {"other"}};
    (*set)["echo"] = echo;
    return set;
  }();
  return *operations;
}

struct EchoBench : Bench {
  EchoBench() {
    runner.instead = [](const OperationCall& call, const RunOptions&) -> absl::StatusOr<Json> {
      Json result = call.parameters;
      for (const CallInput& input : call.inputs) result[input.name] = input.value;
      return result;
    };
  }
  absl::StatusOr<WorkflowRun> RunSteps(const std::string& steps, const std::string& rest = "",
                                       const ExecutorOptions& options = {}, const RunOptions& run = {}) {
    auto workflow =
        Workflow::FromJson(R"({"id":"w","name":"w","initialStep":"s","steps":{)" + steps + "}" + rest + "}");
    if (!workflow.ok()) return workflow.status();
    return WorkflowExecutor(EchoOperations()).Run(*workflow, Json::Object(), "run", runner, *journal, options, run);
  }
};
std::string Echo(const std::string& id, const std::string& parameters, const std::string& next,
                 const std::string& rest = "") {
  return "\"" + id + R"(":{"id":")" + id + R"(","type":"analysis","operation":"echo","inputs":[],"parameters":{)" +
         parameters + R"(},"nextSteps":)" + next + rest + "}";
}

TEST(ExecutorTest, ThePlansExampleEndsAtItsLoopLimit) {
  Bench bench;
  const auto workflow = Workflow::FromJson(PlanExample());
  ASSERT_TRUE(workflow.ok()) << workflow.status();
  const auto run = bench.Run(*workflow, AudioParameter());
  ASSERT_TRUE(run.ok()) << run.status();
  std::vector<std::string> wanted = {"analyze-audio#1", "extract-features#1", "generate-enhanced#1"};
  for (int round = 1; round <= 10; ++round) {
    wanted.push_back("evaluate-result#" + std::to_string(round) + " false");
    wanted.push_back("regenerate#" + std::to_string(round));
  }
  EXPECT_EQ(TraceOf(*run), wanted);
  EXPECT_EQ(run->state, "failed");
  EXPECT_EQ(ErrorCode(run->error), "loop_limit_exceeded");
  EXPECT_EQ(run->error.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(run->error.message()),
              HasSubstr("the loop is evaluate-result -> regenerate -> evaluate-result"));
}

TEST(ExecutorTest, ThePlansExampleCompletesWhereTheFirstTakeIsGood) {
  Bench bench;
  bench.runner.scores["generate-enhanced"] = 0.81;
  const auto run = bench.Run(*Workflow::FromJson(PlanExample()), AudioParameter());
  ASSERT_TRUE(run.ok()) << run.status();
  EXPECT_EQ(run->state, "completed") << run->error;
  EXPECT_THAT(TraceOf(*run), ElementsAre("analyze-audio#1", "extract-features#1", "generate-enhanced#1",
                                         "evaluate-result#1 true", "finalize#1"));
}

TEST(ExecutorTest, TheTemplateExportsTheBetterTake) {
  Bench bench;
  bench.runner.scores["regenerate"] = 0.9;
  const auto run = bench.Run(*Workflow::Template("audio-enhancement"), AudioParameter());
  ASSERT_TRUE(run.ok()) << run.status();
  EXPECT_EQ(run->state, "completed") << run->error;
  EXPECT_THAT(TraceOf(*run),
              ElementsAre("analyze-audio#1", "extract-features#1", "generate-enhanced#1", "evaluate-result#1 false",
                          "regenerate#1", "evaluate-result#2 true", "finalize#1"));
  const Json made = *Json::Parse(run->visits[4].result_json);
  EXPECT_EQ(Json::Parse(run->result_json)->at("audio"), made.at("audio"));
  EXPECT_EQ(bench.journal->files().Read(made.at("audio"), 1000).value().substr(0, 10), "regenerate");
}

TEST(ExecutorTest, TheTemplateEndsAfterFourRoundsWithTheBestTake) {
  Bench bench;
  bench.runner.scores["regenerate"] = 0.4;  // every further take is worse than the first
  const auto run = bench.Run(*Workflow::Template("audio-enhancement"), AudioParameter());
  ASSERT_TRUE(run.ok()) << run.status();
  EXPECT_EQ(run->state, "completed") << run->error;
  const auto trace = TraceOf(*run);
  EXPECT_EQ(std::count_if(trace.begin(), trace.end(),
                          [](const std::string& one) { return one.rfind("evaluate-result", 0) == 0; }),
            4);
  EXPECT_EQ(trace.back(), "finalize#1");
  EXPECT_EQ(Json::Parse(run->result_json)->at("audio"), Json::Parse(run->visits[2].result_json)->at("audio"));
}

TEST(ExecutorTest, AFinishedExecutionIsReturnedAsItWas) {
  Bench bench;
  bench.runner.scores["regenerate"] = 0.9;
  const auto first = bench.Run(*Workflow::Template("audio-enhancement"), AudioParameter());
  const size_t runs = bench.runner.runs.size();
  const auto again = bench.Run(*Workflow::Template("audio-enhancement"), AudioParameter());
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(bench.runner.runs.size(), runs);
  EXPECT_EQ(again->result_json, first->result_json);
  EXPECT_EQ(TraceOf(*again), TraceOf(*first));
  Json other = AudioParameter();
  other["audioFile"] = "other.wav";
  EXPECT_EQ(ErrorCode(bench.Run(*Workflow::Template("audio-enhancement"), other).status()), "execution_conflict");
  EXPECT_EQ(ErrorCode(bench.Run(*Workflow::FromJson(PlanExample()), AudioParameter()).status()), "execution_conflict");
}

TEST(ExecutorTest, ResultsDoNotDependOnTheExecutionsName) {
  Bench a, b;
  EXPECT_EQ(a.Run(*Workflow::Template("audio-enhancement"), AudioParameter(), "one")->result_json,
            b.Run(*Workflow::Template("audio-enhancement"), AudioParameter(), "two")->result_json);
  ExecutorOptions seeded;
  seeded.seed = 7;
  EXPECT_NE(a.Run(*Workflow::Template("audio-enhancement"), AudioParameter(), "three", seeded)->result_json,
            b.Run(*Workflow::Template("audio-enhancement"), AudioParameter(), "two")->result_json);
}

TEST(ExecutorTest, StartingWithWrongParametersListsThemAll) {
  Bench bench;
  Json wrong = Json::Object();
  wrong["audiofile"] = "x";
  wrong["enhancementLevel"] = 2;
  wrong["targetLufs"] = "loud";
  const absl::Status status = bench.Run(*Workflow::Template("audio-enhancement"), wrong).status();
  EXPECT_EQ(ErrorCode(status), "invalid_parameters");
  std::map<std::string, std::string> codes;
  for (const Problem& problem : ErrorProblems(status)) codes[problem.pointer] = problem.code;
  EXPECT_EQ(codes, (std::map<std::string, std::string>{{"/audioFile", "missing_parameter"},
                                                       {"/audiofile", "unknown_parameter"},
                                                       {"/enhancementLevel", "out_of_range"},
                                                       {"/targetLufs", "wrong_type"}}));
  EXPECT_FALSE(*bench.journal->Contains("run"));
}

TEST(ExecutorTest, TransientErrorsAreTriedAgainAsThePolicySays) {
  EchoBench bench;
  testing::WaitingClock clock;
  int failures = 2;
  bench.runner.instead = [&](const OperationCall&, const RunOptions&) -> absl::StatusOr<Json> {
    if (failures-- > 0) return absl::UnavailableError("busy");
    return Json(1);
  };
  ExecutorOptions options;
  options.clock = &clock;
  const std::string retry = R"(,"retry":{"maxAttempts":3,"initialMs":100,"factor":3,"jitter":"none"})";
  const auto run = bench.RunSteps(Echo("s", "", "{}", retry), "", options);
  ASSERT_TRUE(run.ok()) << run.status();
  EXPECT_EQ(run->state, "completed") << run->error;
  EXPECT_THAT(clock.waits_ms, ElementsAre(100, 300));
  EXPECT_EQ(run->visits[0].attempts, 3);
  EXPECT_EQ(bench.runner.runs.size(), 3u);
}

TEST(ExecutorTest, OtherErrorsAreNotTriedAgainAndLastAttemptsFail) {
  for (const auto& [status, runs] :
       std::vector<std::pair<absl::Status, size_t>>{{absl::InvalidArgumentError("no"), 1},
                                                    {absl::InternalError("bug"), 1},
                                                    {absl::ResourceExhaustedError("memory"), 2},
                                                    {absl::AbortedError("again"), 3},
                                                    {absl::UnavailableError("busy"), 3}}) {
    EchoBench bench;
    bench.runner.instead = [&, failure = status](const OperationCall&, const RunOptions&) -> absl::StatusOr<Json> {
      return failure;
    };
    const auto run = bench.RunSteps(Echo("s", "", "{}", R"(,"retry":{"initialMs":0})"));
    ASSERT_TRUE(run.ok()) << run.status();
    EXPECT_EQ(run->state, "failed");
    EXPECT_EQ(run->error.code(), status.code());
    EXPECT_EQ(bench.runner.runs.size(), runs) << status;
  }
}

TEST(ExecutorTest, OnErrorRoutesAndTheErrorIsThere) {
  EchoBench bench;
  bench.runner.instead = [](const OperationCall& call, const RunOptions&) -> absl::StatusOr<Json> {
    if (call.step == "s") return Error(absl::StatusCode::kInvalidArgument, "bad_thing", "no");
    return call.parameters;
  };
  const auto run =
      bench.RunSteps(Echo("s", "", R"({"default":"end"})", R"(,"onError":"rescue")") + "," +
                     Echo("rescue", R"("value":"context.s.error.code")", "{}") + "," + Echo("end", "", "{}"));
  ASSERT_TRUE(run.ok()) << run.status();
  EXPECT_EQ(run->state, "completed") << run->error;
  EXPECT_EQ(run->result_json, R"({"value":"bad_thing"})");
  EXPECT_EQ(run->visits[0].state, VisitState::kFailed);
}

TEST(ExecutorTest, ReferencesAreResolvedOnceAndNeverAgain) {
  EchoBench bench;
  const auto run = bench.RunSteps(
      Echo("s", R"("value":{"$literal":"context.s.result"},"other":[1,{"k":"parameters.p"}])", R"({"default":"t"})") +
          "," +
          Echo("t", R"("value":"context.s.result.value","other":{"$template":"a ${parameters.p} loop"})",
               R"({"default":"u"})") +
          "," +
          Echo(
              "u",
              R"("value":{"$ref":"context.s.result.nothing","default":5},"other":"context.s.visits.1.result.other.1.k")",
              "{}"),
      R"(,"parameters":{"p":"q"})");
  ASSERT_TRUE(run.ok()) << run.status();
  ASSERT_EQ(run->visits.size(), 3u) << run->error;
  EXPECT_EQ(run->visits[0].result_json, R"({"other":[1,{"k":"q"}],"value":"context.s.result"})");
  EXPECT_EQ(run->visits[1].result_json, R"({"other":"a q loop","value":"context.s.result"})");
  EXPECT_EQ(run->visits[2].result_json, R"({"other":"q","value":5})");
}

TEST(ExecutorTest, MissingInputsAndReferencesFailTheStep) {
  EchoBench bench;
  auto run = bench.RunSteps(Echo("s", "", R"({"default":"t"})") + "," +
                            Echo("t", R"("value":"context.s.result.nothing")", "{}"));
  ASSERT_TRUE(run.ok()) << run.status();
  EXPECT_EQ(ErrorCode(run->error), "reference_missing");
  EXPECT_EQ(run->visits.back().state, VisitState::kFailed);
  Bench other;
  std::string text = PlanExample();
  const std::string input = R"(, {"source": "previous_step", "key": "generate-enhanced.result"}],)";
  text.replace(text.find(input), input.size(), "],");
  // One input fewer than the operation wants: a warning at registration, an error when it runs.
  const auto fewer = other.Run(*Workflow::FromJson(text), AudioParameter());
  ASSERT_TRUE(fewer.ok()) << fewer.status();
  EXPECT_EQ(ErrorCode(fewer->error), "input_missing");
}

TEST(ExecutorTest, ConditionsBranchOnPathsAndErrors) {
  const auto outcome = [](const std::string& condition, const std::string& branches) {
    EchoBench bench;
    const auto run = bench.RunSteps(Echo("s", R"("value":3)", R"({"conditional":[)" + branches + "]}", condition) +
                                    "," + Echo("a", "", "{}") + "," + Echo("b", "", "{}"));
    if (!run.ok()) return ErrorCode(run.status());
    return run->state == "completed" ? run->visits.back().step : ErrorCode(run->error);
  };
  const std::string greater =
      R"(,"condition":{"operator":"greater_than","leftOperand":"result.value","rightOperand":2})";
  EXPECT_EQ(outcome(greater, R"({"condition":"true","stepId":"a"},{"condition":"false","stepId":"b"})"), "a");
  EXPECT_EQ(outcome(greater, R"({"condition":"false","stepId":"b"})"), "no_branch_matches");
  EXPECT_EQ(
      outcome(
          "",
          R"({"condition":"result.value equals 4","stepId":"a"},{"condition":"context.s.result.value less_than 4","stepId":"b"})"),
      "b");
  const std::string missing = R"(,"condition":{"operator":"equals","leftOperand":"result.nothing","rightOperand":2)";
  EXPECT_EQ(outcome(missing + "}", R"({"condition":"true","stepId":"a"},{"condition":"false","stepId":"b"})"),
            "condition_path_missing");
  EXPECT_EQ(outcome(missing + "}", R"({"condition":"true","stepId":"a"},{"condition":"error","stepId":"b"})"), "b");
  EXPECT_EQ(outcome(missing + R"(,"ifMissing":true})",
                    R"({"condition":"true","stepId":"a"},{"condition":"false","stepId":"b"})"),
            "a");
}

TEST(ExecutorTest, LoopsThatNeverEndEndAtTheirLimits) {
  EchoBench bench;
  auto run = bench.RunSteps(Echo("s", "", R"({"default":"s"})"));
  ASSERT_TRUE(run.ok()) << run.status();
  EXPECT_EQ(ErrorCode(run->error), "loop_limit_exceeded");
  EXPECT_THAT(std::string(run->error.message()), HasSubstr("the loop is s -> s"));
  EXPECT_EQ(run->visits.size(), 10u);
  EchoBench wide;
  run = wide.RunSteps(Echo("s", "", R"({"default":"s"})", R"(,"loop":{"maxVisits":100})"),
                      R"(,"limits":{"maxVisits":30})");
  EXPECT_EQ(ErrorCode(run->error), "visit_limit_exceeded");
  EXPECT_EQ(run->error.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(run->visits.size(), 30u);
  EchoBench around;  // two limits that lead to each other
  run = around.RunSteps(Echo("s", "", R"({"default":"t"})", R"(,"loop":{"maxVisits":1,"onLimit":"t"})") + "," +
                        Echo("t", "", R"({"default":"s"})", R"(,"loop":{"maxVisits":1,"onLimit":"s"})"));
  EXPECT_EQ(ErrorCode(run->error), "loop_limit_exceeded");
}

TEST(ExecutorTest, ATimeoutEndsAnAttemptAndIsALimit) {
  EchoBench bench;
  bench.runner.instead = [](const OperationCall&, const RunOptions& run) -> absl::StatusOr<Json> {
    while (true) GRYM_RETURN_IF_ERROR(run.cancel.Check());
  };
  const auto run = bench.RunSteps(Echo("s", "", "{}", R"(,"timeoutMs":5)"));
  ASSERT_TRUE(run.ok()) << run.status();
  EXPECT_EQ(run->state, "failed");
  EXPECT_EQ(ErrorCode(run->error), "timeout");
  EXPECT_EQ(bench.runner.runs.size(), 1u);
}

TEST(ExecutorTest, CancelEndsTheRunForGood) {
  EchoBench bench;
  RunOptions options;
  bench.runner.instead = [&](const OperationCall&, const RunOptions& run) -> absl::StatusOr<Json> {
    options.cancel.Cancel();
    EXPECT_TRUE(run.cancel.cancelled());
    return Json(1);  // too late
  };
  auto run = bench.RunSteps(Echo("s", "", R"({"default":"t"})") + "," + Echo("t", "", "{}"), "", {}, options);
  ASSERT_TRUE(run.ok()) << run.status();
  EXPECT_EQ(run->state, "cancelled");
  EXPECT_EQ(run->error.code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(bench.runner.runs.size(), 1u);
  run = bench.RunSteps(Echo("s", "", R"({"default":"t"})") + "," + Echo("t", "", "{}"));
  EXPECT_EQ(run->state, "cancelled");
}

TEST(ExecutorTest, AnInterruptedRunGoesOnHoweverOftenItWasStopped) {
  EchoBench bench;
  const std::string steps = Echo("s", "", R"({"default":"t"})") + "," + Echo("t", R"("value":2)", "{}");
  for (int stop = 0; stop < 8; ++stop) {  // more often than crashes are forgiven
    RunOptions options;
    bench.runner.instead = [&](const OperationCall& call, const RunOptions&) -> absl::StatusOr<Json> {
      if (call.step == "s") return Json(1);
      options.cancel.Interrupt();
      return Json(1);  // too late
    };
    const auto stopped = bench.RunSteps(steps, "", {}, options);
    ASSERT_TRUE(stopped.ok()) << stopped.status();
    EXPECT_EQ(stopped->state, "interrupted");
    EXPECT_TRUE(stopped->error.ok()) << stopped->error;
  }
  bench.runner.instead = {};
  const auto run = bench.RunSteps(steps);
  ASSERT_TRUE(run.ok()) << run.status();
  EXPECT_EQ(run->state, "completed");
  EXPECT_EQ(std::count(bench.runner.runs.begin(), bench.runner.runs.end(), "run/s/1"), 1);
  CancelToken cancel;
  cancel.Cancel();
  cancel.Interrupt();
  EXPECT_FALSE(cancel.interrupted());  // a cancel stays one
}

TEST(ExecutorTest, DeadlinesCountFromTheJournalsClock) {
  EchoBench bench;
  RunOptions options;
  const std::string steps = Echo("s", "", "{}", R"(,"deadlineMs":60000)");
  bench.runner.instead = [&](const OperationCall&, const RunOptions&) -> absl::StatusOr<Json> {
    options.cancel.Interrupt();
    return Json(1);
  };
  const auto stopped = bench.RunSteps(steps, "", {}, options);
  ASSERT_TRUE(stopped.ok()) << stopped.status();
  EXPECT_GT(stopped->created_ms, 0);
  bench.runner.instead = {};
  class Later : public WaitClock {
   public:
    int64_t NowMs() override { return SystemWaitClock().NowMs() + 60000; }
    absl::Status WaitUntil(int64_t, const CancelToken& cancel) override { return cancel.Check(); }
  } later;
  ExecutorOptions after;
  after.clock = &later;
  const auto run = bench.RunSteps(steps, "", after);
  ASSERT_TRUE(run.ok()) << run.status();
  EXPECT_EQ(ErrorCode(run->error), "timeout");
}

TEST(ExecutorTest, EventsAreNumberedWithoutGapsAndProgressNeverFalls) {
  Bench bench;
  std::vector<WorkflowEvent> heard;
  ExecutorOptions options;
  options.on_event = [&](const WorkflowEvent& event) { heard.push_back(event); };
  RunOptions run;
  double last = 0;
  run.progress = [&](const Progress& now) {
    EXPECT_GE(now.fraction, last);
    last = now.fraction;
  };
  ASSERT_TRUE(bench.Run(*Workflow::FromJson(PlanExample()), AudioParameter(), "run", options, run).ok());
  for (size_t i = 0; i < heard.size(); ++i) EXPECT_EQ(heard[i].sequence, static_cast<int64_t>(i) + 1);
  EXPECT_EQ(heard.front().kind, "started");
  EXPECT_EQ(heard.back().kind, "failed");
  const auto tail = bench.journal->Events("run", 5, 3);
  ASSERT_TRUE(tail.ok());
  ASSERT_EQ(tail->size(), 3u);
  EXPECT_EQ(tail->front().sequence, 6);
  EXPECT_GT(last, 0.5);
}

// A workflow that reads one recording, named in the document in some way, and exports beside it.
absl::StatusOr<WorkflowRun> RunNaming(Bench& bench, const std::string& parameters, const std::string& audio_key,
                                      const std::string& path, const Json& given = Json::Object()) {
  auto workflow = Workflow::FromJson(
      R"({"id":"w","name":"w","initialStep":"f","parameters":)" + parameters +
      R"(,"steps":{"f":{"id":"f","type":"analysis","operation":"features","inputs":[{"source":"parameter","key":")" +
      audio_key + R"("}],"parameters":{},"nextSteps":{"default":"x"}},)" +
      R"("x":{"id":"x","type":"transformation","operation":"export","inputs":[{"source":"previous_step",)" +
      R"("key":"f.result"}],"parameters":{"path":)" + path + R"(},"nextSteps":{}}}})");
  if (!workflow.ok()) return workflow.status();
  return WorkflowExecutor().Run(*workflow, given, "run", bench.runner, *bench.journal, {}, {});
}

TEST(ExecutorTest, FilesThatOnlyTheDocumentNamesLieInItsFolder) {
  const auto code = [](absl::StatusOr<WorkflowRun> run) { return ErrorCode(run.ok() ? run->error : run.status()); };
  const std::string inside = R"({"where":"a.wav","out":"sub"})", outside = R"({"where":"/etc/a.wav","out":"/tmp/x"})";
  Json given = Json::Object();
  given["where"] = "/etc/a.wav";
  given["out"] = "/tmp/x";
  Bench by_input, by_reference, by_template, by_caller, at_home;
  EXPECT_EQ(code(RunNaming(by_input, outside, "where", R"("sub")")), "outside_file_roots");
  EXPECT_TRUE(by_input.runner.runs.empty());
  EXPECT_EQ(code(RunNaming(by_reference, R"({"where":"a.wav","out":"/tmp/x"})", "where", R"("parameters.out")")),
            "outside_file_roots");
  EXPECT_EQ(code(RunNaming(by_template, inside, "where", R"({"$template":"/tmp/${parameters.out}"})")),
            "outside_file_roots");
  // What the caller says is the caller's own business.
  EXPECT_EQ(code(RunNaming(by_caller, outside, "where", R"("parameters.out")", given)), "ok");
  std::map<std::string, std::string> seen;
  at_home.runner.instead = [&](const OperationCall& call, const RunOptions&) -> absl::StatusOr<Json> {
    seen[call.step] = call.step == "f" ? call.input("audio")->text() : call.parameters.at("path").text();
    return Json::Object();
  };
  EXPECT_EQ(code(RunNaming(at_home, inside, "where", R"("parameters.out")")), "ok");
  EXPECT_EQ(seen["f"], (std::filesystem::current_path() / "a.wav").string());
  EXPECT_EQ(seen["x"], (std::filesystem::current_path() / "sub").string());
}

TEST(ExecutorTest, OutputMapsResults) {
  EchoBench bench;
  const auto run = bench.RunSteps(Echo("s", R"("value":3)", R"({"default":"t"})") + "," + Echo("t", "", "{}"),
                                  R"(,"output":{"three":"context.s.result.value","none":"context.s.result.nothing"})");
  ASSERT_TRUE(run.ok()) << run.status();
  EXPECT_EQ(run->result_json, R"({"none":null,"three":3})");
}

}  // namespace
}  // namespace grym
