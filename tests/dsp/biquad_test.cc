#include "dsp/biquad.h"

#include <gtest/gtest.h>

#include <numbers>
#include <vector>

namespace grym {
namespace {

double GainDb(const BiquadCoefficients& c, double hz) { return 20 * std::log10(c.GainAt(48000, hz)); }

TEST(BiquadTest, ButterworthIsThreeDbDownAtItsCorner) {
  EXPECT_NEAR(GainDb(BiquadCoefficients::LowPass(48000, 1000), 1000), -3.0103, 1e-3);
  EXPECT_NEAR(GainDb(BiquadCoefficients::HighPass(48000, 1000), 1000), -3.0103, 1e-3);
  EXPECT_NEAR(GainDb(BiquadCoefficients::LowPass(48000, 1000), 10), 0, 1e-3);
  EXPECT_LT(GainDb(BiquadCoefficients::LowPass(48000, 1000), 10000), -39);
}

TEST(BiquadTest, GainsAreWhereTheyWereAsked) {
  EXPECT_NEAR(GainDb(BiquadCoefficients::Peaking(48000, 1000, 1, 6), 1000), 6, 1e-6);
  EXPECT_NEAR(GainDb(BiquadCoefficients::LowShelf(48000, 500, -9), 1), -9, 0.01);
  EXPECT_NEAR(GainDb(BiquadCoefficients::HighShelf(48000, 2000, 5), 23990), 5, 0.01);
  EXPECT_NEAR(GainDb(BiquadCoefficients::HighShelf(48000, 2000, 5), 1), 0, 0.01);
  EXPECT_NEAR(GainDb(BiquadCoefficients::BandPass(48000, 700, 3), 700), 0, 1e-6);
  EXPECT_NEAR(GainDb(BiquadCoefficients::AllPass(48000, 700, 3), 3000), 0, 1e-6);
  EXPECT_LT(BiquadCoefficients::Notch(48000, 60, 30).GainAt(48000, 60), 1e-9);
}

TEST(BiquadTest, ProcessFollowsTheResponse) {
  const BiquadCoefficients c = BiquadCoefficients::Peaking(48000, 3000, 2, -8);
  Biquad filter(c);
  std::vector<float> x(48000);
  for (size_t n = 0; n < x.size(); ++n)
    x[n] = std::sin(static_cast<float>(2 * std::numbers::pi * 3000 / 48000) * static_cast<float>(n % 16));
  filter.Process(x);
  float peak = 0;
  for (size_t n = 40000; n < x.size(); ++n) peak = std::max(peak, std::abs(x[n]));
  EXPECT_NEAR(20 * std::log10(peak), -8, 0.01);
}

TEST(BiquadTest, FrequenciesOutOfRangeStayStable) {
  for (const double hz : {-5.0, 0.0, 24000.0, 1e9}) {
    Biquad filter(BiquadCoefficients::LowPass(48000, hz));
    std::vector<float> x(20000, 1.0f);
    filter.Process(x);
    for (const float y : x) ASSERT_LT(std::abs(y), 2) << hz;
  }
}

}  // namespace
}  // namespace grym
