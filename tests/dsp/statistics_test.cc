#include "dsp/statistics.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/random.h"

namespace grym {
namespace {

TEST(StatisticsTest, PercentilesInterpolate) {
  const std::vector<double> values = {4, 1, 3, 2};
  EXPECT_DOUBLE_EQ(Median(values), 2.5);
  EXPECT_DOUBLE_EQ(Percentile(values, 0), 1);
  EXPECT_DOUBLE_EQ(Percentile(values, 1), 4);
  EXPECT_DOUBLE_EQ(Percentile(values, 1.0 / 3), 2);
  EXPECT_DOUBLE_EQ(Median(std::vector<float>{}), 0);
}

TEST(StatisticsTest, MomentsAndCorrelation) {
  const std::vector<double> a = {1, 2, 3, 4}, b = {2, 4, 6, 8}, flat = {1, 1, 1, 1};
  EXPECT_DOUBLE_EQ(Mean(a), 2.5);
  EXPECT_NEAR(StandardDeviation(a), 1.118034, 1e-6);
  EXPECT_NEAR(Correlation(a, b), 1, 1e-12);
  EXPECT_DOUBLE_EQ(Correlation(a, flat), 0);
}

TEST(StatisticsTest, MovingWindowsAgreeWithTheDirectForm) {
  Random random(5);
  std::vector<float> x(200);
  for (float& value : x) value = static_cast<float>(random.Uniform());
  for (const auto& [before, after] : {std::pair{0, 0}, {3, 0}, {2, 5}, {300, 300}}) {
    const std::vector<float> largest = MovingMaximum(x, before, after), mean = MovingMean(x, before, after);
    for (int i = 0; i < 200; ++i) {
      const int from = std::max(0, i - before), to = std::min(200, i + after + 1);
      EXPECT_EQ(largest[i], *std::max_element(x.begin() + from, x.begin() + to));
      EXPECT_NEAR(mean[i], Mean(std::span<const float>(x).subspan(from, to - from)), 1e-6);
    }
  }
}

}  // namespace
}  // namespace grym
