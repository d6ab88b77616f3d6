#include "analysis/pitch_tracker.h"

#include <gtest/gtest.h>

#include "analysis/scoring.h"
#include "analysis/signals.h"

namespace grym {
namespace {

using namespace testing;

Pitch Track(const std::vector<float>& samples) {
  PitchTracker tracker;
  tracker.Push(samples);
  return tracker.Finish();
}

class PitchRangeTest : public ::testing::TestWithParam<double> {};

TEST_P(PitchRangeTest, SineAndStringWithinFiveCents) {
  const Pitch sine = Track(Tone(GetParam(), 1, kPitchRateHz));
  const Pitch rich = Track(Samples(1, kPitchRateHz, [](double t) { return 0.3 * Harmonics(GetParam(), t); }));
  for (double t = 0.2; t < 0.8; t += 0.05) {
    ASSERT_GT(PitchAt(sine, t), 0) << t;
    ASSERT_GT(PitchAt(rich, t), 0) << t;
    EXPECT_LT(CentsApart(PitchAt(sine, t), GetParam()), 5);
    EXPECT_LT(CentsApart(PitchAt(rich, t), GetParam()), 5);
  }
}

INSTANTIATE_TEST_SUITE_P(Notes, PitchRangeTest, ::testing::Values(55.0, 82.41, 220.0, 440.0, 987.77, 1500.0));

TEST(PitchTrackerTest, NoiseAndSilenceAreUnvoiced) {
  for (const auto& samples : {WhiteNoise(2, 0.3, kPitchRateHz), std::vector<float>(2 * kPitchRateHz)}) {
    const Pitch pitch = Track(samples);
    size_t voiced = 0;
    for (const float f0 : pitch.f0_hz) voiced += f0 > 0;
    EXPECT_LT(static_cast<double>(voiced), 0.1 * static_cast<double>(pitch.f0_hz.size()));
  }
}

TEST(PitchTrackerTest, FollowsAGlide) {
  double phase = 0;
  const Pitch pitch = Track(Samples(2, kPitchRateHz, [&](double t) {
    phase += 2 * std::numbers::pi * 200 * std::exp2(t / 2) / kPitchRateHz;
    return 0.5 * std::sin(phase);
  }));
  for (double t = 0.2; t < 1.8; t += 0.1) EXPECT_LT(CentsApart(PitchAt(pitch, t), 200 * std::exp2(t / 2)), 10) << t;
}

}  // namespace
}  // namespace grym
