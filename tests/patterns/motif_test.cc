// A motif that comes back transposed, by another instrument, in another octave, between other notes: rendered, heard,
// found, and told with the semitones of every occurrence.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "analysis/signals.h"
#include "patterns/detect.h"

namespace grym {
namespace {

constexpr int kMotifRate_hz = 44100;
enum class Timbre { kPlucked, kReed, kBell, kBowed };
constexpr double kNoteLengths_s[] = {0.2, 0.3, 0.4, 0.6};
constexpr int kTranspositions[] = {0, 5, 12, -3, 7};
constexpr Timbre kPlayers[] = {Timbre::kPlucked, Timbre::kReed, Timbre::kBell, Timbre::kBowed, Timbre::kPlucked};

double Sounding(Timbre timbre, double cycles, double t) {
  double value = 0;
  const auto partial = [&](int h) { return std::sin(2 * std::numbers::pi * h * cycles); };
  switch (timbre) {
    case Timbre::kPlucked:
      for (int h = 1; h <= 8; ++h) value += partial(h) / (h * h);
      return value * std::exp(-3 * t);
    case Timbre::kReed:
      for (int h = 1; h <= 9; h += 2) value += partial(h) / h;
      return 0.6 * value;
    case Timbre::kBell:
      return std::sin(2 * std::numbers::pi * cycles + 2 * std::exp(-4 * t) * partial(1));
    case Timbre::kBowed:
      for (int h = 1; h <= 12; ++h) value += partial(h) / h;
      return 0.5 * value;
  }
  return 0;
}

struct Melody {
  std::vector<float> samples;
  double now_s = 0.3;
  Random random;

  explicit Melody(uint64_t seed) : samples(60 * kMotifRate_hz), random(seed, "melody") {}

