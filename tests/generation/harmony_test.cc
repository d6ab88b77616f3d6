#include "generation/harmony.h"

#include <cstdlib>

#include "generation/genre.h"
#include "gtest/gtest.h"

namespace grym {
namespace {

TEST(HarmonyTest, EveryProgressionOfEveryGenreIsReadable) {
  for (const Genre* genre : AllGenres()) {
    for (const bool minor : {false, true}) {
      ASSERT_FALSE((minor ? genre->minor : genre->major).empty()) << genre->name;
      for (std::string text : minor ? genre->minor : genre->major) {
        std::string word;
        for (const char c : text + " ") {
          if (c != ' ' && c != '_') {
            word += c;
            continue;
          }
          EXPECT_TRUE(ChordFromRoman(word, {0, minor}).ok()) << genre->name << ": " << word;
          word.clear();
        }
      }
    }
  }
}

TEST(HarmonyTest, NumeralsFollowTheKey) {
  EXPECT_EQ(ChordFromRoman("V7", {9, true})->label, "E7");
  EXPECT_EQ(ChordFromRoman("VI", {9, true})->label, "F");
  EXPECT_EQ(ChordFromRoman("bVII", {0, false})->label, "A#");
  EXPECT_EQ(ChordFromRoman("iio7", {9, true})->label, "Bm7b5");
  EXPECT_FALSE(ChordFromRoman("H", {0, false}).ok());
  EXPECT_FALSE(ChordFromRoman("", {0, false}).ok());
}

TEST(HarmonyTest, LabelsRoundTrip) {
  for (const char* label : {"C", "F#m", "A#maj7", "Gsus4", "Dm7b5"}) EXPECT_EQ(ChordFromLabel(label)->label, label);
  EXPECT_EQ(ChordFromLabel("Bb")->root, 10);
  EXPECT_FALSE(ChordFromLabel("N").ok());
  EXPECT_FALSE(ChordFromLabel("").ok());
}

TEST(HarmonyTest, VoicesMoveLittleAndStayInRange) {
  std::vector<int> previous;
  for (const char* label : {"C", "Am", "F", "G7", "C"}) {
    const auto chord = ChordFromLabel(label);
    const std::vector<int> pitches = VoiceChord(*chord, previous, 52, 76, 4);
    ASSERT_GE(pitches.size(), 3u);
    for (size_t i = 0; i < pitches.size(); ++i) {
      EXPECT_TRUE(chord->contains(pitches[i]) && pitches[i] >= 52 && pitches[i] <= 76);
      if (i < previous.size()) {
        EXPECT_LE(std::abs(pitches[i] - previous[i]), 5);
      }
    }
    previous = pitches;
  }
}

TEST(HarmonyTest, AChordWithoutTonesHasNoVoicing) {
  EXPECT_TRUE(VoiceChord(ChordTones(), {60, 64}, 52, 76, 4).empty());
}

TEST(HarmonyTest, KeyOfACMajorScaleIsCMajor) {
  const MusicalKey key = KeyOfProfile({4, 0, 1, 0, 2, 1.5, 0, 3, 0, 1, 0, 1});
  EXPECT_EQ(key.tonic, 0);
  EXPECT_FALSE(key.minor);
}

}  // namespace
}  // namespace grym
