#include "analysis/ears.h"

#include <gtest/gtest.h>

#include <array>

#include "analysis/signals.h"
#include "support/test_music.h"

namespace grym {
namespace {

using testing::MakeTestMusic;

AudioBuffer Music(double seconds) {
  testing::TestMusicOptions options;
  options.seconds = seconds;
  options.gain = 1.3;  // clips
  return MakeTestMusic(options);
}

void Hear(Ears& ears, const AudioBuffer& audio, int64_t block) {
  std::array<const float*, AudioBuffer::kMaxChannels> channels;
  const auto count = static_cast<size_t>(audio.channels());
  for (int64_t at = 0; at < audio.frames(); at += block) {
    for (size_t c = 0; c < count; ++c) channels[c] = audio.channel(static_cast<int>(c)).data() + at;
    ears.Push({channels.data(), count}, std::min(block, audio.frames() - at));
  }
}

std::string Told(Ears& ears, const AudioBuffer& audio, int64_t frames) {
  AudioFeatures features;
  features.rate_hz = audio.rate_hz();
  features.channels = audio.channels();
  features.frames = frames;
  features.duration_s = static_cast<double>(frames) / audio.rate_hz();
  ProgressReporter progress;
  EXPECT_TRUE(ears.Finish(features, progress).ok());
  return FeaturesToJson(features, true);
}

TEST(EarsTest, NeitherBlocksNorBatchesNorReservesChangeABit) {
  const AudioBuffer audio = Music(6);
  const std::string want = FeaturesToJson(*testing::Analyzed(audio), true);
  for (const auto& [block, at_once] : {std::pair<int64_t, int>{1, 8}, {64, 1}, {441, 8}, {1024, 2}}) {
    Ears ears(audio.channels(), audio.rate_hz(), {}, at_once, nullptr, nullptr);
    if (block != 1) ears.Reserve(audio.frames() + 5 * block);
    Hear(ears, audio, block);
    EXPECT_EQ(Told(ears, audio, audio.frames()), want) << block;
  }
}

// What comes after the end is heard by the last frames instead of silence, and by nothing else.
TEST(EarsTest, WhatIsBeyondTheReserveIsNotTold) {
  const AudioBuffer audio = Music(8);
  const int64_t kept = 5 * 44100;
  const AudioFeatures want = *testing::Analyzed(audio.Slice(0, kept));
  Ears ears(audio.channels(), audio.rate_hz(), {}, 1, nullptr, nullptr);
  ears.Reserve(kept);
  Hear(ears, audio, 1000);
  const AudioFeatures got = FeaturesFromJson(Told(ears, audio, kept)).value();
  EXPECT_EQ(got.level.rms_dbfs, want.level.rms_dbfs);
  EXPECT_EQ(got.loudness.integrated_lufs, want.loudness.integrated_lufs);
  EXPECT_NEAR(got.loudness.true_peak_dbtp, want.loudness.true_peak_dbtp, 0.01);
  ASSERT_EQ(got.onset_strength.frames(), want.onset_strength.frames());
  for (size_t i = 0; i + 4 < want.onset_strength.values.size(); ++i)
    ASSERT_EQ(got.onset_strength.values[i], want.onset_strength.values[i]) << i;
  EXPECT_EQ(got.pitch.f0_hz.size(), want.pitch.f0_hz.size());
  EXPECT_EQ(got.spectral.chroma.frames(), want.spectral.chroma.frames());
  EXPECT_EQ(got.spectral.mfcc.frames(), want.spectral.mfcc.frames());
  EXPECT_EQ(got.condition.clipped_ratio, want.condition.clipped_ratio);
}

}  // namespace
}  // namespace grym
