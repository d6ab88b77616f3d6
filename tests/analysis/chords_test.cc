#include <gtest/gtest.h>

#include "analysis/tonal.h"

namespace grym {
namespace {

constexpr double kRate = 10;  // frames a second

// `seconds` of the pitch classes `notes` over the bass `root`.
void Play(ChromaFrames& chroma, double seconds, const std::vector<int>& notes, int root, float level = 1) {
  chroma.rate_hz = kRate;
  for (int i = 0; i < static_cast<int>(seconds * kRate); ++i) {
    Chroma treble{}, bass{};
    for (const int note : notes) treble[static_cast<size_t>(note)] = level;
    bass[static_cast<size_t>(root)] = level;
    chroma.treble.push_back(treble);
    chroma.bass.push_back(bass);
    chroma.level.push_back(level * level);
  }
}

std::string LabelAt(const std::vector<Chord>& chords, double time_s) {
  for (const Chord& chord : chords) {
    if (time_s >= chord.start_s && time_s < chord.end_s) return chord.label;
  }
  return "";
}

std::vector<double> Every(double step_s, double until_s) {
  std::vector<double> times;
  for (double t = 0; t < until_s; t += step_s) times.push_back(t);
  return times;
}

TEST(ChordsTest, EveryKindOnEveryRoot) {
  const std::vector<std::pair<std::string, std::vector<int>>> kinds = {
      {"", {0, 4, 7}}, {"m", {0, 3, 7}}, {"7", {0, 4, 7, 10}}, {"maj7", {0, 4, 7, 11}}, {"m7", {0, 3, 7, 10}},
      {"dim", {0, 3, 6}}};
  const std::vector<double> beats = Every(0.5, 4);
  for (const auto& [suffix, degrees] : kinds) {
    for (int root = 0; root < 12; ++root) {
      std::vector<int> notes;
      for (const int degree : degrees) notes.push_back((root + degree) % 12);
      ChromaFrames chroma;
      Play(chroma, 4, notes, root);
      const std::vector<Chord> chords = RecogniseChords(chroma, {beats, {}, {}}, 4);
      ASSERT_EQ(chords.size(), 1u);
      const char* const names[] = {"C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B"};
      EXPECT_EQ(chords[0].label, names[root] + suffix);
      EXPECT_GT(chords[0].confidence, 0.5) << chords[0].label;
    }
  }
}

// E and B alone: the key says whether G or G# belongs between them.
TEST(ChordsTest, TheKeyNamesTheThirdOfABareFifth) {
  ChromaFrames chroma;
  Play(chroma, 4, {4, 11}, 4);
  const std::vector<double> beats = Every(0.5, 4);
  EXPECT_EQ(LabelAt(RecogniseChords(chroma, {beats, {}, {"E minor", 0.9}}, 4), 2), "Em");
  EXPECT_EQ(LabelAt(RecogniseChords(chroma, {beats, {}, {"E major", 0.9}}, 4), 2), "E");
  // A minor's dominant is major.
  EXPECT_EQ(LabelAt(RecogniseChords(chroma, {beats, {}, {"A minor", 0.9}}, 4), 2), "E");
}

// Twelve seconds before the first beat are not one chord.
TEST(ChordsTest, ALongBeginningWithoutBeatsHasItsChordsToo) {
  ChromaFrames chroma;
  Play(chroma, 4, {0, 4, 7}, 0);
  Play(chroma, 4, {5, 9, 0}, 5);
  Play(chroma, 8, {7, 11, 2}, 7);
  std::vector<double> beats;
  for (double t = 12; t < 16; t += 0.5) beats.push_back(t);
  const std::vector<Chord> chords = RecogniseChords(chroma, {beats, {}, {}}, 16);
  EXPECT_EQ(LabelAt(chords, 2), "C");
  EXPECT_EQ(LabelAt(chords, 6), "F");
  EXPECT_EQ(LabelAt(chords, 10), "G");
}

// What sounds outweighs the key.
TEST(ChordsTest, AChordOutsideTheKeyIsStillHeard) {
  ChromaFrames chroma;
  Play(chroma, 2, {0, 4, 7}, 0);
  Play(chroma, 2, {8, 0, 3}, 8);
  const std::vector<double> beats = Every(0.5, 4);
  EXPECT_EQ(LabelAt(RecogniseChords(chroma, {beats, {}, {"C major", 1}}, 4), 3), "G#");
}

// A melody's passing tones fill one beat within a bar: that is no chord. The same tones at the beginning of a bar are.
TEST(ChordsTest, ChordsChangeOnTheFirstBeatRatherThanWithinABar) {
  const std::vector<double> beats = Every(0.5, 8), bars = Every(2, 8);
  const auto count_with_change_at = [&](double at_s) {
    ChromaFrames chroma;
    Play(chroma, at_s, {0, 4, 7}, 0);
    for (int i = 0; i < 5; ++i) {  // half a second between C and Am
      Chroma treble{}, bass{};
      treble[0] = treble[4] = treble[9] = 1, treble[7] = 0.8f;
      bass[0] = 1, bass[9] = 0.8f;
      chroma.treble.push_back(treble);
      chroma.bass.push_back(bass);
      chroma.level.push_back(1);
    }
    Play(chroma, 8 - at_s - 0.5, {9, 0, 4}, 9);
    const std::vector<Chord> chords = RecogniseChords(chroma, {beats, bars, {}}, 8);
    return chords.size() == 2 ? chords[1].start_s : -1.0;
  };
  EXPECT_DOUBLE_EQ(count_with_change_at(4), 4);    // the doubtful beat is the first of a bar
  EXPECT_DOUBLE_EQ(count_with_change_at(3.5), 4);  // it is the last of one
}

// The decay after the last beat holds whatever rings longest.
TEST(ChordsTest, AShortEndIsNoChordOfItsOwn) {
  ChromaFrames chroma;
  Play(chroma, 4, {0, 4, 7}, 0);
  Play(chroma, 0.2, {2, 6, 9, 1}, 2, 0.05f);
  const std::vector<double> beats = Every(0.5, 4);
  const std::vector<Chord> chords = RecogniseChords(chroma, {beats, {}, {}}, 4.2);
  ASSERT_EQ(chords.size(), 1u);
  EXPECT_EQ(chords[0].label, "C");
}

TEST(ChordsTest, NothingFlatAndSilenceAreNoChords) {
  EXPECT_TRUE(RecogniseChords({}, {}, 4).empty());
  ChromaFrames flat;
  Play(flat, 4, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, 0);
  for (const Chord& chord : RecogniseChords(flat, {}, 4)) EXPECT_EQ(chord.label, "N");
  // Nor does a key make one of them, or of a single note.
  for (const Chord& chord : RecogniseChords(flat, {{}, {}, {"C major", 1}}, 4)) EXPECT_EQ(chord.label, "N");
  ChromaFrames note;
  Play(note, 2, {0}, 0);
  Play(note, 2, {2}, 2);
  for (Chroma& bass : note.bass) bass = {};
  for (const Chord& chord : RecogniseChords(note, {{}, {}, {"C major", 1}}, 4)) EXPECT_EQ(chord.label, "N");
  ChromaFrames pause;
  Play(pause, 2, {0, 4, 7}, 0);
  Play(pause, 2, {7, 11, 2}, 7, 1e-4f);
  EXPECT_EQ(LabelAt(RecogniseChords(pause, {}, 4), 1), "C");
  EXPECT_EQ(LabelAt(RecogniseChords(pause, {}, 4), 3), "N");
}

}  // namespace
}  // namespace grym
