#include "audio/stream_resampler.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>

#include "audio/audio_samples.h"
#include "base/random.h"

namespace grym {
namespace {

using testing::Sine;

AudioBuffer InBlocks(const AudioBuffer& audio, int rate_hz, ResampleQuality quality,
                     const std::vector<int64_t>& sizes) {
  StreamResampler resampler = StreamResampler::Create(audio.channels(), audio.rate_hz(), rate_hz, quality).value();
  AudioBuffer joined = AudioBuffer::Create(audio.channels(), 0, rate_hz).value();
  int64_t at = 0;
  for (size_t i = 0; at < audio.frames(); ++i) {
    const AudioBuffer block = audio.Slice(at, sizes[i % sizes.size()]);
    at += block.frames();
    EXPECT_TRUE(joined.Append(resampler.Push(block).value()).ok());
  }
  EXPECT_TRUE(joined.Append(resampler.Finish().value()).ok());
  return joined;
}

TEST(ResampledFramesTest, RoundsHalvesUpAndSurvivesLongAudio) {
  EXPECT_EQ(ResampledFrames(0, 44100, 48000), 0);
  EXPECT_EQ(ResampledFrames(1, 44100, 48000), 1);
  EXPECT_EQ(ResampledFrames(1, 48000, 24000), 1);  // 0.5
  EXPECT_EQ(ResampledFrames(44100, 44100, 48000), 48000);
  EXPECT_EQ(ResampledFrames(int64_t{1} << 45, 1000, 768000), (int64_t{1} << 45) * 768);
}

TEST(StreamResamplerTest, BlocksGiveTheSameSamplesAsTheWhole) {
  AudioBuffer noise = AudioBuffer::Create(2, 30000, 44100).value();
  Random random(3);
  for (float& sample : noise.mutable_planar()) sample = static_cast<float>(random.Uniform(-0.5, 0.5));
  for (const ResampleQuality quality : {ResampleQuality::kBest, ResampleQuality::kMedium, ResampleQuality::kFast}) {
    for (const int rate_hz : {48000, 22050, 16000, 8000, 96000}) {
      const AudioBuffer whole = Resample(noise, rate_hz, quality).value();
      EXPECT_EQ(whole.frames(), ResampledFrames(noise.frames(), 44100, rate_hz));
      EXPECT_TRUE(testing::SameSamples(whole, InBlocks(noise, rate_hz, quality, {1, 7, 1000, 33})));
      EXPECT_TRUE(testing::SameSamples(whole, InBlocks(noise, rate_hz, quality, {4096})));
    }
  }
}

// Level of the error against the ideal sine, in dB below the sine, away from the edges.
double SignalToNoiseDb(double frequency_hz, int from, int to, ResampleQuality quality) {
  const AudioBuffer made = Resample(Sine(frequency_hz, 1, from), to, quality).value();
  const AudioBuffer ideal = Sine(frequency_hz, 1, to);
  EXPECT_EQ(made.frames(), ideal.frames());
  double signal = 0, noise = 0;
  for (int64_t i = to / 10; i < to * 9 / 10; ++i) {
    const double want = ideal.planar()[static_cast<size_t>(i)], got = made.planar()[static_cast<size_t>(i)];
    signal += want * want;
    noise += (want - got) * (want - got);
  }
  return 10 * std::log10(signal / noise);
}

// The ideal sine starts at the same instant: a delay of one hundredth of a frame at 997 Hz would leave 57 dB.
TEST(StreamResamplerTest, SinesStayInPlaceAndClean) {
  for (const auto& [from, to] :
       {std::pair{44100, 48000}, {48000, 44100}, {44100, 22050}, {22050, 44100}, {44100, 16000}, {96000, 44100}}) {
    EXPECT_GT(SignalToNoiseDb(997, from, to, ResampleQuality::kBest), 110) << from << " to " << to;
    EXPECT_GT(SignalToNoiseDb(997, from, to, ResampleQuality::kMedium), 100) << from << " to " << to;
    EXPECT_GT(SignalToNoiseDb(997, from, to, ResampleQuality::kFast), 80) << from << " to " << to;
  }
}

TEST(StreamResamplerTest, WhatLiesBeyondTheNewRateIsGone) {
  // 15 kHz cannot live at 22.05 kHz; what comes out is alias.
  for (const auto& [quality, limit_db] : {std::pair{ResampleQuality::kBest, -110.0},
                                          {ResampleQuality::kMedium, -100.0},
                                          {ResampleQuality::kFast, -80.0}}) {
    const AudioBuffer made = Resample(Sine(15000, 1, 44100, 1, 1.0), 22050, quality).value();
    double energy = 0;
    for (int64_t i = 2205; i < 19845; ++i) energy += std::pow(made.planar()[static_cast<size_t>(i)], 2);
    EXPECT_LT(10 * std::log10(energy / 17640 / 0.5 + 1e-20), limit_db);
  }
}

TEST(StreamResamplerTest, EdgesAndMisuse) {
  EXPECT_EQ(Resample(AudioBuffer(), 48000).value().frames(), 0);
  EXPECT_EQ(Resample(AudioBuffer(), 48000).value().rate_hz(), 48000);
  EXPECT_EQ(Resample(AudioBuffer::Create(1, 1, 44100).value(), 48000).value().frames(), 1);
  const AudioBuffer silence = AudioBuffer::Create(3, 5000, 44100).value();
  const AudioBuffer resampled_silence = Resample(silence, 16000).value();
  for (const float sample : resampled_silence.planar()) EXPECT_EQ(sample, 0);
  EXPECT_TRUE(testing::SameSamples(Resample(Sine(100, 0.1, 44100), 44100).value(), Sine(100, 0.1, 44100)));
  EXPECT_EQ(Resample(silence, 0).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Resample(silence, 999).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Resample(AudioBuffer::Create(1, 10, 1000).value(), 768000).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(Resample(AudioBuffer::Create(1, 10, 1000).value(), 256000).ok());

  StreamResampler resampler = StreamResampler::Create(1, 44100, 22050, ResampleQuality::kFast).value();
  EXPECT_EQ(resampler.Push(silence).status().code(), absl::StatusCode::kInvalidArgument);
  ASSERT_TRUE(resampler.Finish().ok());
  EXPECT_EQ(resampler.Push(AudioBuffer()).status().code(), absl::StatusCode::kFailedPrecondition);
  resampler.Reset();
  EXPECT_TRUE(resampler.Push(AudioBuffer()).ok());
}

TEST(MixChannelsTest, MonoStereoAndSurround) {
  const AudioBuffer stereo = AudioBuffer::FromPlanar({1, 0.5f, 0, 0.5f}, 2, 8000).value();
  const AudioBuffer mono = MixChannels(stereo, 1).value();
  EXPECT_EQ(mono.channel(0)[0], 0.5f);
  EXPECT_EQ(mono.channel(0)[1], 0.5f);
  const AudioBuffer back = MixChannels(mono, 2).value();
  EXPECT_EQ(back.channel(1)[0], 0.5f);
  EXPECT_TRUE(testing::SameSamples(MixChannels(stereo, 2).value(), stereo));
  // 5.1: the centre goes to both sides alike, the low-frequency channel nowhere, full scale stays in range.
  AudioBuffer surround = AudioBuffer::Create(6, 1, 8000).value();
  surround.mutable_channel(2)[0] = 1;
  AudioBuffer down = MixChannels(surround, 2).value();
  EXPECT_GT(down.channel(0)[0], 0.2f);
  EXPECT_EQ(down.channel(0)[0], down.channel(1)[0]);
  surround = AudioBuffer::Create(6, 1, 8000).value();
  surround.mutable_channel(3)[0] = 1;
  EXPECT_EQ(MixChannels(surround, 2).value().channel(0)[0], 0);
  for (float& sample : surround.mutable_planar()) sample = 1;
  EXPECT_NEAR(MixChannels(surround, 2).value().channel(0)[0], 1, 1e-6);
  EXPECT_NEAR(MixChannels(surround, 1).value().channel(0)[0], 1, 1e-6);
  for (int from = 1; from <= 8; ++from) {  // a constant on all channels stays it wherever something is fed
    AudioBuffer ones = AudioBuffer::Create(from, 3, 8000).value();
    for (float& sample : ones.mutable_planar()) sample = 1;
    for (int to = 1; to <= from; ++to) {
      const AudioBuffer mixed = MixChannels(ones, to).value();
      for (int c = 0; c < to; ++c) EXPECT_NEAR(mixed.channel(c)[1], 1, 1e-6) << from << " to " << to;
    }
  }
  EXPECT_EQ(MixChannels(stereo, 0).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(MixChannels(stereo, 33).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace grym
