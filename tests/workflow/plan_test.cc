#include "workflow/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "base/random.h"
#include "base/status.h"
#include "support/scratch.h"
#include "support/shared_audio.h"
#include "workflow/scripted_runner.h"

namespace grym {
namespace {

using ::testing::HasSubstr;
using ::testing::IsSupersetOf;
using testing::PlanExample;

std::string Replaced(std::string text, const std::string& from, const std::string& to) {
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

absl::Status StatusOf(const std::string& text) {
  const auto workflow = Workflow::FromJson(text);
  return workflow.ok() ? workflow->Plan().status() : workflow.status();
}

// "pointer code" of each problem.
std::vector<std::string> ProblemsOf(const std::string& text) {
  std::vector<std::string> found;
  for (const Problem& problem : ErrorProblems(StatusOf(text))) found.push_back(problem.pointer + " " + problem.code);
  return found;
}
// Of the example with one text replaced.
std::vector<std::string> Broken(const std::string& from, const std::string& to) {
  return ProblemsOf(Replaced(PlanExample(), from, to));
}

std::vector<std::string> WarningsOf(const std::string& text) {
  std::vector<std::string> found;
  const auto plan = Workflow::FromJson(text)->Plan();
  EXPECT_TRUE(plan.ok()) << plan.status();
  if (!plan.ok()) return found;
  for (const Problem& problem : plan->warnings) found.push_back(problem.pointer + " " + problem.code);
  return found;
}

TEST(PlanTest, ThePlansExampleDrawsTheOneWarningOfItsStuckLoop) {
  EXPECT_EQ(WarningsOf(PlanExample()), std::vector<std::string>{"/steps/evaluate-result/condition stuck_loop"});
}

TEST(PlanTest, TheSharedExampleFileDrawsExactlyOneWarning) {
  const auto path = testing::SharedDir() / "design" / "audio-enhancement-workflow.json";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << path << " is absent";
  const auto workflow = Workflow::FromFile(path);
  ASSERT_TRUE(workflow.ok()) << workflow.status();
  const auto plan = workflow->Plan();
  ASSERT_TRUE(plan.ok()) << plan.status();
  ASSERT_EQ(plan->warnings.size(), 1u);
  EXPECT_EQ(plan->warnings[0].code, "stuck_loop");
}

TEST(PlanTest, TheTemplateDrawsNoWarning) {
  const auto plan = Workflow::Template("audio-enhancement")->Plan();
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_TRUE(plan->warnings.empty());
  ASSERT_EQ(plan->steps.size(), 6u);
  EXPECT_EQ(plan->steps[0].id, "analyze-audio");
  EXPECT_TRUE(plan->steps[3].in_cycle);
  EXPECT_EQ(plan->steps[3].next, (std::vector<std::string>{"finalize", "regenerate"}));
  EXPECT_EQ(ErrorCode(Workflow::Template("audio-enhancment").status()), "unknown_template");
}

TEST(PlanTest, EachErrorNamesItsPlaceAndCode) {
  using V = std::vector<std::string>;
  EXPECT_EQ(Broken("\"operation\": \"patterns\"", "\"operation\": \"paterns\""),
            V{"/steps/analyze-audio/operation unknown_operation"});
  EXPECT_EQ(Broken("\"default\": \"extract-features\"", "\"default\": \"extract-feature\""),
            V{"/steps/analyze-audio/nextSteps/default unknown_step"});
  EXPECT_EQ(Broken("\"initialStep\": \"analyze-audio\"", "\"initialStep\": \"analyse\""),
            V{"/initialStep unknown_step"});
  EXPECT_EQ(Broken("\"enhancementLevel\": 0.5", "\"enhancementLevel\": \"high\""),
            V{"/steps/generate-enhanced/parameters/enhancementLevel wrong_type"});
  EXPECT_EQ(Broken("\"enhancementLevel\": 0.5", "\"enhancementLevel\": 1.5"),
            V{"/steps/generate-enhanced/parameters/enhancementLevel out_of_range"});
  EXPECT_EQ(Broken("\"enhancementLevel\": 0.5", "\"enhancmentLevel\": 0.5"),
            V{"/steps/generate-enhanced/parameters/enhancmentLevel unknown_parameter"});
  EXPECT_EQ(Broken("\"format\": \"wav\"", "\"format\": \"mp3\""), V{"/steps/finalize/parameters/format unknown_value"});
  EXPECT_EQ(Broken("result.qualityScore", "result.quality"),
            V{"/steps/evaluate-result/condition/leftOperand impossible_path"});
  EXPECT_EQ(Broken("\"rightOperand\": 0.8", "\"rightOperand\": \"good\""),
            V{"/steps/evaluate-result/condition/leftOperand never_type_checks"});
  EXPECT_EQ(Broken("\"rightOperand\": 0.8", "\"rightOperand\": true"),
            (V{"/steps/evaluate-result/condition/rightOperand never_type_checks"}));
  EXPECT_EQ(Broken("context.evaluate-result.result.improvementAreas", "context.evaluate-result.result.improvements"),
            V{"/steps/regenerate/parameters/focusAreas impossible_path"});
  EXPECT_EQ(Broken("context.evaluate-result.result.improvementAreas", "context.evaluate.result.improvementAreas"),
            V{"/steps/regenerate/parameters/focusAreas unknown_step"});
  EXPECT_EQ(Broken("\"key\": \"analyze-audio.result\"", "\"key\": \"finalize.result\""),
            V{"/steps/generate-enhanced/inputs/0/key unreachable_reference"});
  EXPECT_EQ(Broken("\"type\": \"transformation\"", "\"type\": \"generation\""),
            V{"/steps/finalize/type wrong_step_type"});
  EXPECT_EQ(Broken("\"audioFile\": null", "\"audioFile\": \"http://x/y.wav\""),
            V{"/parameters/audioFile url_not_allowed"});
  EXPECT_EQ(Broken("\"audioFile\": null", "\"audioFile\": \"../../../../../../../../etc/passwd\""),
            V{"/parameters/audioFile outside_file_roots"});
  EXPECT_EQ(Broken("\"nextSteps\": {}", "\"nextSteps\": {\"parallel\": {\"steps\": []}}"),
            V{"/steps/finalize/nextSteps/parallel not_supported_yet"});
  EXPECT_EQ(Broken("\"parameters\": {},", "\"parameters\": {}, \"cache\": {}, \"priority\": 3, \"resources\": {},"),
            (V{"/steps/analyze-audio/priority not_supported_yet", "/steps/analyze-audio/resources not_supported_yet",
               "/steps/analyze-audio/cache not_supported_yet"}));
  EXPECT_EQ(Broken("\"parameters\": {},", "\"parameters\": {}, \"as\": \"finalize\","),
            V{"/steps/analyze-audio/as name_conflict"});
  EXPECT_EQ(Broken("\"parameters\": {},", ""), V{"/steps/analyze-audio/parameters missing_member"});
  EXPECT_EQ(Broken("{\"operator\": \"greater_than\"", "{\"operator\": \"greater\""),
            V{"/steps/evaluate-result/condition/operator unknown_value"});
}

TEST(PlanTest, ProblemsAreListedAllAtOnceWithHints) {
  std::string text = PlanExample();
  text = Replaced(text, "\"operation\": \"features\"", "\"operation\": \"feature\"");
  text = Replaced(text, "\"stepId\": \"finalize\"", "\"stepId\": \"finalise\"");
  text = Replaced(text, "\"initialStep\"", "\"intialStep\"");
  const auto workflow = Workflow::FromJson(text);
  ASSERT_FALSE(workflow.ok());
  std::map<std::string, std::string> hints;
  for (const Problem& problem : ErrorProblems(workflow.status())) hints[problem.pointer] = problem.hint;
  EXPECT_THAT(hints, IsSupersetOf(std::map<std::string, std::string>{
                         {"/intialStep", "initialStep"},
                         {"/initialStep", ""},
                         {"/steps/evaluate-result/nextSteps/conditional/0/stepId", "finalize"}}));
  std::string many = R"({"id":"w","name":"w","initialStep":"s","steps":{)";
  for (int i = 0; i < 300; ++i) many += (i ? "," : "") + std::string("\"s") + std::to_string(i) + "\":{}";
  EXPECT_EQ(ErrorProblems(Workflow::FromJson(many + "}}").status()).size(), 100u);
}

TEST(PlanTest, WarningsTellWhatMayGoWrong) {
  EXPECT_THAT(
      WarningsOf(Replaced(PlanExample(), R"(, {"source": "previous_step", "key": "generate-enhanced.result"}],)", "],")),
      ::testing::Contains("/steps/evaluate-result/inputs missing_input"));
  EXPECT_THAT(
      WarningsOf(Replaced(PlanExample(), R"({"default": "extract-features"})", R"({"default": "generate-enhanced"})")),
      IsSupersetOf(
          {"/steps/extract-features unreachable_step", "/steps/generate-enhanced/inputs/1/key maybe_missing"}));
  EXPECT_THAT(WarningsOf(Replaced(PlanExample(), R"("condition": "false")",
                                  R"("condition": "result.qualityScore less_than 0.5")")),
              ::testing::Contains("/steps/evaluate-result/nextSteps outcome_without_branch"));
}

TEST(PlanTest, TheOutputNamesWhatARunCanHave) {
  const auto problems = [](const std::string& path) {
    return ProblemsOf(Replaced(PlanExample(), "\"steps\"", R"("output": {"x": ")" + path + R"("}, "steps")"));
  };
  EXPECT_THAT(problems("context.evaluate-result.result.qualityScore"), ::testing::IsEmpty());
  EXPECT_THAT(problems("context.best.result"), ::testing::IsEmpty());
  EXPECT_THAT(problems("parameters.audioFile"), ::testing::IsEmpty());
  EXPECT_THAT(problems("context.nobody.result"), ::testing::ElementsAre("/output/x unknown_step"));
  EXPECT_THAT(problems("context.evaluate-result.result.wings"), ::testing::ElementsAre("/output/x impossible_path"));
  EXPECT_THAT(problems("parameters.nope"), ::testing::ElementsAre("/output/x unknown_parameter"));
  EXPECT_THAT(problems("result.qualityScore"), ::testing::ElementsAre("/output/x bad_path"));
}

TEST(PlanTest, ABestTakeIsReadableUnlessAStepHasTheName) {
  const std::string best =
      Replaced(PlanExample(), R"("inputs": [{"source": "previous_step", "key": "generate-enhanced.result"}])",
               R"("inputs": [{"source": "previous_step", "key": "best.result"}])");
  EXPECT_TRUE(StatusOf(best).ok()) << StatusOf(best);
  EXPECT_FALSE(StatusOf(Replaced(best, "\"key\": \"best.result\"", "\"key\": \"worst.result\"")).ok());
}

TEST(PlanTest, HostileDocumentsAreRefused) {
  EXPECT_FALSE(Workflow::FromJson("").ok());
  EXPECT_FALSE(Workflow::FromJson("[]").ok());
  EXPECT_FALSE(Workflow::FromJson(std::string(200000, '[')).ok());
  EXPECT_FALSE(Workflow::FromJson(R"({"id":"a","id":"b"})").ok());
  EXPECT_FALSE(Workflow::FromJson(std::string((1 << 20) + 1, ' ')).ok());
  EXPECT_FALSE(Workflow::FromJson(Replaced(PlanExample(), "\"name\"", "\"x\": 1e999, \"name\"")).ok());
  for (const char* id : {"", "-a", "a/b", "\\u0000", "a b"}) {
    EXPECT_THAT(ProblemsOf(Replaced(PlanExample(), "\"id\": \"audio-enhancement-workflow\"",
                                    "\"id\": \"" + std::string(id) + "\"")),
                ::testing::Contains("/id bad_id"))
        << id;
  }
  EXPECT_TRUE(
      StatusOf(Replaced(PlanExample(), "\"name\"", "\"x-note\": {\"any\": 1}, \"metadata\": {\"any\": [1]}, \"name\""))
          .ok());
}

TEST(PlanTest, MutatedDocumentsNeverCrashAndWhatIsAcceptedKeepsItsDigest) {
  Random random(3);
  const std::string seed_text = Workflow::Template("audio-enhancement")->ToJson();
  int accepted = 0;
  for (int round = 0; round < 2000; ++round) {
    std::string text = seed_text;
    for (int64_t i = 1 + random.Below(3); i > 0; --i) {
      const size_t at = static_cast<size_t>(random.Below(static_cast<int64_t>(text.size())));
      const int64_t kind = random.Below(3);
      if (kind == 0) text[at] = static_cast<char>(random.Below(256));
      if (kind == 1) text.erase(at, static_cast<size_t>(random.Below(20)));
      if (kind == 2)
        text.insert(at, text.substr(static_cast<size_t>(random.Below(static_cast<int64_t>(text.size()))), 15));
    }
    const auto workflow = Workflow::FromJson(text);
    if (!workflow.ok()) {
      EXPECT_FALSE(ErrorProblems(workflow.status()).empty());
      continue;
    }
    ++accepted;
    (void)workflow->Plan();
    EXPECT_EQ(Workflow::FromJson(workflow->ToJson())->Digest(), workflow->Digest());
  }
  EXPECT_GT(accepted, 0);
}

TEST(PlanTest, ParameterSchemasAreChecked) {
  const auto with = [](const std::string& schema) {
    return ProblemsOf(
        Replaced(PlanExample(), "\"parameters\": {\"audioFile\": null}",
                 "\"parameters\": {\"audioFile\": null, \"n\": 3}, \"parameterSchemas\": {\"n\": " + schema + "}"));
  };
  EXPECT_TRUE(with(R"({"type":"integer","minimum":1,"maximum":3})").empty());
  EXPECT_THAT(with(R"({"type":"string"})"), ::testing::ElementsAre("/parameters/n wrong_type"));
  EXPECT_THAT(with(R"({"anyOf":[{"type":"string"},{"maximum":2}]})"), ::testing::ElementsAre("/parameters/n no_match"));
  EXPECT_THAT(with(R"({"$ref":"#"})"), ::testing::ElementsAre("/parameterSchemas/n/$ref unknown_member"));
  EXPECT_THAT(with(R"({"pattern":"(a+)+"})"), ::testing::ElementsAre("/parameterSchemas/n/pattern not_supported_yet"));
}

}  // namespace
}  // namespace grym
