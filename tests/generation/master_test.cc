#include "generation/master.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>

#include "analysis/enhance/loudness_gain.h"
#include "analysis/true_peak.h"
#include "base/random.h"
#include "generation/render.h"
#include "grymsynth/error.h"

namespace grym {
namespace {

AudioBuffer Groove(double seconds, float gain_db) {
  Score score;
  score.duration_s = seconds;
  InstrumentPart drums, pad;
  drums.stem = "drums";
  drums.patch = "kit_metal";
  pad.stem = "pad";
  pad.patch = "supersaw";
  drums.gain_db = pad.gain_db = gain_db;
  for (double t = 0; t < seconds; t += 0.5) {
    ScoreNote kick;
    kick.start_s = t;
    kick.duration_s = 0.1;
    kick.pitch = std::fmod(t, 1.0) < 0.25 ? 36 : 38;
    kick.velocity = 0.95f;
    drums.notes.push_back(kick);
  }
  for (const int pitch : {48, 55, 60, 64}) {
    ScoreNote note;
    note.duration_s = seconds;  // sounds to the very end, where mastering must fade it
    note.pitch = pitch;
    pad.notes.push_back(note);
  }
  score.parts = {drums, pad};
  return RenderScore(score, {}, false)->mix;
}

TEST(MasterTest, MeetsLoudnessAndTruePeakFromAnyLevel) {
  for (const float gain_db : {-30.0f, 0.0f, 12.0f}) {
    const AudioBuffer mix = Groove(6, gain_db);
    for (const double target : {-16.0, -11.0}) {
      Mastering mastering;
      mastering.target_lufs = target;
      const absl::StatusOr<AudioBuffer> out = MasterMix(mix, mastering);
      ASSERT_TRUE(out.ok()) << out.status();
      EXPECT_EQ(out->frames(), mix.frames());
      EXPECT_NEAR(*IntegratedLufs(*out), target, 0.6) << gain_db;
      EXPECT_LE(20 * std::log10(*MeasureTruePeak(*out)), -1 + 1e-3);
      double sum = 0;
      for (const float x : out->planar()) sum += x;
      EXPECT_LT(std::abs(sum / static_cast<double>(out->planar().size())), 1e-4);
      EXPECT_LT(std::abs(out->channel(0).back()), 1e-3);
    }
  }
}

TEST(MasterTest, EveryKnobAtItsEndsStaysWithinTheLimits) {
  const AudioBuffer mix = Groove(3, 0);
  for (const float tilt : {-6.0f, 6.0f}) {
    for (const float amount : {0.0f, 1.0f}) {
      Mastering mastering;
      mastering.tilt_db = tilt;
      mastering.glue = mastering.warmth = amount;
      mastering.width = 2 * amount;
      const absl::StatusOr<AudioBuffer> out = MasterMix(mix, mastering);
      ASSERT_TRUE(out.ok());
      EXPECT_NEAR(*IntegratedLufs(*out), -16, 0.6);
      EXPECT_LE(20 * std::log10(*MeasureTruePeak(*out)), -1 + 1e-3);
    }
  }
}

TEST(MasterTest, WidthZeroIsMono) {
  Mastering mastering;
  mastering.width = 0;
  const absl::StatusOr<AudioBuffer> out = MasterMix(Groove(1, 0), mastering);
  ASSERT_TRUE(out.ok());
  for (int64_t i = 0; i < out->frames(); ++i) {
    ASSERT_NEAR(out->channel(0)[static_cast<size_t>(i)], out->channel(1)[static_cast<size_t>(i)], 1e-5);
  }
}

TEST(MasterTest, SilenceStaysSilence) {
  const AudioBuffer mix = *AudioBuffer::Create(2, 44100, 44100);
  const absl::StatusOr<AudioBuffer> out = MasterMix(mix, {});
  ASSERT_TRUE(out.ok()) << out.status();
  for (const float x : out->planar()) ASSERT_EQ(x, 0);
}

TEST(MasterTest, OneFrameAndMonoPass) {
  AudioBuffer one = *AudioBuffer::Create(2, 1, 44100);
  one.mutable_channel(0)[0] = 0.5f;
  EXPECT_TRUE(MasterMix(one, {}).ok());
  AudioBuffer mono = *AudioBuffer::Create(1, 44100, 44100);
  Random random(3);
  for (float& x : mono.mutable_channel(0)) x = static_cast<float>(0.1 * random.Normal());
  const absl::StatusOr<AudioBuffer> out = MasterMix(mono, {});
  ASSERT_TRUE(out.ok());
  EXPECT_NEAR(*IntegratedLufs(*out), -16, 0.6);
}

TEST(MasterTest, SameMixSameBytes) {
  const AudioBuffer mix = Groove(2, 0);
  const absl::StatusOr<AudioBuffer> a = MasterMix(mix, {}), b = MasterMix(mix, {});
  ASSERT_TRUE(a.ok() && b.ok());
  EXPECT_EQ(std::memcmp(a->planar().data(), b->planar().data(), a->planar().size_bytes()), 0);
}

TEST(MasterTest, RefusesWhatItCannotMaster) {
  const AudioBuffer mix = Groove(0.5, 0);
  const auto code = [&](const std::function<void(Mastering&)>& spoil) {
    Mastering mastering;
    spoil(mastering);
    return ErrorCode(MasterMix(mix, mastering).status());
  };
  EXPECT_EQ(code([](Mastering& m) { m.target_lufs = 3; }), "bad_mastering");
  EXPECT_EQ(code([](Mastering& m) { m.true_peak_dbtp = NAN; }), "bad_mastering");
  EXPECT_EQ(code([](Mastering& m) { m.glue = -1; }), "bad_mastering");
  EXPECT_EQ(code([](Mastering& m) { m.width = 9; }), "bad_mastering");
  EXPECT_EQ(ErrorCode(MasterMix(*AudioBuffer::Create(2, 0, 44100), {}).status()), "bad_audio");
  EXPECT_EQ(ErrorCode(MasterMix(*AudioBuffer::Create(3, 100, 44100), {}).status()), "bad_audio");
  AudioBuffer nan = mix;
  nan.mutable_channel(1)[7] = NAN;
  EXPECT_EQ(ErrorCode(MasterMix(nan, {}).status()), "bad_audio");
}

TEST(MasterTest, CancelStops) {
  RunOptions run;
  run.cancel.Cancel();
  EXPECT_TRUE(absl::IsCancelled(MasterMix(Groove(1, 0), {}, run).status()));
}

}  // namespace
}  // namespace grym