  void Play(int midi, double length_s, Timbre timbre, double gain = 0.3) {
    const double hz = 440 * std::exp2((midi - 69) / 12.0), sounds_s = 0.95 * length_s;
    const double attack_s = timbre == Timbre::kBowed ? 0.04 : 0.008;
    const auto first = static_cast<size_t>(now_s * kMotifRate_hz);
    for (size_t n = 0; n < static_cast<size_t>(sounds_s * kMotifRate_hz) && first + n < samples.size(); ++n) {
      const double t = static_cast<double>(n) / kMotifRate_hz;
      const double swell = std::min({1.0, t / attack_s, (sounds_s - t) / 0.02});
      samples[first + n] += static_cast<float>(gain * swell * Sounding(timbre, hz * t, t));
    }
    now_s += length_s;
  }
  void PlayOthers(int notes, int base, Timbre timbre) {
    for (int i = 0; i < notes; ++i) {
      const double length_s = kNoteLengths_s[random.Below(4)] * random.Uniform(0.9, 1.1);
      Play(base - 5 + static_cast<int>(random.Below(15)), length_s, timbre);
    }
  }
};

struct Planted {
  TimeSpan span;
  int transposition = 0;
};

struct Piece {
  AudioPatterns found;
  std::vector<int> motif{0};
  std::vector<Planted> planted;
};

// Seven notes five times, or as many others in their places.
Piece HearPiece(uint64_t seed, bool with_motif) {
  Piece piece;
  Melody melody(seed);
  Random& random = melody.random;
  std::vector<double> lengths_s{kNoteLengths_s[random.Below(4)]};
  while (piece.motif.size() < 7) {
    const int note = piece.motif.back() + static_cast<int>(random.Below(13)) - 5;
    if (note == piece.motif.back() || std::abs(note) > 9) continue;
    piece.motif.push_back(note);
    lengths_s.push_back(kNoteLengths_s[random.Below(4)]);
  }
  const int base = 60 + static_cast<int>(random.Below(6));
  melody.PlayOthers(5, base, Timbre::kReed);
  for (int turn = 0; turn < 5; ++turn) {
    const double start_s = melody.now_s;
    if (with_motif) {
      for (size_t i = 0; i < piece.motif.size(); ++i)
        melody.Play(base + piece.motif[i] + kTranspositions[turn], lengths_s[i], kPlayers[turn]);
      piece.planted.push_back({{start_s, melody.now_s}, kTranspositions[turn]});
    } else {
      melody.PlayOthers(7, base, kPlayers[turn]);
    }
    melody.PlayOthers(5 + static_cast<int>(random.Below(5)), base, kPlayers[(turn + 2) % 5]);
  }
  melody.samples.resize(static_cast<size_t>((melody.now_s + 0.5) * kMotifRate_hz));
  piece.found = DetectPatternsIn(testing::Analyzed(testing::Mono(melody.samples)).value());
  return piece;
}

// The planted turn that most of `span` lies in; null for none.
const Planted* TurnOf(const Piece& piece, const TimeSpan& span) {
  for (const Planted& turn : piece.planted) {
    const double shared_s = std::min(span.end_s, turn.span.end_s) - std::max(span.start_s, turn.span.start_s);
    if (shared_s > 0.7 * (span.end_s - span.start_s)) return &turn;
  }
  return nullptr;
}

TEST(MotifTest, TransposedAndReorchestratedReturnsAreOnePattern) {
  int turns = 0, found = 0, elsewhere = 0;
  for (uint64_t seed = 1; seed <= 6; ++seed) {
    const Piece piece = HearPiece(seed, true);
    const AudioPattern* best = nullptr;
    for (const AudioPattern& pattern : piece.found.patterns) {
      if (pattern.kind != PatternKind::kMelodic) continue;
      ASSERT_EQ(pattern.transpositions.size(), pattern.spans.size());
      EXPECT_EQ(pattern.transpositions[0], 0);
      if (!best) best = &pattern;
      for (const TimeSpan& span : pattern.spans) elsewhere += TurnOf(piece, span) == nullptr;
    }
    ASSERT_NE(best, nullptr) << seed;
    EXPECT_GE(best->intervals.size(), 6u) << seed;
    const Planted* first = TurnOf(piece, best->spans[0]);
    ASSERT_NE(first, nullptr) << seed;
    for (size_t i = 0; i < best->spans.size(); ++i) {
      if (const Planted* turn = TurnOf(piece, best->spans[i])) {
        EXPECT_EQ(best->transpositions[i], turn->transposition - first->transposition) << seed << " " << i;
        ++found;
      }
    }
    turns += 5;
  }
  std::printf("turns of a motif found: %d of %d, elsewhere %d\n", found, turns, elsewhere);
  EXPECT_GE(found, turns * 9 / 10);
  EXPECT_LE(elsewhere, turns / 10);
}

TEST(MotifTest, NotesAtRandomHaveNone) {
  int found = 0;
  for (uint64_t seed = 1; seed <= 6; ++seed) {
    for (const AudioPattern& pattern : HearPiece(seed, false).found.patterns) {
      found += pattern.kind == PatternKind::kMelodic;
    }
  }
  EXPECT_EQ(found, 0);
}

AudioFeatures SungAt(const std::vector<int>& notes, double note_s) {
  AudioFeatures song;
  song.duration_s = static_cast<double>(notes.size()) * note_s;
  for (double at_s = 0; at_s < song.duration_s; at_s += 0.01) {
    const auto note = std::min(static_cast<size_t>(at_s / note_s), notes.size() - 1);
    const bool sounding = at_s - static_cast<double>(note) * note_s < 0.8 * note_s;
    song.pitch.times_s.push_back(at_s);
    song.pitch.f0_hz.push_back(sounding ? static_cast<float>(440 * std::exp2((notes[note] - 69) / 12.0)) : 0.0f);
    song.pitch.confidence.push_back(sounding ? 0.9f : 0.0f);
  }
  return song;
}

// A melody that wanders over a scale by steps brings four notes of the same steps again and again; that is no motif.
TEST(MotifTest, StepsThatComeBackByChanceAreNoMotif) {
  static constexpr int kScale[] = {60, 62, 64, 65, 67, 69, 71, 72, 74, 76};
  int claimed = 0;
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    Random random(seed, "wander");
    std::vector<int> notes;
    int place = 4;
    for (int i = 0; i < 80; ++i) {
      place += place == 0 || (place < 9 && random.Chance(0.5)) ? 1 : -1;
      notes.push_back(kScale[place]);
    }
    for (const AudioPattern& pattern : DetectPatternsIn(SungAt(notes, 0.25)).patterns) {
      ++claimed;
      std::printf("claimed: %s\n", pattern.description.c_str());
    }
  }
  EXPECT_LE(claimed, 4);
}

}  // namespace
}  // namespace grym
