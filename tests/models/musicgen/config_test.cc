#include "models/musicgen/config.h"

#include "grymsynth/error.h"
#include "gtest/gtest.h"

namespace grym {
namespace {

// As facebook/musicgen-small has it, with the fields that matter.
constexpr char kSmall[] = R"({"model_type": "musicgen",
  "text_encoder": {"model_type": "t5", "d_model": 768},
  "audio_encoder": {"model_type": "encodec", "sampling_rate": 32000, "upsampling_ratios": [8, 5, 4, 4],
                    "codebook_size": 2048, "target_bandwidths": [2.2], "norm_type": "weight_norm"},
  "decoder": {"model_type": "musicgen_decoder", "hidden_size": 1024, "dropout": 0.1}})";

absl::StatusOr<MusicgenConfig> Read(const std::string& text) {
  return ReadMusicgenConfig(Json::Parse(text).value(), "config.json");
}

std::string With(const std::string& part, const std::string& name, const Json& value) {
  Json json = Json::Parse(kSmall).value();
  (part.empty() ? json : json[part])[name] = value;
  return json.Dump();
}

TEST(MusicgenConfigTest, ReadsThePublishedLayout) {
  const auto config = Read(kSmall);
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_FALSE(config->melody);
  EXPECT_EQ(config->hidden, 1024);
  EXPECT_EQ(config->layers, 24);
  EXPECT_EQ(config->head_dim(), 64);
  EXPECT_EQ(config->text.d_model, 768);
  EXPECT_TRUE(config->projects_text());
  EXPECT_FALSE(config->projects_chroma());
  EXPECT_EQ(config->codec.hop_frames, 640);
  EXPECT_EQ(config->codec.frames_per_second(), 50);
  EXPECT_EQ(config->codec.books(), 4);
  EXPECT_EQ(config->codec.json.at("norm_type").text(), "weight_norm");
  EXPECT_TRUE(config->unknown_fields.empty()) << config->unknown_fields[0];
  EXPECT_EQ(config->resolved.at("decoder").at("ffn_dim").integer(), 4096);
  EXPECT_EQ(config->resolved.at("text_encoder").at("num_heads").integer(), 8);
}

TEST(MusicgenConfigTest, ReadsAMelodyModel) {
  Json json = Json::Parse(With("", "model_type", "musicgen_melody")).value();
  json["decoder"]["model_type"] = "musicgen_melody_decoder";
  json["chroma_length"] = 100;
  const auto config = ReadMusicgenConfig(json, "config.json");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_TRUE(config->melody);
  EXPECT_TRUE(config->projects_chroma());
  EXPECT_EQ(config->chroma_bins, 12);
  EXPECT_EQ(config->chroma_length, 100);
}

TEST(MusicgenConfigTest, ABooksCountThatEncodecDoesNotHaveNamesBoth) {
  const auto config = Read(With("decoder", "num_codebooks", 5));
  ASSERT_FALSE(config.ok());
  EXPECT_EQ(ErrorCode(config.status()), "bad_config");
  EXPECT_NE(config.status().message().find("num_codebooks"), std::string::npos) << config.status();
  EXPECT_NE(config.status().message().find("want at most 4 for each of 1 channels"), std::string::npos);
  EXPECT_NE(config.status().message().find("got 5"), std::string::npos);
  Json stereo = Json::Parse(With("decoder", "num_codebooks", 8)).value();
  EXPECT_FALSE(ReadMusicgenConfig(stereo, "config.json").ok());
  stereo["decoder"]["audio_channels"] = 2;
  EXPECT_TRUE(ReadMusicgenConfig(stereo, "config.json").ok());
  stereo["decoder"]["num_codebooks"] = 7;
  EXPECT_FALSE(ReadMusicgenConfig(stereo, "config.json").ok());
}

TEST(MusicgenConfigTest, RefusesWhatDoesNotFit) {
  struct Case {
    const char* part;
    const char* name;
    Json value;
  };
  for (const Case& c : {Case{"decoder", "hidden_size", 1000}, Case{"decoder", "vocab_size", 1024},
                        Case{"decoder", "num_attention_heads", 0}, Case{"decoder", "activation_function", "swoosh"},
                        Case{"decoder", "audio_channels", 3}, Case{"decoder", "cross_attention_hidden_size", 768},
                        Case{"decoder", "model_type", "musicgen_melody_decoder"},
                        Case{"audio_encoder", "target_bandwidths", Json::Array()},
                        Case{"audio_encoder", "target_bandwidths", "2.2"},
                        Case{"audio_encoder", "upsampling_ratios", Json::ArrayOf(std::vector<int>{4096, 4096})},
                        Case{"audio_encoder", "audio_channels", 2}, Case{"text_encoder", "d_model", -1},
                        Case{"", "model_type", "bark"}, Case{"", "decoder", 3}}) {
    const auto config = Read(With(c.part, c.name, c.value));
    ASSERT_FALSE(config.ok()) << c.part << "/" << c.name;
    EXPECT_EQ(ErrorCode(config.status()), "bad_config") << c.name;
    EXPECT_NE(config.status().message().find(c.name), std::string::npos) << config.status();
  }
}

TEST(MusicgenConfigTest, GenerationsDefaultsAndIds) {
  MusicgenConfig config = Read(kSmall).value();
  ASSERT_TRUE(ReadMusicgenGeneration(Json::Object(), "generation_config.json", config).ok());
  EXPECT_EQ(config.generation.guidance_scale, 1);
  EXPECT_EQ(config.generation.top_k, 50);
  EXPECT_EQ(config.start_id, 2048);
  const Json published = Json::Parse(R"({"bos_token_id": 2048, "decoder_start_token_id": 2048, "do_sample": true,
      "guidance_scale": 3.0, "max_length": 1500, "pad_token_id": 2048})").value();
  ASSERT_TRUE(ReadMusicgenGeneration(published, "generation_config.json", config).ok());
  EXPECT_EQ(config.generation.guidance_scale, 3);
  EXPECT_TRUE(config.generation.do_sample);
  EXPECT_EQ(config.generation.max_length, 1500);
  for (const char* text : {R"({"pad_token_id": 0})", R"({"decoder_start_token_id": 2049})", R"({"temperature": -1})",
                           R"({"guidance_scale": 1e9})", R"({"max_length": 0})"}) {
    MusicgenConfig other = Read(kSmall).value();
    const absl::Status status =
        ReadMusicgenGeneration(Json::Parse(text).value(), "generation_config.json", other);
    EXPECT_EQ(ErrorCode(status), "bad_config") << text;
  }
  // -1 in config.json is made good by the other file.
  MusicgenConfig late = Read(With("decoder", "pad_token_id", -1)).value();
  EXPECT_TRUE(ReadMusicgenGeneration(published, "generation_config.json", late).ok());
  late = Read(With("decoder", "pad_token_id", -1)).value();
  EXPECT_FALSE(ReadMusicgenGeneration(Json::Object(), "generation_config.json", late).ok());
}

}  // namespace
}  // namespace grym
