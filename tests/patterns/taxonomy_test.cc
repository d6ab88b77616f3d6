#include "patterns/taxonomy.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/status.h"

namespace grym {
namespace {

bool HasClass(const PatternClassification& made, const std::string& path) {
  return std::any_of(made.classes.begin(), made.classes.end(), [&](const PatternClass& c) { return c.path == path; });
}

TEST(TaxonomyTest, TheBuiltInOneIsValid) {
  const auto taxonomy = Taxonomy::FromJson(DefaultTaxonomyJson());
  ASSERT_TRUE(taxonomy.ok()) << taxonomy.status();
  EXPECT_GT(taxonomy->size(), 25u);
  EXPECT_FALSE(taxonomy->version().empty());
}

TEST(TaxonomyTest, ClassesFollowThePattern) {
  AudioPattern loop;
  loop.kind = PatternKind::kHarmonic;
  loop.chords = {"C", "Am", "F", "G"};
  loop.chord_beats = 4;
  const PatternClassification four = Taxonomy::Default().Classify(loop);
  EXPECT_EQ(four.classes[0].path, "harmonic/loop/four-chord");
  EXPECT_NE(four.classes[0].reason.find("distinct_chords 4"), std::string::npos) << four.classes[0].reason;
  EXPECT_TRUE(HasClass(four, "harmonic/major"));
  loop.chords = {"Dm7", "G7", "Cmaj7", "Am7"};
  EXPECT_TRUE(HasClass(Taxonomy::Default().Classify(loop), "harmonic/jazz"));
  EXPECT_TRUE(HasClass(Taxonomy::Default().Classify(loop), "harmonic/circle-of-fifths"));

  AudioPattern beat;
  beat.kind = PatternKind::kRhythmic;
  beat.meter = 4;
  beat.onset_grid = {1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0};
  EXPECT_EQ(Taxonomy::Default().Classify(beat).classes[0].path, "rhythmic/four-on-the-floor");
  AudioPattern waltz = beat;
  waltz.meter = 3;
  waltz.onset_grid = {1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0};
  EXPECT_EQ(Taxonomy::Default().Classify(waltz).classes[0].path, "rhythmic/waltz");
  beat.onset_grid = {0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 1, 0, 1, 0, 0};
  EXPECT_EQ(Taxonomy::Default().Classify(beat).classes[0].path, "rhythmic/syncopated");

  AudioPattern run;
  run.kind = PatternKind::kMelodic;
  run.intervals = {0, 2, 4, 5, 7};
  run.durations_beats = {0.5, 0.5, 0.5, 0.5, 0.5};
  EXPECT_TRUE(HasClass(Taxonomy::Default().Classify(run), "melodic/scale-run"));
  EXPECT_TRUE(HasClass(Taxonomy::Default().Classify(run), "melodic/rising"));
  // Nothing known at all still has a place.
  for (int kind = 0; kind < 5; ++kind) {
    AudioPattern bare;
    bare.kind = static_cast<PatternKind>(kind);
    const auto classes = Taxonomy::Default().Classify(bare).classes;
    ASSERT_FALSE(classes.empty());
    for (const PatternClass& c : classes) EXPECT_EQ(c.path.substr(0, c.path.find('/')), PatternKindName(bare.kind));
  }
}

TEST(TaxonomyTest, EveryProblemIsListed) {
  const auto taxonomy = Taxonomy::FromJson(R"({"schema": "other/1", "extra": 1, "classes": [
      {"path": "harmonic", "score": 2, "when": {}},
      {"path": "melodic/a", "score": 0.5, "why": 1, "when": [
        {"field": "colour", "op": "equals", "value": 1}, {"field": "notes", "op": "is", "value": 1},
        {"field": "notes", "op": "between", "value": [3, 1]}, {"field": "key", "op": "at_least", "value": 1}, 7]},
      {"path": "melodic/a", "score": 0.5, "when": []}, 5]})");
  ASSERT_EQ(ErrorCode(taxonomy.status()), "bad_taxonomy");
  std::vector<std::string> pointers;
  for (const Problem& problem : ErrorProblems(taxonomy.status())) pointers.push_back(problem.pointer);
  for (const char* want :
       {"/schema", "/extra", "/version", "/classes/0/path", "/classes/0/score", "/classes/0/when", "/classes/1/why",
        "/classes/1/when/0/field", "/classes/1/when/1/op", "/classes/1/when/2/value", "/classes/1/when/3/value",
        "/classes/1/when/4", "/classes/2/path", "/classes/3"}) {
    EXPECT_NE(std::find(pointers.begin(), pointers.end(), want), pointers.end()) << want;
  }
  EXPECT_FALSE(Taxonomy::FromJson("{").ok());
  EXPECT_FALSE(Taxonomy::FromJson("[]").ok());
}

}  // namespace
}  // namespace grym
