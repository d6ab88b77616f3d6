// Declip, dehum and denoise on real recordings with known damage.
#include <gtest/gtest.h>

#include "analysis/enhance/clip_detect.h"
#include "analysis/enhance/declip.h"
#include "analysis/enhance/hum.h"
#include "analysis/enhance/noise.h"
#include "support/damage.h"
#include "support/scratch.h"

namespace grym {
namespace {

using testing::Recording;
using testing::SiSdrDb;
using testing::WithClipping;
using testing::WithHum;
using testing::WithNoise;

constexpr const char* kMusic[] = {"real/hiphop.mp3",
                                  "real/drumtrack.mp3",
                                  "real/147793__setuniman__sweet-waltz-0i-22mi.ogg",
                                  "real/359628__mtg__sax-tenor-d-minor.flac",
                                  "real/admiralbob77_-_Choice_-_Drum-bass.ogg",
                                  "real/acoustic-drums.flac",
                                  "real/loop_mika.flac",
                                  "rendered/FMP_C1_F12_Bach_BWV846_Sibelius-Tracks.flac"};

AudioBuffer Tone(double hz, double gain, double seconds, int rate_hz = 44100) {
  auto audio = AudioBuffer::Create(1, static_cast<int64_t>(seconds * rate_hz), rate_hz).value();
  for (int64_t n = 0; n < audio.frames(); ++n) {
    audio.mutable_channel(0)[static_cast<size_t>(n)] =
        static_cast<float>(gain * std::sin(2 * M_PI * hz * static_cast<double>(n) / rate_hz));
  }
  return audio;
}

double ToneDb(const AudioBuffer& audio, double hz) {
  double re = 0, im = 0, weights = 0;
  for (int64_t n = 0; n < audio.frames(); ++n) {
    const double window = 1 - std::cos(2 * M_PI * static_cast<double>(n) / static_cast<double>(audio.frames()));
    const double phase = 2 * M_PI * hz * static_cast<double>(n) / audio.rate_hz();
    re += window * audio.channel(0)[static_cast<size_t>(n)] * std::cos(phase);
    im += window * audio.channel(0)[static_cast<size_t>(n)] * std::sin(phase);
    weights += window;
  }
  return 20 * std::log10(2 * std::hypot(re, im) / weights + 1e-12);
}

TEST(ClipDetectTest, SmoothWavesAreNotClipped) {
  for (const double hz : {20.0, 50.0, 440.0, 5000.0})
    EXPECT_TRUE(FindClippedRuns(Tone(hz, 1.0, 1).channel(0)).empty()) << hz;
  AudioBuffer coarse = Tone(110, 0.9, 1);  // eight bits: tops are flat for many samples
  for (float& sample : coarse.mutable_planar()) sample = std::round(sample * 128) / 128;
  EXPECT_TRUE(FindClippedRuns(coarse.channel(0)).empty());
}

TEST(ClipDetectTest, FindsFlatTopsAtAnyLevel) {
  for (const double gain : {1.0, 0.1}) {
    AudioBuffer audio = Tone(440, 1.0, 1);
    for (float& sample : audio.mutable_planar()) sample = static_cast<float>(gain) * std::clamp(sample, -0.7f, 0.7f);
    EXPECT_NEAR(static_cast<double>(FindClippedRuns(audio.channel(0)).size()), 880, 2) << gain;
  }
}

TEST(ClipDetectTest, CleanRecordingsHaveNone) {
  GRYM_NEED_SHARED_AUDIO();
  for (const char* name : kMusic) {
    const AudioBuffer audio = Recording(name);
    for (int c = 0; c < audio.channels(); ++c) EXPECT_TRUE(FindClippedRuns(audio.channel(c)).empty()) << name;
  }
}

TEST(DeclipTest, RebuildsPeaksOfRealMusic) {
  GRYM_NEED_SHARED_AUDIO();
  for (const char* name : kMusic) {
    const AudioBuffer clean = Recording(name, 6);
    const AudioBuffer clipped = WithClipping(clean, 6, false);
    AudioBuffer rebuilt = clipped;
    const EnhanceStage stage = Declip(rebuilt, 1).value();
    EXPECT_TRUE(stage.applied) << name;
    EXPECT_GT(stage.change_db, 1) << name;
    EXPECT_GT(SiSdrDb(clean, rebuilt), SiSdrDb(clean, clipped) + 0.5) << name;
  }
}

TEST(DeclipTest, RebuildsPeaksThatWereResampledOrCodedSince) {
  GRYM_NEED_SHARED_AUDIO();
  testing::Scratch scratch;
  const auto resampled = [](const AudioBuffer& audio) {
    return testing::AtRate(testing::AtRate(audio, 48000), audio.rate_hz());
  };
  const auto coded = [&](const AudioBuffer& audio) {
    return testing::OnceCoded(testing::WithGain(audio, -6), scratch.path());
  };
  double gained_db = 0;
  for (const char* name : kMusic) {
    const AudioBuffer clean = Recording(name, 6);
    const AudioBuffer clipped = WithClipping(clean, 12, false);
    for (const auto& [before, damaged] : {std::pair(resampled(clean), resampled(clipped)),
                                          std::pair(coded(clean), coded(clipped))}) {
      AudioBuffer rebuilt = damaged;
      EXPECT_TRUE(Declip(rebuilt, 1).value().applied) << name;
      const double gain_db = SiSdrDb(before, rebuilt) - SiSdrDb(before, damaged);
      EXPECT_GT(gain_db, -1.5) << name;  // the hip hop is cut off for longer than its model remembers
      gained_db += gain_db;
    }
  }
  EXPECT_GT(gained_db / 16, 2);
}

TEST(HumTest, RemovesEightDecibelsAndMore) {
  GRYM_NEED_SHARED_AUDIO();
  for (const char* name : kMusic) {
    for (const double hz : {50.03, 59.95}) {
      const AudioBuffer clean = Recording(name, 10);
      const AudioBuffer humming = WithHum(clean, hz, 10);
      AudioBuffer cleaned = humming;
      const EnhanceStage stage = RemoveHum(cleaned, 1).value();
      EXPECT_TRUE(stage.applied) << name;
      EXPECT_LT(stage.change_db, -8) << name;
      EXPECT_GT(SiSdrDb(clean, cleaned), SiSdrDb(clean, humming) + 6) << name << " " << hz << ": " << stage.text;
    }
  }
}

TEST(HumTest, LeavesTheNeighboursAlone) {
  AudioBuffer audio = Tone(50, 0.05, 12);
  const double near_hz[] = {46.25, 53.5, 97.0, 104.0, 147.0, 440.0};
  for (const double hz : {100.0, 150.0, 200.0}) {
    const AudioBuffer line = Tone(hz, 0.03, 12);
    for (size_t n = 0; n < line.channel(0).size(); ++n) audio.mutable_channel(0)[n] += line.channel(0)[n];
  }
  for (const double hz : near_hz) {
    const AudioBuffer tone = Tone(hz, 0.1, 12);
    for (size_t n = 0; n < tone.channel(0).size(); ++n) audio.mutable_channel(0)[n] += tone.channel(0)[n];
  }
  const AudioBuffer before = audio;
  ASSERT_TRUE(RemoveHum(audio, 1).value().applied);
  for (const double hz : near_hz) EXPECT_NEAR(ToneDb(audio, hz), ToneDb(before, hz), 0.5) << hz;
  for (const double hz : {50.0, 100.0, 150.0, 200.0}) EXPECT_LT(ToneDb(audio, hz), ToneDb(before, hz) - 20) << hz;
}

TEST(HumTest, RemovesAConstantOffset) {
  AudioBuffer audio = Tone(440, 0.3, 1);
  for (float& sample : audio.mutable_planar()) sample += 0.05f;
  ASSERT_TRUE(RemoveHum(audio, 1).value().applied);
  double sum = 0;
  for (const float sample : audio.planar()) sum += sample;
  EXPECT_NEAR(sum / static_cast<double>(audio.frames()), 0, 1e-4);
}

TEST(NoiseTest, MeasuresTheNoiseThatWasAdded) {
  GRYM_NEED_SHARED_AUDIO();
  for (const char* name : kMusic) {
    const NoiseFacts noise = FindNoise(WithNoise(Recording(name), 10)).value();
    EXPECT_TRUE(noise.found) << name;
    EXPECT_NEAR(noise.SnrDb(), 10.4, 2.0) << name;  // against the sum of both
  }
}

TEST(NoiseTest, DenoisingImprovesTheSignal) {
  GRYM_NEED_SHARED_AUDIO();
  double total = 0;
  for (const char* name : kMusic) {
    const AudioBuffer clean = Recording(name);
    const AudioBuffer noisy = WithNoise(clean, 10);
    AudioBuffer cleaned = noisy;
    const EnhanceStage stage = Denoise(cleaned, 1).value();
    EXPECT_TRUE(stage.applied) << name;
    EXPECT_LT(stage.change_db, -10) << name;
    const double gained = SiSdrDb(clean, cleaned) - SiSdrDb(clean, noisy);
    total += gained;
    EXPECT_GT(gained, 5) << name;
  }
  EXPECT_GT(total / std::size(kMusic), 7.5);
}

// Two seconds of a chord, one of pause, six times: what is said of the noise is what the pauses show.
TEST(NoiseTest, TheReportIsWhatThePausesShow) {
  Random random(3, "hiss");
  AudioBuffer audio = AudioBuffer::Create(1, 18 * 44100, 44100).value();
  const auto samples = audio.mutable_channel(0);
  const auto pause = [](size_t n) { return n / 44100 % 3 == 2; };
  for (size_t n = 0; n < samples.size(); ++n) {
    const double t = static_cast<double>(n) / 44100;
    for (const double hz : {220.0, 277.2, 329.6}) {
      if (!pause(n)) samples[n] += static_cast<float>(0.1 * std::sin(2 * std::numbers::pi * hz * t));
    }
    samples[n] += static_cast<float>(0.01 * random.Uniform(-1, 1));
  }
  const auto pauses_db = [&](const AudioBuffer& heard) {
    double squares = 0, count = 0;
    for (size_t n = 0; n < samples.size(); ++n) {
      if (!pause(n) || n % 44100 < 11025 || n % 44100 > 33075) continue;
      squares += static_cast<double>(heard.channel(0)[n]) * heard.channel(0)[n];
      ++count;
    }
    return 10 * std::log10(squares / count);
  };
  for (const double level : {0.25, 0.5, 1.0}) {
    AudioBuffer cleaned = audio;
    const EnhanceStage stage = Denoise(cleaned, level).value();
    ASSERT_TRUE(stage.applied);
    EXPECT_GE(stage.change_db, -30 * level - 0.01) << level;  // no gain is deeper
    EXPECT_NEAR(stage.change_db, pauses_db(cleaned) - pauses_db(audio), 2.5) << level;
  }
}

TEST(RepairTest, CleanRecordingsStayBitForBit) {
  GRYM_NEED_SHARED_AUDIO();
  for (const char* name : kMusic) {
    const AudioBuffer clean = Recording(name);
    AudioBuffer audio = clean;
    EXPECT_FALSE(Declip(audio, 1).value().applied) << name;
    EXPECT_FALSE(RemoveHum(audio, 1).value().applied) << name;
    EXPECT_FALSE(Denoise(audio, 1).value().applied) << name;
    EXPECT_TRUE(std::equal(clean.planar().begin(), clean.planar().end(), audio.planar().begin())) << name;
  }
}

TEST(RepairTest, TakesSilenceAndShortAudio) {
  for (const int64_t frames : {1, 100, 5000, 44100 * 4}) {
    auto audio = AudioBuffer::Create(2, frames, 44100).value();
    EXPECT_FALSE(Declip(audio, 1).value().applied);
    EXPECT_FALSE(RemoveHum(audio, 1).value().applied);
    EXPECT_FALSE(Denoise(audio, 1).value().applied);
  }
}

}  // namespace
}  // namespace grym
