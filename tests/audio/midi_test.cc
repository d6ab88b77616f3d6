// Standard MIDI Files, both ways: whole pieces, hand-made bytes, damage.
#include "grymsynth/midi.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <tuple>

#include "audio/audio_samples.h"
#include "audio/byte_order.h"
#include "audio/midi_tempo_map.h"
#include "base/random.h"
#include "grymsynth/error.h"
#include "support/scratch.h"

namespace grym {
namespace {

std::string TrackOf(const std::string& body) {
  std::string chunk = "MTrk";
  PutBigEndian(chunk, body.size(), 4);
  return chunk + body;
}

std::string FileOf(int format, int division, const std::vector<std::string>& bodies) {
  std::string file = "MThd";
  PutBigEndian(file, 6, 4);
  PutBigEndian(file, static_cast<uint64_t>(format), 2);
  PutBigEndian(file, bodies.size(), 2);
  PutBigEndian(file, static_cast<uint64_t>(division), 2);
  for (const std::string& body : bodies) file += TrackOf(body);
  return file;
}

std::string B(std::initializer_list<int> bytes) {
  std::string text;
  for (const int byte : bytes) text.push_back(static_cast<char>(byte));
  return text;
}

const std::string kEnd = B({0, 0xff, 0x2f, 0});

TEST(ParseMidiTest, RunningStatusTempoMapAndVelocityZero) {
  // 96 ticks a quarter: a quarter at 120, then 60 bpm from the second quarter on.
  const std::string body = B({0, 0xff, 0x03, 4}) + "lead" + B({0, 0xc0, 81, 0, 0xff, 0x58, 4, 3, 3, 24, 8}) +
                           B({0, 0x90, 60, 100, 96, 60, 0}) +         // running status, velocity 0 ends it
                           B({0, 0xff, 0x51, 3, 0x0f, 0x42, 0x40}) +  // 1,000,000 us
                           B({0, 0x90, 64, 90, 96, 0x80, 64, 0}) + B({0, 0xf0, 3, 1, 2, 0xf7}) + B({96, 0xff, 0x2f, 0});
  const auto midi = ParseMidi(FileOf(0, 96, {body}));
  ASSERT_TRUE(midi.ok()) << midi.status();
  ASSERT_EQ(midi->tracks.size(), 1u);
  EXPECT_EQ(midi->tracks[0].name, "lead");
  EXPECT_EQ(midi->tracks[0].program, 81);
  ASSERT_EQ(midi->notes.size(), 2u);
  EXPECT_DOUBLE_EQ(midi->notes[0].start_s, 0);
  EXPECT_DOUBLE_EQ(midi->notes[0].duration_s, 0.5);
  EXPECT_EQ(midi->notes[0].velocity, 100);
  EXPECT_DOUBLE_EQ(midi->notes[1].start_s, 0.5);
  EXPECT_DOUBLE_EQ(midi->notes[1].duration_s, 1.0);
  ASSERT_EQ(midi->tempi.size(), 1u);
  EXPECT_DOUBLE_EQ(midi->tempi[0].time_s, 0.5);
  EXPECT_DOUBLE_EQ(midi->tempi[0].tempo_bpm, 60);
  ASSERT_EQ(midi->meters.size(), 1u);
  EXPECT_EQ(midi->meters[0].numerator, 3);
  EXPECT_EQ(midi->meters[0].denominator, 8);
  EXPECT_DOUBLE_EQ(midi->duration_s, 2.5);
}

TEST(ParseMidiTest, FirstOnFirstOffAndNotesLeftOpen) {
  const std::string body = B({0, 0x90, 60, 10, 10, 60, 20, 10, 60, 0, 10, 62, 30, 10, 0xff, 0x2f, 0});
  const auto midi = ParseMidi(FileOf(0, 100, {body}));
  ASSERT_TRUE(midi.ok()) << midi.status();
  ASSERT_EQ(midi->notes.size(), 3u);
  const double tick = 0.005;
  EXPECT_NEAR(midi->notes[0].duration_s, 20 * tick, 1e-12);
  EXPECT_EQ(midi->notes[0].velocity, 10);
  EXPECT_NEAR(midi->notes[1].duration_s, 30 * tick, 1e-12);  // to the end of the track
  EXPECT_NEAR(midi->notes[2].duration_s, 10 * tick, 1e-12);
}

TEST(ParseMidiTest, ConductorTrackIsNoTrackAndStrangeChunksAreSkipped) {
  std::string file =
      FileOf(1, 480, {B({0, 0xff, 0x51, 3, 7, 0xa1, 0x20}) + kEnd, B({0, 0x99, 36, 100, 10, 36, 0}) + kEnd});
  auto midi = ParseMidi(file);
  ASSERT_TRUE(midi.ok()) << midi.status();
  EXPECT_EQ(midi->tracks.size(), 1u);
  EXPECT_EQ(midi->notes.at(0).track, 0);
  EXPECT_EQ(midi->notes.at(0).channel, 9);
  std::string strange = "XFIH";
  PutBigEndian(strange, 5, 4);
  file.insert(14, strange + "12345");
  EXPECT_TRUE(ParseMidi(file).ok());
}

TEST(ParseMidiTest, ErrorsNameTheByte) {
  const auto message = [](const std::string& bytes) {
    const absl::Status told = ParseMidi(bytes).status();
    EXPECT_EQ(told.code(), absl::StatusCode::kDataLoss) << told;
    return std::string(told.message());
  };
  EXPECT_NE(message(FileOf(0, 96, {B({0, 60, 100})})).find("byte 23"), std::string::npos);  // data without status
  EXPECT_NE(message(FileOf(0, 96, {B({0, 0x90, 60, 0x90})})).find("byte 25"), std::string::npos);  // status within data
  EXPECT_NE(message(FileOf(0, 96, {B({0, 0xf8})})).find("byte 23"), std::string::npos);            // real time message
  EXPECT_NE(message(FileOf(0, 96, {B({0x81, 0x81, 0x81, 0x81, 1})})).find("byte 25"), std::string::npos);
  EXPECT_NE(message(FileOf(0, 96, {B({0, 0xff, 0x51, 3, 0, 0, 0})})).find("byte 26"), std::string::npos);
  EXPECT_NE(message(FileOf(0, 96, {B({0, 0xff, 0x01, 100, 1})})).find("byte 26"), std::string::npos);
  EXPECT_NE(message(FileOf(0, 0, {kEnd})).find("byte 12"), std::string::npos);
  EXPECT_NE(message(FileOf(0, 96, {kEnd, kEnd})).find("byte 10"), std::string::npos);
  EXPECT_EQ(ParseMidi(FileOf(2, 96, {kEnd})).status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(ParseMidi(FileOf(1, 0xe728, {kEnd})).status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(ParseMidi("RIFF").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ParseMidi("").status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(ParseMidiTest, LimitsHoldOnBothSides) {
  EXPECT_TRUE(ParseMidi(FileOf(1, 96, std::vector<std::string>(1024, kEnd))).ok());
  EXPECT_EQ(ParseMidi(FileOf(1, 96, std::vector<std::string>(1025, kEnd))).status().code(),
            absl::StatusCode::kResourceExhausted);
  std::string many;  // two bytes an event: a program change in running status
  for (int64_t i = 0; i < kMaxMidiEvents - 1; ++i) many += i == 0 ? B({0, 0xc0, 5}) : B({0, 5});
  EXPECT_TRUE(ParseMidi(FileOf(0, 96, {many + kEnd})).ok());
  EXPECT_EQ(ParseMidi(FileOf(0, 96, {many + B({0, 5}) + kEnd})).status().code(), absl::StatusCode::kResourceExhausted);
  std::string large = FileOf(0, 96, {kEnd});
  large.resize(16 << 20, '\0');
  EXPECT_TRUE(ParseMidi(large).ok());
  large.push_back('\0');
  EXPECT_EQ(ParseMidi(large).status().code(), absl::StatusCode::kResourceExhausted);
  // 24 hours at 1 tick a quarter and 120 bpm are 172,800 ticks.
  EXPECT_TRUE(ParseMidi(FileOf(0, 1, {B({0x8a, 0xc6, 0x00, 0xff, 0x2f, 0})})).ok());
  EXPECT_EQ(ParseMidi(FileOf(0, 1, {B({0x8a, 0xc6, 0x01, 0xff, 0x2f, 0})})).status().code(),
            absl::StatusCode::kResourceExhausted);
}

Midi RandomPiece(uint64_t seed) {
  Random random(seed);
  Midi midi;
  midi.ticks_per_quarter = random.Chance(0.5) ? 480 : static_cast<int>(1 + random.Below(960));
  MidiTempoMap map(midi.ticks_per_quarter);
  int64_t tick = 0;
  for (int64_t i = random.Below(4); i > 0; --i) {
    const int64_t us_per_quarter = 200000 + random.Below(1000000);
    map.Add(tick, us_per_quarter);
    midi.tempi.push_back({map.SecondsAt(tick), 60e6 / static_cast<double>(us_per_quarter)});
    tick += 1 + random.Below(5000);
  }
  for (int64_t i = random.Below(3); i > 0; --i)
    midi.meters.push_back({map.SecondsAt(i * 700), static_cast<int>(1 + random.Below(12)), 1 << random.Below(5)});
  std::sort(midi.meters.begin(), midi.meters.end(),
            [](const MidiMeter& a, const MidiMeter& b) { return a.time_s < b.time_s; });
  const auto tracks = static_cast<int>(random.Below(5));
  for (int t = 0; t < tracks; ++t) {
    midi.tracks.push_back(
        {random.Chance(0.7) ? "track " + std::to_string(t) + " é" : "", static_cast<int>(random.Below(128))});
    int64_t now = random.Below(100);
    for (int64_t i = random.Below(60); i > 0;
         --i) {  // one after the other: overlaps of a pitch cannot be told apart in SMF
      const int64_t length = 1 + random.Below(300);
      const double start_s = map.SecondsAt(now);
      midi.notes.push_back({start_s, map.SecondsAt(now + length) - start_s, static_cast<int>(random.Below(128)),
                            static_cast<int>(1 + random.Below(127)), static_cast<int>(random.Below(16)), t});
      now += length + (random.Chance(0.02) ? 300000000 / midi.ticks_per_quarter : random.Below(200));
    }
  }
  std::stable_sort(midi.notes.begin(), midi.notes.end(), [](const MidiNote& a, const MidiNote& b) {
    return std::tie(a.start_s, a.pitch, a.track, a.channel) < std::tie(b.start_s, b.pitch, b.track, b.channel);
  });
  for (const MidiNote& note : midi.notes) midi.duration_s = std::max(midi.duration_s, note.start_s + note.duration_s);
  for (const MidiTempo& tempo : midi.tempi) midi.duration_s = std::max(midi.duration_s, tempo.time_s);
  for (const MidiMeter& meter : midi.meters) midi.duration_s = std::max(midi.duration_s, meter.time_s);
  return midi;
}

TEST(MidiRoundTripTest, PiecesSurviveAndBytesAreStable) {
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    const Midi midi = RandomPiece(seed);
    if (midi.duration_s > kMaxMidiSeconds) continue;
    const auto bytes = SerializeMidi(midi);
    ASSERT_TRUE(bytes.ok()) << bytes.status();
    const auto back = ParseMidi(*bytes);
    ASSERT_TRUE(back.ok()) << seed << back.status();
    EXPECT_EQ(back->ticks_per_quarter, midi.ticks_per_quarter);
    ASSERT_EQ(back->tracks.size(), midi.tracks.size()) << seed;
    for (size_t i = 0; i < midi.tracks.size(); ++i) {
      EXPECT_EQ(back->tracks[i].name, midi.tracks[i].name);
      EXPECT_EQ(back->tracks[i].program, midi.tracks[i].program);
    }
    ASSERT_EQ(back->notes.size(), midi.notes.size()) << seed;
    for (size_t i = 0; i < midi.notes.size(); ++i) {
      const MidiNote &a = midi.notes[i], &b = back->notes[i];
      ASSERT_NEAR(a.start_s, b.start_s, 1e-7) << seed;  // the piece lies on ticks, so only rounding is left
      ASSERT_NEAR(a.duration_s, b.duration_s, 1e-7) << seed;
      ASSERT_EQ(std::tie(a.pitch, a.velocity, a.channel, a.track), std::tie(b.pitch, b.velocity, b.channel, b.track))
          << seed;
    }
    ASSERT_EQ(back->tempi.size(), midi.tempi.size());
    for (size_t i = 0; i < midi.tempi.size(); ++i) {
      EXPECT_NEAR(back->tempi[i].time_s, midi.tempi[i].time_s, 1e-7);
      EXPECT_NEAR(back->tempi[i].tempo_bpm, midi.tempi[i].tempo_bpm, 1e-9);
    }
    ASSERT_EQ(back->meters.size(), midi.meters.size());
    EXPECT_NEAR(back->duration_s, midi.duration_s, 1e-7);
    EXPECT_EQ(SerializeMidi(*back).value(), *bytes) << seed;
  }
}

TEST(SerializeMidiTest, NamesWhatIsOutOfRange) {
  const auto told = [](auto change) {
    Midi midi = RandomPiece(3);
    midi.tracks.resize(1);
    midi.notes = {{0, 1, 60, 64, 0, 0}};
    midi.tempi = {{0, 120}};
    midi.meters = {{0, 4, 4}};
    midi.duration_s = 1;
    change(midi);
    const auto bytes = SerializeMidi(midi);
    EXPECT_EQ(bytes.status().code(), absl::StatusCode::kInvalidArgument);
    return std::string(bytes.status().message());
  };
  const double nan = std::nan("");
  EXPECT_NE(told([](Midi& m) { m.notes[0].pitch = 128; }).find("notes[0].pitch"), std::string::npos);
  EXPECT_NE(told([](Midi& m) { m.notes[0].velocity = 0; }).find("velocity"), std::string::npos);
  EXPECT_NE(told([](Midi& m) { m.notes[0].channel = -1; }).find("channel"), std::string::npos);
  EXPECT_NE(told([](Midi& m) { m.notes[0].track = 1; }).find("track"), std::string::npos);
  EXPECT_NE(told([&](Midi& m) { m.notes[0].start_s = nan; }).find("start_s"), std::string::npos);
  EXPECT_NE(told([&](Midi& m) { m.notes[0].duration_s = -1; }).find("duration_s"), std::string::npos);
  EXPECT_NE(told([&](Midi& m) { m.notes[0].start_s = 86399.5; }).find("duration_s"), std::string::npos);
  EXPECT_NE(told([&](Midi& m) { m.tempi[0].tempo_bpm = 0; }).find("tempo_bpm"), std::string::npos);
  EXPECT_NE(told([&](Midi& m) { m.tempi[0].tempo_bpm = nan; }).find("tempo_bpm"), std::string::npos);
  EXPECT_NE(told([](Midi& m) { m.meters[0].denominator = 3; }).find("meters[0]"), std::string::npos);
  EXPECT_NE(told([](Midi& m) { m.ticks_per_quarter = 0; }).find("ticks_per_quarter"), std::string::npos);
  EXPECT_NE(told([](Midi& m) { m.tracks[0].program = 128; }).find("program"), std::string::npos);
  EXPECT_NE(told([](Midi& m) { m.tracks.resize(1024); }).find("tracks"), std::string::npos);
}

TEST(HostileMidiTest, EveryCutIsAnError) {
  const std::string whole = SerializeMidi(RandomPiece(8)).value();
  ASSERT_GT(whole.size(), 100u);
  for (size_t cut = 0; cut < whole.size(); ++cut) {
    const absl::Status told = ParseMidi(std::string_view(whole).substr(0, cut)).status();
    const bool clear =
        told.code() == absl::StatusCode::kDataLoss || (cut < 4 && told.code() == absl::StatusCode::kInvalidArgument);
    EXPECT_TRUE(clear) << cut << told;
  }
}

TEST(HostileMidiTest, RandomDamageNeverCrashesAndWhatIsReadCanBeWritten) {
  Random random(5);
  for (int round = 0; round < 3000; ++round) {
    std::string bytes = SerializeMidi(RandomPiece(static_cast<uint64_t>(round % 20 + 1))).value();
    for (int64_t i = random.Below(8); i >= 0; --i)
      bytes[static_cast<size_t>(random.Below(static_cast<int64_t>(bytes.size())))] =
          static_cast<char>(random.Below(256));
    const auto midi = ParseMidi(bytes);
    if (!midi.ok()) continue;
    for (const MidiNote& note : midi->notes) {
      ASSERT_TRUE(std::isfinite(note.start_s) && note.duration_s >= 0 && note.pitch < 128 && note.velocity > 0);
      ASSERT_LT(note.track, static_cast<int>(midi->tracks.size()));
    }
    const auto again = SerializeMidi(*midi);
    EXPECT_TRUE(again.ok() || again.status().code() == absl::StatusCode::kInvalidArgument) << again.status();
  }
}

TEST(MidiFileTest, SavedAndLoaded) {
  testing::Scratch scratch;
  const Midi midi = RandomPiece(4);
  ASSERT_TRUE(SaveMidi(scratch / "a.mid", midi).ok());
  EXPECT_EQ(LoadMidi(scratch / "a.mid")->notes.size(), midi.notes.size());
  EXPECT_EQ(LoadMidi(scratch / "absent.mid").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(LoadMidi(scratch.path()).status().code(), absl::StatusCode::kInvalidArgument);
  testing::PutFile(scratch / "cut.mid", SerializeMidi(midi)->substr(0, 40));
  const absl::Status told = LoadMidi(scratch / "cut.mid").status();
  EXPECT_EQ(told.code(), absl::StatusCode::kDataLoss);
  EXPECT_NE(told.message().find("cut.mid"), absl::string_view::npos);
  EXPECT_EQ(ErrorCode(told), "damaged_midi");
}

}  // namespace
}  // namespace grym
