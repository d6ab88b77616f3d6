#include "evaluation/likeness.h"

#include <gtest/gtest.h>

#include "analysis/enhance/enhance.h"
#include "base/format.h"
#include "evaluation/compare.h"
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
