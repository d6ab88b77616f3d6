#include "patterns/embedding.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/random.h"

namespace grym {
namespace {

double Likeness(const PatternEmbedding& a, const PatternEmbedding& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += double{a[i]} * b[i];
  return sum;
}

using Chords = std::vector<std::string>;

TEST(EmbeddingTest, AreUnitVectorsEvenOfNothing) {
  for (const PatternEmbedding& made :
       {HarmonicEmbedding({}), MelodicEmbedding({}, {}), RhythmicEmbedding({}, {}), TimbralEmbedding({}, {}),
        StructuralEmbedding({}, {}), HarmonicEmbedding(Chords{"C", "N", "?"})}) {
    EXPECT_NEAR(Likeness(made, made), 1, 1e-5);
  }
}

TEST(EmbeddingTest, HarmonyIsFreeOfKeyAndStart) {
  const PatternEmbedding pop = HarmonicEmbedding(Chords{"C", "Am", "F", "G"});
  EXPECT_GT(Likeness(pop, HarmonicEmbedding(Chords{"D", "Bm", "G", "A"})), 0.9999);
  EXPECT_GT(Likeness(pop, HarmonicEmbedding(Chords{"F", "G", "C", "Am"})), 0.9999);
  EXPECT_LT(Likeness(pop, HarmonicEmbedding(Chords{"C", "C", "C", "C"})), 0.95);
  EXPECT_LT(Likeness(pop, HarmonicEmbedding(Chords{"Cm", "Db", "Cm", "Db"})),
            Likeness(pop, HarmonicEmbedding(Chords{"C", "Am", "F", "Em"})));
}

TEST(EmbeddingTest, MelodyIsFreeOfKeyAndTempo) {
  const std::vector<int> up = {0, 2, 4, 5, 7}, down = {0, -2, -4, -5, -7}, nearly = {0, 2, 4, 5, 9};
  const std::vector<double> even = {1, 1, 1, 1, 2}, slower = {2, 2, 2, 2, 4};
  EXPECT_GT(Likeness(MelodicEmbedding(up, even), MelodicEmbedding(up, slower)), 0.9999);
  EXPECT_GT(Likeness(MelodicEmbedding(up, even), MelodicEmbedding(nearly, even)), 0.8);
  EXPECT_LT(Likeness(MelodicEmbedding(up, even), MelodicEmbedding(down, even)), 0.3);
}

TEST(EmbeddingTest, RhythmIsFreeOfLevel) {
  std::vector<double> onsets, louder;
  for (int i = 0; i < 128; ++i) {
    onsets.push_back(i % 8 == 0 ? 1 : i % 4 == 0 ? 0.5 : 0);
    louder.push_back(3 * onsets.back());
  }
  const std::vector<float> four = {1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0},
                           off = {0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0};
  EXPECT_GT(Likeness(RhythmicEmbedding(onsets, four), RhythmicEmbedding(louder, four)), 0.9999);
  EXPECT_LT(Likeness(RhythmicEmbedding(onsets, four), RhythmicEmbedding(onsets, off)), 0.7);
}

TEST(EmbeddingTest, ChordsAreRead) {
  EXPECT_EQ(ParseChord("C").pitch_classes, (std::vector<int>{0, 4, 7}));
  EXPECT_EQ(ParseChord("F#m").pitch_classes, (std::vector<int>{6, 9, 1}));
  EXPECT_EQ(ParseChord("Bb7").pitch_classes, (std::vector<int>{10, 2, 5, 8}));
  EXPECT_EQ(ParseChord("Fmaj7").pitch_classes, (std::vector<int>{5, 9, 0, 4}));
  EXPECT_EQ(ParseChord("Dm7").pitch_classes, (std::vector<int>{2, 5, 9, 0}));
  EXPECT_EQ(ParseChord("Bdim").pitch_classes, (std::vector<int>{11, 2, 5}));
  EXPECT_TRUE(ParseChord("N").pitch_classes.empty());
  EXPECT_TRUE(ParseChord("").pitch_classes.empty());
}

}  // namespace
}  // namespace grym
