#include "models/musicgen/sampler.h"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>
#include <set>

#include "around_peer.h"

namespace grym {
namespace {

constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

SamplingOptions Options(double guidance, double temperature, int64_t top_k, double top_p) {
  return {guidance, temperature, top_k, top_p};
}

TEST(CodeSamplerTest, ScoresAreTransformers) {
  GRYM_NEED_PEER();
  const testing::AroundPeer peer;
  const std::vector<float> conditional = peer.Floats("sampler.conditional");
  const std::vector<float> unconditional = peer.Floats("sampler.unconditional");
  const size_t vocab = conditional.size() / 3;
  for (const char* guidance : {"1", "3"}) {
    for (const char* temperature : {"1", "0.7", "2.5"}) {
      for (const char* top_k : {"0", "1", "20", "200"}) {
        for (const char* top_p : {"1", "0.9", "0.3"}) {
          const std::string name = std::string("sampler.") + guidance + "." + temperature + "." + top_k + "." + top_p;
          SCOPED_TRACE(name);
          const SamplingOptions options =
              Options(std::stod(guidance), std::stod(temperature), std::stol(top_k), std::stod(top_p));
          CodeSampler sampler(static_cast<int64_t>(vocab), options, 1);
          const std::vector<float> wanted = peer.Floats(name);
          for (size_t row = 0; row < 3; ++row) {
            const auto scores = sampler.Scores(&conditional[row * vocab], &unconditional[row * vocab]);
            ASSERT_EQ(scores.size(), vocab);
            for (size_t i = 0; i < vocab; ++i) {
              const float want = wanted[row * vocab + i];
              if (std::isinf(want)) EXPECT_EQ(scores[i], want) << row << " " << i;
              else EXPECT_NEAR(scores[i], want, 1e-5 * (1 + std::abs(want))) << row << " " << i;
            }
          }
        }
      }
    }
  }
}

// Scores over a temperature that floats hardly have: the best one, as with 0, and never a draw among infinities.
TEST(CodeSamplerTest, TheColdestAreGreedy) {
  const std::vector<float> logits = {1, 30, 29, -2};
  for (const double temperature : {0.0, 1e-45, 1e-38, 1e-30, 9e-7}) {
    CodeSampler sampler(4, Options(1, temperature, 0, 1), 7);
    for (int i = 0; i < 20; ++i) EXPECT_EQ(sampler.Draw(logits.data(), nullptr), 1) << temperature;
  }
}

// 40,000 draws: a share of p has a standard deviation of at most 0.0025, and 5 of them are allowed.
TEST(CodeSamplerTest, DrawsAsOftenAsTheLogitsSay) {
  const std::vector<float> logits = {0, 1, 2, -1, 0.5f, -8};
  CodeSampler sampler(6, Options(1, 1, 0, 1), 7);
  constexpr int kDraws = 40'000;
  std::vector<int> counts(6, 0);
  for (int i = 0; i < kDraws; ++i) ++counts[static_cast<size_t>(sampler.Draw(logits.data(), nullptr))];
  double total = 0;
  for (const float logit : logits) total += std::exp(logit);
  for (size_t i = 0; i < 6; ++i)
    EXPECT_NEAR(counts[i] / static_cast<double>(kDraws), std::exp(logits[i]) / total, 0.0125) << i;
}

TEST(CodeSamplerTest, DrawsOnlyWhatIsLeft) {
  const std::vector<float> logits = {0, 3, 2, 3, 1, 2.9f};
  CodeSampler sampler(6, Options(1, 1, 3, 1), 7);
  std::set<int32_t> seen;
  for (int i = 0; i < 500; ++i) seen.insert(sampler.Draw(logits.data(), nullptr));
  EXPECT_EQ(seen, (std::set<int32_t>{1, 3, 5}));
}

TEST(CodeSamplerTest, ZeroTemperatureTakesTheFirstOfTheLargest) {
  const std::vector<float> logits = {0, 3, 2, 3};
  CodeSampler sampler(4, Options(1, 0, 50, 0.5), 7);
  EXPECT_EQ(sampler.Draw(logits.data(), nullptr), 1);
}

TEST(CodeSamplerTest, GuidanceGoesBeyondTheConditional) {
  const std::vector<float> conditional = {1, 1.2f, 0}, unconditional = {0, 1.1f, 0};
  CodeSampler plain(3, Options(1, 0, 0, 1), 7), guided(3, Options(3, 0, 0, 1), 7);
  EXPECT_EQ(plain.Draw(conditional.data(), unconditional.data()), 1);
  EXPECT_EQ(guided.Draw(conditional.data(), unconditional.data()), 0);
}

TEST(CodeSamplerTest, SameSeedSameCodesWhateverIsBesideIt) {
  std::vector<float> logits(50);
  for (size_t i = 0; i < logits.size(); ++i) logits[i] = std::sin(static_cast<float>(i));
  CodeSampler one(50, Options(1, 1, 0, 1), 5), same(50, Options(1, 1, 0, 1), 5), other(50, Options(1, 1, 0, 1), 6);
  int differ = 0;
  for (int i = 0; i < 200; ++i) {
    const int32_t drawn = one.Draw(logits.data(), nullptr);
    differ += other.Draw(logits.data(), nullptr) != drawn;
    EXPECT_EQ(same.Draw(logits.data(), nullptr), drawn);
  }
  EXPECT_GT(differ, 100);
}

TEST(CodeSamplerTest, GoesOnFromWhereAGeneratorStood) {
  const std::vector<float> logits(100, 0.0f);
  CodeSampler one(100, Options(1, 1, 0, 1), 5), other(100, Options(1, 1, 0, 1), 99);
  for (int i = 0; i < 10; ++i) one.Draw(logits.data(), nullptr);
  const auto restored = Random::FromState(one.random().state());
  ASSERT_TRUE(restored.has_value());
  other.SetRandom(*restored);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(one.Draw(logits.data(), nullptr), other.Draw(logits.data(), nullptr));
  EXPECT_FALSE(Random::FromState({0, 0, 0, 0}).has_value());
}

TEST(CodeSamplerTest, NoNumbersNoCode) {
  std::vector<float> logits = {0, std::nanf(""), 2};
  CodeSampler sampler(3, Options(1, 1, 0, 1), 7);
  EXPECT_EQ(sampler.Draw(logits.data(), nullptr), -1);
  logits.assign(3, kMinusInfinity);
  EXPECT_EQ(sampler.Draw(logits.data(), nullptr), -1);
}

}  // namespace
}  // namespace grym
