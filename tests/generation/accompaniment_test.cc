#include "generation/accompaniment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace grym {
namespace {

// Sixteen bars at 120 bpm in C major whose chords, four beats each, are heard without confidence.
AudioFeatures UnclearChords(const std::vector<std::string>& loop) {
  AudioFeatures features;
  features.duration_s = 32;
  features.tempo_bpm = 120;
  features.tempo_confidence = 0.9;
  features.meter = 4;
  features.key = "C major";
  features.key_confidence = 0.8;
  features.tuning_hz = 440;
  for (int beat = 0; beat < 64; ++beat) features.beats_s.push_back(0.5 * beat);
  for (int bar = 0; bar < 16; ++bar) {
    features.downbeats_s.push_back(2.0 * bar);
    Chord chord;
    chord.start_s = 2.0 * bar;
    chord.end_s = 2.0 * bar + 2;
    chord.label = loop[static_cast<size_t>(bar) % loop.size()];
    chord.confidence = 0.2;
    features.chords.push_back(chord);
  }
  return features;
}

GenerateAudioRequest WithLoop(std::vector<std::string> chords) {
  GenerateAudioRequest request;
  request.seed = 1;
  AudioPattern loop;
  loop.kind = PatternKind::kHarmonic;
  loop.key = "C major";
  loop.strength = 0.8;
  loop.chords = std::move(chords);
  loop.chord_beats = 4;
  request.patterns = {loop};
  return request;
}

TEST(AccompanimentTest, AChordLoopStandsInWhereItAgreesWithWhatIsHeard) {
  const AudioFeatures features = UnclearChords({"C", "Am", "F", "G"});
  EXPECT_EQ(Accompany({}, features).basis, "key");
  // Two bars late: its place is found.
  const Accompaniment made = Accompany(WithLoop({"F", "G", "C", "Am"}), features);
  EXPECT_EQ(made.basis, "chords");
  EXPECT_THAT(made.material, ::testing::Contains("chords"));
  const Accompaniment other = Accompany(WithLoop({"D", "E", "B", "F#"}), features);
  EXPECT_EQ(other.basis, "key");
  EXPECT_THAT(other.material, ::testing::Not(::testing::Contains("chords")));
}

}  // namespace
}  // namespace grym
