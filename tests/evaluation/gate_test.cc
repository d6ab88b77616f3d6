#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/random.h"
#include "grymsynth/audio_file.h"
#include "grymsynth/error.h"
#include "grymsynth/evaluation.h"
#include "support/damage.h"

namespace grym {
namespace {

using testing::AtRate;
using testing::Recording;
using testing::WithClipping;
using testing::WithGain;

AudioBuffer SoftTone(double seconds) {
  auto audio = AudioBuffer::Create(2, static_cast<int64_t>(seconds * 44100), 44100).value();
  Random random(5);
  for (int64_t n = 0; n < audio.frames(); ++n) {
    const double t = static_cast<double>(n) / 44100;
    for (int c = 0; c < 2; ++c) {
      audio.mutable_channel(c)[static_cast<size_t>(n)] =
          static_cast<float>(0.2 * std::sin(2 * M_PI * 220 * t) + 0.0005 * random.Normal());
    }
  }
  return audio;
}

std::vector<std::string> Failures(const AudioBuffer& audio, const GateWants& wants = {}) {
  const GateReport report = CheckTake(audio, wants).value();
  EXPECT_EQ(report.passed, report.failures.empty());
  EXPECT_EQ(report.texts.size(), report.failures.size());
  return report.failures;
}

using Names = std::vector<std::string>;

TEST(CheckTakeTest, PassesAGoodTake) { EXPECT_EQ(Failures(SoftTone(2)), Names{}); }

TEST(CheckTakeTest, FindsEachFault) {
  AudioBuffer audio = SoftTone(2);
  audio.mutable_channel(1)[500] = std::numeric_limits<float>::infinity();
  EXPECT_EQ(Failures(audio), Names{"non_finite"});

  EXPECT_EQ(Failures(AudioBuffer::Create(2, 44100, 44100).value()), Names{"silence"});
  EXPECT_EQ(Failures(AudioBuffer()), Names{"silence"});

  audio = SoftTone(2);
  for (float& sample : audio.mutable_planar()) sample = std::clamp(8 * sample, -1.0f, 1.0f);
  EXPECT_EQ(Failures(audio), Names{"clipping"});

  audio = SoftTone(2);
  for (float& sample : audio.mutable_planar()) sample += 0.05f;
  EXPECT_EQ(Failures(audio), Names{"dc"});

  audio = SoftTone(2);  // blocks of a quarter second that do not join: +-0.075 in turns
  for (size_t n = 0; n < audio.channel(0).size(); ++n)
    audio.mutable_channel(0)[n] += n / 11025 % 2 == 0 ? 0.075f : -0.075f;
  EXPECT_EQ(Failures(audio), Names{"ticking"});

  audio = SoftTone(2);
  for (size_t n = 4410; n < audio.channel(0).size(); n += 22050) audio.mutable_channel(0)[n] += 0.2f;
  EXPECT_EQ(Failures(audio), Names{"ticking"});

  GateWants wants;
  wants.duration_s = 2.5;
  EXPECT_EQ(Failures(SoftTone(2), wants), Names{"duration"});
  wants.duration_s = 2.02;
  EXPECT_EQ(Failures(SoftTone(2), wants), Names{});
}

TEST(CheckTakeTest, ATakeThatIsMostlySilenceIsSilence) {
  const auto tone_of = [](double seconds) {
    AudioBuffer audio = SoftTone(10);
    for (int c = 0; c < 2; ++c) {
      const auto samples = audio.mutable_channel(c);
      std::fill(samples.begin() + static_cast<std::ptrdiff_t>(seconds * 44100), samples.end(), 0.0f);
    }
    return audio;
  };
  EXPECT_EQ(Failures(tone_of(1)), Names{"silence"});
  EXPECT_EQ(Failures(tone_of(4)), Names{"silence"});
  EXPECT_EQ(Failures(tone_of(6)), Names{});
}

TEST(CheckTakeTest, RealRecordingsDoNotTick) {
  GRYM_NEED_SHARED_AUDIO();
  for (const char* name :
       {"real/hiphop.mp3", "real/drumtrack.mp3", "real/acoustic-drums.flac", "real/loop_amen.flac",
        "real/loop_breakbeat.flac", "real/loop_mika.flac", "real/loop_perc1.flac", "real/loop_industrial.flac",
        "real/admiralbob77_-_Choice_-_Drum-bass.ogg", "real/198-209-0000.ogg", "real/sir_duke_fast.ogg",
        "synthetic/drums_88_straight.ogg", "synthetic/drums_123_swing.ogg"}) {
    for (const std::string& failure : Failures(LoadAudio(testing::SharedAudio(name)).value())) {
      EXPECT_NE(failure, "ticking") << name;
    }
  }
}

TEST(CheckTakeTest, ClippingIsFoundHoweverHard) {
  GRYM_NEED_SHARED_AUDIO();
  const AudioBuffer waltz = Recording("real/147793__setuniman__sweet-waltz-0i-22mi.ogg", 5);
  for (const double db : {12, 24, 36, 48, 60, 70}) {
    const AudioBuffer clipped = WithGain(WithClipping(waltz, db, true), -6);
    EXPECT_THAT(Failures(clipped), ::testing::Contains("clipping")) << db;
    EXPECT_THAT(Failures(WithGain(AtRate(clipped, 48000), -6)), ::testing::Contains("clipping")) << db << ", resampled";
  }
}

// What an oscillator makes is meant: at one pitch or as a melody, even or as narrow pulses.
TEST(CheckTakeTest, SquareWavesAreNotClipped) {
  for (const double width : {0.5, 0.2}) {
    AudioBuffer audio = AudioBuffer::Create(1, 3 * 44100, 44100).value();
    double phase = 0;
    for (int64_t n = 0; n < audio.frames(); ++n) {
      phase += 110 * std::exp2(static_cast<double>(n / 11025 * 7 % 12) / 12) / 44100;
      phase -= std::floor(phase);
      audio.mutable_channel(0)[static_cast<size_t>(n)] = phase < width ? 0.5f : -0.5f;
    }
    for (const std::string& failure : Failures(audio)) EXPECT_NE(failure, "clipping") << width;
  }
}

TEST(CheckTakeTest, HearsTheWrongTempoAndKey) {
  GRYM_NEED_SHARED_AUDIO();
  const AudioBuffer drums = LoadAudio(testing::SharedAudio("synthetic/drums_88_straight.ogg")).value();
  GateWants wants;
  wants.tempo_bpm = 88;
  EXPECT_EQ(Failures(drums, wants), Names{});
  wants.tempo_bpm = 100;
  EXPECT_EQ(Failures(drums, wants), Names{"tempo"});

  const AudioBuffer keyed = LoadAudio(testing::SharedAudio("synthetic/key_D_major.ogg")).value();
  wants = {};
  wants.key = "D major";
  EXPECT_EQ(Failures(keyed, wants), Names{});
  wants.key = "B minor";  // its relative
  EXPECT_EQ(Failures(keyed, wants), Names{});
  wants.key = "F minor";
  EXPECT_EQ(Failures(keyed, wants), Names{"key"});
}

TEST(CheckTakeTest, RejectsAnUnknownKey) {
  GateWants wants;
  wants.key = "H flat";
  EXPECT_EQ(CheckTake(SoftTone(1), wants).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(CheckTakeTest, RejectsWantsThatNothingMeets) {
  for (const double value : {0.0, -5.0, std::nan(""), std::numeric_limits<double>::infinity()}) {
    GateWants tempo, duration;
    tempo.tempo_bpm = value;
    duration.duration_s = value;
    EXPECT_EQ(ErrorCode(CheckTake(SoftTone(1), tempo).status()), "bad_wants") << value;
    EXPECT_EQ(ErrorCode(CheckTake(SoftTone(1), duration).status()), "bad_wants") << value;
  }
}

TEST(CheckTakeTest, StopsWhenCancelled) {
  RunOptions run;
  run.cancel.Cancel();
  EXPECT_EQ(CheckTake(SoftTone(1), {}, run).status().code(), absl::StatusCode::kCancelled);
}

}  // namespace
}  // namespace grym
