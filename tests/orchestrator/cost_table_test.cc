#include "orchestrator/cost_table.h"

#include <gtest/gtest.h>

#include <limits>

namespace grym {
namespace {

TEST(CostTableTest, KeepsTheMeanOfTheLast32Runs) {
  CostTable costs;
  EXPECT_FALSE(costs.SecondsPerAudioSecond("m", Capability::kGenerate).has_value());
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(costs.Add({"m", Capability::kGenerate, 1, 100, 7, true}).ok());
  for (int i = 0; i < 32; ++i) ASSERT_TRUE(costs.Add({"m", Capability::kGenerate, 2, 1, 5, true}).ok());
  EXPECT_DOUBLE_EQ(*costs.SecondsPerAudioSecond("m", Capability::kGenerate), 0.5);
  EXPECT_EQ(*costs.PeakBytes("m", Capability::kGenerate), 5);
  EXPECT_FALSE(costs.SecondsPerAudioSecond("m", Capability::kEnhance).has_value());
}

TEST(CostTableTest, RefusesWhatIsNoMeasurementAndSkipsFailedRuns) {
  CostTable costs;
  EXPECT_FALSE(costs.Add({"m", Capability::kGenerate, 0, 1, 0, true}).ok());
  EXPECT_FALSE(costs.Add({"m", Capability::kGenerate, 1, std::numeric_limits<double>::quiet_NaN(), 0, true}).ok());
  EXPECT_TRUE(costs.Add({"m", Capability::kGenerate, 1, 1, 0, false}).ok());
  EXPECT_FALSE(costs.SecondsPerAudioSecond("m", Capability::kGenerate).has_value());
}

}  // namespace
}  // namespace grym
