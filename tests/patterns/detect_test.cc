#include "patterns/detect.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "analysis/analyze.h"
#include "audio/block_source.h"
#include "base/random.h"
#include "grymsynth/audio_file.h"
#include "support/shared_audio.h"

namespace grym {
namespace {

constexpr double kBeat_s = 0.5;

// Beats, chords of one bar each, an onset curve from a 16-step pattern, and a melody, as an ideal ear would hear them.
AudioFeatures SongOf(const std::vector<std::string>& chords_per_bar, const std::vector<float>& steps,
                     int transpose = 0) {
  AudioFeatures song;
  const auto bars = static_cast<int>(chords_per_bar.size());
  song.duration_s = bars * 4 * kBeat_s;
  song.tempo_bpm = 120;
  song.meter = 4;
  song.key = "C major";
  for (int beat = 0; beat < bars * 4; ++beat) song.beats_s.push_back(beat * kBeat_s);
  for (int bar = 0; bar < bars; ++bar) {
    song.downbeats_s.push_back(bar * 4 * kBeat_s);
    song.chords.push_back({bar * 4 * kBeat_s, (bar + 1) * 4 * kBeat_s, chords_per_bar[static_cast<size_t>(bar)], 0.8});
  }
  song.onset_strength.rate_hz = 100;
  song.onset_strength.values.assign(static_cast<size_t>(song.duration_s * 100), 0);
  for (int step = 0; step < bars * 16 && !steps.empty(); ++step) {
    const auto frame = static_cast<size_t>(std::lround(step * kBeat_s / 4 * 100));
    song.onset_strength.values[frame] = steps[static_cast<size_t>(step) % steps.size()];
  }
  static constexpr int kTune[8] = {60, 62, 64, 67, 65, 64, 62, 60};
  for (double at_s = 0; at_s < song.duration_s; at_s += 0.01) {
    const auto note = static_cast<int>(at_s / 0.25);
    const bool sounding = note % 16 < 8 && at_s - note * 0.25 < 0.2;  // a tune every other bar
    song.pitch.times_s.push_back(at_s);
    song.pitch.f0_hz.push_back(
        sounding ? static_cast<float>(440 * std::pow(2, (kTune[note % 8] + transpose - 69) / 12.0)) : 0);
    song.pitch.confidence.push_back(sounding ? 0.9f : 0);
  }
  return song;
}

const AudioPattern* First(const AudioPatterns& found, PatternKind kind) {
  for (const AudioPattern& pattern : found.patterns) {
    if (pattern.kind == kind) return &pattern;
  }
  return nullptr;
}

const std::vector<float> kRock = {1, 0, 0.5f, 0, 0.8f, 0, 0.5f, 0, 1, 0, 0.5f, 0, 0.8f, 0, 0.5f, 0.6f};

TEST(DetectTest, FindsTheChordLoopWithAllItsOccurrences) {
  std::vector<std::string> bars;
  for (int i = 0; i < 4; ++i) bars.insert(bars.end(), {"C", "Am", "F", "G"});
  const AudioPatterns found = DetectPatternsIn(SongOf(bars, kRock));
  const AudioPattern* loop = First(found, PatternKind::kHarmonic);
  ASSERT_NE(loop, nullptr);
  EXPECT_EQ(loop->description, "4-bar loop C Am F G, 4 times");
  EXPECT_EQ(loop->chords, (std::vector<std::string>{"C", "Am", "F", "G"}));
  EXPECT_EQ(loop->chord_beats, 4);
  ASSERT_EQ(loop->spans.size(), 4u);
  EXPECT_NEAR(loop->spans[2].start_s, 16, 1e-9);
  EXPECT_NEAR(loop->spans[2].end_s, 24, 1e-9);
}

TEST(DetectTest, TellsVerseFromChorusLoop) {
  std::vector<std::string> bars;
  for (int i = 0; i < 4; ++i) bars.insert(bars.end(), {"Am", "F", "C", "G"});
  for (int i = 0; i < 4; ++i) bars.insert(bars.end(), {"Dm", "E"});
  const AudioPatterns found = DetectPatternsIn(SongOf(bars, kRock));
  std::vector<std::string> loops;
  for (const AudioPattern& pattern : found.patterns) {
    if (pattern.kind == PatternKind::kHarmonic) loops.push_back(pattern.description);
  }
  EXPECT_NE(std::find(loops.begin(), loops.end(), "4-bar loop Am F C G, 4 times"), loops.end());
  EXPECT_NE(std::find(loops.begin(), loops.end(), "2-bar loop Dm E, 4 times"), loops.end());
}

TEST(DetectTest, FindsTheRhythmAndItsGrid) {
  const AudioPatterns found = DetectPatternsIn(SongOf(std::vector<std::string>(8, "C"), kRock));
  const AudioPattern* rhythm = First(found, PatternKind::kRhythmic);
  ASSERT_NE(rhythm, nullptr);
  EXPECT_EQ(rhythm->spans.size(), 8u);
  ASSERT_EQ(rhythm->onset_grid.size(), 16u);
  for (size_t step = 0; step < 16; ++step) EXPECT_NEAR(rhythm->onset_grid[step], kRock[step], 0.02) << step;
}

TEST(DetectTest, FindsTheMotifAtAnyPitch) {
  const AudioPatterns here = DetectPatternsIn(SongOf(std::vector<std::string>(8, "C"), kRock));
  const AudioPatterns higher = DetectPatternsIn(SongOf(std::vector<std::string>(8, "C"), kRock, 5));
  const AudioPattern* motif = First(here, PatternKind::kMelodic);
  ASSERT_NE(motif, nullptr);
  EXPECT_EQ(motif->intervals, (std::vector<int>{0, 2, 4, 7, 5, 4, 2, 0}));
  EXPECT_EQ(motif->spans.size(), 4u);
  ASSERT_NE(First(higher, PatternKind::kMelodic), nullptr);
  EXPECT_EQ(First(higher, PatternKind::kMelodic)->intervals, motif->intervals);
  EXPECT_EQ(First(higher, PatternKind::kMelodic)->embedding, motif->embedding);
}

TEST(DetectTest, GroupsTexturesAndSections) {
  AudioFeatures song = SongOf(std::vector<std::string>(16, "C"), kRock);
  Random random(8);
  song.spectral.mfcc.dim = 20;
  song.spectral.mfcc.rate_hz = 20;
  for (int frame = 0; frame < static_cast<int>(song.duration_s * 20); ++frame) {
    const bool bright = frame >= song.duration_s * 10;
    for (int d = 0; d < 20; ++d)
      song.spectral.mfcc.values.push_back(static_cast<float>((d == 1 ? (bright ? 20 : 150) : 0) + random.Normal()));
  }
  song.sections = {{0, 8, "A", 0.9}, {8, 16, "B", 0.9}, {16, 24, "A", 0.9}, {24, 32, "A", 0.9}};
  const AudioPatterns found = DetectPatternsIn(song);
  int textures = 0;
  for (const AudioPattern& pattern : found.patterns) {
    if (pattern.kind != PatternKind::kTimbral) continue;
    ++textures;
    ASSERT_EQ(pattern.spans.size(), 1u);
    EXPECT_NEAR(pattern.spans[0].end_s - pattern.spans[0].start_s, 16, 1.01);
  }
  EXPECT_EQ(textures, 2);
  const AudioPattern* section = First(found, PatternKind::kStructural);
  ASSERT_NE(section, nullptr);
  EXPECT_EQ(section->section_label, "A");
  EXPECT_EQ(section->spans.size(), 3u);
  EXPECT_EQ(section->description, "section A, 3 times, 8 s each, in the form ABAA");
}

// Whatever is missing or broken in the features: no crash, and what is found is well formed.
TEST(DetectTest, SurvivesRandomAndBrokenFeatures) {
  Random random(17);
  for (int round = 0; round < 200; ++round) {
    std::vector<std::string> bars;
    static const char* const kLabels[] = {"C", "Am", "N", "", "H?", "G7", "Dm"};
    for (int64_t i = random.Below(12); i > 0; --i) bars.emplace_back(kLabels[random.Below(7)]);
    AudioFeatures song = SongOf(bars, random.Chance(0.8) ? kRock : std::vector<float>());
    if (random.Chance(0.2)) song.beats_s.clear();
    if (random.Chance(0.2)) song.downbeats_s = {-1, std::numeric_limits<double>::quiet_NaN(), 1e9};
    if (random.Chance(0.2)) song.meter = static_cast<int>(random.Below(20));
    if (random.Chance(0.2)) song.onset_strength.values.resize(song.onset_strength.values.size() / 3);
    if (random.Chance(0.2) && !song.onset_strength.values.empty())
      song.onset_strength.values[0] = std::numeric_limits<float>::quiet_NaN();
    if (random.Chance(0.2)) song.pitch.confidence.resize(song.pitch.confidence.size() / 2);
    if (random.Chance(0.2))
      song.sections = {{0, 0, "A", 1}, {1, std::numeric_limits<double>::quiet_NaN(), "B", 2}, {0, 1, "C", -1}};
    if (random.Chance(0.2))
      song.spectral.mfcc = {20, 20, 0, std::vector<float>(20 * 50, std::numeric_limits<float>::infinity())};
    const AudioPatterns found = DetectPatternsIn(song);
    for (size_t i = 0; i < found.patterns.size(); ++i) {
      const AudioPattern& pattern = found.patterns[i];
      EXPECT_TRUE(pattern.strength >= 0 && pattern.strength <= 1);
      if (i > 0) {
        EXPECT_LE(pattern.strength, found.patterns[i - 1].strength);
      }
      double squares = 0;
      for (const float value : pattern.embedding) squares += double{value} * value;
      EXPECT_NEAR(squares, 1, 1e-4);
      EXPECT_FALSE(pattern.spans.empty());
      EXPECT_FALSE(pattern.description.empty());
      EXPECT_FALSE(pattern.evidence.empty());
    }
  }
}

// A real recording, its first `seconds`, played `times` times over.
AudioFeatures Heard(const char* name, double seconds = 1e9, int times = 1) {
  const AudioBuffer audio = LoadAudio(testing::SharedAudio(name)).value();
  const int64_t frames = std::min(audio.frames(), static_cast<int64_t>(seconds * audio.rate_hz()));
  AudioBuffer played = AudioBuffer::Create(audio.channels(), frames * times, audio.rate_hz()).value();
  for (int c = 0; c < audio.channels(); ++c) {
    for (int64_t i = 0; i < played.frames(); ++i)
      played.mutable_channel(c)[static_cast<size_t>(i)] = audio.channel(c)[static_cast<size_t>(i % frames)];
  }
  const auto source = OpenInput(played).value();
  return AnalyzeSource(*source, {}).value();
}

// What holds of every pattern of every recording, and the same bytes twice.
AudioPatterns CheckedPatterns(const AudioFeatures& features) {
  AudioPatterns found = DetectPatternsIn(features);
  EXPECT_EQ(PatternsToJson(found), PatternsToJson(DetectPatternsIn(features)));
  EXPECT_EQ(found.duration_s, features.duration_s);
  for (const AudioPattern& pattern : found.patterns) {
    EXPECT_TRUE(pattern.strength >= 0 && pattern.strength <= 1) << pattern.description;
    EXPECT_FALSE(pattern.description.empty());
    EXPECT_FALSE(pattern.evidence.empty()) << pattern.description;
    EXPECT_FALSE(pattern.spans.empty()) << pattern.description;
    double before_s = 0, squares = 0;
    for (const TimeSpan& span : pattern.spans) {
      EXPECT_GE(span.start_s, before_s) << pattern.description;
      EXPECT_LT(span.start_s, span.end_s) << pattern.description;
      EXPECT_LE(span.end_s, features.duration_s + 1e-6) << pattern.description;
      before_s = span.start_s;
    }
    for (const float value : pattern.embedding) squares += double{value} * value;
    EXPECT_NEAR(squares, 1, 1e-4) << pattern.description;
  }
  return found;
}

// How far a length is from the next multiple of `unit_s`, in units.
double OffBy(double length_s, double unit_s) { return std::abs(length_s / unit_s - std::round(length_s / unit_s)); }

// The manifest: four beats at 136.88 bpm, so a loop of 1.753 s, here eight times.
TEST(DetectRecordingTest, ABreakbeatsBarReturns) {
  GRYM_NEED_SHARED_AUDIO();
  const AudioFeatures features = Heard("real/loop_amen.flac", 1e9, 8);
  const AudioPatterns found = CheckedPatterns(features);
  const AudioPattern* rhythm = First(found, PatternKind::kRhythmic);
  ASSERT_NE(rhythm, nullptr);
  EXPECT_GE(rhythm->spans.size(), 4u);
  EXPECT_GT(rhythm->strength, 0.8);
  const double loop_s = 4 * 60 / 136.8839;
  for (size_t i = 0; i < rhythm->spans.size(); ++i) {
    EXPECT_LT(OffBy(rhythm->spans[i].end_s - rhythm->spans[i].start_s, loop_s), 0.04) << i;
    EXPECT_LT(OffBy(rhythm->spans[i].start_s - rhythm->spans[0].start_s, loop_s), 0.04) << i;
  }
  EXPECT_NE(First(found, PatternKind::kTimbral), nullptr);
  EXPECT_EQ(PatternsToJson(found), PatternsToJson(DetectPatternsIn(Heard("real/loop_amen.flac", 1e9, 8))));
}

// The manifest: a waltz at 150 bpm, so bars of 1.2 s; its accompaniment repeats a cadence.
TEST(DetectRecordingTest, AWaltzHasBarsOfThreeAndALoopOfChords) {
  GRYM_NEED_SHARED_AUDIO();
  const AudioPatterns found = CheckedPatterns(Heard("real/147793__setuniman__sweet-waltz-0i-22mi.ogg", 30));
  const AudioPattern* rhythm = First(found, PatternKind::kRhythmic);
  ASSERT_NE(rhythm, nullptr);
  EXPECT_EQ(rhythm->meter, 3);
  EXPECT_GE(rhythm->spans.size(), 8u);
  for (const TimeSpan& span : rhythm->spans) EXPECT_LT(OffBy(span.end_s - span.start_s, 1.2), 0.04);
  const AudioPattern* loop = First(found, PatternKind::kHarmonic);
  ASSERT_NE(loop, nullptr);
  EXPECT_GE(loop->spans.size(), 2u);
  EXPECT_FALSE(loop->chords.empty());
  for (const TimeSpan& span : loop->spans) EXPECT_LT(OffBy(span.end_s - span.start_s, 1.2), 0.04 * 8);
}

// The manifest: drum and bass at 136 bpm; the bass line comes back after whole bars.
TEST(DetectRecordingTest, ABassLineComesBackAfterWholeBars) {
  GRYM_NEED_SHARED_AUDIO();
  const AudioPatterns found = CheckedPatterns(Heard("real/admiralbob77_-_Choice_-_Drum-bass.ogg"));
  const AudioPattern* motif = First(found, PatternKind::kMelodic);
  ASSERT_NE(motif, nullptr);
  EXPECT_GE(motif->spans.size(), 3u);
  EXPECT_GE(motif->intervals.size(), 4u);
  EXPECT_EQ(motif->intervals.size(), motif->durations_beats.size());
  for (const TimeSpan& span : motif->spans)
    EXPECT_LT(OffBy(span.start_s - motif->spans[0].start_s, 4 * 60 / 136.0), 0.1);
}

// The manifest: ABABCB in sections of 6.4 s. Both places of A are one pattern, and no B is among them.
TEST(DetectRecordingTest, SectionsThatReturnAreOnePattern) {
  GRYM_NEED_SHARED_AUDIO();
  const AudioPatterns found = CheckedPatterns(Heard("synthetic/structure_ABABCB.ogg"));
  const AudioPattern* verse = nullptr;
  for (const AudioPattern& pattern : found.patterns) {
    if (pattern.kind == PatternKind::kStructural && pattern.spans[0].start_s < 0.5) verse = &pattern;
  }
  ASSERT_NE(verse, nullptr);
  ASSERT_EQ(verse->spans.size(), 2u);
  EXPECT_NEAR(verse->spans[0].end_s, 6.4, 0.5);
  EXPECT_NEAR(verse->spans[1].start_s, 12.8, 0.5);
  EXPECT_NEAR(verse->spans[1].end_s, 19.2, 0.5);
}

// Speech repeats no bar: nothing is claimed strongly, and what is claimed is well formed.
TEST(DetectRecordingTest, SpeechHasNoLoopOfChords) {
  GRYM_NEED_SHARED_AUDIO();
  const AudioPatterns found = CheckedPatterns(Heard("real/198-209-0000.ogg"));
  for (const AudioPattern& pattern : found.patterns) {
    if (pattern.kind == PatternKind::kHarmonic || pattern.kind == PatternKind::kRhythmic) {
      EXPECT_LT(pattern.strength, 0.5) << pattern.description;
    }
  }
}

const AudioPattern* LoopOf(const AudioPatterns& found) {
  for (const AudioPattern& pattern : found.patterns) {
    if (pattern.section_label == "loop") return &pattern;
  }
  return nullptr;
}

AudioPatterns PatternsOf(const AudioBuffer& audio) {
  const auto source = OpenInput(AudioInput(audio)).value();
  return DetectPatternsIn(AnalyzeSource(*source, {}).value());
}

AudioBuffer Repeated(const AudioBuffer& once, double at_least_s) {
  const int turns = static_cast<int>(std::ceil(at_least_s / once.duration_s()));
  std::vector<float> planar;
  for (int c = 0; c < once.channels(); ++c) {
    for (int k = 0; k < turns; ++k) planar.insert(planar.end(), once.channel(c).begin(), once.channel(c).end());
  }
  return AudioBuffer::FromPlanar(std::move(planar), once.channels(), once.rate_hz()).value();
}

TEST(DetectTest, FindsTheLengthOfLoops) {
  GRYM_NEED_SHARED_AUDIO();
  for (const char* name : {"loop_amen", "loop_breakbeat", "loop_mika", "loop_mehackit2", "loop_perc1",
                           "loop_industrial", "acoustic-drums"}) {
    const AudioBuffer once = LoadAudio(testing::SharedAudio("real/" + std::string(name) + ".flac")).value();
    const AudioBuffer played = Repeated(once, 21);
    const AudioPatterns found = PatternsOf(played);
    const AudioPattern* loop = LoopOf(found);
    ASSERT_NE(loop, nullptr) << name;
    EXPECT_NEAR(loop->spans[0].end_s - loop->spans[0].start_s, once.duration_s(), 0.02) << name;
    EXPECT_NEAR(static_cast<double>(loop->spans.size()), played.duration_s() / once.duration_s(), 0.5) << name;
  }
}

TEST(DetectTest, MusicThatComesBackIsNoLoop) {
  GRYM_NEED_SHARED_AUDIO();
  for (const char* name : {"synthetic/structure_ABABCB.ogg", "synthetic/drums_123_swing.ogg", "synthetic/click_128.flac",
                           "real/admiralbob77_-_Choice_-_Drum-bass.ogg",
                           "real/147793__setuniman__sweet-waltz-0i-22mi.ogg", "synthetic/key_C_major.ogg"}) {
    EXPECT_EQ(LoopOf(PatternsOf(LoadAudio(testing::SharedAudio(name)).value())), nullptr) << name;
  }
}

}  // namespace
}  // namespace grym
