#include "audio/stream_resampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <thread>
#include <utility>
#include <vector>

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

constexpr ResampleQuality kQualities[] = {ResampleQuality::kBest, ResampleQuality::kMedium, ResampleQuality::kFast,
                                          ResampleQuality::kLibsamplerate};

TEST(StreamResamplerTest, BlocksGiveTheSameSamplesAsTheWhole) {
  AudioBuffer noise = AudioBuffer::Create(2, 30000, 44100).value();
  Random random(3);
  for (float& sample : noise.mutable_planar()) sample = static_cast<float>(random.Uniform(-0.5, 0.5));
  for (const ResampleQuality quality : kQualities) {
    for (const int rate_hz : {48000, 22050, 16000, 8000, 96000, 12345, 47999}) {
      const AudioBuffer whole = Resample(noise, rate_hz, quality).value();
      EXPECT_EQ(whole.frames(), ResampledFrames(noise.frames(), 44100, rate_hz));
      if (quality == ResampleQuality::kLibsamplerate && rate_hz > 16000) continue;  // slow
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
    EXPECT_GT(SignalToNoiseDb(997, from, to, ResampleQuality::kBest), 140) << from << " to " << to;
    EXPECT_GT(SignalToNoiseDb(997, from, to, ResampleQuality::kMedium), 120) << from << " to " << to;
    EXPECT_GT(SignalToNoiseDb(997, from, to, ResampleQuality::kFast), 100) << from << " to " << to;
    EXPECT_GT(SignalToNoiseDb(997, from, to, ResampleQuality::kLibsamplerate), 130) << from << " to " << to;
  }
}

// Level of what is left of a sine of `frequency_hz`, in dB below it, away from the edges.
double LeftDb(double frequency_hz, int from, int to, ResampleQuality quality) {
  const AudioBuffer made = Resample(Sine(frequency_hz, 0.25, from, 1, 1.0), to, quality).value();
  double energy = 0;
  int64_t count = 0;
  for (int64_t i = made.frames() / 5; i < made.frames() * 4 / 5; ++i, ++count) {
    energy += std::pow(made.planar()[static_cast<size_t>(i)], 2);
  }
  return 10 * std::log10(energy / static_cast<double>(count) / 0.5 + 1e-20);
}

// Nothing above the new Nyquist frequency can live: what comes out is alias. The input's own float32 rounding, spread
// over its band, lies near -155 dB.
TEST(StreamResamplerTest, WhatLiesBeyondTheNewRateIsGone) {
  constexpr int kTones = 12;
  for (const auto& [from, to] : {std::pair{44100, 16000}, {48000, 44100}}) {
    for (const auto& [quality, limit_db] : {std::pair{ResampleQuality::kBest, -150.0},
                                            {ResampleQuality::kMedium, -125.0},
                                            {ResampleQuality::kFast, -103.0},
                                            {ResampleQuality::kLibsamplerate, -134.0}}) {
      double worst_db = -300;
      for (int tone = 0; tone < kTones; ++tone) {
        const double lowest_hz = 0.501 * to, highest_hz = 0.499 * from;
        const double hz = lowest_hz + (highest_hz - lowest_hz) * tone / (kTones - 1);
        worst_db = std::max(worst_db, LeftDb(hz, from, to, quality));
      }
      EXPECT_LT(worst_db, limit_db) << from << " to " << to << ", quality " << static_cast<int>(quality);
    }
  }
}

TEST(StreamResamplerTest, WhatTheNewRateCanHoldStays) {
  for (const ResampleQuality quality : {ResampleQuality::kBest, ResampleQuality::kMedium, ResampleQuality::kFast}) {
    for (const double share : {0.1, 0.5, 0.8, 0.9}) {
      EXPECT_NEAR(LeftDb(share * 8000, 44100, 16000, quality), 0, 0.012) << share;
    }
  }
  EXPECT_NEAR(LeftDb(0.94 * 8000, 44100, 16000, ResampleQuality::kLibsamplerate), 0, 0.1);
}

// Without the exact clock soxr is a twenty-thousandth of a frame off by then, which leaves 103 dB.
TEST(StreamResamplerTest, RatiosThatAreNoSmallFractionDoNotDrift) {
  const AudioBuffer made = Resample(Sine(997, 20, 44100), 47999).value(), ideal = Sine(997, 20, 47999);
  double signal = 0, noise = 0;
  for (int64_t i = 19 * 47999; i < 19 * 47999 + 24000; ++i) {
    const double want = ideal.planar()[static_cast<size_t>(i)], got = made.planar()[static_cast<size_t>(i)];
    signal += want * want;
    noise += (want - got) * (want - got);
  }
  EXPECT_GT(10 * std::log10(signal / noise), 125);
}

TEST(StreamResamplerTest, ChannelsDoNotMeetAndFarRatiosWork) {
  AudioBuffer noise = AudioBuffer::Create(5, 700, 48000).value();
  Random random(4);
  for (float& sample : noise.mutable_planar()) sample = static_cast<float>(random.Uniform(-0.5, 0.5));
  for (const auto& [from, to] : {std::pair{48000, 44100}, {1000, 256000}, {768000, 3000}}) {
    for (const ResampleQuality quality : kQualities) {
      std::vector<float> samples(noise.planar().begin(), noise.planar().end());
      const AudioBuffer in = AudioBuffer::FromPlanar(std::move(samples), 5, from).value();
      const AudioBuffer all = Resample(in, to, quality).value();
      EXPECT_TRUE(testing::SameSamples(all, InBlocks(in, to, quality, {299, 1})));
      if (quality == ResampleQuality::kLibsamplerate) continue;  // it sums many channels in another order
      for (int c = 0; c < 5; ++c) {
        std::vector<float> channel(in.channel(c).begin(), in.channel(c).end());
        const AudioBuffer mono = AudioBuffer::FromPlanar(std::move(channel), 1, from).value();
        const AudioBuffer alone = Resample(mono, to, quality).value();
        EXPECT_TRUE(std::equal(alone.planar().begin(), alone.planar().end(), all.channel(c).begin()));
      }
    }
  }
}

// What is held back is the filter's length and a transform's, however long the stream: so is the memory.
TEST(StreamResamplerTest, AStreamIsAnsweredSoon) {
  const AudioBuffer block = Sine(440, 0.1, 44100, 2);
  for (const ResampleQuality quality : kQualities) {
    StreamResampler resampler = StreamResampler::Create(2, 44100, 16000, quality).value();
    int64_t answered = 0, most_owed = 0;
    for (int i = 1; i <= 60; ++i) {
      answered += resampler.Push(block)->frames();
      most_owed = std::max(most_owed, ResampledFrames(i * block.frames(), 44100, 16000) - answered);
    }
    EXPECT_LT(most_owed, 16000 / 2) << static_cast<int>(quality);
    EXPECT_EQ(resampler.Finish()->frames() + answered, 60 * 1600);
    resampler.Reset();
    EXPECT_TRUE(testing::SameSamples(resampler.Push(block).value(),
                                     StreamResampler::Create(2, 44100, 16000, quality)->Push(block).value()));
  }
}

TEST(StreamResamplerTest, ThreadsDoNotDisturbEachOther) {
  const AudioBuffer audio = Sine(440, 0.2, 44100, 2);
  const AudioBuffer alone = Resample(audio, 48000).value();
  std::vector<AudioBuffer> made(4);
  std::vector<std::thread> threads;
  for (AudioBuffer& to : made) threads.emplace_back([&] { to = Resample(audio, 48000).value(); });
  for (std::thread& thread : threads) thread.join();
  for (const AudioBuffer& each : made) EXPECT_TRUE(testing::SameSamples(each, alone));
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
