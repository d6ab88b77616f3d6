#include "analysis/loudness_meter.h"

#include <ebur128.h>
#include <gtest/gtest.h>

#include <limits>

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

// Positions that libebur128 gives the channels of 6.1 and 7.1 only when it is told.
void PlaceChannels(ebur128_state* oracle, int channels) {
  if (channels < 7) return;
  const int places[] = {EBUR128_LEFT, EBUR128_RIGHT, EBUR128_CENTER, EBUR128_UNUSED};
  for (unsigned c = 0; c < 4; ++c) ebur128_set_channel(oracle, c, places[c]);
  const std::vector<int> rest = channels == 7
                                    ? std::vector<int>{EBUR128_Mp180, EBUR128_Mp090, EBUR128_Mm090}
                                    : std::vector<int>{EBUR128_Mp135, EBUR128_Mm135, EBUR128_Mp090, EBUR128_Mm090};
  for (unsigned c = 0; c < rest.size(); ++c) ebur128_set_channel(oracle, 4 + c, rest[c]);
}

// EBU Tech 3342 on short-term readings that come ten times a second.
double RangeOf(const std::vector<double>& short_term) {
  std::vector<double> heard;
  double power = 0;
  for (const double lufs : short_term) {
    if (lufs >= -70) heard.push_back(lufs);
  }
  for (const double lufs : heard) power += std::pow(10, lufs / 10) / static_cast<double>(heard.size());
  std::erase_if(heard, [&](double lufs) { return lufs < 10 * std::log10(power) - 20; });
  if (heard.empty()) return 0;
  std::sort(heard.begin(), heard.end());
  const auto last = static_cast<double>(heard.size() - 1);
  const auto at = [&](double share) { return heard[static_cast<size_t>(last * share + 0.5)]; };
  return at(0.95) - at(0.10);
}

// libebur128 is the oracle of every reading, at many rates and for every layout that BS.1770 knows.
void ExpectAgreement(int channels, int rate_hz) {
  SCOPED_TRACE(std::to_string(channels) + " channels at " + std::to_string(rate_hz) + " Hz");
  const AudioBuffer audio = Restless(channels, rate_hz, 12);
  ebur128_state* oracle = ebur128_init(static_cast<unsigned>(channels), static_cast<unsigned long>(rate_hz),
                                       EBUR128_MODE_I | EBUR128_MODE_LRA | EBUR128_MODE_TRUE_PEAK);
  PlaceChannels(oracle, channels);
  std::vector<double> momentary, short_term;
  const int64_t step = rate_hz / 10;
  std::vector<float> frames(static_cast<size_t>(step * channels));
  for (int64_t at = 0; at + step <= audio.frames(); at += step) {
    for (int64_t n = 0; n < step; ++n) {
      for (int c = 0; c < channels; ++c) {
        frames[static_cast<size_t>(n * channels + c)] = audio.channel(c)[static_cast<size_t>(at + n)];
      }
    }
    ASSERT_EQ(ebur128_add_frames_float(oracle, frames.data(), static_cast<size_t>(step)), EBUR128_SUCCESS);
    ebur128_loudness_momentary(oracle, &momentary.emplace_back());
    ebur128_loudness_shortterm(oracle, &short_term.emplace_back());
  }
  double integrated = 0, peak = 0;
  ebur128_loudness_global(oracle, &integrated);
  for (int c = 0; c < channels; ++c) {
    double one = 0;
    ebur128_true_peak(oracle, static_cast<unsigned>(c), &one);
    if (channels < 6 || c != 3) peak = std::max(peak, one);
  }
  ebur128_destroy(&oracle);
  LoudnessMeter meter(channels, rate_hz);
  for (int64_t at = 0; at < audio.frames(); at += 1000) meter.Push(audio.Slice(at, 1000));
  const Loudness heard = meter.Finish();
  EXPECT_NEAR(heard.integrated_lufs, integrated, 1e-4);
  EXPECT_GE(heard.true_peak_dbtp, 20 * std::log10(peak) - 1e-3);
  if (channels < 6) {
    EXPECT_NEAR(heard.true_peak_dbtp, 20 * std::log10(peak), 1e-3);
  }
  ASSERT_EQ(heard.momentary.frames(), std::ssize(momentary));
  ASSERT_EQ(heard.short_term.frames(), std::ssize(short_term));
  double loudest = -1000, loudest_3s = -1000;
  for (size_t i = 3; i < momentary.size(); ++i) {
    if (momentary[i] > -150) {
      EXPECT_NEAR(heard.momentary.values[i], momentary[i], 1e-3) << i;
    }
    loudest = std::max(loudest, momentary[i]);
  }
  for (size_t i = 29; i < short_term.size(); ++i) {
    EXPECT_NEAR(heard.short_term.values[i], short_term[i], 1e-3) << i;
    loudest_3s = std::max(loudest_3s, short_term[i]);
  }
  EXPECT_NEAR(heard.max_momentary_lufs, loudest, 1e-3);
  EXPECT_NEAR(heard.max_short_term_lufs, loudest_3s, 1e-3);
  short_term.erase(short_term.begin(), short_term.begin() + 29);
  EXPECT_NEAR(heard.range_lu, RangeOf(short_term), 1e-3);
}

