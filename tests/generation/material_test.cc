// What a MIDI file, patterns, the temperature and the quality tier do to a piece.
#include "generation/material.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "analysis/enhance/loudness_gain.h"
#include "generation/composer.h"
#include "gmock/gmock.h"
#include "grymsynth/error.h"
#include "gtest/gtest.h"
#include "support/scratch.h"

namespace grym {
namespace {

constexpr double kBeatS = 0.6;  // 100 bpm
const std::vector<double> kMotifBeats = {1.5, 0.5, 0.75, 0.25, 1, 2};

// Two rounds of C major, A minor, F major, G major, a bar each, under a motif in the upper voice.
Midi Reference() {
  Midi midi;
  midi.tempi = {{0, 100}};
  midi.meters = {{0, 4, 4}};
  midi.tracks = {{"chords", 0}, {"lead", 73}};
  const std::vector<std::vector<int>> chords = {{48, 52, 55}, {45, 48, 52}, {53, 57, 60}, {47, 50, 55}};
  for (int bar = 0; bar < 8; ++bar) {
    for (const int pitch : chords[static_cast<size_t>(bar % 4)])
      midi.notes.push_back({bar * 4 * kBeatS, 3.9 * kBeatS, pitch, 80, 0, 0});
  }
  const std::vector<int> line = {76, 79, 76, 74, 72, 69};
  double beat = 0;
  for (size_t i = 0; i < line.size(); ++i) {
    midi.notes.push_back({beat * kBeatS, 0.95 * kMotifBeats[i] * kBeatS, line[i], 100, 1, 1});
    beat += kMotifBeats[i];
  }
  std::sort(midi.notes.begin(), midi.notes.end(), [](const MidiNote& a, const MidiNote& b) {
    return a.start_s != b.start_s ? a.start_s < b.start_s : a.pitch < b.pitch;
  });
  midi.duration_s = 32 * kBeatS;
  return midi;
}

absl::StatusOr<GenerateAudioResult> Compose(const GenerateAudioRequest& request) {
  return (*MakeComposer()->NewGenerator())->Generate(request, {});
}

GenerateAudioRequest PopRequest(double duration_s) {
  GenerateAudioRequest request;
  request.prompt = "pop";
  request.duration_s = duration_s;
  request.seed = 5;
  return request;
}

std::vector<MidiNote> NotesOf(const GenerateAudioResult& made, const std::string& track) {
  std::vector<MidiNote> notes;
  for (const MidiNote& note : made.midi->notes) {
    if (made.midi->tracks[static_cast<size_t>(note.track)].name == track) notes.push_back(note);
  }
  return notes;
}

// How often the lead states the motif's rhythm (its first five distances).
int Statements(const GenerateAudioResult& made) {
  const std::vector<MidiNote> lead = NotesOf(made, "lead");
  const double beat_s = 60 / std::atof(made.facts.at("tempo_bpm").c_str());
  int count = 0;
  for (size_t i = 0; i + 5 < lead.size(); ++i) {
    bool same = true;
    for (size_t k = 0; k < 5; ++k)
      same = same && std::abs((lead[i + k + 1].start_s - lead[i + k].start_s) / beat_s - kMotifBeats[k]) < 0.12;
    count += same;
  }
  return count;
}

TEST(ReferenceMidiTest, StrengthSaysHowMuchIsTaken) {
  const testing::Scratch scratch;
  GenerateAudioRequest request = PopRequest(30);
  auto alone = Compose(request);
  ASSERT_TRUE(alone.ok()) << alone.status();
  ASSERT_TRUE(SaveMidi(scratch / "reference.mid", Reference()).ok());
  request.reference_midi = scratch / "reference.mid";
  std::map<double, GenerateAudioResult> made;
  for (const double strength : {0.0, 0.2, 0.5, 1.0}) {
    request.reference_strength = strength;
    auto result = Compose(request);
    ASSERT_TRUE(result.ok()) << result.status();
    made[strength] = *std::move(result);
  }
  EXPECT_TRUE(std::equal(alone->audio.planar().begin(), alone->audio.planar().end(), made[0].audio.planar().begin(),
                         made[0].audio.planar().end()));
  for (const double strength : {0.2, 0.5, 1.0}) {
    EXPECT_EQ(made[strength].facts["tempo_bpm"], "100") << strength;
    EXPECT_EQ(made[strength].facts["key"], "C major") << strength;
    EXPECT_EQ(made[strength].facts["chords"].starts_with("C Am F G C Am F G"), strength >= 0.25)
        << made[strength].facts["chords"];
  }
  EXPECT_EQ(Statements(made[0]), 0);
  EXPECT_GE(Statements(made[0.5]), 1);
  EXPECT_GT(Statements(made[1]), Statements(made[0.5]));
}

TEST(ReferenceMidiTest, AnEmptyOrMissingFileIsSaid) {
  const testing::Scratch scratch;
  GenerateAudioRequest request = PopRequest(4);
  request.reference_midi = scratch / "none.mid";
  EXPECT_EQ(Compose(request).status().code(), absl::StatusCode::kNotFound);
  Midi empty;
  empty.tracks = {{"nothing", 0}};
  ASSERT_TRUE(SaveMidi(scratch / "empty.mid", empty).ok());
  request.reference_midi = scratch / "empty.mid";
  auto made = Compose(request);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_THAT(made->warnings, ::testing::Contains(::testing::HasSubstr("no pitched notes")));
}

TEST(PatternMaterialTest, ChordsRhythmMotifTempoAndKeyAreUsed) {
  AudioPattern chords, rhythm, motif;
  chords.kind = PatternKind::kHarmonic;
  chords.strength = 0.9;
  chords.chords = {"Em", "C", "G", "D"};
  chords.chord_beats = 4;
  chords.key = "E minor";
  rhythm.kind = PatternKind::kRhythmic;
  rhythm.strength = 0.8;
  rhythm.tempo_bpm = 93;
  rhythm.meter = 4;
  rhythm.onset_grid = {1, 0, 0, 0.8f, 0, 0, 0.9f, 0, 0, 0, 0.8f, 0, 0, 1, 0, 0};
  motif.kind = PatternKind::kMelodic;
  motif.strength = 0.7;
  motif.intervals = {0, 3, 2, 0, -2, -5};
  motif.durations_beats = kMotifBeats;
  GenerateAudioRequest request = PopRequest(24);
  request.patterns = {motif, rhythm, chords};
  auto made = Compose(request);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(made->facts["tempo_bpm"], "93");
  EXPECT_EQ(made->facts["key"], "E minor");
  EXPECT_TRUE(made->facts["chords"].starts_with("Em C G D")) << made->facts["chords"];
  EXPECT_GE(Statements(*made), 2);
  std::set<int> steps;  // where the congas, which only the rhythm brings, are heard
  const double step_s = 60.0 / 93 / 4;
  for (const MidiNote& note : NotesOf(*made, "drums")) {
    if (note.pitch == 63 || note.pitch == 64) steps.insert(static_cast<int>(std::lround(note.start_s / step_s)) % 16);
  }
  EXPECT_EQ(steps, (std::set<int>{0, 3, 6, 10, 13}));
}

// Bars of the drums, told apart by what is hit on which step, as a share of all.
double DifferentBars(double temperature) {
  GenerateAudioRequest request;
  request.parameters["genre"] = "hip hop";
  request.duration_s = 40;
  request.seed = 8;
  request.temperature = temperature;
  auto made = Compose(request);
  EXPECT_TRUE(made.ok()) << made.status();
  const double step_s = 60 / std::atof(made->facts["tempo_bpm"].c_str()) / 4;
  std::map<int, std::set<std::pair<int, int>>> hits;
  for (const MidiNote& note : NotesOf(*made, "drums")) {
    const int step = static_cast<int>(std::lround(note.start_s / step_s));
    hits[step / 16].insert({step % 16, note.pitch});
  }
  std::set<std::set<std::pair<int, int>>> different;
  for (const auto& [bar, hit] : hits) different.insert(hit);
  return static_cast<double>(different.size()) / static_cast<double>(hits.size());
}

TEST(TemperatureTest, MoreOfItVariesMore) {
  EXPECT_LT(DifferentBars(0), DifferentBars(2));
}

TEST(TemperatureTest, BeyondTwoIsRefusedOrSaid) {
  GenerateAudioRequest request = PopRequest(2);
  request.temperature = 3;
  EXPECT_EQ(ErrorCode(Compose(request).status()), "unsupported_field");
  request.allow_unsupported = true;
  auto made = Compose(request);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_THAT(made->warnings, ::testing::Contains(::testing::HasSubstr("temperature")));
}

}  // namespace
}  // namespace grym
