#include <gtest/gtest.h>

#include "analysis/signals.h"
#include "grymsynth/error.h"

namespace grym {
namespace {

using namespace testing;

TEST(FeaturesJsonTest, RoundTripIsTheSameText) {
  const auto heard = Analyzed(Mono(Clicks(SteadyBeats(120, 0.2, 10), 10)));
  ASSERT_TRUE(heard.ok());
  for (const bool with_series : {false, true}) {
    const std::string text = FeaturesToJson(*heard, with_series);
    const auto back = FeaturesFromJson(text);
    ASSERT_TRUE(back.ok()) << back.status();
    EXPECT_EQ(FeaturesToJson(*back, with_series), text);
    EXPECT_EQ(back->beats_s, heard->beats_s);
    EXPECT_EQ(back->pitch.f0_hz.size(), with_series ? heard->pitch.f0_hz.size() : 0u);
  }
}

TEST(FeaturesJsonTest, SilenceKeepsItsInfinities) {
  const auto back = FeaturesFromJson(FeaturesToJson(*Analyzed(Mono(std::vector<float>(44100)))));
  ASSERT_TRUE(back.ok());
  EXPECT_TRUE(std::isinf(back->level.peak_dbfs));
  EXPECT_TRUE(std::isinf(back->loudness.integrated_lufs));
  EXPECT_FALSE(back->key.has_value());
}

TEST(FeaturesJsonTest, EveryWrongTypeIsNamed) {
  const auto bad = FeaturesFromJson(R"({"schema":"grymsynth.features/1","tempo_bpm":"fast","beats_s":[1,"x"],"meter":3.5,"sections":[{"label":4}]})");
  ASSERT_FALSE(bad.ok());
  EXPECT_EQ(bad.status().code(), absl::StatusCode::kInvalidArgument);
  std::vector<std::string> pointers;
  for (const Problem& problem : ErrorProblems(bad.status())) pointers.push_back(problem.pointer);
  std::sort(pointers.begin(), pointers.end());
  EXPECT_EQ(pointers, (std::vector<std::string>{"/beats_s/1", "/meter", "/sections/0/label", "/tempo_bpm"}));
  EXPECT_FALSE(FeaturesFromJson(R"({"schema":"other/1"})").ok());
  EXPECT_FALSE(FeaturesFromJson("[]").ok());
  EXPECT_FALSE(FeaturesFromJson("{").ok());
}

}  // namespace
}  // namespace grym
