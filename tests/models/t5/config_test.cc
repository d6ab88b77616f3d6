#include "models/t5/config.h"

#include "grymsynth/error.h"
#include "gtest/gtest.h"

namespace grym {
namespace {

absl::StatusOr<T5Config> Parsed(const char* text) { return T5Config::Parse(*Json::Parse(text), "config.json"); }

TEST(T5ConfigTest, TakesTheReferencesDefaults) {
  const auto config = Parsed("{}");
  ASSERT_TRUE(config.ok());
  EXPECT_EQ(config->d_model, 512);
  EXPECT_EQ(config->num_layers, 6);
  EXPECT_FALSE(config->gated);
  EXPECT_EQ(config->activation, Activation::kRelu);
}

TEST(T5ConfigTest, AGatedGeluIsTheTanhOne) {
  const auto config = Parsed(R"({"feed_forward_proj": "gated-gelu", "novelty": 1})");
  ASSERT_TRUE(config.ok());
  EXPECT_TRUE(config->gated);
  EXPECT_EQ(config->activation, Activation::kGeluTanh);
  EXPECT_EQ(config->unknown_fields, std::vector<std::string>{"novelty"});
}

TEST(T5ConfigTest, ListsAllThatIsWrong) {
  const auto config = Parsed(R"({"d_model": "wide", "num_heads": 0, "feed_forward_proj": "maxout"})");
  ASSERT_FALSE(config.ok());
  EXPECT_EQ(ErrorCode(config.status()), "bad_config");
  EXPECT_EQ(ErrorProblems(config.status()).size(), 3u);
}

}  // namespace
}  // namespace grym
