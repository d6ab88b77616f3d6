#include "models/musicgen/vector_math.h"

#include <cmath>

#include "gtest/gtest.h"

namespace grym {
namespace {

TEST(VectorMathTest, ExponentialIsCloseEverywhere) {
  double worst = 0;
  for (float x = -87; x < 88; x += 0.0037f) {
    const double wanted = std::exp(double{x});
    worst = std::max(worst, std::abs(VectorExp(x) - wanted) / wanted);
  }
  EXPECT_LT(worst, 2.5e-7);  // two units of the last place
  EXPECT_EQ(VectorExp(0), 1);
  EXPECT_EQ(VectorExp(-1e30f), VectorExp(-87));
  EXPECT_EQ(VectorExp(1e30f), VectorExp(88));
  EXPECT_TRUE(std::isnan(VectorExp(-std::nanf(""))));
  EXPECT_TRUE(std::isnan(VectorExp(std::nanf(""))));
}

TEST(VectorMathTest, GeluIsCloseEverywhere) {
  double worst = 0;
  for (float x = -12; x < 12; x += 0.00071f) {
    const double wanted = 0.5 * x * std::erfc(-x / std::sqrt(2.0));
    worst = std::max(worst, std::abs(VectorGelu(x) - wanted) / std::max(1.0, std::abs(double{x})));
  }
  EXPECT_LT(worst, 4e-7);
  EXPECT_EQ(VectorGelu(0), 0);
  EXPECT_FLOAT_EQ(VectorGelu(50), 50);
  EXPECT_NEAR(VectorGelu(-50), 0, 1e-30);
  EXPECT_TRUE(std::isnan(VectorGelu(std::nanf(""))));
}

}  // namespace
}  // namespace grym
