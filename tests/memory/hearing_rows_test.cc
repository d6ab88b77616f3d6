#include "memory/hearing_rows.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/status.h"
#include "grymsynth/pattern_memory.h"
#include "memory/sample_patterns.h"
#include "support/scratch.h"

namespace grym {
namespace {

std::vector<float> Direction(Random& random, size_t dims) {
  std::vector<float> values(dims);
  for (float& value : values) value = static_cast<float>(random.Normal());
  return values;
}

double Cosine(const std::vector<float>& a, const std::vector<float>& b) {
  double dot = 0, aa = 0, bb = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    dot += double{a[i]} * b[i];
    aa += double{a[i]} * a[i];
    bb += double{b[i]} * b[i];
  }
  return dot / std::sqrt(aa * bb);
}

class HearingTest : public ::testing::Test {
 protected:
  HearingTest() : memory_(*PatternMemory::Open(scratch_ / "patterns.db")) {
    std::vector<AudioPattern> patterns;
    for (int i = 0; i < 50; ++i) patterns.push_back(testing::RandomPattern(random_));
    ids_ = *memory_->Store(patterns);
  }
  testing::Scratch scratch_;
  Random random_{3};
  std::unique_ptr<PatternMemory> memory_;
  std::vector<int64_t> ids_;
};

TEST_F(HearingTest, TheNearestAreThoseOfALinearSearch) {
  std::vector<std::vector<float>> heard;
  for (const int64_t id : ids_) {
    heard.push_back(Direction(random_, 37));
    ASSERT_TRUE(memory_->StoreHearing(id, "ears 1", heard.back()).ok());
  }
  const std::vector<float> query = Direction(random_, 37);
  const auto matches = memory_->QueryHearing("ears 1", query, 7);
  ASSERT_TRUE(matches.ok()) << matches.status();
  ASSERT_EQ(matches->size(), 7u);
  std::vector<std::pair<double, int64_t>> all;
  for (size_t i = 0; i < ids_.size(); ++i) all.push_back({-Cosine(query, heard[i]), ids_[i]});
  std::sort(all.begin(), all.end());
  for (size_t i = 0; i < matches->size(); ++i) {
    EXPECT_EQ((*matches)[i].pattern.id, all[i].second);
    EXPECT_NEAR((*matches)[i].similarity, -all[i].first, 1e-6);
  }
  EXPECT_TRUE(memory_->QueryHearing("other ears", query)->empty());
  EXPECT_EQ(memory_->QueryHearing("ears 1", query, 1000)->size(), ids_.size());
}

TEST_F(HearingTest, TheLastHearingStandsAndGoesWithItsPattern) {
  const std::vector<float> x = {1, 0}, y = {0, 2};
  ASSERT_TRUE(memory_->StoreHearing(ids_[0], "ears", x).ok());
  ASSERT_TRUE(memory_->StoreHearing(ids_[0], "ears", y).ok());
  ASSERT_TRUE(memory_->StoreHearing(ids_[1], "ears", x).ok());
  EXPECT_EQ(memory_->QueryHearing("ears", y, 1)->front().pattern.id, ids_[0]);
  EXPECT_NEAR(memory_->QueryHearing("ears", y, 1)->front().similarity, 1, 1e-7);
  ASSERT_TRUE(memory_->Remove(ids_[0]).ok());
  EXPECT_EQ(memory_->QueryHearing("ears", y)->size(), 1u);
  EXPECT_TRUE(memory_->CheckIntegrity().ok());
  memory_.reset();
  memory_ = *PatternMemory::Open(scratch_ / "patterns.db");
  EXPECT_EQ(memory_->QueryHearing("ears", x)->front().pattern.id, ids_[1]);
}

TEST_F(HearingTest, ASpaceHoldsVectorsOfOneLength) {
  const std::vector<float> two = {1, 0}, three = {1, 2, 3};
  ASSERT_TRUE(memory_->StoreHearing(ids_[0], "ears", two).ok());
  const absl::Status refused = memory_->StoreHearing(ids_[1], "ears", three);
  EXPECT_EQ(ErrorCode(refused), "bad_hearing");
  EXPECT_NE(refused.message().find("2 numbers"), std::string::npos) << refused;
  EXPECT_EQ(memory_->QueryHearing("ears", two)->size(), 1u);
  EXPECT_TRUE(memory_->StoreHearing(ids_[1], "other ears", three).ok());
  // The only one of its space may be heard anew, as something else.
  EXPECT_TRUE(memory_->StoreHearing(ids_[0], "ears", three).ok());
  EXPECT_EQ(ErrorCode(memory_->StoreHearing(ids_[2], "ears", two)), "bad_hearing");
}

TEST_F(HearingTest, RefusesWhatNoSpaceHolds) {
  const std::vector<float> x = {1, 0}, zero = {0, 0}, three = {1, 2, 3};
  const std::vector<float> bad = {std::numeric_limits<float>::quiet_NaN(), 1};
  const std::vector<float> long_one(5000, 1.0f);
  EXPECT_EQ(ErrorCode(memory_->StoreHearing(ids_[0], "", x)), "bad_hearing");
  EXPECT_EQ(ErrorCode(memory_->StoreHearing(ids_[0], std::string(300, 's'), x)), "bad_hearing");
  for (const auto& vector : {zero, bad, long_one, std::vector<float>()}) {
    EXPECT_EQ(ErrorCode(memory_->StoreHearing(ids_[0], "ears", vector)), "bad_hearing");
    EXPECT_EQ(ErrorCode(memory_->QueryHearing("ears", vector).status()), "bad_hearing");
  }
  EXPECT_TRUE(absl::IsNotFound(memory_->StoreHearing(999999, "ears", x)));
  ASSERT_TRUE(memory_->StoreHearing(ids_[0], "ears", x).ok());
  EXPECT_EQ(ErrorCode(memory_->QueryHearing("ears", three).status()), "bad_hearing");
  EXPECT_EQ(ErrorCode(memory_->QueryHearing("ears", x, 0).status()), "bad_limit");
  RunOptions stop;
  stop.cancel.Cancel();
  EXPECT_TRUE(absl::IsCancelled(memory_->QueryHearing("ears", x, 1, stop).status()));
}

}  // namespace
}  // namespace grym
