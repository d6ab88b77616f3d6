// What begins, and what only seems to.
#include <gtest/gtest.h>

#include "analysis/scoring.h"
#include "analysis/signals.h"

namespace grym {
namespace {

using namespace testing;

// A quiet hiss under everything, as in every recording.
std::vector<float> OverHiss(double seconds, const std::function<double(double)>& sound) {
  Random random(21, "hiss");
  return Samples(seconds, 44100, [&](double t) { return sound(t) + random.Uniform(-0.0015, 0.0015); });
}

TEST(OnsetsTest, TheAbruptEndOfALowToneIsNoBeginning) {
  std::vector<double> beginnings;
  for (double t = 0.5; t < 7; t += 0.7) beginnings.push_back(t);
  const auto sound = [&](double t) {
    for (const double begin : beginnings) {
      const double at = t - begin;
      if (at >= 0 && at < 0.22) return 0.5 * std::exp(-12 * at) * std::sin(2 * M_PI * 52 * at + 40 * std::exp(-40 * at));
    }
    return 0.0;
  };
  const auto heard = Analyzed(Mono(OverHiss(8, sound)));
  const FMeasure m = MatchEvents(beginnings, heard->onsets_s, 0.05);
  EXPECT_EQ(m.recall, 1);
  EXPECT_GT(m.precision, 0.9);
}

TEST(OnsetsTest, ARecordingThatBeginsWithHissHasNoOnsetThere) {
  const auto strokes = [](double t) { return std::exp(-20 * std::fmod(t, 1.0)) * (t > 1 ? 0.5 : 0) * std::sin(2500 * t); };
  const auto heard = Analyzed(Mono(OverHiss(6, strokes)));
  ASSERT_FALSE(heard->onsets_s.empty());
  EXPECT_NEAR(heard->onsets_s.front(), 1, 0.02);
}

TEST(OnsetsTest, ARecordingThatBeginsWithAStrokeHas) {
  const auto strokes = [](double t) { return 0.5 * std::exp(-20 * std::fmod(t, 1.0)) * std::sin(2500 * t); };
  const auto heard = Analyzed(Mono(OverHiss(6, strokes)));
  ASSERT_FALSE(heard->onsets_s.empty());
  EXPECT_NEAR(heard->onsets_s.front(), 0, 0.02);
}

TEST(OnsetsTest, SoftNotesCountWhereItIsCalmAndRustlingDoesNotWhereItIsNot) {
  // The same soft strokes, first alone, then under a restless noise that is louder than they are.
  Random random(22, "rustle");
  const auto strokes = [&](double t) {
    const double rustle = t > 6 ? random.Uniform(-0.1, 0.1) : 0;
    return 0.05 * std::exp(-30 * std::fmod(t, 0.5)) * std::sin(6000 * t) + rustle;
  };
  const auto heard = Analyzed(Mono(OverHiss(12, strokes)));
  const auto calm = std::count_if(heard->onsets_s.begin(), heard->onsets_s.end(), [](double t) { return t < 5.9; });
  EXPECT_GE(calm, 11);
  EXPECT_LE(calm, 13);
  const auto restless = std::count_if(heard->onsets_s.begin(), heard->onsets_s.end(), [](double t) { return t > 6.2; });
  EXPECT_LE(restless, 14);  // twelve strokes are there; noise alone would give six a second
}

}  // namespace
}  // namespace grym