TEST(LoudnessMeterTest, AgreesWithLibebur128) {
  for (const int rate_hz : {22050, 44100, 96000, 192000}) ExpectAgreement(2, rate_hz);
  for (const int channels : {1, 2, 3, 4, 5, 6, 7, 8}) ExpectAgreement(channels, 48000);
}

TEST(LoudnessMeterTest, TheSizeOfBlocksChangesNoBit) {
  const AudioBuffer audio = Restless(3, 44100, 6);
  const auto measure = [&](int64_t block) {
    LoudnessMeter meter(3, 44100);
    for (int64_t at = 0; at < audio.frames(); at += block) meter.Push(audio.Slice(at, block));
    return meter.Finish();
  };
  const Loudness whole = measure(audio.frames());
  for (const int64_t block : {1, 777, 4096}) {
    const Loudness parts = measure(block);
    EXPECT_EQ(parts.integrated_lufs, whole.integrated_lufs);
    EXPECT_EQ(parts.range_lu, whole.range_lu);
    EXPECT_EQ(parts.true_peak_dbtp, whole.true_peak_dbtp);
    EXPECT_EQ(parts.momentary.values, whole.momentary.values);
  }
}

// A level that changes faster than once a second must not be missed by where the readings fall.
TEST(LoudnessMeterTest, TheRangeDoesNotDependOnWhereItBegins) {
  std::vector<float> tone = Tone(997, 60, 48000, 0.3);
  for (size_t i = 0; i < tone.size(); ++i) {
    if (i / 144000 % 2 == 1) tone[i] *= 0.125f;
  }
  std::vector<double> ranges;
  for (const size_t skipped : {size_t{0}, size_t{24000}, size_t{60000}}) {
    LoudnessMeter meter(1, 48000);
    meter.Push(Mono(std::vector<float>(tone.begin() + static_cast<std::ptrdiff_t>(skipped), tone.end()), 48000));
    ranges.push_back(meter.Finish().range_lu);
  }
  EXPECT_NEAR(ranges[1], ranges[0], 1);
  EXPECT_NEAR(ranges[2], ranges[0], 1);
}

TEST(LoudnessMeterTest, OneBadSampleDoesNotSilenceTheRest) {
  std::vector<float> tone = Tone(997, 6, 48000, 0.3);
  tone[1000] = std::numeric_limits<float>::quiet_NaN();
  tone[20000] = std::numeric_limits<float>::infinity();
  LoudnessMeter meter(1, 48000);
  meter.Push(Mono(tone, 48000));
  EXPECT_NEAR(meter.Finish().integrated_lufs, 20 * std::log10(0.3) - 3.01, 0.1);
}

}  // namespace
}  // namespace grym
