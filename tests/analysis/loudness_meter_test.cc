#include "analysis/loudness_meter.h"

#include <ebur128.h>
#include <gtest/gtest.h>

#include "analysis/enhance/loudness_gain.h"
#include "analysis/signals.h"

namespace grym {
namespace {

using namespace testing;

// A tone as loud as 997 Hz at -23 LUFS, at every rate that can carry it. The expected gain of the K weighting is that
// of its 48 kHz definition.
TEST(LoudnessMeterTest, ATonesLoudnessDoesNotDependOnTheRate) {
  struct Case {
    double hz, weight_db;
  };
  for (const Case& tone : {Case{100, -1.824}, Case{400, -0.706}, Case{997, 0.0}, Case{3000, 3.117}}) {
    for (const int rate_hz : {1000, 1500, 2000, 3000, 4000, 8000, 11025, 16000, 22050, 44100, 48000, 96000}) {
      if (tone.hz > 0.42 * rate_hz) continue;
      const AudioBuffer audio = Mono(Tone(tone.hz, 6, rate_hz, std::pow(10.0, (-23 + 3.01) / 20)), rate_hz);
      LoudnessMeter meter(1, rate_hz);
      for (int64_t at = 0; at < audio.frames(); at += 777) meter.Push(audio.Slice(at, 777));
      const Loudness heard = meter.Finish();
      const double want = -23 + tone.weight_db;
      EXPECT_NEAR(heard.integrated_lufs, want, 0.12) << tone.hz << " Hz at " << rate_hz;
      EXPECT_NEAR(heard.max_short_term_lufs, want, 0.12) << tone.hz << " Hz at " << rate_hz;
      EXPECT_NEAR(heard.true_peak_dbtp, -23 + 3.01, 0.5) << tone.hz << " Hz at " << rate_hz;
      EXPECT_EQ(heard.momentary.frames(), 60) << rate_hz;
      EXPECT_NEAR(IntegratedLufs(audio).value(), want, 0.12) << tone.hz << " Hz at " << rate_hz;
    }
  }
}

TEST(LoudnessMeterTest, AShortRecordingAtALowRateStillHasNoReading) {
  LoudnessMeter meter(2, 2000);
  meter.Push(AudioBuffer::Create(2, 700, 2000).value());
  EXPECT_TRUE(std::isinf(meter.Finish().integrated_lufs));
  LoudnessMeter nothing(1, 1000);
  EXPECT_TRUE(std::isinf(nothing.Finish().integrated_lufs));
}

// Bursts of noise and tones at many levels, with pauses, so that both gates and the range have work to do.
AudioBuffer Restless(int channels, int rate_hz, double seconds) {
  AudioBuffer audio = AudioBuffer::Create(channels, static_cast<int64_t>(seconds * rate_hz), rate_hz).value();
  for (int c = 0; c < channels; ++c) {
    Random random(static_cast<uint64_t>(c), "restless");
    double level = 0;
    int64_t left = 0;
    double phase = 0;
    for (float& sample : audio.mutable_channel(c)) {
      if (left-- == 0) {
        left = static_cast<int64_t>(random.Uniform(0.2, 2.5) * rate_hz);
        level = random.Uniform(0, 1) < 0.15 ? 0 : std::pow(10.0, random.Uniform(-50, -1) / 20);
      }
      phase += 2 * M_PI * (200 + 900 * (c + 1)) / rate_hz;
      sample = static_cast<float>(level * (0.6 * std::sin(phase) + random.Uniform(-0.4, 0.4)));
    }
  }
  return audio;
}

// libebur128 is the oracle: every reading, for every count of channels that it gives a meaning.
TEST(LoudnessMeterTest, AgreesWithLibebur128) {
  for (const int rate_hz : {22050, 44100, 48000, 96000, 192000}) {
    for (const int channels : {1, 2, 3, 4, 5, 6, 7}) {
      if (channels > 2 && rate_hz != 48000) continue;
      const AudioBuffer audio = Restless(channels, rate_hz, 12);
      LoudnessMeter meter(channels, rate_hz);
      ebur128_state* oracle = ebur128_init(static_cast<unsigned>(channels), static_cast<unsigned long>(rate_hz),
                                           EBUR128_MODE_I | EBUR128_MODE_LRA | EBUR128_MODE_TRUE_PEAK);
      std::vector<double> momentary;
      const int64_t step = rate_hz / 10;
      std::vector<float> frames(static_cast<size_t>(step * channels));
      for (int64_t at = 0; at + step <= audio.frames(); at += step) {
        for (int64_t n = 0; n < step; ++n) {
          for (int c = 0; c < channels; ++c) {
            frames[static_cast<size_t>(n * channels + c)] = audio.channel(c)[static_cast<size_t>(at + n)];
          }
        }
        ASSERT_EQ(ebur128_add_frames_float(oracle, frames.data(), static_cast<size_t>(step)), EBUR128_SUCCESS);
        momentary.emplace_back();
        ebur128_loudness_momentary(oracle, &momentary.back());
      }
      for (int64_t at = 0; at < audio.frames(); at += 1000) meter.Push(audio.Slice(at, 1000));
      const Loudness heard = meter.Finish();
      double integrated = 0, range = 0, peak = 0;
      ebur128_loudness_global(oracle, &integrated);
      ebur128_loudness_range(oracle, &range);
      for (int c = 0; c < channels; ++c) {
        double one = 0;
        ebur128_true_peak(oracle, static_cast<unsigned>(c), &one);
        peak = std::max(peak, one);
      }
      ebur128_destroy(&oracle);
      EXPECT_NEAR(heard.integrated_lufs, integrated, 1e-4) << channels << " channels at " << rate_hz;
      EXPECT_NEAR(heard.range_lu, range, 1e-4) << channels << " channels at " << rate_hz;
      EXPECT_NEAR(heard.true_peak_dbtp, 20 * std::log10(peak), 1e-3) << channels << " channels at " << rate_hz;
      ASSERT_EQ(heard.momentary.frames(), std::ssize(momentary));
      for (size_t i = 3; i < momentary.size(); ++i) {
        if (momentary[i] > -150) {
          EXPECT_NEAR(heard.momentary.values[i], momentary[i], 1e-3) << i;
        }
      }
    }
  }
}

}  // namespace
}  // namespace grym
