#include "models/encodec/config.h"

#include <gmock/gmock.h>

#include <set>

#include "grymsynth/error.h"
#include "gtest/gtest.h"

namespace grym {
namespace {

absl::StatusOr<EncodecConfig> Parsed(const char* text) {
  return EncodecConfig::Parse(*Json::Parse(text), "config.json");
}

TEST(EncodecConfigTest, TakesTheReferencesDefaults) {
  const auto config = Parsed("{}");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->hop(), 320);
  EXPECT_EQ(config->frame_rate(), 75);
  EXPECT_EQ(config->books(), 32);  // 24 kbit/s of 10 bits at 75 Hz
  EXPECT_EQ(config->channels(0), 512);
  EXPECT_EQ(config->channels(4), 32);
  EXPECT_TRUE(config->use_causal_conv);
}

TEST(EncodecConfigTest, CountsTheBooksOfMusicGensCodec) {
  const auto config = Parsed(R"({"sampling_rate": 32000, "upsampling_ratios": [8, 5, 4, 4], "codebook_size": 2048,
                                 "target_bandwidths": [2.2], "num_filters": 64, "use_causal_conv": false,
                                 "novelty": 1})");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->books(), 4);
  EXPECT_EQ(config->frame_rate_hz(), 50);
  EXPECT_EQ(config->FramesOf(641), 2);
  EXPECT_EQ(config->unknown_fields, std::vector<std::string>{"novelty"});
}

TEST(EncodecConfigTest, ListsAllThatIsWrong) {
  const auto told = [](const char* text) {
    std::set<std::string> pointers;
    const auto parsed = Parsed(text);
    EXPECT_EQ(ErrorCode(parsed.status()), "bad_config");
    for (const Problem& problem : ErrorProblems(parsed.status())) pointers.insert(problem.pointer);
    return pointers;
  };
  EXPECT_EQ(told(R"({"num_filters": 0, "kernel_size": "seven", "audio_channels": 3})"),
            (std::set<std::string>{"/num_filters", "/kernel_size", "/audio_channels"}));
  EXPECT_EQ(told(R"({"target_bandwidths": []})"), std::set<std::string>{"/target_bandwidths"});
  EXPECT_EQ(told(R"({"target_bandwidths": [0.1]})"), std::set<std::string>{"/target_bandwidths"});
  EXPECT_EQ(told(R"({"codebook_size": 1000})"), std::set<std::string>{"/codebook_size"});
  EXPECT_EQ(told(R"({"codebook_dim": 64})"), std::set<std::string>{"/codebook_dim"});
  EXPECT_EQ(told(R"({"use_causal_conv": false, "trim_right_ratio": 0.5})"),
            std::set<std::string>{"/trim_right_ratio"});
  EXPECT_EQ(told(R"({"pad_mode": "circular"})"), std::set<std::string>{"/pad_mode"});
  EXPECT_EQ(told(R"({"upsampling_ratios": [64, 64, 64, 64]})"),
            (std::set<std::string>{"/upsampling_ratios", "/target_bandwidths"}));
}

TEST(EncodecConfigTest, ChunkedCodecsAreUnimplemented) {
  for (const char* text : {R"({"chunk_length_s": 1.0, "overlap": 0.01})", R"({"normalize": true})",
                           R"({"norm_type": "time_group_norm"})"}) {
    const auto parsed = Parsed(text);
    EXPECT_EQ(parsed.status().code(), absl::StatusCode::kUnimplemented);
    EXPECT_EQ(ErrorCode(parsed.status()), "unsupported_config");
    EXPECT_THAT(parsed.status().message(), ::testing::HasSubstr("encodec_48khz"));
  }
}

}  // namespace
}  // namespace grym
