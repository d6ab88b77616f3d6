#include "memory/vector_set.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "memory/sample_patterns.h"

namespace grym {
namespace {

using testing::Near;
using testing::RandomEmbedding;

// The definition: compare with every vector.
std::vector<Neighbour> Brute(const std::vector<PatternEmbedding>& vectors, const PatternEmbedding& query, size_t limit,
                             double minimum, const DotKernels& kernels) {
  std::vector<Neighbour> all;
  for (size_t i = 0; i < vectors.size(); ++i) {
    const double similarity = std::clamp(double{kernels.floats(query.data(), vectors[i].data())}, -1.0, 1.0);
    if (similarity >= minimum) all.push_back({static_cast<int64_t>(i + 1), similarity});
  }
  std::sort(all.begin(), all.end(), &NearerThan);
  if (all.size() > limit) all.resize(limit);
  return all;
}

void ExpectSame(const std::vector<Neighbour>& got, const std::vector<Neighbour>& want) {
  ASSERT_EQ(got.size(), want.size());
  for (size_t i = 0; i < got.size(); ++i) {
    EXPECT_EQ(got[i].id, want[i].id) << i;
    EXPECT_EQ(got[i].similarity, want[i].similarity) << i;
  }
}

class VectorSetTest : public ::testing::TestWithParam<const DotKernels*> {};

TEST_P(VectorSetTest, AnswersExactlyWhatComparingWithAllAnswers) {
  for (const double spread : {0.0, 0.01, 0.3, 5.0}) {  // duplicates, near twins, clusters, no structure
    Random random(11);
    VectorSet set(*GetParam());
    std::vector<PatternEmbedding> vectors;
    std::vector<PatternEmbedding> centres;
    for (int i = 0; i < 5; ++i) centres.push_back(RandomEmbedding(random));
    for (int64_t i = 0; i < 5000; ++i) {  // more than one block
      vectors.push_back(Near(centres[static_cast<size_t>(random.Below(5))], spread, random));
      set.Add(i + 1, vectors.back());
    }
    for (int q = 0; q < 6; ++q) {
      const PatternEmbedding query = Near(centres[static_cast<size_t>(q % 5)], spread, random);
      for (const size_t limit : {size_t{1}, size_t{10}, size_t{1000}}) {
        ExpectSame(set.Search(query, limit, -1), Brute(vectors, query, limit, -1, *GetParam()));
        ExpectSame(set.Search(query, limit, 0.7), Brute(vectors, query, limit, 0.7, *GetParam()));
      }
    }
  }
}

// By sketches: what is found is what comparing with all finds, less a few; at a filled limit nothing too far comes in.
TEST_P(VectorSetTest, SketchesMissFewAndAddNothing) {
  for (const double spread : {0.0, 0.01, 0.3, 5.0}) {
    Random random(12);
    VectorSet set(*GetParam());
    std::vector<PatternEmbedding> vectors, centres;
    for (int i = 0; i < 5; ++i) centres.push_back(RandomEmbedding(random));
    for (int64_t i = 0; i < 5000; ++i) {
      vectors.push_back(Near(centres[static_cast<size_t>(random.Below(5))], spread, random));
      set.Add(i + 1, vectors.back());
    }
    size_t found = 0, wanted = 0;
    for (int q = 0; q < 20; ++q) {
      const PatternEmbedding query = Near(centres[static_cast<size_t>(q % 5)], spread, random);
      for (const size_t limit : {size_t{1}, size_t{10}, size_t{1000}}) {
        const std::vector<Neighbour> want = Brute(vectors, query, limit, -1, *GetParam());
        const std::vector<Neighbour> got = set.SearchSketches(query, limit, -1);
        ASSERT_LE(got.size(), limit);
        for (size_t i = 0; i < got.size(); ++i) {
          const double similarity = std::clamp(
              double{GetParam()->floats(query.data(), vectors[static_cast<size_t>(got[i].id - 1)].data())}, -1.0, 1.0);
          EXPECT_EQ(got[i].similarity, similarity);
          if (i > 0) {
            EXPECT_FALSE(NearerThan(got[i], got[i - 1]));
          }
        }
        wanted += want.size();
        for (const Neighbour& near : want)
          found += std::any_of(got.begin(), got.end(), [&](const Neighbour& other) { return other.id == near.id; });
        for (const Neighbour& near : set.SearchSketches(query, limit, 0.7)) EXPECT_GE(near.similarity, 0.7);
      }
    }
    EXPECT_GE(static_cast<double>(found), 0.95 * static_cast<double>(wanted)) << spread;
  }
}

INSTANTIATE_TEST_SUITE_P(Kernels, VectorSetTest, ::testing::Values(&PortableDotKernels(), &BestDotKernels()),
                         [](const auto& tested) { return tested.index == 0 ? "portable" : "best"; });

TEST(VectorSetEdgesTest, EmptyRemovedAndSparseVectors) {
  Random random(3);
  VectorSet set;
  const PatternEmbedding query = RandomEmbedding(random);
  EXPECT_TRUE(set.Search(query, 10, -1).empty());
  EXPECT_TRUE(set.SearchSketches(query, 10, -1).empty());
  EXPECT_EQ(set.last_id(), 0);
  PatternEmbedding axis{};
  axis[7] = 1;  // one number holds all: the coarsest codes
  set.Add(5, axis);
  set.Add(9, query);
  EXPECT_EQ(set.size(), 2);
  EXPECT_EQ(set.Search(query, 10, -1)[0].id, 9);
  EXPECT_NEAR(set.Search(query, 10, -1)[0].similarity, 1, 1e-6);
  EXPECT_EQ(set.Search(axis, 1, -1)[0].id, 5);
  EXPECT_EQ(set.SearchSketches(query, 1, -1)[0].id, 9);
  EXPECT_EQ(set.SearchSketches(axis, 1, -1)[0].id, 5);
  EXPECT_TRUE(set.Remove(9));
  EXPECT_FALSE(set.Remove(9));
  EXPECT_FALSE(set.Remove(6));
  EXPECT_EQ(set.Find(9), nullptr);
  EXPECT_EQ(set.Find(4), nullptr);
  ASSERT_NE(set.Find(5), nullptr);
  EXPECT_EQ(set.Find(5)[7], 1);
  ASSERT_EQ(set.Search(query, 10, -1).size(), 1u);
  ASSERT_EQ(set.SearchSketches(query, 10, -1).size(), 1u);
  EXPECT_EQ(set.size(), 1);
}

}  // namespace
}  // namespace grym
