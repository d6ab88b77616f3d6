#include "models/wav2vec2/config.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "grymsynth/error.h"

namespace grym {
namespace {

using ::testing::HasSubstr;

absl::StatusOr<Wav2Vec2Config> Read(const std::string& json) {
  return ReadWav2Vec2Config(Json::Parse(json).value(), "config.json");
}

TEST(Wav2Vec2ConfigTest, AbsentFieldsTakeTheLibrarysDefaults) {
  const auto config = Read("{}");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->hidden, 768);
  EXPECT_EQ(config->layers, 12);
  EXPECT_FALSE(config->norm_first);
  EXPECT_FALSE(config->norm_every_conv);
  EXPECT_FALSE(config->ctc_head);
  EXPECT_EQ(config->SamplesPerFrame(), 320);
  EXPECT_EQ(config->SamplesOf(1), 400);
  EXPECT_EQ(config->FramesOf(399), 0);
  EXPECT_EQ(config->FramesOf(400), 1);
  EXPECT_EQ(config->FramesOf(160'000), 499);
  for (const int64_t frames : {1, 2, 49, 1500}) {
    EXPECT_EQ(config->FramesOf(config->SamplesOf(frames)), frames);
    EXPECT_EQ(config->FramesOf(config->SamplesOf(frames) - 1), frames - 1);
  }
}

TEST(Wav2Vec2ConfigTest, ReadsTheLayoutAndListsWhatItDoesNotKnow) {
  const auto config = Read(R"({"feat_extract_norm": "layer", "do_stable_layer_norm": true, "conv_bias": true,
      "hidden_act": "relu", "architectures": ["Wav2Vec2ForCTC"], "pad_token_id": 3, "hidden_dropout": 0.1,
      "future_field": 1})");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_TRUE(config->norm_every_conv && config->norm_first && config->conv_bias && config->ctc_head);
  EXPECT_EQ(config->activation, Activation::kRelu);
  EXPECT_EQ(config->blank, 3);
  EXPECT_EQ(config->unknown_fields, std::vector<std::string>{"future_field"});
}

TEST(Wav2Vec2ConfigTest, SaysFieldWantedAndGot) {
  const struct {
    const char* json;
    std::vector<std::string> words;
  } cases[] = {
      {R"({"hidden_size": "768"})", {"hidden_size"}},
      {R"({"hidden_size": 770})", {"hidden_size", "num_attention_heads 12", "770"}},
      {R"({"num_conv_pos_embedding_groups": 7})", {"hidden_size", "num_conv_pos_embedding_groups 7"}},
      {R"({"conv_kernel": [10, 3]})", {"conv_kernel", "7", "2"}},
      {R"({"conv_stride": [5, 2, 2, 2, 2, 2, 0]})", {"conv_stride"}},
      {R"({"conv_stride": [4096, 4096, 4096, 4096, 4096, 4096, 4096]})", {"conv_stride", "1048576"}},
      {R"({"conv_dim": []})", {"conv_dim"}},
      {R"({"feat_extract_norm": "batch"})", {"feat_extract_norm", "batch"}},
      {R"({"hidden_act": "quick_gelu"})", {"hidden_act", "quick_gelu"}},
      {R"({"num_hidden_layers": 0})", {"num_hidden_layers"}},
      {R"({"add_adapter": true})", {"add_adapter"}},
      {R"({"do_stable_layer_norm": true, "adapter_attn_dim": 16})", {"adapter_attn_dim", "16"}},
      {R"({"output_hidden_size": 5})", {"output_hidden_size", "768", "5"}},
  };
  for (const auto& c : cases) {
    const auto config = Read(c.json);
    EXPECT_EQ(config.status().code(), absl::StatusCode::kInvalidArgument) << c.json;
    EXPECT_EQ(ErrorCode(config.status()), "bad_config") << c.json;
    for (const std::string& word : c.words) EXPECT_THAT(config.status().message(), HasSubstr(word)) << c.json;
  }
}

TEST(Wav2Vec2ConfigTest, ReadsTheFeatureExtractor) {
  Wav2Vec2Config config;
  const Json json = Json::Parse(R"({"sampling_rate": 8000, "do_normalize": false, "feature_size": 1})").value();
  EXPECT_TRUE(ReadWav2Vec2Preprocessor(json, "preprocessor_config.json", config).ok());
  EXPECT_EQ(config.rate_hz, 8000);
  EXPECT_FALSE(config.normalise);
  const Json wide = Json::Parse(R"({"feature_size": 80})").value();
  EXPECT_EQ(ErrorCode(ReadWav2Vec2Preprocessor(wide, "preprocessor_config.json", config)), "bad_config");
}

}  // namespace
}  // namespace grym
