// The steady clock behind strokes that come and go.
#include <gtest/gtest.h>

#include <cmath>

#include "analysis/rhythm.h"
#include "base/random.h"

namespace grym {
namespace {

constexpr double kActivationRate_hz = 86;

BeatCurve Strokes(const std::vector<double>& times_s, double duration_s) {
  BeatCurve activation;
  activation.rate_hz = kActivationRate_hz;
  activation.values.assign(static_cast<size_t>(duration_s * kActivationRate_hz), 0.0f);
  for (const double time : times_s) {
    // A stroke between two frames is heard in both; BeatActivation's frames lie a quarter late.
    const double at = time * kActivationRate_hz - 0.25;
    const auto frame = static_cast<int64_t>(std::floor(at));
    const double share = at - static_cast<double>(frame);
    for (const auto& [index, value] : {std::pair(frame, 1 - share), std::pair(frame + 1, share)}) {
      if (index < 0 || index >= std::ssize(activation.values)) continue;
      activation.values[index] = std::max(activation.values[index], static_cast<float>(std::sqrt(value)));
    }
  }
  return activation;
}

TEST(SteadyClockTest, IsExactThoughAThirdIsMissingAndNoneIsInTime) {
  Random random(5, "strokes");
  for (const double bpm : {61.0, 87.0, 128.0, 173.3}) {
    std::vector<double> times;
    for (double beat = 0; beat * 30 / bpm < 20; ++beat) {
      if (random.Uniform(0, 1) > 0.33) times.push_back(beat * 30 / bpm + random.Uniform(-0.02, 0.02));
    }
    const SteadyTempo steady = MeasureSteadyTempo(Strokes(times, 20), bpm * 1.006);
    EXPECT_NEAR(steady.bpm, bpm, 0.0025 * bpm);
    EXPECT_GT(steady.significance, 8) << bpm;
    EXPECT_TRUE(steady.agreed) << bpm;
  }
}

TEST(SteadyClockTest, RandomStrokesHaveNone) {
  Random random(6, "strokes");
  int high = 0;
  for (int round = 0; round < 50; ++round) {
    std::vector<double> times;
    for (double t = 0.2; t < 19.5; t += random.Uniform(0.1, 0.2 + 0.02 * round)) times.push_back(t);
    high += MeasureSteadyTempo(Strokes(times, 20), 70 + 2 * round).significance > 7.7;
  }
  EXPECT_LE(high, 1);
}

TEST(SteadyClockTest, ATempoThatChangesWithinMinutesIsNotSteady) {
  std::vector<double> times;
  for (double t = 0.3, period = 0.505; t < 180; t += period, period *= 0.9999) times.push_back(t);
  EXPECT_FALSE(MeasureSteadyTempo(Strokes(times, 180), 121).agreed);
  times.clear();
  for (double t = 0.3; t < 180; t += 60 / 121.3) times.push_back(t);
  const SteadyTempo steady = MeasureSteadyTempo(Strokes(times, 180), 121);
  EXPECT_TRUE(steady.agreed);
  EXPECT_NEAR(steady.bpm, 121.3, 0.03);
}

TEST(SteadyClockTest, NothingHasNone) {
  EXPECT_EQ(MeasureSteadyTempo(Strokes({}, 20), 120).bpm, 0);
  EXPECT_EQ(MeasureSteadyTempo(BeatCurve{kActivationRate_hz, {}}, 120).significance, 0);
  EXPECT_FALSE(MeasureSteadyTempo(Strokes({1, 2}, 20), 0).agreed);
}

}  // namespace
}  // namespace grym
