#include "generation/score.h"

#include <gtest/gtest.h>

namespace grym {
namespace {

Score TwoParts() {
  Score score;
  score.tempo_bpm = 97;
  score.meter = 3;
  InstrumentPart drums, lead;
  drums.stem = "drums";
  drums.midi_channel = 9;
  lead.stem = "lead";
  lead.midi_program = 73;
  lead.midi_channel = 2;
  for (int i = 0; i < 12; ++i) {
    ScoreNote note;
    note.start_s = i * 60 / 97.0 + 0.004 * (i % 3);  // humanised
    note.duration_s = 0.2 + 0.01 * i;
    note.pitch = i % 2 == 0 ? 36 : 38;
    note.velocity = 0.5f + 0.04f * static_cast<float>(i);
    drums.notes.push_back(note);
    note.pitch = 60 + i;
    lead.notes.push_back(note);
  }
  score.parts = {drums, lead};
  return score;
}

TEST(ScoreTest, MidiReadsBackAsItWasWritten) {
  const Score score = TwoParts();
  const absl::StatusOr<std::string> bytes = SerializeMidi(ScoreToMidi(score));
  ASSERT_TRUE(bytes.ok()) << bytes.status();
  const absl::StatusOr<Midi> midi = ParseMidi(*bytes);
  ASSERT_TRUE(midi.ok()) << midi.status();
  ASSERT_FALSE(midi->tempi.empty());
  EXPECT_NEAR(midi->tempi[0].tempo_bpm, 97, 0.001);
  ASSERT_FALSE(midi->meters.empty());
  EXPECT_EQ(midi->meters[0].numerator, 3);
  ASSERT_EQ(midi->notes.size(), 24u);
  int drums = 0;
  for (const MidiNote& note : midi->notes) {
    const InstrumentPart& part = score.parts[note.channel == 9 ? 0 : 1];
    drums += note.channel == 9 ? 1 : 0;
    bool found = false;
    for (const ScoreNote& written : part.notes) {
      found = found || (written.pitch == note.pitch && std::abs(written.start_s - note.start_s) < 0.002 &&
                        std::abs(written.duration_s - note.duration_s) < 0.003 &&
                        std::abs(127 * written.velocity - note.velocity) <= 0.51);
    }
    EXPECT_TRUE(found) << note.start_s << " " << note.pitch;
  }
  EXPECT_EQ(drums, 12);
  bool named = false;
  for (const MidiTrack& track : midi->tracks) named = named || (track.name == "lead" && track.program == 73);
  EXPECT_TRUE(named);
}

TEST(ScoreTest, NotesAreSortedAndTheEndIsTheLastNoteOff) {
  const Midi midi = ScoreToMidi(TwoParts());
  for (size_t i = 1; i < midi.notes.size(); ++i) EXPECT_LE(midi.notes[i - 1].start_s, midi.notes[i].start_s);
  EXPECT_NEAR(midi.duration_s, 11 * 60 / 97.0 + 0.008 + 0.31, 1e-9);
}

TEST(ScoreTest, EmptyScoreIsAnEmptyPiece) {
  const Midi midi = ScoreToMidi(Score());
  EXPECT_TRUE(midi.notes.empty());
  EXPECT_EQ(midi.duration_s, 0);
}

}  // namespace
}  // namespace grym
