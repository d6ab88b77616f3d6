#include "model/request_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

namespace grym {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

std::vector<std::string> PointersOf(const std::function<void(GenerateAudioRequest&)>& change) {
  GenerateAudioRequest request;
  change(request);
  std::vector<std::string> pointers;
  for (const Problem& problem : CheckRequest(request)) pointers.push_back(problem.pointer);
  return pointers;
}
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using R = GenerateAudioRequest;

TEST(RequestRulesTest, AFreshRequestIsValid) { EXPECT_TRUE(ValidateRequest({}).ok()); }

TEST(RequestRulesTest, BothSidesOfEveryNumericLimit) {
  EXPECT_THAT(PointersOf([](R& r) { r.duration_s = 600; }), IsEmpty());
  EXPECT_THAT(PointersOf([](R& r) { r.duration_s = 600.001; }), ElementsAre("/durationSeconds"));
  EXPECT_THAT(PointersOf([](R& r) { r.duration_s = 0; }), ElementsAre("/durationSeconds"));
  EXPECT_THAT(PointersOf([](R& r) { r.duration_s = kNaN; }), ElementsAre("/durationSeconds"));
  EXPECT_THAT(PointersOf([](R& r) { r.duration_s = kInfinity; }), ElementsAre("/durationSeconds"));
  EXPECT_THAT(PointersOf([](R& r) { r.seed = -2; }), ElementsAre("/seed"));
  EXPECT_THAT(PointersOf([](R& r) { r.temperature = 10; }), IsEmpty());
  EXPECT_THAT(PointersOf([](R& r) { r.temperature = 10.1; }), ElementsAre("/temperature"));
  EXPECT_THAT(PointersOf([](R& r) { r.top_k = 0; }), ElementsAre("/topK"));
  EXPECT_THAT(PointersOf([](R& r) { r.top_p = 0; }), ElementsAre("/topP"));
  EXPECT_THAT(PointersOf([](R& r) { r.top_p = 1; }), IsEmpty());
  EXPECT_THAT(PointersOf([](R& r) { r.guidance = -100; }), IsEmpty());
  EXPECT_THAT(PointersOf([](R& r) { r.guidance = 100.5; }), ElementsAre("/guidance"));
  EXPECT_THAT(PointersOf([](R& r) { r.guidance = kNaN; }), ElementsAre("/guidance"));
  EXPECT_THAT(PointersOf([](R& r) { r.steps = 1000; }), IsEmpty());
  EXPECT_THAT(PointersOf([](R& r) { r.steps = 1001; }), ElementsAre("/steps"));
  EXPECT_THAT(PointersOf([](R& r) { r.steps = 0; }), ElementsAre("/steps"));
  EXPECT_THAT(PointersOf([](R& r) { r.tempo_bpm = 29.9; }), ElementsAre("/tempoBpm"));
  EXPECT_THAT(PointersOf([](R& r) { r.tempo_bpm = 300; }), IsEmpty());
  EXPECT_THAT(PointersOf([](R& r) { r.meter = 5; }), ElementsAre("/meter"));
  EXPECT_THAT(PointersOf([](R& r) { r.enhancement_level = 1.01; }), ElementsAre("/enhancementLevel"));
  EXPECT_THAT(PointersOf([](R& r) { r.reference_strength = kNaN; }), ElementsAre("/referenceStrength"));
  EXPECT_THAT(PointersOf([](R& r) { r.target_lufs = 1; }), ElementsAre("/targetLufs"));
  EXPECT_THAT(PointersOf([](R& r) { r.duration_s = 1e-3; }), IsEmpty());
  EXPECT_THAT(PointersOf([](R& r) { r.seed = -1; }), IsEmpty());
  EXPECT_THAT(PointersOf([](R& r) { r.temperature = -0.1; }), ElementsAre("/temperature"));
  EXPECT_THAT(PointersOf([](R& r) { r.top_k = 1; }), IsEmpty());
  EXPECT_THAT(PointersOf([](R& r) { r.top_p = 1.01; }), ElementsAre("/topP"));
  EXPECT_THAT(PointersOf([](R& r) { r.guidance = 100; }), IsEmpty());
  EXPECT_THAT(PointersOf([](R& r) { r.guidance = -100.5; }), ElementsAre("/guidance"));
  EXPECT_THAT(PointersOf([](R& r) { r.steps = 1; }), IsEmpty());
  EXPECT_THAT(PointersOf([](R& r) { r.tempo_bpm = 30; }), IsEmpty());
  EXPECT_THAT(PointersOf([](R& r) { r.tempo_bpm = 300.1; }), ElementsAre("/tempoBpm"));
  EXPECT_THAT(PointersOf([](R& r) { r.takes = 1; }), IsEmpty());
  EXPECT_THAT(PointersOf([](R& r) { r.takes = 8; }), IsEmpty());
  EXPECT_THAT(PointersOf([](R& r) { r.takes = 0; }), ElementsAre("/takes"));
  EXPECT_THAT(PointersOf([](R& r) { r.takes = 9; }), ElementsAre("/takes"));
  EXPECT_THAT(PointersOf([](R& r) { r.rank_by = "No Id"; }), ElementsAre("/rankBy"));
  EXPECT_THAT(PointersOf([](R& r) { r.enhancement_level = 0; }), IsEmpty());
  EXPECT_THAT(PointersOf([](R& r) { r.enhancement_level = -0.01; }), ElementsAre("/enhancementLevel"));
  EXPECT_THAT(PointersOf([](R& r) { r.reference_strength = 1; }), IsEmpty());
  EXPECT_THAT(PointersOf([](R& r) { r.reference_strength = 1.01; }), ElementsAre("/referenceStrength"));
  EXPECT_THAT(PointersOf([](R& r) { r.target_lufs = 0; }), IsEmpty());
}

TEST(RequestRulesTest, BothSidesOfTheTextLimits) {
  EXPECT_EQ(kMaxPromptBytes, size_t{1} << 20);
  EXPECT_THAT(PointersOf([](R& r) { r.prompt.assign(kMaxPromptBytes, 'x'); }), IsEmpty());
  EXPECT_THAT(PointersOf([](R& r) { r.prompt = "\x01 bell \x07 and \x1b[31m"; }), IsEmpty());
  EXPECT_THAT(PointersOf([](R& r) { r.prompt.assign(kMaxPromptBytes + 1, 'x'); }), ElementsAre("/prompt"));
  EXPECT_THAT(PointersOf([](R& r) { r.negative_prompt.assign(kMaxPromptBytes + 1, 'x'); }),
              ElementsAre("/negativePrompt"));
  EXPECT_THAT(PointersOf([](R& r) { r.prompt = "\xC3"; }), ElementsAre("/prompt"));
  EXPECT_THAT(PointersOf([](R& r) { r.prompt = std::string("a\0b", 3); }), ElementsAre("/prompt"));
  EXPECT_THAT(PointersOf([](R& r) { r.instruments.assign(kMaxListItems + 1, "drum"); }), ElementsAre("/instruments"));
  EXPECT_THAT(PointersOf([](R& r) { r.patterns.resize(kMaxPatterns + 1); }), ElementsAre("/patterns"));
  EXPECT_THAT(PointersOf([](R& r) { r.patterns.resize(kMaxPatterns); }), IsEmpty());
  EXPECT_THAT(PointersOf([](R& r) { r.model = "Bad Id"; }), ElementsAre("/model"));
  EXPECT_THAT(PointersOf([](R& r) { r.parameters["a/b"] = "\xFF"; }), ElementsAre("/parameters/a~1b"));
  EXPECT_THAT(PointersOf([](R& r) { r.reference_buffer.emplace(); }), ElementsAre("/referenceAudio"));
}

TEST(RequestRulesTest, FocusAreasComeFromTheVocabulary) {
  EXPECT_THAT(PointersOf([](R& r) { r.focus_areas = {"loudness", "spectral balance"}; }), IsEmpty());
  GenerateAudioRequest request;
  request.focus_areas = {"loudnes"};
  const std::vector<Problem> problems = CheckRequest(request);
  ASSERT_EQ(problems.size(), 1u);
  EXPECT_EQ(problems[0].hint, "loudness");
}

TEST(RequestRulesTest, KeysAndIds) {
  for (const char* key : {"F major", "C# minor", "Bb major"}) EXPECT_TRUE(IsKeyName(key)) << key;
  for (const char* key : {"", "H major", "F", "F Major", "f major", "C## minor", "C minor "})
    EXPECT_FALSE(IsKeyName(key)) << key;
  EXPECT_TRUE(IsModelId("composer"));
  EXPECT_TRUE(IsModelId(std::string(64, 'a')));
  EXPECT_FALSE(IsModelId(std::string(65, 'a')));
  EXPECT_FALSE(IsModelId(".hidden"));
}

TEST(RequestRulesTest, ManyProblemsAreAllListed) {
  GenerateAudioRequest request;
  request.duration_s = -1;
  request.steps = 0;
  request.key = "x";
  request.model = "!";
  EXPECT_EQ(ErrorProblems(ValidateRequest(request)).size(), 4u);
  EXPECT_EQ(ErrorCode(ValidateRequest(request)), "invalid_request");
}

}  // namespace
}  // namespace grym
