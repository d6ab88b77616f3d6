#include "grymsynth/pattern_recognizer.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/fs.h"
#include "base/status.h"
#include "memory/sample_patterns.h"
#include "support/scratch.h"

namespace grym {
namespace {

using testing::Near;
using testing::RandomEmbedding;
using testing::RandomPattern;
using testing::Scratch;

class PatternRecognizerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    memory_ = PatternMemory::Open(scratch_ / "m.grym").value();
    recognizer_ = PatternRecognizer::Create(memory_.get()).value();
  }
  AudioPattern Melodic(const PatternEmbedding& embedding) {
    AudioPattern pattern = RandomPattern(random_);
    pattern.kind = PatternKind::kMelodic;
    pattern.chords.clear();
    pattern.embedding = embedding;
    return pattern;
  }
  int64_t Learn(const AudioPattern& pattern) {
    AudioPatterns one{{pattern}, 1};
    EXPECT_TRUE(recognizer_->LearnPatterns(one).ok());
    return one.patterns[0].id;
  }
  Scratch scratch_;
  Random random_{4};
  std::unique_ptr<PatternMemory> memory_;
  std::unique_ptr<PatternRecognizer> recognizer_;
};

TEST_F(PatternRecognizerTest, LearningWritesTheIds) {
  AudioPatterns patterns{{RandomPattern(random_), RandomPattern(random_)}, 10};
  ASSERT_TRUE(recognizer_->LearnPatterns(patterns).ok());
  EXPECT_EQ(memory_->Get(patterns.patterns[1].id)->description, patterns.patterns[1].description);
}

TEST_F(PatternRecognizerTest, SimilarPatternsReachTheThresholdAndLeaveItselfOut) {
  const PatternEmbedding centre = RandomEmbedding(random_);
  AudioPattern origin = Melodic(centre);
  origin.id = Learn(origin);
  const int64_t twin = Learn(Melodic(Near(centre, 0.2, random_)));
  Learn(Melodic(RandomEmbedding(random_)));
  AudioPattern other_kind = Melodic(centre);
  other_kind.kind = PatternKind::kTimbral;
  Learn(other_kind);
  const auto similar = recognizer_->FindSimilarPatterns(origin, 0.8).value();
  ASSERT_EQ(similar.size(), 1u);
  EXPECT_EQ(similar[0].pattern.id, twin);
  EXPECT_GE(similar[0].similarity, 0.8);
  EXPECT_EQ(recognizer_->FindSimilarPatterns(origin, -1, 1)->size(), 1u);
  EXPECT_EQ(ErrorCode(recognizer_->FindSimilarPatterns(origin, 1.5).status()), "bad_threshold");
  EXPECT_EQ(ErrorCode(recognizer_->FindSimilarPatterns(origin, 0.5, 0).status()), "bad_limit");
}

TEST_F(PatternRecognizerTest, RelatedPatternsSayWhyAndOutcomesMoveThem) {
  const PatternEmbedding centre = RandomEmbedding(random_);
  AudioPattern origin = Melodic(centre), companion = RandomPattern(random_);
  companion.kind = PatternKind::kRhythmic;
  companion.strength = 1;
  AudioPatterns song{{origin, companion}, 10};
  ASSERT_TRUE(recognizer_->LearnPatterns(song).ok());
  const int64_t nearer = Learn(Melodic(Near(centre, 0.2, random_)));
  const int64_t farther = Learn(Melodic(Near(centre, 0.4, random_)));
  const int64_t stranger = Learn(Melodic(Near(centre, 20, random_)));
  const auto place = [&](int64_t id) {
    const auto related = recognizer_->GetRelatedPatterns(song.patterns[0]).value();
    const auto at =
        std::find_if(related.begin(), related.end(), [&](const RelatedPattern& r) { return r.match.pattern.id == id; });
    return at == related.end() ? std::make_pair(99, std::string())
                               : std::make_pair(static_cast<int>(at - related.begin()), at->relation);
  };
  EXPECT_EQ(place(song.patterns[0].id).first, 99);  // not itself
  EXPECT_EQ(place(song.patterns[1].id).second, "goes with");
  EXPECT_EQ(place(nearer).second, "same kind");
  EXPECT_LT(place(nearer).first, place(farther).first);
  EXPECT_EQ(place(stranger).first, 99);
  for (int i = 0; i < 4; ++i) {
    ASSERT_TRUE(memory_->RecordOutcome(farther, 1).ok());
    ASSERT_TRUE(memory_->RecordOutcome(nearer, 0).ok());
    ASSERT_TRUE(memory_->RecordOutcome(stranger, 0.9).ok());
  }
  EXPECT_LT(place(farther).first, place(nearer).first);
  EXPECT_EQ(place(farther).second, "worked well");
  EXPECT_EQ(place(stranger).second, "worked well");
}

TEST_F(PatternRecognizerTest, EqualChordsAreTheSameHarmony) {
  AudioPattern origin = RandomPattern(random_);
  origin.kind = PatternKind::kHarmonic;
  origin.chords = {"C", "G"};
  origin.id = Learn(origin);
  Learn(origin);
  EXPECT_EQ(recognizer_->GetRelatedPatterns(origin).value()[0].relation, "same harmony");
}

TEST_F(PatternRecognizerTest, AtMostTwentyRelated) {
  const PatternEmbedding centre = RandomEmbedding(random_);
  AudioPatterns many{{}, 1};
  for (int i = 0; i < 60; ++i) many.patterns.push_back(Melodic(Near(centre, 0.1, random_)));
  ASSERT_TRUE(recognizer_->LearnPatterns(many).ok());
  EXPECT_EQ(recognizer_->GetRelatedPatterns(many.patterns[0])->size(), 20u);
}

TEST_F(PatternRecognizerTest, EmptyFeaturesGiveNothing) {
  AudioFeatures partly;
  partly.parts = {AnalysisPart::kChords, AnalysisPart::kPitch};
  const auto refused = recognizer_->DetectPatterns(partly);
  EXPECT_EQ(refused.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ErrorCode(refused.status()), "missing_part");
  const auto found = recognizer_->DetectPatterns(AudioFeatures());
  ASSERT_TRUE(found.ok());
  EXPECT_TRUE(found->patterns.empty());
}

TEST_F(PatternRecognizerTest, AnEditedTaxonomyDecides) {
  const auto path = scratch_ / "taxonomy.json";
  ASSERT_TRUE(WriteFile(path, R"({"schema": "grymsynth.taxonomy/1", "version": "mine", "classes": [
      {"path": "harmonic/mine", "score": 1, "when": [{"field": "key", "op": "one_of", "value": ["A minor", "C major"]}]}]})")
                  .ok());
  const auto edited = PatternRecognizer::Create(memory_.get(), {path}).value();
  AudioPattern pattern = RandomPattern(random_);
  pattern.kind = PatternKind::kHarmonic;
  pattern.key = "A minor";
  const auto classes = edited->ClassifyPattern(pattern).value();
  EXPECT_EQ(classes.taxonomy_version, "mine");
  EXPECT_EQ(classes.classes[0].path, "harmonic/mine");
  pattern.key = "D minor";
  EXPECT_EQ(edited->ClassifyPattern(pattern)->classes[0].path, "harmonic/other");
  EXPECT_EQ(PatternRecognizer::Create(memory_.get(), {scratch_ / "none.json"}).status().code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(PatternRecognizer::Create(nullptr).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace grym
