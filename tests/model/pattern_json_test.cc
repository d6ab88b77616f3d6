#include "model/pattern_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/random.h"
#include "grymsynth/error.h"

namespace grym {
namespace {

AudioPattern RandomPattern(Random& random) {
  AudioPattern pattern;
  pattern.kind = static_cast<PatternKind>(random.Below(5));
  pattern.description = "a \"quoted\" line\n\xC3\xA9";
  pattern.strength = random.Uniform();
  for (int64_t i = random.Below(4); i > 0; --i) {
    const double start = random.Uniform(0, 100);
    pattern.spans.push_back({start, start + random.Uniform(0, 10)});
  }
  for (int64_t i = random.Below(3); i > 0; --i) pattern.evidence.push_back({"peak", random.Normal(), "a peak"});
  for (float& value : pattern.embedding)
    value = static_cast<float>(random.Normal() * std::pow(10.0, random.Uniform(-30, 30)));
  pattern.id = random.Below(1000);
  if (random.Chance(0.5)) pattern.tempo_bpm = random.Uniform(60, 180);
  if (random.Chance(0.5)) pattern.meter = 4;
  if (random.Chance(0.5)) pattern.key = "A minor";
  if (random.Chance(0.5)) pattern.chords = {"Am", "F", "C", "G"};
  if (random.Chance(0.5)) pattern.chord_beats = 4;
  if (random.Chance(0.5)) pattern.intervals = {0, 2, -5};
  if (random.Chance(0.5)) pattern.durations_beats = {0.5, 1.0 / 3};
  if (random.Chance(0.5)) pattern.transpositions = {0, 12, -3};
  if (random.Chance(0.5)) pattern.onset_grid = {1.0f, 0.1f, 0.30000001f};
  if (random.Chance(0.5)) pattern.section_label = "A";
  if (random.Chance(0.5)) pattern.source = "song.wav";
  return pattern;
}

TEST(PatternJsonTest, RandomPatternsComeBackTheSameBytes) {
  Random random(7);
  for (int round = 0; round < 200; ++round) {
    AudioPatterns patterns;
    patterns.duration_s = random.Uniform(0, 300);
    for (int64_t i = random.Below(4); i > 0; --i) patterns.patterns.push_back(RandomPattern(random));
    const std::string text = PatternsToJson(patterns);
    const auto back = PatternsFromJson(text);
    ASSERT_TRUE(back.ok()) << back.status();
    EXPECT_EQ(PatternsToJson(*back), text);
    ASSERT_EQ(back->patterns.size(), patterns.patterns.size());
    for (size_t i = 0; i < patterns.patterns.size(); ++i) {
      EXPECT_EQ(back->patterns[i].embedding, patterns.patterns[i].embedding);
      EXPECT_EQ(back->patterns[i].onset_grid, patterns.patterns[i].onset_grid);
      EXPECT_EQ(back->patterns[i].durations_beats, patterns.patterns[i].durations_beats);
      EXPECT_EQ(back->patterns[i].transpositions, patterns.patterns[i].transpositions);
      EXPECT_EQ(back->patterns[i].kind, patterns.patterns[i].kind);
    }
  }
}

TEST(PatternJsonTest, KindNamesRoundTripAndSuggest) {
  for (const PatternKind kind : {PatternKind::kRhythmic, PatternKind::kHarmonic, PatternKind::kMelodic,
                                 PatternKind::kTimbral, PatternKind::kStructural}) {
    EXPECT_EQ(*ParsePatternKind(PatternKindName(kind)), kind);
  }
  const auto wrong = ParsePatternKind("harmonik");
  ASSERT_FALSE(wrong.ok());
  EXPECT_EQ(ErrorCode(wrong.status()), "unknown_pattern_kind");
  EXPECT_THAT(std::string(wrong.status().message()), ::testing::HasSubstr("did you mean \"harmonic\""));
  EXPECT_EQ(PatternKindName(static_cast<PatternKind>(77)), "unknown");
}

TEST(PatternJsonTest, AllProblemsAreListedWithPointers) {
  const auto read = PatternsFromJson(
      R"({"schema":"grymsynth.patterns/1","durationSeconds":"x","patterns":[{"kind":"rhythmic","strength":2,"spans":[[3,1]],
          "embedding":[1,2],"descripton":"y"},5]})");
  ASSERT_FALSE(read.ok());
  EXPECT_EQ(ErrorCode(read.status()), "invalid_patterns");
  std::vector<std::string> pointers;
  for (const Problem& problem : ErrorProblems(read.status())) pointers.push_back(problem.pointer);
  EXPECT_THAT(pointers, ::testing::IsSupersetOf({"/durationSeconds", "/patterns/0/strength", "/patterns/0/spans",
                                                 "/patterns/0/embedding", "/patterns/0/descripton", "/patterns/1"}));
  for (const Problem& problem : ErrorProblems(read.status())) {
    if (problem.pointer == "/patterns/0/descripton") {
      EXPECT_EQ(problem.hint, "description");
    }
  }
}

TEST(PatternJsonTest, ANewerSchemaIsNamed) {
  const auto read = PatternsFromJson(R"({"schema":"grymsynth.patterns/2","patterns":[]})");
  ASSERT_FALSE(read.ok());
  EXPECT_EQ(ErrorProblems(read.status()).at(0).code, "unknown_schema");
  EXPECT_FALSE(PatternsFromJson(R"({"patterns":[]})").ok());
  EXPECT_FALSE(PatternsFromJson("[]").ok());
  EXPECT_FALSE(PatternsFromJson("").ok());
}

TEST(PatternJsonTest, CheckPatternReportsWhatIsNotFinite) {
  AudioPattern pattern;
  pattern.embedding[3] = std::numeric_limits<float>::quiet_NaN();
  pattern.strength = std::numeric_limits<double>::quiet_NaN();
  pattern.tempo_bpm = std::numeric_limits<double>::infinity();
  std::vector<Problem> problems;
  CheckPattern(pattern, "/patterns/4", problems);
  std::vector<std::string> pointers;
  for (const Problem& problem : problems) pointers.push_back(problem.pointer);
  EXPECT_THAT(pointers,
              ::testing::UnorderedElementsAre("/patterns/4/embedding", "/patterns/4/strength", "/patterns/4/tempoBpm"));
}

}  // namespace
}  // namespace grym
