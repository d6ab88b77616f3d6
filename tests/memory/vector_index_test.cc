#include "memory/vector_index.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "memory/sample_patterns.h"

namespace grym {
namespace {

using testing::Near;
using testing::RandomEmbedding;

struct Data {
  std::vector<PatternEmbedding> vectors, queries;
};

Data ClusteredData(int64_t count) {
  Random random(21);
  Data data;
  std::vector<PatternEmbedding> centres;
  for (int64_t i = 0; i < count / 40; ++i) centres.push_back(RandomEmbedding(random));
  const auto draw = [&] {
    return Near(centres[static_cast<size_t>(random.Below(static_cast<int64_t>(centres.size())))], 0.5, random);
  };
  for (int64_t i = 0; i < count; ++i) data.vectors.push_back(draw());
  for (int q = 0; q < 50; ++q) data.queries.push_back(draw());
  return data;
}

Data RandomData(int64_t count) {
  Random random(22);
  Data data;
  for (int64_t i = 0; i < count; ++i) data.vectors.push_back(RandomEmbedding(random));
  for (int q = 0; q < 50; ++q) data.queries.push_back(RandomEmbedding(random));
  return data;
}

PatternKind KindOf(size_t i) { return i % 2 == 0 ? PatternKind::kHarmonic : PatternKind::kMelodic; }

void Fill(VectorIndex& index, const Data& data, const std::set<int64_t>& without = {}) {
  for (size_t i = 0; i < data.vectors.size(); ++i) {
    const auto id = static_cast<int64_t>(i + 1);
    if (without.count(id) == 0) index.Add(KindOf(i), id, data.vectors[i]);
  }
}

double Recall(const VectorIndex& index, const VectorIndex& exact, const Data& data, std::optional<PatternKind> kind) {
  double found = 0, wanted = 0;
  for (const PatternEmbedding& query : data.queries) {
    const auto got = index.Search(query, kind, 10, -1);
    for (const Neighbour& near : exact.Search(query, kind, 10, -1)) {
      ++wanted;
      found += std::any_of(got.begin(), got.end(), [&](const Neighbour& other) { return other.id == near.id; });
    }
  }
  return found / wanted;
}

TEST(VectorIndexTest, AboveTheLimitSketchesAnswerNearlyTheSame) {
  for (const Data& data : {ClusteredData(6000), RandomData(6000)}) {
    VectorIndex exact(1 << 20), sketches(300);
    Fill(exact, data);
    Fill(sketches, data);
    EXPECT_GE(Recall(sketches, exact, data, std::nullopt), 0.95);
    EXPECT_GE(Recall(sketches, exact, data, PatternKind::kMelodic), 0.95);
    EXPECT_TRUE(sketches.approximate());
    EXPECT_FALSE(exact.approximate());
  }
}

TEST(VectorIndexTest, AFilterByKindNeverShowsAnother) {
  const Data data = ClusteredData(3000);
  VectorIndex index(100);
  Fill(index, data);
  for (const PatternEmbedding& query : data.queries) {
    const auto matches = index.Search(query, PatternKind::kMelodic, 100, -1);
    EXPECT_EQ(matches.size(), 100u);
    for (const Neighbour& match : matches) EXPECT_EQ(KindOf(static_cast<size_t>(match.id - 1)), PatternKind::kMelodic);
  }
  EXPECT_TRUE(index.Search(data.queries[0], PatternKind::kTimbral, 10, -1).empty());
}

// A kind with few patterns is searched exactly however large the memory is.
TEST(VectorIndexTest, SmallKindsStayExact) {
  const Data data = RandomData(2000);
  VectorIndex index(1000);
  for (size_t i = 0; i < data.vectors.size(); ++i)
    index.Add(i < 150 ? PatternKind::kTimbral : PatternKind::kHarmonic, static_cast<int64_t>(i + 1), data.vectors[i]);
  VectorSet timbral;
  for (size_t i = 0; i < 150; ++i) timbral.Add(static_cast<int64_t>(i + 1), data.vectors[i]);
  EXPECT_TRUE(index.approximate());
  for (const PatternEmbedding& query : data.queries) {
    const auto got = index.Search(query, PatternKind::kTimbral, 20, -1), want = timbral.Search(query, 20, -1);
    ASSERT_EQ(got.size(), want.size());
    for (size_t i = 0; i < got.size(); ++i) EXPECT_EQ(got[i].id, want[i].id);
  }
}

// The answer is a function of the vectors that are there: what was removed, and whether that was before or after the
// index was made, leaves no trace.
TEST(VectorIndexTest, TheAnswerDoesNotDependOnWhatCameAndWent) {
  Data data = RandomData(9000);
  std::set<int64_t> gone;
  Random random(5);
  while (gone.size() < 4000) gone.insert(1 + random.Below(9000));
  VectorIndex with_history(500), fresh(500);
  Fill(with_history, data);
  for (const PatternEmbedding& query : data.queries) (void)with_history.Search(query, std::nullopt, 10, -1);
  for (const int64_t id : gone) with_history.Remove(id);
  Fill(fresh, data, gone);
  EXPECT_EQ(with_history.size(), fresh.size());
  for (const PatternEmbedding& query : data.queries) {
    for (const size_t limit : {size_t{1}, size_t{10}, size_t{300}}) {
      const auto a = with_history.Search(query, std::nullopt, limit, -1);
      const auto b = fresh.Search(query, std::nullopt, limit, -1);
      ASSERT_EQ(a.size(), limit);
      ASSERT_EQ(b.size(), limit);
      for (size_t i = 0; i < limit; ++i) {
        EXPECT_EQ(a[i].id, b[i].id);
        EXPECT_EQ(a[i].similarity, b[i].similarity);
      }
    }
  }
}

TEST(VectorIndexTest, RemovedVectorsAreGoneAndNewOnesFound) {
  Data data = ClusteredData(3000);
  VectorIndex index(100);
  Fill(index, data);
  EXPECT_EQ(index.Search(data.vectors[100], std::nullopt, 1, -1)[0].id, 101);
  index.Remove(101);
  index.Remove(101);
  for (const Neighbour& match : index.Search(data.vectors[100], std::nullopt, 50, -1)) EXPECT_NE(match.id, 101);
  EXPECT_EQ(index.size(), 2999);
  Random random(2);
  const PatternEmbedding fresh = RandomEmbedding(random);
  index.Add(PatternKind::kHarmonic, 5000, fresh);
  EXPECT_EQ(index.Search(fresh, std::nullopt, 1, -1)[0].id, 5000);
}

}  // namespace
}  // namespace grym
