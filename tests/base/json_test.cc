#include "base/json.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "base/status.h"

namespace grym {
namespace {

Json Read(std::string_view text) {
  auto json = Json::Parse(text);
  EXPECT_TRUE(json.ok()) << text << ": " << json.status();
  return json.ok() ? *json : Json();
}

TEST(JsonTest, NumbersCompareByExactValue) {
  EXPECT_EQ(Read("1"), Read("1.0"));
  EXPECT_FALSE(Read("9007199254740993") == Read("9007199254740992.0"));
  EXPECT_FALSE(Read("18446744073709551615") == Read("18446744073709551616.0"));
  EXPECT_LT(Json::CompareNumbers(Read("18446744073709551615"), Read("18446744073709551616.0")), 0);
  EXPECT_LT(Json::CompareNumbers(Read("-9223372036854775808"), Read("-9223372036854775807.5")), 1);
  EXPECT_EQ(Read("-0"), Read("0.0"));
  EXPECT_GT(Json::CompareNumbers(Read("-1"), Read("-1.5")), 0);
  EXPECT_FALSE(Read("\"1\"") == Read("1"));
  EXPECT_FALSE(Read("true") == Read("1"));
}

TEST(JsonTest, ParseRefusesWhatIsNoDocument) {
  for (const char* bad :
       {"", "{", "[1,]", "1 2", "{\"a\":1,\"a\":2}", "NaN", "1e999", "\"\xff\"", "{\"a\":{\"b\":1,\"b\":1}}"}) {
    const auto json = Json::Parse(bad);
    ASSERT_FALSE(json.ok()) << bad;
    EXPECT_EQ(ErrorCode(json.status()), "bad_json") << bad;
  }
  EXPECT_NE(std::string(Json::Parse("{\"a\":1,\"a\":2}").status().message()).find("\"a\""), std::string::npos);
}

TEST(JsonTest, LimitsHoldOnBothSides) {
  EXPECT_TRUE(Json::Parse(std::string(64, '[') + std::string(64, ']')).ok());
  EXPECT_FALSE(Json::Parse(std::string(65, '[') + std::string(65, ']')).ok());
  EXPECT_FALSE(Json::Parse(std::string(1000000, '[')).ok());
  JsonLimits limits;
  limits.bytes = 4;
  EXPECT_TRUE(Json::Parse("1234", limits).ok());
  EXPECT_FALSE(Json::Parse("12345", limits).ok());
  EXPECT_TRUE(Json::Parse("0." + std::string(62, '1')).ok());
  EXPECT_FALSE(Json::Parse("0." + std::string(63, '1')).ok());
  limits = JsonLimits();
  limits.string_bytes = 5;
  EXPECT_TRUE(Json::Parse("\"12345\"", limits).ok());
  EXPECT_FALSE(Json::Parse("\"123456\"", limits).ok());
  EXPECT_FALSE(Json::Parse("{\"123456\":1}", limits).ok());
  // What a document of ours may have by default.
  EXPECT_TRUE(Json::Parse("[" + std::string((1 << 20) - 2, ' ') + "]").ok());
  EXPECT_FALSE(Json::Parse("[" + std::string((1 << 20) - 1, ' ') + "]").ok());
}

Json RandomJson(Random& random, int depth) {
  switch (random.Below(depth > 0 ? 8 : 6)) {
    case 0: return Json();
    case 1: return Json(random.Chance(0.5));
    case 2: return Json(static_cast<int64_t>(random.Next()));
    case 3: return Json(random.Next());
    case 4: return Json(random.Normal() * std::pow(10.0, random.Uniform(-20, 20)));
    case 5: {
      std::string text;
      for (int64_t i = random.Below(12); i > 0; --i) text += static_cast<char>(random.Below(128));
      return Json(text + "\xc3\xa9");
    }
    case 6: {
      Json array = Json::Array();
      for (int64_t i = random.Below(5); i > 0; --i) array.push_back(RandomJson(random, depth - 1));
      return array;
    }
    default: {
      Json object = Json::Object();
      for (int64_t i = random.Below(5); i > 0; --i)
        object["k" + std::to_string(random.Below(100))] = RandomJson(random, depth - 1);
      return object;
    }
  }
}

TEST(JsonTest, DumpReadsBackTheSame) {
  Random random(7);
  for (int i = 0; i < 2000; ++i) {
    const Json json = RandomJson(random, 4);
    ASSERT_EQ(Read(json.Dump()), json) << json.Dump();
    ASSERT_EQ(Read(json.Dump()).Dump(), json.Dump());
    ASSERT_EQ(Read(json.Dump(2)), json);
  }
}

}  // namespace
}  // namespace grym
