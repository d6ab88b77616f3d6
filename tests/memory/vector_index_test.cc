#include "memory/vector_index.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/fs.h"
#include "memory/graph_stamp.h"
#include "memory/sample_patterns.h"
#include "support/scratch.h"

namespace grym {
namespace {

using testing::Near;
using testing::RandomEmbedding;
using testing::Scratch;

const std::string kStoreA(16, 'a'), kStoreB(16, 'b');

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

PatternKind KindOf(size_t i) { return i % 2 == 0 ? PatternKind::kHarmonic : PatternKind::kMelodic; }

void Fill(VectorIndex& index, const Data& data, size_t from = 0) {
  for (size_t i = from; i < data.vectors.size(); ++i)
    index.Add(KindOf(i), static_cast<int64_t>(i + 1), data.vectors[i]);
}

double Recall(VectorIndex& index, VectorIndex& exact, const Data& data, std::optional<PatternKind> kind) {
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

TEST(VectorIndexTest, AboveTheLimitAGraphAnswersNearlyTheSame) {
  Scratch scratch;
  const Data data = ClusteredData(3000);
  VectorIndex exact(scratch / "exact", kStoreA, 1 << 20), graph(scratch / "graph", kStoreA, 300);
  Fill(exact, data);
  Fill(graph, data);
  EXPECT_GE(Recall(graph, exact, data, std::nullopt), 0.95);
  EXPECT_GE(Recall(graph, exact, data, PatternKind::kMelodic), 0.95);
  EXPECT_TRUE(graph.approximate());
  EXPECT_FALSE(exact.approximate());
}

TEST(VectorIndexTest, AFilterByKindNeverShowsAnother) {
  Scratch scratch;
  const Data data = ClusteredData(3000);
  VectorIndex graph(scratch / "graph", kStoreA, 100);
  Fill(graph, data);
  for (const PatternEmbedding& query : data.queries) {
    const auto matches = graph.Search(query, PatternKind::kMelodic, 100, -1);
    EXPECT_EQ(matches.size(), 100u);
    for (const Neighbour& match : matches) EXPECT_EQ(KindOf(static_cast<size_t>(match.id - 1)), PatternKind::kMelodic);
  }
  EXPECT_TRUE(graph.Search(data.queries[0], PatternKind::kTimbral, 10, -1).empty());
}

TEST(VectorIndexTest, RemovedVectorsAreGoneAndNewOnesFoundUnderTheGraph) {
  Scratch scratch;
  Data data = ClusteredData(3000);
  VectorIndex graph(scratch / "graph", kStoreA, 100);
  Fill(graph, data);
  const int64_t nearest = graph.Search(data.vectors[100], std::nullopt, 1, -1)[0].id;
  EXPECT_EQ(nearest, 101);
  graph.Remove(101);
  for (const Neighbour& match : graph.Search(data.vectors[100], std::nullopt, 50, -1)) EXPECT_NE(match.id, 101);
  Random random(2);
  const PatternEmbedding fresh = RandomEmbedding(random);
  graph.Add(PatternKind::kHarmonic, 5000, fresh);
  EXPECT_EQ(graph.Search(fresh, std::nullopt, 1, -1)[0].id, 5000);
}

class VectorIndexCacheTest : public ::testing::Test {
 protected:
  // A cache of the first 3000 vectors.
  void SetUp() override {
    data_ = ClusteredData(3000);
    VectorIndex index(scratch_ / "cache", kStoreA, 300);
    Fill(index, data_);
    index.Search(data_.queries[0], std::nullopt, 10, -1);
    index.SaveCache();
    ASSERT_TRUE(std::filesystem::exists(scratch_ / "cache" / "harmonic.graph"));
  }
  // True when a new index took the cache instead of building: then it writes nothing and the file keeps its time.
  bool Used(const std::string& identity, const Data& data, const std::vector<int64_t>& removed = {}) {
    const auto file = scratch_ / "cache" / "harmonic.graph";
    const std::filesystem::file_time_type old = std::filesystem::file_time_type::clock::now() - std::chrono::hours(1);
    if (std::filesystem::exists(file)) std::filesystem::last_write_time(file, old);
    VectorIndex index(scratch_ / "cache", identity, 300), exact(scratch_ / "none", identity, 1 << 20);
    Fill(index, data);
    Fill(exact, data);
    for (const int64_t id : removed) {
      index.Remove(id);
      exact.Remove(id);
    }
    EXPECT_GE(Recall(index, exact, data, std::nullopt), 0.95);
    return std::filesystem::last_write_time(file) == old;
  }
  Scratch scratch_;
  Data data_;
};

TEST_F(VectorIndexCacheTest, IsUsedWhereItFits) {
  EXPECT_TRUE(Used(kStoreA, data_));
  EXPECT_TRUE(Used(kStoreA, data_, {1, 2, 3, 501}));  // removed since
  Data more = data_;
  const Data others = ClusteredData(200);
  more.vectors.insert(more.vectors.end(), others.vectors.begin(), others.vectors.end());
  EXPECT_TRUE(Used(kStoreA, more));  // learnt since
}

TEST_F(VectorIndexCacheTest, IsRebuiltForAnotherStoreOrOtherVectors) {
  EXPECT_FALSE(Used(kStoreB, data_));
  Data changed = data_;
  std::swap(changed.vectors[10], changed.vectors[20]);
  EXPECT_FALSE(Used(kStoreB, changed));
}

TEST_F(VectorIndexCacheTest, IsRebuiltWhenDamagedCutOrMissing) {
  for (const char* name : {"harmonic.graph", "harmonic.stamp"}) {
    const auto file = scratch_ / "cache" / name;
    const std::string whole = ReadFile(file, 1 << 30).value();
    std::string flipped = whole;
    flipped[whole.size() / 2] ^= 1;
    for (const std::string& damaged : {flipped, whole.substr(0, whole.size() / 2), std::string()}) {
      ASSERT_TRUE(WriteFile(file, damaged).ok());
      EXPECT_FALSE(Used(kStoreA, data_));
    }
    std::filesystem::remove(file);
    EXPECT_FALSE(Used(kStoreA, data_));
  }
  EXPECT_TRUE(Used(kStoreA, data_));
}

TEST(GraphStampTest, ComesBackAsWritten) {
  Scratch scratch;
  GraphStamp stamp{kStoreA, 0, 0, {{1, 2}, {3, 4}}};
  ASSERT_TRUE(WriteStamped(stamp, scratch / "g", scratch / "s", [](const auto& path) {
                return WriteFile(path, "graph");
              }).ok());
  const auto read = ReadGraphStamp(scratch / "s");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->identity, kStoreA);
  EXPECT_EQ(read->graph_bytes, 5u);
  ASSERT_EQ(read->vectors.size(), 2u);
  EXPECT_EQ(read->vectors[1].digest, 4u);
  EXPECT_TRUE(CheckStampedFile(*read, scratch / "g").ok());
  ASSERT_TRUE(WriteFile(scratch / "g", "grape").ok());
  EXPECT_EQ(CheckStampedFile(*read, scratch / "g").code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace grym
