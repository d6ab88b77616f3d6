// Balance, dynamics, stereo, and the whole chain.
#include <gtest/gtest.h>

#include <cstring>
#include <limits>

#include "analysis/enhance/balance.h"
#include "analysis/enhance/dynamics.h"
#include "analysis/enhance/enhance.h"
#include "analysis/enhance/loudness_gain.h"
#include "analysis/true_peak.h"
#include "support/damage.h"

namespace grym {
namespace {

using testing::Recording;
using testing::SiSdrDb;
using testing::WithClipping;
using testing::WithHum;
using testing::WithNoise;

AudioBuffer NoiseMusic(int channels, double seconds) {
  auto audio = AudioBuffer::Create(channels, static_cast<int64_t>(seconds * 44100), 44100).value();
  Random random(11);
  for (int64_t n = 0; n < audio.frames(); ++n) {
    const double beat = std::exp(-6 * std::fmod(static_cast<double>(n) / 44100, 0.5));
    for (int c = 0; c < channels; ++c)
      audio.mutable_channel(c)[static_cast<size_t>(n)] = static_cast<float>(0.1 * beat * random.Normal());
  }
  return audio;
}

bool SameBits(const AudioBuffer& a, const AudioBuffer& b) {
  return a.planar().size() == b.planar().size() &&
         std::memcmp(a.planar().data(), b.planar().data(), a.planar().size() * sizeof(float)) == 0;
}

TEST(BalanceTest, TiltsTowardsTheTarget) {
  AudioBuffer audio = NoiseMusic(1, 3);  // white: slope 0
  const double before = MeasureLongTermSpectrum(audio).value().slope_db_per_octave;
  EXPECT_NEAR(before, 0, 0.3);
  const EnhanceStage stage = Balance(audio, -4.5, std::nullopt, 1).value();
  EXPECT_TRUE(stage.applied);
  const double after = MeasureLongTermSpectrum(audio).value().slope_db_per_octave;
  EXPECT_NEAR(after, before - 1.5, 0.3);  // half of what is beyond the tolerance
  EXPECT_LE(std::abs(stage.change_db), 6.0);
}

TEST(BalanceTest, MatchesAReference) {
  AudioBuffer audio = NoiseMusic(1, 3);
  std::array<double, 10> wanted = MeasureLongTermSpectrum(audio).value().octave_db;
  wanted[7] += 4;  // 4 kHz
  ASSERT_TRUE(Balance(audio, 0, wanted, 1).value().applied);
  const std::array<double, 10> got = MeasureLongTermSpectrum(audio).value().octave_db;
  EXPECT_NEAR(got[7], wanted[7], 2.4);  // of 4: the gain falls off towards the band's edges and the whole rises
  EXPECT_NEAR(got[4], wanted[4], 1.5);
}

TEST(BalanceTest, TheFilterHasTheGainAndNoDelay) {
  auto audio = AudioBuffer::Create(1, 44100, 44100).value();
  audio.mutable_channel(0)[20000] = 1;
  ASSERT_TRUE(FilterLinearPhase(audio, {100, 1000, 10000}, {6, 6, 6}).ok());
  EXPECT_NEAR(audio.channel(0)[20000], 1.995, 0.01);
  EXPECT_NEAR(audio.channel(0)[20001], 0, 0.01);
}

TEST(DynamicsTest, TamesAPassageThatJumpsOut) {
  AudioBuffer audio = NoiseMusic(1, 8);
  for (size_t n = 3 * 44100; n < 4 * 44100; ++n) audio.mutable_channel(0)[n] *= 8;  // 18 dB
  const EnhanceStage stage = TameOutliers(audio, 1).value();
  EXPECT_TRUE(stage.applied);
  EXPECT_NEAR(stage.change_db, -5, 1);
  AudioBuffer even = NoiseMusic(1, 8);
  EXPECT_FALSE(TameOutliers(even, 1).value().applied);
}

TEST(StereoTest, TamesAntiPhaseWidensNarrowAndKeepsMono) {
  AudioBuffer anti = NoiseMusic(2, 1);
  for (size_t n = 0; n < 44100; ++n)
    anti.mutable_channel(1)[n] = -0.6f * anti.channel(0)[n] + 0.2f * anti.channel(1)[n];
  EXPECT_LT(MeasureStereo(anti).correlation, -0.5);
  ASSERT_TRUE(ShapeStereo(anti, 1).value().applied);
  EXPECT_GT(MeasureStereo(anti).correlation, -0.2);

  AudioBuffer narrow = NoiseMusic(2, 1);
  for (size_t n = 0; n < 44100; ++n) narrow.mutable_channel(1)[n] = narrow.channel(0)[n] + 0.06f * narrow.channel(1)[n];
  const double before_db = MeasureStereo(narrow).side_db;
  ASSERT_TRUE(ShapeStereo(narrow, 1).value().applied);
  EXPECT_GT(MeasureStereo(narrow).side_db, before_db + 3);

  AudioBuffer mono = NoiseMusic(2, 1);
  for (size_t n = 0; n < 44100; ++n) mono.mutable_channel(1)[n] = mono.channel(0)[n];
  const AudioBuffer same = mono;
  EXPECT_FALSE(ShapeStereo(mono, 1).value().applied);
  EXPECT_TRUE(SameBits(mono, same));
}

TEST(EnhanceTest, LevelZeroIsTheIdentityBitForBit) {
  AudioBuffer audio = NoiseMusic(2, 1);
  audio.mutable_channel(0)[17] = 2.5f;  // would be limited
  audio.mutable_channel(1)[18] = std::nanf("");
  EnhanceParams params;
  params.level = 0;
  params.target_lufs = -14;
  const EnhancedAudio enhanced = EnhanceAudio(audio, params).value();
  EXPECT_TRUE(SameBits(audio, enhanced.audio));
  ASSERT_EQ(enhanced.stages.size(), 8u);
  for (const EnhanceStage& stage : enhanced.stages) EXPECT_FALSE(stage.applied) << stage.name;
}

TEST(EnhanceTest, ReportsEveryStageInOrder) {
  const EnhancedAudio enhanced = EnhanceAudio(NoiseMusic(2, 3)).value();
  std::vector<std::string> names;
  for (const EnhanceStage& stage : enhanced.stages) {
    names.push_back(stage.name);
    EXPECT_FALSE(stage.text.empty()) << stage.name;
  }
  EXPECT_EQ(names, (std::vector<std::string>{"declip", "dehum", "denoise", "balance", "dynamics", "stereo", "loudness",
                                             "limiter"}));
}

TEST(EnhanceTest, SilenceStaysSilence) {
  const auto silence = AudioBuffer::Create(2, 44100 * 3, 44100).value();
  EnhanceParams params;
  params.target_lufs = -14;
  EXPECT_TRUE(SameBits(EnhanceAudio(silence, params).value().audio, silence));
}

TEST(EnhanceTest, ReplacesNonFiniteSamples) {
  AudioBuffer audio = NoiseMusic(1, 1);
  audio.mutable_channel(0)[100] = std::nanf("");
  audio.mutable_channel(0)[200] = std::numeric_limits<float>::infinity();
  const EnhancedAudio enhanced = EnhanceAudio(audio).value();
  for (const float sample : enhanced.audio.planar()) ASSERT_TRUE(std::isfinite(sample));
}

TEST(EnhanceTest, RejectsWhatItCannotDo) {
  const AudioBuffer audio = NoiseMusic(1, 0.1);
  EXPECT_EQ(EnhanceAudio(AudioBuffer()).status().code(), absl::StatusCode::kInvalidArgument);
  for (const double level : {-0.1, 1.1, std::nan("")}) {
    EnhanceParams params;
    params.level = level;
    EXPECT_EQ(EnhanceAudio(audio, params).status().code(), absl::StatusCode::kInvalidArgument) << level;
  }
  EnhanceParams params;
  params.true_peak_dbtp = 1;
  EXPECT_NE(EnhanceAudio(audio, params).status().message().find("true_peak_dbtp"), std::string::npos);
}

TEST(EnhanceTest, StopsWhenCancelledAndProgressNeverFalls) {
  RunOptions run;
  double last = 0;
  run.progress = [&](const Progress& progress) {
    EXPECT_GE(progress.fraction, last);
    last = progress.fraction;
    if (progress.stage == "denoise") run.cancel.Cancel();
  };
  EXPECT_EQ(EnhanceAudio(NoiseMusic(2, 3), {}, run).status().code(), absl::StatusCode::kCancelled);
  EXPECT_GT(last, 0.2);
}

TEST(EnhanceTest, MeetsLoudnessTargetAndCeilingOnRealRecordings) {
  GRYM_NEED_SHARED_AUDIO();
  for (const char* name : {"real/hiphop.mp3", "real/acoustic-drums.flac", "real/198-209-0000.ogg"}) {
    const AudioBuffer audio = Recording(name);
    EnhanceParams params;
    params.target_lufs = -18;
    const EnhancedAudio enhanced = EnhanceAudio(audio, params).value();
    EXPECT_NEAR(IntegratedLufs(enhanced.audio).value(), -18, 0.3) << name;
    EXPECT_LE(20 * std::log10(MeasureTruePeak(enhanced.audio).value()), -1.0) << name;
    EXPECT_EQ(enhanced.audio.frames(), audio.frames());
  }
}

TEST(EnhanceTest, ATargetThatThePeakLimitForbidsIsMissedWithAWarning) {
  const AudioBuffer audio = NoiseMusic(2, 3);
  EnhanceParams params;
  params.true_peak_dbtp = -15;
  params.target_lufs = -9;
  const EnhancedAudio enhanced = EnhanceAudio(audio, params).value();
  ASSERT_EQ(enhanced.warnings.size(), 1u);
  EXPECT_NE(enhanced.warnings[0].find("wanted -9.0 LUFS, reached -"), std::string::npos) << enhanced.warnings[0];
  EXPECT_NE(enhanced.warnings[0].find("the peak limit of -15.0 dBTP stands against it"), std::string::npos);
  EXPECT_LT(IntegratedLufs(enhanced.audio).value(), -9.5);
  EXPECT_NE(enhanced.stages[6].text.find(enhanced.warnings[0]), std::string::npos) << enhanced.stages[6].text;
  params.target_lufs = -30;
  EXPECT_TRUE(EnhanceAudio(audio, params).value().warnings.empty());
}

TEST(EnhanceTest, KeepsTheLoudnessWithoutATarget) {
  GRYM_NEED_SHARED_AUDIO();
  for (const char* name : {"real/hiphop.mp3", "rendered/FMP_C1_F12_Bach_BWV846_Sibelius-Tracks.flac"}) {
    const AudioBuffer audio = Recording(name);
    const EnhancedAudio enhanced = EnhanceAudio(audio).value();
    EXPECT_NEAR(IntegratedLufs(enhanced.audio).value(), IntegratedLufs(audio).value(), 0.3) << name;
  }
}

TEST(EnhanceTest, RepairsEachDamage) {
  GRYM_NEED_SHARED_AUDIO();
  const AudioBuffer clean = Recording("real/147793__setuniman__sweet-waltz-0i-22mi.ogg");
  EnhanceParams repairs;
  repairs.level = 1;
  repairs.balance = repairs.dynamics = repairs.stereo = false;
  for (const AudioBuffer& damaged : {WithNoise(clean, 10), WithHum(clean, 50.03, 10), WithClipping(clean, 8)}) {
    const EnhancedAudio enhanced = EnhanceAudio(damaged, repairs).value();
    EXPECT_GT(SiSdrDb(clean, enhanced.audio), SiSdrDb(clean, damaged) + 6);
  }
}

TEST(EnhanceTest, MoreLevelChangesMore) {
  GRYM_NEED_SHARED_AUDIO();
  const AudioBuffer noisy = WithNoise(Recording("real/359628__mtg__sax-tenor-d-minor.flac"), 15);
  double last_db = 0;
  for (const double level : {0.2, 0.5, 1.0}) {
    EnhanceParams params;
    params.level = level;
    const double change_db = EnhanceAudio(noisy, params).value().stages[2].change_db;
    EXPECT_LT(change_db, last_db - 2) << level;
    EXPECT_GE(change_db, -30 * level - 0.01) << level;  // the deepest gain
    last_db = change_db;
  }
}

TEST(EnhanceTest, SameInputSameBytes) {
  const AudioBuffer noisy = WithNoise(NoiseMusic(2, 3), 10);
  EXPECT_TRUE(SameBits(EnhanceAudio(noisy).value().audio, EnhanceAudio(noisy).value().audio));
}

}  // namespace
}  // namespace grym
