#include "dsp/running_percentile.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "dsp/statistics.h"

namespace grym {
namespace {

TEST(RunningPercentileTest, IsNearTheExactOne) {
  RunningPercentile running(1 << 20);
  Random random(1);
  std::vector<float> values;
  EXPECT_EQ(running.At(0.5), 0);
  for (int i = 0; i < 5000; ++i) {
    values.push_back(static_cast<float>(std::exp(random.Normal())));
    running.Add(values.back());
  }
  for (const double fraction : {0.0, 0.1, 0.5, 0.95, 0.98, 1.0}) {
    const double exact = Percentile(values, fraction);
    EXPECT_NEAR(running.At(fraction) / exact, 1, 0.03) << fraction;
  }
}

TEST(RunningPercentileTest, ForgetsWhatIsLongAgo) {
  RunningPercentile running(1000);
  for (int i = 0; i < 1000; ++i) running.Add(1);
  for (int i = 0; i < 8000; ++i) running.Add(100);
  EXPECT_NEAR(running.At(0.05), 100, 3);
}

TEST(RunningPercentileTest, ZerosAndExtremesCount) {
  RunningPercentile running(100);
  for (const float value : {0.0f, 0.0f, 0.0f, 1e30f}) running.Add(value);
  EXPECT_EQ(running.At(0.5), 0);
  EXPECT_GT(running.At(1), 1000);
}

}  // namespace
}  // namespace grym
