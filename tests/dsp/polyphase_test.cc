#include "dsp/polyphase.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

namespace grym {
namespace {

std::vector<float> Sine(double hz, int rate_hz, int samples) {
  std::vector<float> x(samples);
  for (int n = 0; n < samples; ++n) x[n] = static_cast<float>(std::sin(2 * std::numbers::pi * hz * n / rate_hz));
  return x;
}

std::vector<float> Convert(const std::vector<float>& x, int from, int to, size_t block) {
  PolyphaseResampler resampler(from, to);
  std::vector<float> out;
  for (size_t at = 0; at < x.size(); at += block) {
    resampler.Push(std::span(x).subspan(at, std::min(block, x.size() - at)), out);
  }
  resampler.Finish(out);
  return out;
}

TEST(PolyphaseResamplerTest, KeepsTimeAndLevel) {
  for (const int from : {8000, 11025, 32000, 44100, 48000, 96000, 44056}) {
    const std::vector<float> y = Convert(Sine(1000, from, from), from, 22050, 512);
    ASSERT_EQ(y.size(), 22050u) << from;
    const std::vector<float> want = Sine(1000, 22050, 22050);
    double error = 0;
    for (size_t n = 500; n + 500 < y.size(); ++n) error = std::max<double>(error, std::abs(y[n] - want[n]));
    EXPECT_LT(error, 1e-3) << from;
  }
}

TEST(PolyphaseResamplerTest, RejectsAliases) {
  const std::vector<float> y = Convert(Sine(15000, 44100, 44100), 44100, 22050, 1000);
  double peak = 0;
  for (size_t n = 500; n + 500 < y.size(); ++n) peak = std::max<double>(peak, std::abs(y[n]));
  EXPECT_LT(20 * std::log10(peak), -80);
}

TEST(PolyphaseResamplerTest, BlocksDoNotMatter) {
  const std::vector<float> x = Sine(440, 48000, 9000);
  EXPECT_EQ(Convert(x, 48000, 44100, 1), Convert(x, 48000, 44100, 9000));
}

TEST(PolyphaseResamplerTest, WhatIsReservedIsEnough) {
  for (const auto& [from, to] : {std::pair{48000, 44100}, {8000, 44100}, {768000, 44100}, {44100, 44100}}) {
    const std::vector<float> x = Sine(440, from, 20000);
    PolyphaseResampler resampler(from, to);
    resampler.Reserve(512);
    std::vector<float> out;
    out.reserve(resampler.MostOut(512));
    const float* before = out.data();
    int64_t made = 0;
    for (size_t at = 0; at + 512 <= x.size(); at += 512) {
      out.clear();
      resampler.Push(std::span(x).subspan(at, 512), out);
      made += std::ssize(out);
      // An output sample comes as soon as its place and the lookahead behind it are there.
      const int64_t pushed = static_cast<int64_t>(at) + 512 - resampler.lookahead();
      EXPECT_NEAR(static_cast<double>(made), static_cast<double>(pushed) * to / from, 1 + static_cast<double>(to) / from)
          << from;
    }
    EXPECT_EQ(out.data(), before) << from;
  }
}

TEST(PolyphaseResamplerTest, OneSampleAndNone) {
  EXPECT_EQ(Convert({1.0f}, 44100, 11025, 1).size(), 1u);
  EXPECT_TRUE(Convert({}, 44100, 11025, 1).empty());
  EXPECT_EQ(Convert({0.5f, 0.25f}, 44100, 44100, 1), (std::vector<float>{0.5f, 0.25f}));
}

}  // namespace
}  // namespace grym
