#include "analysis/enhance/limiter.h"

#include <ebur128.h>
#include <gtest/gtest.h>

#include <cmath>

#include "analysis/enhance/loudness_gain.h"
#include "base/random.h"

namespace grym {
namespace {

// What an independent meter shows.
double MeterTruePeakDb(const AudioBuffer& audio) {
  ebur128_state* state = ebur128_init(static_cast<unsigned>(audio.channels()),
                                      static_cast<unsigned long>(audio.rate_hz()), EBUR128_MODE_TRUE_PEAK);
  std::vector<float> frames;
  for (int64_t n = 0; n < audio.frames() + 64; ++n) {
    for (int c = 0; c < audio.channels(); ++c) {
      frames.push_back(n < audio.frames() ? audio.channel(c)[static_cast<size_t>(n)] : 0.0f);
    }
  }
  ebur128_add_frames_float(state, frames.data(), static_cast<size_t>(audio.frames() + 64));
  double largest = 0;
  for (int c = 0; c < audio.channels(); ++c) {
    double peak = 0;
    ebur128_true_peak(state, static_cast<unsigned>(c), &peak);
    largest = std::max(largest, peak);
  }
  ebur128_destroy(&state);
  return 20 * std::log10(largest);
}

AudioBuffer Bursts(int rate_hz, double seconds, double gain) {
  auto audio = AudioBuffer::Create(2, static_cast<int64_t>(seconds * rate_hz), rate_hz).value();
  Random random(7);
  for (int64_t n = 0; n < audio.frames(); ++n) {
    const double t = static_cast<double>(n) / rate_hz;
    const double beat = std::exp(-8 * std::fmod(t, 0.4));
    for (int c = 0; c < 2; ++c) {
      audio.mutable_channel(c)[static_cast<size_t>(n)] =
          static_cast<float>(gain * (0.3 * std::sin(2 * M_PI * (200 + 30 * c) * t) + beat * 0.4 * random.Normal()));
    }
  }
  return audio;
}

TEST(LimiterTest, HoldsTheCeilingOnAnIndependentMeter) {
  for (const int rate_hz : {8000, 44100, 48000, 96000, 192000}) {
    for (const double gain : {1.5, 3.0, 8.0}) {
      AudioBuffer audio = Bursts(rate_hz, 1.2, gain);
      const LimiterReport report = LimitTruePeak(audio, -1.0).value();
      const double meter_db = MeterTruePeakDb(audio);
      EXPECT_LE(meter_db, -1.0) << rate_hz << " " << gain;
      EXPECT_NEAR(report.true_peak_after_dbtp, meter_db, 0.01);
      EXPECT_GT(meter_db, -1.3) << "turned down more than needed";
      EXPECT_GT(report.max_reduction_db, 0.1);
    }
  }
}

TEST(LimiterTest, LeavesWhatIsBelowTheCeilingBitForBit) {
  AudioBuffer audio = Bursts(44100, 0.5, 0.05);
  const std::vector<float> before(audio.planar().begin(), audio.planar().end());
  const LimiterReport report = LimitTruePeak(audio, -1.0).value();
  EXPECT_EQ(report.max_reduction_db, 0);
  EXPECT_TRUE(std::equal(before.begin(), before.end(), audio.planar().begin()));
}

TEST(LimiterTest, CatchesPeaksBetweenTheSamples) {
  // A quarter-rate sine sampled at 45 degrees: samples at 0.7 of the true peak.
  auto audio = AudioBuffer::Create(1, 4096, 44100).value();
  for (size_t n = 0; n < 4096; ++n) {
    audio.mutable_channel(0)[n] =
        static_cast<float>(0.99 * std::sqrt(2.0) * std::sin(M_PI / 2 * static_cast<double>(n) + M_PI / 4));
  }
  const LimiterReport report = LimitTruePeak(audio, 0).value();
  EXPECT_NEAR(report.true_peak_before_dbtp, 2.9, 0.2);
  EXPECT_LE(MeterTruePeakDb(audio), 0.0);
}

TEST(LimiterTest, TakesEmptySilentAndOneFrame) {
  for (const int64_t frames : {0, 1, 100}) {
    auto audio = AudioBuffer::Create(1, frames, 44100).value();
    EXPECT_TRUE(LimitTruePeak(audio, -1).ok());
    if (frames > 0) audio.mutable_channel(0)[0] = 3.0f;
    EXPECT_LE(LimitTruePeak(audio, -1).value().true_peak_after_dbtp, -1);
  }
}

TEST(LimiterTest, StopsWhenCancelled) {
  AudioBuffer audio = Bursts(44100, 1, 2);
  RunOptions run;
  run.cancel.Cancel();
  EXPECT_EQ(LimitTruePeak(audio, -1, run).status().code(), absl::StatusCode::kCancelled);
}

TEST(LoudnessGainTest, MeetsTheTargetUnderTheCeiling) {
  for (const double target : {-30.0, -23.0, -16.0, -14.0}) {
    AudioBuffer audio = Bursts(44100, 4, 0.2);
    const LoudnessGainReport report = GainToLoudness(audio, target, -1.0).value();
    EXPECT_NEAR(IntegratedLufs(audio).value(), target, 0.3);
    EXPECT_NEAR(report.lufs_after, target, 0.3);
    EXPECT_LE(MeterTruePeakDb(audio), -1.0);
  }
}

TEST(LoudnessGainTest, TheCeilingWinsOverAnImpossibleTarget) {
  AudioBuffer audio = Bursts(44100, 2, 0.2);
  const LoudnessGainReport report = GainToLoudness(audio, 0, -1.0, {}, 6).value();
  EXPECT_LE(MeterTruePeakDb(audio), -1.0);
  EXPECT_LT(report.lufs_after, -3);
  EXPECT_LE(report.max_reduction_db, 7);
}

TEST(LoudnessGainTest, SilenceStaysSilence) {
  auto audio = AudioBuffer::Create(2, 44100, 44100).value();
  EXPECT_TRUE(std::isinf(GainToLoudness(audio, -14, -1).value().lufs_after));
  for (const float sample : audio.planar()) EXPECT_EQ(sample, 0.0f);
}

TEST(LoudnessGainTest, AgreesWithTheStandardsSine) {
  // EBU Tech 3341 case 1: a stereo 1 kHz sine at -23 dBFS reads -23 LUFS.
  auto audio = AudioBuffer::Create(2, 48000 * 5, 48000).value();
  for (int c = 0; c < 2; ++c) {
    for (size_t n = 0; n < audio.channel(c).size(); ++n) {
      audio.mutable_channel(c)[n] =
          static_cast<float>(std::pow(10, -23.0 / 20) * std::sin(2 * M_PI * 1000 * static_cast<double>(n) / 48000));
    }
  }
  EXPECT_NEAR(IntegratedLufs(audio).value(), -23.0, 0.1);
}

}  // namespace
}  // namespace grym
