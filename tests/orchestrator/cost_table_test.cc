#include "orchestrator/cost_table.h"

#include <gtest/gtest.h>

namespace grym {
namespace {

TEST(CostTableTest, KeepsTheMeanOfTheLast32Runs) {
  CostTable costs;
  EXPECT_FALSE(costs.SecondsPerAudioSecond("m", Capability::kGenerate).has_value());
  for (int i = 0; i < 10; ++i) costs.Record({"m", Capability::kGenerate, 1, 100, 7, true});
  for (int i = 0; i < 32; ++i) costs.Record({"m", Capability::kGenerate, 2, 1, 5, true});
  EXPECT_DOUBLE_EQ(*costs.SecondsPerAudioSecond("m", Capability::kGenerate), 0.5);
  EXPECT_EQ(costs.PeakBytes("m", Capability::kGenerate), 5);
  EXPECT_FALSE(costs.SecondsPerAudioSecond("m", Capability::kEnhance).has_value());
}

TEST(CostTableTest, TheMeanIsOverAllKeptRunsInAnyOrder) {
  CostTable costs;
  for (int i = 1; i <= 40; ++i) costs.Record({"m", Capability::kGenerate, 1, static_cast<double>(i), i, true});
  EXPECT_DOUBLE_EQ(*costs.SecondsPerAudioSecond("m", Capability::kGenerate), (9 + 40) / 2.0);  // 9..40 are the last 32
  EXPECT_EQ(costs.PeakBytes("m", Capability::kGenerate), 40);
  EXPECT_EQ(costs.Runs("m", Capability::kGenerate), 32);
}

TEST(CostTableTest, FailedRunsAndRunsWithoutAudioSayNothing) {
  CostTable costs;
  costs.Record({"m", Capability::kGenerate, 0, 1, 0, true});
  costs.Record({"m", Capability::kGenerate, 1, 1, 0, false});
  EXPECT_FALSE(costs.SecondsPerAudioSecond("m", Capability::kGenerate).has_value());
  EXPECT_EQ(costs.Runs("m", Capability::kGenerate), 0);
}

TEST(CostTableTest, ForgetsAllRowsOfOneModel) {
  CostTable costs;
  for (const char* model : {"l", "m", "ma"}) costs.Record({model, Capability::kGenerate, 1, 1, 7, true});
  costs.Record({"m", Capability::kEmbedAudio, 1, 1, 7, true});
  costs.Forget("m");
  EXPECT_EQ(costs.Runs("m", Capability::kGenerate), 0);
  EXPECT_EQ(costs.Runs("m", Capability::kEmbedAudio), 0);
  EXPECT_EQ(costs.Runs("l", Capability::kGenerate), 1);
  EXPECT_EQ(costs.Runs("ma", Capability::kGenerate), 1);
}

}  // namespace
}  // namespace grym
