#include "analysis/tonal.h"

#include <gtest/gtest.h>

#include "analysis/scoring.h"
#include "analysis/signals.h"

namespace grym {
namespace {

using namespace testing;

// Triads, one a second, each note a string at `a4_hz` tuning. Notes are MIDI numbers.
std::vector<float> Triads(const std::vector<std::array<int, 3>>& chords, double a4_hz = 440) {
  return Samples(static_cast<double>(chords.size()), 44100, [&](double t) {
    const size_t at = std::min(chords.size() - 1, static_cast<size_t>(t));
    const double fade = std::min(1.0, 50 * (t - std::floor(t))) * std::exp(-1.5 * (t - std::floor(t)));
    double sum = 0;
    for (const int midi : chords[at]) sum += Harmonics(a4_hz * std::exp2((midi - 69) / 12.0), t);
    return 0.15 * fade * sum;
  });
}

TEST(TonalTest, TuningFromAMinorThirdBelowToAbove) {
  for (const double a4 : {430.0, 435.0, 440.0, 445.0, 450.0}) {
    EXPECT_NEAR(Analyzed(Mono(Triads({{60, 64, 67}, {57, 60, 64}, {65, 69, 72}, {67, 71, 74}}, a4)))->tuning_hz, a4,
                1.5);
  }
}

TEST(TonalTest, CadencesInEveryKey) {
  for (int tonic = 0; tonic < 12; ++tonic) {
    const int c = 55 + tonic;
    const std::vector<std::array<int, 3>> major = {
        {c, c + 4, c + 7}, {c + 5, c + 9, c + 12}, {c + 7, c + 11, c + 14}, {c, c + 4, c + 7}};
    const std::vector<std::array<int, 3>> minor = {
        {c, c + 3, c + 7}, {c + 5, c + 8, c + 12}, {c + 7, c + 11, c + 14}, {c, c + 3, c + 7}};
    EXPECT_EQ(Analyzed(Mono(Triads(major)))->key, KeyName((55 + tonic) % 12));
    EXPECT_EQ(Analyzed(Mono(Triads(minor)))->key, KeyName((55 + tonic) % 12 + 12));
  }
}

// The same four triads, so the same notes: where they begin and end decides.
TEST(TonalTest, RelativeKeysAreToldByWhereTheMusicComesHome) {
  const std::array<int, 3> a = {57, 60, 64}, c = {60, 64, 67}, f = {53, 57, 60}, d = {50, 53, 57};
  EXPECT_EQ(Analyzed(Mono(Triads({a, a, f, c, d, c, f, c, d, c, a, a})))->key, "A minor");
  EXPECT_EQ(Analyzed(Mono(Triads({c, c, f, a, d, a, f, a, d, a, c, c})))->key, "C major");
}

TEST(TonalTest, ChordsAreNamed) {
  const auto heard = Analyzed(Mono(Triads({{60, 64, 67}, {57, 60, 64}, {65, 69, 72}, {67, 71, 74}})));
  const std::vector<std::string> want = {"C", "Am", "F", "G"};
  for (size_t i = 0; i < want.size(); ++i) {
    std::string at_middle;
    for (const Chord& chord : heard->chords) {
      if (chord.start_s <= static_cast<double>(i) + 0.5 && chord.end_s > static_cast<double>(i) + 0.5)
        at_middle = chord.label;
    }
    EXPECT_EQ(Triad(at_middle), want[i]);
  }
}

TEST(KeyNameTest, RoundTripsAndReadsVariants) {
  for (int key = 0; key < 24; ++key) EXPECT_EQ(ParseKey(KeyName(key)).value(), key);
  EXPECT_EQ(KeyName(0), "C major");
  EXPECT_EQ(KeyName(13), "C# minor");
  EXPECT_EQ(ParseKey("Am").value(), 21);
  EXPECT_EQ(ParseKey("C").value(), 0);
  EXPECT_EQ(ParseKey("Bb major").value(), 10);
  EXPECT_EQ(ParseKey("Cb").value(), 11);
  EXPECT_EQ(ParseKey("f# min").value(), 18);
  for (const char* bad : {"", "H", "C##", "major", "C dorian", "A\n"}) EXPECT_FALSE(ParseKey(bad).ok()) << bad;
}

}  // namespace
}  // namespace grym
