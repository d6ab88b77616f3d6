#include "evaluation/likeness.h"

#include <gtest/gtest.h>

#include <cmath>

#include "analysis/enhance/enhance.h"
#include "base/format.h"
#include "base/random.h"
#include "evaluation/compare.h"
#include "evaluation/pictures.h"
#include "evaluation/pieces.h"
#include "support/damage.h"
#include "support/scratch.h"

namespace grym {
namespace {

using namespace testing;  // NOLINT: the damage and the pieces, and nothing else

struct Song {
  std::string name;
  TakeMeasures measures;
};

// The score's own limit for another song; every pair is tried in both orders.
void ExpectOtherSongs(const std::vector<Song>& songs) {
  for (const Song& a : songs) {
    for (const Song& b : songs) {
      if (a.name == b.name) continue;
      EXPECT_LT(CompareMeasured(a.measures, b.measures).value().quality_score, 0.3) << a.name << " and " << b.name;
    }
  }
}

// Those that share the most: the same genre, tempo, key and instruments.
TEST(LikenessTest, PiecesOfOneGenreTempoAndKeyAreOtherSongs) {
  for (const auto& [genre, seeds] : std::vector<std::pair<const char*, std::vector<int>>>{
           {"techno", {2, 3, 5, 6}}, {"ambient", {2, 6}}, {"funk", {2, 4}}, {"pop", {3, 4}}}) {
    std::vector<Song> songs;
    for (const int seed : seeds) {
      songs.push_back({Formatted("%s %d", genre, seed), MeasureTake(Piece(genre, seed)).value()});
    }
    ExpectOtherSongs(songs);
  }
}

// Recordings, and what is nearly alike among the rendered ones: clicks and beats at other tempos, one progression in
// neighbouring keys, all cut to their first seconds.
TEST(LikenessTest, OtherRecordingsAreOtherSongs) {
  GRYM_NEED_SHARED_AUDIO();
  std::vector<Song> songs;
  std::vector<const char*> names(std::begin(kRecordings), std::end(kRecordings));
  for (const char* name :
       {"real/loop_amen.flac", "real/loop_industrial.flac", "real/loop_mehackit2.flac", "real/198-209-0000.ogg",
        "synthetic/click_96.5.flac", "synthetic/click_128.flac", "synthetic/click_174.flac",
        "synthetic/drums_88_straight.ogg", "synthetic/drums_123_swing.ogg", "synthetic/key_C_major.ogg",
        "synthetic/key_D_major.ogg", "synthetic/key_G_major.ogg"}) {
    names.push_back(name);
  }
  for (const char* name : names) songs.push_back({name, MeasureTake(Recording(name)).value()});
  ExpectOtherSongs(songs);
}

// Three voices of random notes, which never return: long music that is cheap to make.
AudioBuffer LongMusic(double seconds, uint64_t seed) {
  constexpr int kRateHz = 8000;
  AudioBuffer audio = AudioBuffer::Create(1, static_cast<int64_t>(seconds * kRateHz), kRateHz).value();
  const std::span<float> samples = audio.mutable_channel(0);
  Random random(seed);
  for (const size_t note_frames : {1600, 2700, 5900}) {
    for (size_t start = 0; start < samples.size(); start += note_frames) {
      const double step = 2 * M_PI * 110 * std::exp2(std::floor(random.Uniform() * 36) / 12) / kRateHz;
      // A damped oscillator: y[n] = 2 r cos(step) y[n-1] - r^2 y[n-2].
      const double r = 0.9995;
      double before = 0, now = 0.3 * std::sin(step);
      for (size_t n = start; n < std::min(samples.size(), start + note_frames); ++n) {
        samples[n] += static_cast<float>(now);
        const double next = 2 * r * std::cos(step) * now - r * r * before;
        before = now;
        now = next;
      }
    }
  }
  return audio;
}

TakeMeasures PicturesOf(const AudioBuffer& audio) {
  TakeMeasures measures;
  measures.silent = false;
  measures.duration_s = audio.duration_s();
  measures.channels = 1;
  measures.bands = MakeBandPicture(audio).value();
  measures.fine = MakeFineSpectrum(audio).value();
  return measures;
}

TEST(LikenessTest, LongMusicIsFoundHoweverLong) {
  const AudioBuffer music = LongMusic(400, 1);
  const int rate = music.rate_hz();
  const auto seconds = [&](double from, double length) {
    return PicturesOf(music.Slice(static_cast<int64_t>(from * rate), static_cast<int64_t>(length * rate)));
  };
  const auto expect_same = [](const TakeMeasures& a, const TakeMeasures& b, const char* what) {
    const Likeness likeness = MeasureLikeness(a, b).value();
    EXPECT_GT(likeness.similarity, 0.9) << what;
    EXPECT_GT(likeness.quartile, 0.9) << what;
    EXPECT_GT(likeness.detail, 0.9) << what;
    EXPECT_GT(likeness.held, 0.99) << what;
    EXPECT_LT(likeness.drift_s, 0.01) << what;
    EXPECT_LT(likeness.bent, 0.05) << what;
  };
  const TakeMeasures below = seconds(0, 119.98), above = seconds(0, 120.04), whole = seconds(0, 399);
  expect_same(below, above, "on either side of two minutes");
  expect_same(above, below, "on either side of two minutes, turned round");
  expect_same(whole, seconds(0.03, 399), "30 ms later");
  expect_same(whole, seconds(0.1, 399), "100 ms later");
  const Likeness other = MeasureLikeness(whole, PicturesOf(LongMusic(399, 2))).value();
  EXPECT_LT(other.quartile, 0.7);
  EXPECT_LT(other.detail, 0.7);
  // Twelve seconds left out: all but those and what is about the cut is found.
  AudioBuffer cut = AudioBuffer::Create(1, music.frames() - 12 * rate, rate).value();
  const std::span<const float> from = music.channel(0);
  std::copy(from.begin(), from.begin() + 200 * rate, cut.mutable_channel(0).begin());
  std::copy(from.begin() + 212 * rate, from.end(), cut.mutable_channel(0).begin() + 200 * rate);
  const Likeness shorter = MeasureLikeness(PicturesOf(music), PicturesOf(cut)).value();
  EXPECT_GT(shorter.held, 0.95);
  EXPECT_LT(shorter.held, 0.98);
}

class SameMusicTest : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    GRYM_NEED_SHARED_AUDIO();
    audio_ = Recording(GetParam());
    measures_ = MeasureTake(audio_).value();
  }
  void ExpectSame(const AudioBuffer& changed, const char* how, double least = 0.9) {
    const Comparison comparison = CompareMeasured(measures_, MeasureTake(changed).value()).value();
    EXPECT_GT(comparison.parts.back().score, least) << how << ": " << comparison.parts.back().text;
    EXPECT_GT(comparison.quality_score, 0.3) << how;
  }
  AudioBuffer audio_;
  TakeMeasures measures_;
};

TEST_P(SameMusicTest, StaysUnderModestChange) {
  Scratch scratch;
  ExpectSame(WithGain(audio_, -12), "12 dB softer");
  ExpectSame(WithLowPass(audio_, 7000), "nothing above 7 kHz");
  ExpectSame(AtRate(AtRate(audio_, 22050), audio_.rate_hz()), "22.05 kHz and back");
  ExpectSame(audio_.ToMono(), "mono");
  ExpectSame(OnceCoded(audio_, scratch.path()), "coded with loss");
  EnhanceParams params;
  params.level = 1;
  ExpectSame(EnhanceAudio(audio_, params).value().audio, "repaired at full level");
  ExpectSame(Detuned(audio_, 20), "20 cents higher and faster");
}

TEST_P(SameMusicTest, StaysInTheEnhancedTake) {
  ExpectSame(EnhancedTake(audio_, 1), "enhanced take with its parts at their loudest");
}

INSTANTIATE_TEST_SUITE_P(Music, SameMusicTest,
                         ::testing::Values("real/hiphop.mp3", "real/359628__mtg__sax-tenor-d-minor.flac"),
                         [](const auto& recording) {
                           return Formatted("recording%d", static_cast<int>(recording.index));
                         });

}  // namespace
}  // namespace grym
