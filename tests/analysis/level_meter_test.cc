#include "analysis/level_meter.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "analysis/signals.h"

namespace grym {
namespace {

using namespace testing;

Condition ConditionOf(const std::vector<float>& samples, Level* level = nullptr) {
  LevelMeter meter(1, 44100);
  meter.Push(Mono(samples));
  Condition condition;
  Level found;
  meter.Finish(found, condition);
  if (level) *level = found;
  return condition;
}

TEST(LevelMeterTest, ClippingIsFoundWithItsSpan) {
  std::vector<float> samples = Tone(100, 3, 44100, 0.5);
  for (size_t n = 44100; n < 2 * 44100; ++n) samples[n] = std::clamp(4 * samples[n], -1.0f, 1.0f);
  const Condition condition = ConditionOf(samples);
  ASSERT_EQ(condition.clipping.size(), 1u);
  EXPECT_NEAR(condition.clipping[0].start_s, 1, 0.02);
  EXPECT_NEAR(condition.clipping[0].end_s, 2, 0.02);
  EXPECT_NEAR(condition.clipped_ratio, 2.0 / 9,
              0.01);  // two thirds of a sine of gain 2 lie beyond 1, a third of the time
}

TEST(LevelMeterTest, AFullScaleSineIsNotClipped) {
  EXPECT_EQ(ConditionOf(Tone(997, 1, 44100, 1.0)).clipped_ratio, 0);
}

TEST(LevelMeterTest, OffsetAndSilence) {
  std::vector<float> samples(44100);
  std::vector<float> tone = Tone(441, 1, 44100, 0.3);
  for (float& x : tone) x -= 0.1f;
  samples.insert(samples.end(), tone.begin(), tone.end());
  samples.insert(samples.end(), 22050, 0.0f);
  Level level;
  const Condition condition = ConditionOf(samples, &level);
  EXPECT_NEAR(condition.dc_offset, -0.1 / 2.5, 1e-4);
  EXPECT_NEAR(condition.leading_silence_s, 1, 0.01);
  EXPECT_NEAR(condition.trailing_silence_s, 0.5, 0.01);
  EXPECT_EQ(condition.silence.size(), 2u);
  EXPECT_NEAR(level.peak_dbfs, -7.96, 0.01);
}

TEST(LevelMeterTest, BlocksDoNotMatter) {
  std::vector<float> planar = Samples(1, 44100, [](double t) {
    return std::clamp(1.4 * std::sin(2 * std::numbers::pi * 3 * t), -1.0, 1.0);
  });
  const std::vector<float> noise = WhiteNoise(1, 1.0);
  planar.insert(planar.end(), noise.begin(), noise.end());
  const AudioBuffer audio = AudioBuffer::FromPlanar(std::move(planar), 2, 44100).value();
  LevelMeter whole(2, 44100), parts(2, 44100);
  whole.Push(audio);
  for (int64_t at = 0; at < audio.frames(); at += 777) parts.Push(audio.Slice(at, 777));
  Level a, b;
  Condition c, d;
  whole.Finish(a, c);
  parts.Finish(b, d);
  EXPECT_EQ(a.peak_dbfs, b.peak_dbfs);
  EXPECT_EQ(a.rms_dbfs, b.rms_dbfs);
  EXPECT_EQ(c.clipped_ratio, d.clipped_ratio);
  EXPECT_EQ(c.dc_offset, d.dc_offset);
  EXPECT_EQ(c.stereo_correlation, d.stereo_correlation);
  ASSERT_EQ(c.clipping.size(), d.clipping.size());
  EXPECT_EQ(c.clipping.size(), 6u);  // three whole turns, cut off at the top and at the bottom
  for (size_t i = 0; i < c.clipping.size(); ++i) EXPECT_EQ(c.clipping[i].start_s, d.clipping[i].start_s);
}

}  // namespace
}  // namespace grym
