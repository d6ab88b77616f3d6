#include "analysis/rhythm.h"

#include <gtest/gtest.h>

#include "analysis/free_time.h"
#include "analysis/scoring.h"
#include "analysis/signals.h"

namespace grym {
namespace {

using namespace testing;

class SteadyTempoTest : public ::testing::TestWithParam<double> {};

TEST_P(SteadyTempoTest, ClicksAreExact) {
  const std::vector<double> beats = SteadyBeats(GetParam(), 0.37, 20);
  const auto heard = Analyzed(Mono(Clicks(beats, 20)));
  ASSERT_TRUE(heard.ok());
  EXPECT_NEAR(heard->tempo_bpm, GetParam(), 0.005 * GetParam());
  EXPECT_GT(heard->tempo_confidence, 0.8);
  EXPECT_GT(MatchEvents(beats, heard->beats_s, 0.02).f, 0.97);
  const FMeasure onsets = MatchEvents(beats, heard->onsets_s, 0.01);
  EXPECT_GT(onsets.f, 0.99);
  EXPECT_LT(std::abs(onsets.mean_offset_s), 0.003);
}

INSTANTIATE_TEST_SUITE_P(Tempi, SteadyTempoTest, ::testing::Values(80.0, 97.3, 120.0, 133.7, 150.0));

TEST(RhythmTest, FollowsAChangingTempo) {
  std::vector<double> beats;
  for (double t = 0.3, period = 0.65; t < 24; t += period, period *= 0.992) beats.push_back(t);
  const auto heard = Analyzed(Mono(Clicks(beats, 25)));
  EXPECT_GT(MatchEvents(beats, heard->beats_s, 0.07).f, 0.9);
}

TEST(RhythmTest, RandomStrokesHaveNoBeat) {
  Random random(11, "strokes");
  std::vector<double> times;
  for (double t = 0.2; t < 19; t += random.Uniform(0.12, 1.1)) times.push_back(t);
  const auto heard = Analyzed(Mono(Clicks(times, 20, 3)));
  EXPECT_EQ(heard->tempo_bpm, 0);
  EXPECT_TRUE(heard->beats_s.empty());
  EXPECT_GT(heard->onsets_s.size(), times.size() * 3 / 4);
}

TEST(RhythmTest, NoiseHasNoBeat) {
  for (int seed = 0; seed < 3; ++seed) {
    Random random(seed, "noise");
    std::vector<float> noise(20 * 44100);
    for (float& sample : noise) sample = static_cast<float>(random.Uniform(-0.2, 0.2));
    EXPECT_EQ(Analyzed(Mono(noise))->tempo_bpm, 0) << seed;
  }
}

TEST(RhythmTest, VibratoHasNoBeat) {
  for (const double vibrato_hz : {4.6, 5.5, 6.3}) {
    for (const double cents : {30.0, 75.0}) {
      const auto heard = Analyzed(Mono(VibratoTone(vibrato_hz, cents)));
      EXPECT_TRUE(heard->beats_s.empty()) << vibrato_hz << " Hz, " << cents << " cents";
      EXPECT_LT(heard->tempo_confidence, 0.25);
    }
  }
}

TEST(RhythmTest, NotesInFreeTimeHaveNoBeat) {
  int invented = 0;
  for (uint64_t seed = 1; seed <= 6; ++seed) invented += !Analyzed(Mono(NotesInFreeTime(seed)))->beats_s.empty();
  EXPECT_LE(invented, 1);  // that many gaps are even by chance now and then
}

TEST(RhythmTest, ApplauseAndRainHaveNoBeat) {
  for (const double bursts_per_s : {8.0, 40.0, 120.0}) {
    const auto heard = Analyzed(Mono(Bursts(bursts_per_s)));
    EXPECT_TRUE(heard->beats_s.empty()) << bursts_per_s;
    EXPECT_LT(heard->tempo_confidence, 0.25) << bursts_per_s;
  }
}

TEST(RhythmTest, BarsOfThreeAndFour) {
  for (const int meter : {3, 4}) {
    const std::vector<double> beats = SteadyBeats(132, 0.25, 24);
    const auto heard = Analyzed(Mono(Clicks(beats, 24, meter)));
    EXPECT_EQ(heard->meter, meter);
    std::vector<double> firsts;
    for (size_t i = 0; i < beats.size(); i += static_cast<size_t>(meter)) firsts.push_back(beats[i]);
    EXPECT_GT(MatchEvents(firsts, heard->downbeats_s, 0.05).f, 0.9) << meter;
  }
}

// A trimmed loop begins on its first beat.
TEST(RhythmTest, TheFirstBeatMayBeTheFirstFrame) {
  for (const double bpm : {87.0, 120.0, 141.5}) {
    const std::vector<double> beats = SteadyBeats(bpm, 0, 16);
    const auto heard = Analyzed(Mono(Clicks(beats, 16, 4)));
    ASSERT_FALSE(heard->beats_s.empty()) << bpm;
    EXPECT_NEAR(heard->beats_s[0], 0, 0.01) << bpm;
    ASSERT_FALSE(heard->downbeats_s.empty()) << bpm;
    EXPECT_NEAR(heard->downbeats_s[0], 0, 0.01) << bpm;
    // Silence in front has no beat of its own.
    const double first = 60 / bpm * 0.97;
    const auto later = Analyzed(Mono(Clicks(SteadyBeats(bpm, first, 16), 16, 4)));
    EXPECT_NEAR(later->beats_s[0], first, 0.02) << bpm;
  }
}

TEST(RhythmTest, NothingFromNothing) {
  EXPECT_TRUE(PickOnsets({}).empty());
  EXPECT_EQ(EstimateTempo({}).bpm, 0);
  EXPECT_TRUE(TrackBeats({}, 120, {}).empty());
}

}  // namespace
}  // namespace grym
