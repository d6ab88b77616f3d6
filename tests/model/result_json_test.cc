#include <gtest/gtest.h>

#include "base/json.h"
#include "grymsynth/error.h"
#include "grymsynth/generation.h"

namespace grym {
namespace {

GenerateAudioResult SomeResult() {
  GenerateAudioResult result;
  result.provenance = {"composer", "1.0.0", "grymsynth 0.1.0", INT64_MAX, RequestToJson({}), "abc"};
  result.warnings = {"mood: not honoured"};
  result.stages = {{"denoise", true, -11.5, "noise floor -52.1 -> -63.6 dBFS"}, {"declip", false, 0, "no clipping"}};
  result.attempts = {{1, false, {"silence", "clipping"}}, {2, true, {}}};
  result.timings_s = {{"render", 0.25}, {"compose", 1.0 / 3}};
  result.peak_bytes = int64_t{6} << 30;
  result.facts = {{"key", "A minor"}};
  return result;
}

TEST(ResultJsonTest, ComesBackTheSame) {
  const std::string text = ResultToJson(SomeResult());
  const auto back = ResultFromJson(text);
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(ResultToJson(*back), text);
  EXPECT_EQ(back->provenance.request_json, RequestToJson({}));
  EXPECT_EQ(back->provenance.seed, INT64_MAX);
  EXPECT_EQ(back->stages.at(0).change_db, -11.5);
  EXPECT_EQ(back->attempts.at(0).failures.size(), 2u);
  EXPECT_EQ(back->timings_s.at("compose"), 1.0 / 3);
  EXPECT_EQ(back->peak_bytes, int64_t{6} << 30);
}

TEST(ResultJsonTest, TheRequestStandsAsAnObjectWhereItIsCanonical) {
  const Json json = *Json::Parse(ResultToJson(SomeResult()));
  EXPECT_TRUE(json.at("provenance").at("request").is_object());
  for (const char* text : {"", "not json", "{ \"a\": 1 }", "[1]"}) {
    GenerateAudioResult result = SomeResult();
    result.provenance.request_json = text;
    EXPECT_EQ(ResultFromJson(ResultToJson(result))->provenance.request_json, text);
  }
}

TEST(ResultJsonTest, UnknownMembersAndForeignSchemasAreRefused) {
  EXPECT_FALSE(ResultFromJson("{}").ok());
  EXPECT_FALSE(ResultFromJson(R"({"schema":"grymsynth.request/1"})").ok());
  const auto wrong =
      ResultFromJson(R"({"schema":"grymsynth.result/1","warnigs":[],"provenance":{"seed":"x"},"attempts":[1]})");
  ASSERT_FALSE(wrong.ok());
  EXPECT_EQ(ErrorProblems(wrong.status()).size(), 3u);
  EXPECT_EQ(ErrorCode(wrong.status()), "invalid_result");
}

}  // namespace
}  // namespace grym
