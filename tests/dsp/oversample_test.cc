#include "dsp/oversample.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

namespace grym {
namespace {

TEST(TruePeakTest, FindsThePeakBetweenSamples) {
  // A quarter-rate sine at 45 degrees: samples at 0.7071, true peak 1 (Annex 2's own example).
  std::vector<float> x(4800);
  for (size_t n = 0; n < x.size(); ++n)
    x[n] = static_cast<float>(std::sin(std::numbers::pi / 2 * static_cast<double>(n) + std::numbers::pi / 4));
  std::vector<float> faded = x;
  for (size_t n = 0; n < 480; ++n) {  // no edge, whose overshoot is real
    faded[n] *= static_cast<float>(n) / 480;
    faded[x.size() - 1 - n] *= static_cast<float>(n) / 480;
  }
  EXPECT_NEAR(20 * std::log10(TruePeak(faded)), 0, 0.2);
}

TEST(TruePeakTest, IsNeverBelowTheSamplePeak) {
  std::vector<float> x(100);
  x[50] = 0.5f;
  EXPECT_GE(TruePeak(x), 0.5);
  x.assign(1, 0.25f);
  EXPECT_GE(TruePeak(x), 0.25);
  EXPECT_EQ(TruePeak({}), 0);
}

TEST(TruePeakFilterTest, BlocksDoNotMatter) {
  std::vector<float> x(1000), whole(1000), parts(1000);
  for (size_t n = 0; n < x.size(); ++n) x[n] = static_cast<float>(std::sin(0.7 * static_cast<double>(n * n % 97)));
  TruePeakFilter a, b;
  a.Process(x, whole);
  for (size_t at = 0; at < x.size(); at += 37) {
    const size_t count = std::min<size_t>(37, x.size() - at);
    b.Process(std::span(x).subspan(at, count), std::span(parts).subspan(at, count));
  }
  EXPECT_EQ(whole, parts);
}

}  // namespace
}  // namespace grym
