#include "analysis/analyze.h"

#include <gtest/gtest.h>

#include <limits>

#include "analysis/scoring.h"
#include "analysis/signals.h"
#include "grymsynth/error.h"
#include "support/test_music.h"

namespace grym {
namespace {

using namespace testing;

void ExpectNothingHeard(const AudioFeatures& f) {
  EXPECT_EQ(f.tempo_bpm, 0);
  EXPECT_TRUE(f.beats_s.empty());
  EXPECT_TRUE(f.downbeats_s.empty());
  EXPECT_EQ(f.meter, 0);
  EXPECT_FALSE(f.key.has_value());
}

// What holds for every input.
void ExpectSound(const AudioFeatures& f) {
  const auto inside = [&](const std::vector<double>& times) {
    for (size_t i = 0; i < times.size(); ++i) {
      EXPECT_GE(times[i], 0);
      EXPECT_LE(times[i], f.duration_s);
      if (i > 0) {
        EXPECT_GT(times[i], times[i - 1]);
      }
    }
  };
  inside(f.onsets_s);
  inside(f.beats_s);
  inside(f.downbeats_s);
  const SpectralFeatures& s = f.spectral;
  for (const FrameSeries* series :
       {&s.centroid_hz, &s.bandwidth_hz, &s.rolloff_hz, &s.flatness, &s.contrast_db, &s.mfcc, &s.chroma}) {
    EXPECT_GT(series->rate_hz, 0);
    EXPECT_GT(series->frames(), 0);
    for (const float value : series->values) ASSERT_TRUE(std::isfinite(value));
  }
  EXPECT_EQ(s.mfcc.dim, 20);
  EXPECT_EQ(s.contrast_db.dim, 7);
  EXPECT_EQ(s.chroma.dim, 12);
  EXPECT_EQ(f.pitch.times_s.size(), f.pitch.f0_hz.size());
  EXPECT_EQ(f.pitch.times_s.size(), f.pitch.confidence.size());
  ASSERT_FALSE(f.sections.empty());
  EXPECT_EQ(f.sections.front().start_s, 0);
  EXPECT_DOUBLE_EQ(f.sections.back().end_s, f.duration_s);
  for (size_t i = 1; i < f.chords.size(); ++i) EXPECT_DOUBLE_EQ(f.chords[i].start_s, f.chords[i - 1].end_s);
  for (const double confidence : {f.tempo_confidence, f.meter_confidence, f.key_confidence}) {
    EXPECT_GE(confidence, 0);
    EXPECT_LE(confidence, 1);
  }
}

TEST(AnalyzeTest, EmptyIsRefusedInWords) {
  const auto heard = Analyzed(AudioBuffer());
  EXPECT_EQ(heard.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ErrorCode(heard.status()), "no_frames");
}

TEST(AnalyzeTest, OneFrame) {
  const auto heard = Analyzed(Mono({0.5f}));
  ASSERT_TRUE(heard.ok()) << heard.status();
  EXPECT_EQ(heard->frames, 1);
  EXPECT_NEAR(heard->level.peak_dbfs, -6.02, 0.01);
  ExpectNothingHeard(*heard);
}

TEST(AnalyzeTest, SilenceHasNoMusic) {
  const auto heard = Analyzed(Mono(std::vector<float>(5 * 44100)));
  ASSERT_TRUE(heard.ok());
  ExpectSound(*heard);
  ExpectNothingHeard(*heard);
  EXPECT_TRUE(heard->onsets_s.empty());
  EXPECT_TRUE(std::isinf(heard->level.peak_dbfs));
  EXPECT_TRUE(std::isinf(heard->loudness.integrated_lufs));
  EXPECT_TRUE(std::isinf(heard->loudness.true_peak_dbtp));
  EXPECT_EQ(heard->tuning_hz, 440);
  ASSERT_EQ(heard->condition.silence.size(), 1u);
  EXPECT_DOUBLE_EQ(heard->condition.leading_silence_s, 5);
  for (const Chord& chord : heard->chords) EXPECT_EQ(chord.label, "N");
}

TEST(AnalyzeTest, NoiseHasNoMusic) {
  const auto heard = Analyzed(Mono(WhiteNoise(10, 0.3)));
  ASSERT_TRUE(heard.ok());
  ExpectSound(*heard);
  ExpectNothingHeard(*heard);
  EXPECT_GT(heard->spectral.mean_flatness, 0.4);
  EXPECT_NEAR(heard->spectral.mean_centroid_hz, 11025, 300);
  // Uniform noise of gain 0.3 has -15.2 dBFS; the band from 50 Hz to 16 kHz holds 72 % of it, its tenth percentile lies
  // lower.
  EXPECT_NEAR(heard->condition.noise_floor_dbfs, -18, 3);
}

TEST(AnalyzeTest, BadSamplesAreReplacedAndCounted) {
  std::vector<float> samples = Tone(440, 1);
  samples[100] = std::numeric_limits<float>::quiet_NaN();
  samples[200] = std::numeric_limits<float>::infinity();
  samples[300] = -1e18f;
  const auto heard = Analyzed(Mono(samples));
  ASSERT_TRUE(heard.ok());
  EXPECT_EQ(heard->condition.replaced_samples, 3);
  ExpectSound(*heard);
}

TEST(AnalyzeTest, ImpulseIsOneOnset) {
  std::vector<float> samples(2 * 44100);
  samples[44100] = 1;
  const auto heard = Analyzed(Mono(samples));
  ASSERT_TRUE(heard.ok());
  ASSERT_EQ(heard->onsets_s.size(), 1u);
  EXPECT_NEAR(heard->onsets_s[0], 1, 0.005);
  ExpectNothingHeard(*heard);
}

class EveryRateTest : public ::testing::TestWithParam<int> {};

TEST_P(EveryRateTest, HearsATone) {
  const auto heard = Analyzed(Mono(Tone(440, 2, GetParam()), GetParam()));
  ASSERT_TRUE(heard.ok());
  ExpectSound(*heard);
  EXPECT_EQ(heard->rate_hz, GetParam());
  EXPECT_NEAR(heard->duration_s, 2, 1e-9);
  EXPECT_NEAR(heard->tuning_hz, 440, 0.5);
  EXPECT_LT(CentsApart(PitchAt(heard->pitch, 1), 440), 5);
  EXPECT_NEAR(heard->level.rms_dbfs, -9.03, 0.05);
  EXPECT_NEAR(heard->loudness.true_peak_dbtp, -6.02, 0.1);
}

INSTANTIATE_TEST_SUITE_P(Rates, EveryRateTest, ::testing::Values(4000, 8000, 22050, 44100, 48000, 96000, 44056));

TEST(AnalyzeTest, SixChannels) {
  std::vector<float> planar;
  for (int c = 0; c < 6; ++c) {
    const std::vector<float> tone = Tone(220, 1);
    planar.insert(planar.end(), tone.begin(), tone.end());
  }
  const auto heard = Analyzed(AudioBuffer::FromPlanar(planar, 6, 44100).value());
  ASSERT_TRUE(heard.ok());
  EXPECT_EQ(heard->channels, 6);
  ExpectSound(*heard);
  EXPECT_LT(CentsApart(PitchAt(heard->pitch, 0.5), 220), 5);
}

TEST(AnalyzeTest, StereoFacts) {
  std::vector<float> left = WhiteNoise(2, 0.3, 44100, 1), right = WhiteNoise(2, 0.3, 44100, 2);
  std::vector<float> wide = left, inverse = left;
  wide.insert(wide.end(), right.begin(), right.end());
  for (const float x : left) inverse.push_back(-x);
  const auto apart = Analyzed(AudioBuffer::FromPlanar(wide, 2, 44100).value());
  EXPECT_NEAR(apart->condition.stereo_correlation, 0, 0.02);
  EXPECT_GT(apart->condition.stereo_width, 0.95);
  EXPECT_NEAR(Analyzed(AudioBuffer::FromPlanar(inverse, 2, 44100).value())->condition.stereo_correlation, -1, 1e-6);
  EXPECT_EQ(Analyzed(Mono(left))->condition.stereo_width, 0);
}

// Its first beat was told twice: once for the one that the path has before the beginning.
TEST(AnalyzeTest, BeatsAtTheBeginningAreToldOnce) {
  TestMusicOptions options;
  options.seconds = 20;
  const auto heard = Analyzed(MakeTestMusic(options));
  ASSERT_TRUE(heard.ok());
  ASSERT_GT(heard->beats_s.size(), 30u);
  ExpectSound(*heard);
  EXPECT_GT(heard->beats_s[1] - heard->beats_s[0], 0.1);
}

TEST(AnalyzeTest, SameAudioSameFeatures) {
  const AudioBuffer audio = Mono(Clicks(SteadyBeats(120, 0.3, 8), 8));
  EXPECT_EQ(FeaturesToJson(*Analyzed(audio), true), FeaturesToJson(*Analyzed(audio), true));
}

TEST(AnalyzeTest, ASecondThreadChangesNothing) {
  testing::TestMusicOptions options;
  options.seconds = 8;
  const AudioBuffer music = testing::MakeTestMusic(options);
  const auto heard = [&](int threads) {
    const auto source = OpenInput(AudioInput(music)).value();
    return FeaturesToJson(AnalyzeSource(*source, {}, threads).value(), true);
  };
  const std::string alone = heard(1);
  for (const int threads : {2, 8}) EXPECT_EQ(heard(threads), alone) << threads;
}

TEST(AnalyzeTest, ProgressRisesToOne) {
  RunOptions run;
  std::vector<double> fractions;
  run.progress = [&](const Progress& progress) { fractions.push_back(progress.fraction); };
  ASSERT_TRUE(Analyzed(Mono(Tone(440, 5)), run).ok());
  ASSERT_GT(fractions.size(), 3u);
  EXPECT_TRUE(std::is_sorted(fractions.begin(), fractions.end()));
  EXPECT_EQ(fractions.back(), 1);
}

TEST(AnalyzeTest, StopsAtEveryStageWhenAsked) {
  const AudioBuffer audio = Mono(Tone(440, 3));
  std::vector<std::string> stages;
  RunOptions watch;
  watch.progress = [&](const Progress& progress) { stages.push_back(progress.stage); };
  ASSERT_TRUE(Analyzed(audio, watch).ok());
  for (const std::string& stage : stages) {
    if (stage == "done") continue;
    for (const int threads : {1, 2}) {
      RunOptions run;
      run.progress = [&](const Progress& progress) {
        if (progress.stage == stage) run.cancel.Cancel();
      };
      const auto source = OpenInput(AudioInput(audio)).value();
      EXPECT_TRUE(absl::IsCancelled(AnalyzeSource(*source, run, threads).status())) << stage << ", threads " << threads;
    }
  }
}

TEST(AnalyzeTest, TenTimesLongerKeepsTenTimesMore) {
  const auto size = [](const AudioFeatures& f) {
    return f.spectral.mfcc.values.size() + f.spectral.chroma.values.size() + f.onset_strength.values.size() +
           f.pitch.f0_hz.size();
  };
  const double once = static_cast<double>(size(*Analyzed(Mono(WhiteNoise(2, 0.1)))));
  const double ten = static_cast<double>(size(*Analyzed(Mono(WhiteNoise(20, 0.1)))));
  EXPECT_LT(ten, 10.1 * once);
}

}  // namespace
}  // namespace grym
