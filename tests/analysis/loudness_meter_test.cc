#include "analysis/loudness_meter.h"

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
      for (int64_t at = 0; at < audio.frames(); at += 777) ASSERT_TRUE(meter.Push(audio.Slice(at, 777)).ok());
      const Loudness heard = meter.Finish().value();
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
  ASSERT_TRUE(meter.Push(AudioBuffer::Create(2, 700, 2000).value()).ok());
  EXPECT_TRUE(std::isinf(meter.Finish()->integrated_lufs));
  LoudnessMeter nothing(1, 1000);
  EXPECT_TRUE(std::isinf(nothing.Finish()->integrated_lufs));
}

}  // namespace
}  // namespace grym
