#include "memory/sign_sketch.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "memory/sample_patterns.h"

namespace grym {
namespace {

using testing::RandomEmbedding;

struct Scores {
  int first = 0, whole = 0;
};

Scores ScoresOf(const PatternEmbedding& vector, const SketchQuery& query) {
  uint8_t signs[kSignBytes];
  SketchVector(vector, signs);
  Scores scores;
  const auto score = [](const uint8_t* half, const uint8_t* table) {
    int sum = 0;
    for (size_t byte = 0; byte < kHalfSignBytes; ++byte)
      sum += table[32 * byte + half[byte] % 16] + table[32 * byte + 16 + half[byte] / 16];
    return sum;
  };
  scores.first = score(signs, query.tables());
  scores.whole = scores.first + score(signs + kHalfSignBytes, query.tables() + kHalfTableBytes);
  return scores;
}

// Six numbers of 128 that count, the rest zeros.
PatternEmbedding SparseEmbedding(Random& random) {
  PatternEmbedding vector{};
  double squares = 0;
  for (int i = 0; i < 6; ++i)
    vector[static_cast<size_t>(random.Below(kPatternDims))] = 1 + static_cast<float>(random.Uniform());
  for (const float value : vector) squares += double{value} * value;
  for (float& value : vector) value = static_cast<float>(value / std::sqrt(squares));
  return vector;
}

// A unit vector of exactly this similarity, in a random direction from it.
PatternEmbedding AtSimilarity(const PatternEmbedding& query, double similarity, Random& random) {
  const PatternEmbedding other = RandomEmbedding(random);
  double along = 0;
  for (size_t d = 0; d < query.size(); ++d) along += double{query[d]} * other[d];
  PatternEmbedding made;
  const double across = std::sqrt((1 - similarity * similarity) / (1 - along * along));
  for (size_t d = 0; d < query.size(); ++d)
    made[d] = static_cast<float>(similarity * query[d] + across * (other[d] - along * query[d]));
  return made;
}

// The promise of the cutoffs: of the vectors at a similarity, those below are about as few as the normal distribution
// leaves below so many deviations (0.6 and 2.3 %; 1.7 and 2.8 % at worst, where six numbers decide near similarity 1).
TEST(SignSketchTest, TheCutoffMissesAsFewAsItSays) {
  Random random(41);
  for (const bool sparse : {false, true}) {
    for (const double similarity : {-0.5, 0.0, 0.3, 0.6, 0.9, 0.99, 0.9999}) {
      int missed_first = 0, missed_whole = 0, total = 0;
      for (int q = 0; q < 60; ++q) {
        const PatternEmbedding query = sparse ? SparseEmbedding(random) : RandomEmbedding(random);
        const SketchQuery sketch(query);
        for (int i = 0; i < 200; ++i, ++total) {
          const Scores scores = ScoresOf(AtSimilarity(query, similarity, random), sketch);
          missed_first += scores.first < sketch.FirstCutoff(similarity);
          missed_whole += scores.whole < sketch.WholeCutoff(similarity);
        }
      }
      EXPECT_LE(missed_first, total / 40) << similarity << " sparse " << sparse;
      EXPECT_LE(missed_whole, total / 25) << similarity << " sparse " << sparse;
    }
  }
}

// Nor is that so because it lets everything through.
TEST(SignSketchTest, TheCutoffStopsWhatLiesFarther) {
  Random random(45);
  for (const double similarity : {0.3, 0.6, 0.9}) {
    int passed_first = 0, passed_whole = 0;
    for (int i = 0; i < 300; ++i) {
      const PatternEmbedding query = RandomEmbedding(random);
      const SketchQuery sketch(query);
      const Scores scores = ScoresOf(AtSimilarity(query, similarity - 0.5, random), sketch);
      passed_first += scores.first >= sketch.FirstCutoff(similarity);
      passed_whole += scores.whole >= sketch.WholeCutoff(similarity);
    }
    EXPECT_LE(passed_first, 30) << similarity;
    EXPECT_LE(passed_whole, 3) << similarity;
  }
}

// Who asks for what is stored finds it, whatever the odds say.
TEST(SignSketchTest, AnEqualVectorIsNeverMissed) {
  Random random(44);
  for (int round = 0; round < 2000; ++round) {
    const PatternEmbedding query = round % 2 == 0 ? RandomEmbedding(random) : SparseEmbedding(random);
    const SketchQuery sketch(query);
    EXPECT_GE(ScoresOf(query, sketch).first, sketch.FirstCutoff(1));
    EXPECT_GE(ScoresOf(query, sketch).whole, sketch.WholeCutoff(1));
  }
}

TEST(SignSketchTest, TheCutoffRisesWithTheSimilarity) {
  Random random(42);
  const SketchQuery sketch(RandomEmbedding(random));
  int first = sketch.FirstCutoff(-1), whole = sketch.WholeCutoff(-1);
  for (int step = -1000; step <= 1000; ++step) {
    EXPECT_GE(sketch.FirstCutoff(step / 1000.0), first);
    EXPECT_GE(sketch.WholeCutoff(step / 1000.0), whole);
    first = sketch.FirstCutoff(step / 1000.0);
    whole = sketch.WholeCutoff(step / 1000.0);
  }
  EXPECT_GT(first, sketch.FirstCutoff(0));
  EXPECT_GT(whole, sketch.WholeCutoff(0));
  EXPECT_EQ(sketch.WholeCutoff(-1.5), sketch.WholeCutoff(-1));
  EXPECT_EQ(sketch.WholeCutoff(1.5), whole);
}

TEST(SignSketchTest, TablesStayWithinABytesShare) {
  Random random(43);
  for (int round = 0; round < 100; ++round) {
    PatternEmbedding query = RandomEmbedding(random);
    if (round == 0) {
      query = {};
      query[3] = -1;
    }
    const SketchQuery sketch(query);
    for (size_t i = 0; i < 2 * kHalfTableBytes; ++i) EXPECT_LE(sketch.tables()[i], 124);
  }
}

}  // namespace
}  // namespace grym
