#include "dsp/logarithm.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace grym {
namespace {

TEST(VectorLogTest, AgreesWithTheLibrarysOverAllMagnitudes) {
  double worst = 0;
  for (float x = std::numeric_limits<float>::min(); x < 1e38f; x *= 1.00037f) {
    const double want = std::log(static_cast<double>(x));
    worst = std::max(worst, std::abs(VectorLog(x) - want) / std::max(1.0, std::abs(want)));
  }
  EXPECT_LT(worst, 2e-7);
}

TEST(VectorLogTest, IsExactAtOneAndRisesAroundIt) {
  EXPECT_EQ(VectorLog(1.0f), 0.0f);
  for (float x = 0.5f; x < 2.0f;) {
    const float next = std::nextafter(x, 3.0f);
    ASSERT_LE(VectorLog(x), VectorLog(next) + 6e-8f) << x;
    x = next * 1.00001f;
  }
}

}  // namespace
}  // namespace grym
