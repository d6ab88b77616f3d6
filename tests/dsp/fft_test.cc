#include "dsp/fft.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "base/random.h"

namespace grym {
namespace {

std::vector<std::complex<double>> Dft(const std::vector<float>& x) {
  const size_t n = x.size();
  std::vector<std::complex<double>> out(n / 2 + 1);
  for (size_t k = 0; k < out.size(); ++k) {
    for (size_t t = 0; t < n; ++t) {
      out[k] += static_cast<double>(x[t]) *
                std::polar(1.0, -2 * std::numbers::pi * static_cast<double>(k * t % n) / static_cast<double>(n));
    }
  }
  return out;
}

std::vector<float> Noise(int size) {
  Random random(7, "fft");
  std::vector<float> x(size);
  for (float& value : x) value = static_cast<float>(random.Uniform(-1, 1));
  return x;
}

class RealFftTest : public ::testing::TestWithParam<int> {};

TEST_P(RealFftTest, ForwardAgreesWithTheDoubleDft) {
  const std::vector<float> x = Noise(GetParam());
  const std::vector<std::complex<double>> want = Dft(x);
  RealFft fft(GetParam());
  ASSERT_EQ(fft.bins(), GetParam() / 2 + 1);
  std::vector<std::complex<float>> got(fft.bins());
  fft.Forward(x.data(), got.data());
  double error = 0, energy = 0;
  for (size_t k = 0; k < want.size(); ++k) {
    error += std::norm(want[k] - std::complex<double>(got[k]));
    energy += std::norm(want[k]);
  }
  EXPECT_LT(std::sqrt(error / energy), 4e-7);  // a few float32 roundings
}

TEST_P(RealFftTest, PowerIsTheSquaredMagnitude) {
  const std::vector<float> x = Noise(GetParam());
  RealFft fft(GetParam());
  std::vector<std::complex<float>> bins(fft.bins());
  std::vector<float> power(fft.bins());
  fft.Forward(x.data(), bins.data());
  fft.Power(x.data(), power.data());
  for (int k = 0; k < fft.bins(); ++k) EXPECT_NEAR(power[k], std::norm(bins[k]), 1e-6 * (1 + power[k]));
}

TEST_P(RealFftTest, InverseUndoesForward) {
  const std::vector<float> x = Noise(GetParam());
  RealFft fft(GetParam());
  std::vector<std::complex<float>> bins(fft.bins());
  std::vector<float> back(GetParam());
  fft.Forward(x.data(), bins.data());
  fft.Inverse(bins.data(), back.data());
  for (int n = 0; n < GetParam(); ++n) EXPECT_NEAR(back[n], x[n], 2e-6);
}

INSTANTIATE_TEST_SUITE_P(Sizes, RealFftTest, ::testing::Values(2, 4, 8, 16, 32, 64, 128, 512, 1024, 2048, 4096));

TEST(RealFftTest, SameInputSameBits) {
  const std::vector<float> x = Noise(2048);
  RealFft a(2048), b(2048);
  std::vector<std::complex<float>> first(a.bins()), second(b.bins());
  a.Forward(x.data(), first.data());
  b.Forward(x.data(), second.data());
  a.Forward(x.data(), second.data());
  EXPECT_EQ(first, second);
}

TEST(NextPowerOfTwoTest, RoundsUp) {
  EXPECT_EQ(NextPowerOfTwo(1), 1);
  EXPECT_EQ(NextPowerOfTwo(5), 8);
  EXPECT_EQ(NextPowerOfTwo(1024), 1024);
}

}  // namespace
}  // namespace grym
