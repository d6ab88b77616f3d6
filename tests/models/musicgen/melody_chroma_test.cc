#include "models/musicgen/melody_chroma.h"

#include <cmath>

#include "around_peer.h"
#include "grymsynth/error.h"
#include "support/scratch.h"

namespace grym {
namespace {

// Of the largest value: in float32, the transform is another than the reference's.
void ExpectSame(const std::vector<float>& ours, const std::vector<float>& theirs, double most) {
  ASSERT_EQ(ours.size(), theirs.size());
  double largest = 0, error = 0;
  for (size_t i = 0; i < ours.size(); ++i) {
    largest = std::max(largest, std::abs(static_cast<double>(theirs[i])));
    error = std::max(error, std::abs(static_cast<double>(ours[i]) - theirs[i]));
  }
  EXPECT_LE(error, most * largest);
}

TEST(MelodyChromaTest, FiltersAreTransformers) {
  GRYM_NEED_PEER();
  ExpectSame(ChromaFilters({}), testing::AroundPeer().Floats("chroma.filters"), 1e-6);
}

TEST(MelodyChromaTest, SpectrumChromaAndClassesAreTransformers) {
  GRYM_NEED_PEER();
  const testing::AroundPeer peer;
  for (const char* name : {"tune", "noise", "short", "odd"}) {
    SCOPED_TRACE(name);
    const std::string at = std::string("chroma.") + name;
    const std::vector<float> wave = peer.Floats(at + ".wave");
    ExpectSame(ChromaPower(wave, {}), peer.Floats(at + ".power"), 1e-5);
    const std::vector<float> raw = RawChroma(wave, {}, {});
    ExpectSame(raw, peer.Floats(at + ".raw"), 1e-5);
    const std::vector<uint8_t> classes = LoudestClasses(raw, 12);
    const std::vector<int32_t> wanted = peer.Ints(at + ".classes");
    EXPECT_EQ(std::vector<int32_t>(classes.begin(), classes.end()), wanted);
  }
}

AudioBuffer Tone(double frequency_hz, double seconds, int rate_hz, float level = 0.5f) {
  auto tone = AudioBuffer::Create(2, static_cast<int64_t>(seconds * rate_hz), rate_hz).value();
  for (int c = 0; c < 2; ++c) {
    auto samples = tone.mutable_channel(c);
    const double step = 6.283185307179586 * frequency_hz / rate_hz;
    for (size_t i = 0; i < samples.size(); ++i)
      samples[i] = level * static_cast<float>(std::sin(step * static_cast<double>(i)));
  }
  return tone;
}

TEST(MelodyOfTest, ATuneOfAnyRateIsHeard) {
  AudioBuffer tune = Tone(440, 2, 44100);
  ASSERT_TRUE(tune.Append(Tone(261.63, 2, 44100)).ok());
  const auto melody = MelodyOf(AudioInput(tune), 30, {}, {});
  ASSERT_TRUE(melody.ok()) << melody.status();
  EXPECT_EQ(melody->first.size(), 32u);  // 1 + 4 s at 7.8125 frames a second
  EXPECT_EQ(melody->first[5], 9);        // A
  EXPECT_EQ(melody->first[28], 0);       // C
  EXPECT_TRUE(melody->all.empty());
  EXPECT_TRUE(melody->warnings.empty()) << melody->warnings[0];
}

TEST(MelodyOfTest, RepeatsAShortMelodyAndCutsALongOne) {
  Melody melody;
  melody.first = {1, 2, 3};
  ChromaOptions options;
  options.length = 7;
  EXPECT_EQ(melody.Window(0, options), (std::vector<uint8_t>{1, 2, 3, 1, 2, 3, 1}));
  EXPECT_EQ(melody.Window(1 / options.frame_rate_hz(), options), (std::vector<uint8_t>{2, 3, 1, 2, 3, 1, 2}));
  options.length = 2;
  EXPECT_EQ(melody.Window(0, options), (std::vector<uint8_t>{1, 2}));
  melody.all = {5, 6, 7, 8, 9};
  EXPECT_EQ(melody.Window(0, options), (std::vector<uint8_t>{1, 2}));
  EXPECT_EQ(melody.Window(2 / options.frame_rate_hz(), options), (std::vector<uint8_t>{7, 8}));
}

// The window beyond the first chunk hears what lies there.
TEST(MelodyOfTest, LaterWindowsHearTheRestOfTheMelody) {
  AudioBuffer tune = Tone(440, 32, 16000);
  ASSERT_TRUE(tune.Append(Tone(587.33, 10, 16000)).ok());
  const auto melody = MelodyOf(AudioInput(tune), 42, {}, {});
  ASSERT_TRUE(melody.ok()) << melody.status();
  EXPECT_EQ(melody->first.size(), 235u);
  EXPECT_EQ(melody->Window(0, {})[234], 9);
  EXPECT_EQ(melody->Window(18, {})[0], 9);
  EXPECT_EQ(melody->Window(18, {})[150], 2);  // 37.2 s: D
}

TEST(MelodyOfTest, SilenceAndNothingAreRefused) {
  const auto silent = AudioBuffer::Create(1, 48000, 16000).value();
  EXPECT_EQ(ErrorCode(MelodyOf(AudioInput(silent), 30, {}, {}).status()), "silent_melody");
  const auto none = AudioBuffer::Create(1, 0, 16000).value();
  EXPECT_EQ(ErrorCode(MelodyOf(AudioInput(none), 30, {}, {}).status()), "no_frames");
  EXPECT_EQ(MelodyOf(AudioInput("/nowhere/at/all.wav"), 30, {}, {}).status().code(), absl::StatusCode::kNotFound);
}

TEST(MelodyOfTest, NoiseIsWarnedOf) {
  auto noise = AudioBuffer::Create(1, 16000 * 5, 16000).value();
  uint32_t state = 1;
  for (float& sample : noise.mutable_channel(0)) {
    state = state * 1664525 + 1013904223;
    sample = static_cast<float>(state >> 8) / 16777216.0f - 0.5f;
  }
  const auto melody = MelodyOf(AudioInput(noise), 30, {}, {});
  ASSERT_TRUE(melody.ok());
  ASSERT_EQ(melody->warnings.size(), 1u);
}

// Three hours on the disk: only the first chunk is read.
TEST(MelodyOfTest, ALongFileIsReadNoFurtherThanNeeded) {
  const testing::Scratch scratch;
  AudioBuffer part = Tone(440, 40, 8000);
  ASSERT_TRUE(SaveAudio(scratch / "tune.wav", part).ok());
  const auto melody = MelodyOf(AudioInput((scratch / "tune.wav").string()), 10, {}, {});
  ASSERT_TRUE(melody.ok()) << melody.status();
  EXPECT_EQ(melody->first.size(), 235u);
  EXPECT_TRUE(melody->all.empty());
}

TEST(MelodyOfTest, ACancelledReadEnds) {
  CancelToken cancel;
  cancel.Cancel();
  EXPECT_TRUE(absl::IsCancelled(MelodyOf(AudioInput(Tone(440, 1, 8000)), 30, {}, cancel).status()));
}

Midi Piece(std::vector<MidiNote> notes) {
  Midi midi;
  midi.notes = std::move(notes);
  return midi;
}

TEST(MelodyOfTest, MidiSoundsAtEachFramesCentre) {
  // Frames lie at 0, 0.128, 0.256, ... s.
  const auto melody = MelodyOf(Piece({{0.1, 0.2, 62, 80, 0, 0}, {0.5, 0.3, 67, 80, 0, 0}}), 30, {});
  ASSERT_TRUE(melody.ok());
  EXPECT_EQ(melody->first, (std::vector<uint8_t>{2, 2, 2, 2, 7, 7, 7}));
}

TEST(MelodyOfTest, MidiTakesTheStrongestClassThenTheHighest) {
  // Two C of 60: 7,200; an E of 90: 8,100. Of two equals the upper.
  const auto strongest = MelodyOf(Piece({{0, 1, 48, 60, 0, 0}, {0, 1, 60, 60, 0, 0}, {0, 1, 52, 90, 0, 0}}), 30, {});
  EXPECT_EQ(strongest->first[0], 4);
  const auto doubled = MelodyOf(Piece({{0, 1, 48, 70, 0, 0}, {0, 1, 60, 70, 0, 0}, {0, 1, 52, 90, 0, 0}}), 30, {});
  EXPECT_EQ(doubled->first[0], 0);
  const auto equal = MelodyOf(Piece({{0, 1, 59, 60, 0, 0}, {0, 1, 62, 60, 0, 0}}), 30, {});
  EXPECT_EQ(equal->first[0], 2);
}

TEST(MelodyOfTest, MidiWithoutNotesIsRefused) {
  EXPECT_EQ(ErrorCode(MelodyOf(Piece({}), 30, {}).status()), "no_notes");
  EXPECT_EQ(ErrorCode(MelodyOf(Piece({{0, 1, 36, 100, 9, 0}}), 30, {}).status()), "no_notes");
}

}  // namespace
}  // namespace grym
