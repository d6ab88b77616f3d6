#include "model/json_fields.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "base/random.h"

namespace grym {
namespace {

TEST(NearestNameTest, FindsSlipsAndSwapsAndRefusesStrangers) {
  const std::vector<std::string> names = {"temperature", "tempoBpm", "prompt"};
  EXPECT_EQ(NearestName("temprature", names), "temperature");
  EXPECT_EQ(NearestName("rpompt", names), "prompt");
  EXPECT_EQ(NearestName("tempobpm", names), "tempoBpm");
  EXPECT_EQ(NearestName("zebra", names), "");
  EXPECT_EQ(NearestName(std::string(100000, 'x'), names), "");
  EXPECT_EQ(NearestName("", names), "");
}

TEST(WholeNumberTest, TakesWholeDoublesInRangeOnly) {
  int64_t value = 0;
  EXPECT_TRUE(WholeNumber(Json(4.0), 0, 10, value));
  EXPECT_EQ(value, 4);
  EXPECT_FALSE(WholeNumber(Json(4.5), 0, 10, value));
  EXPECT_FALSE(WholeNumber(Json(11), 0, 10, value));
  EXPECT_FALSE(WholeNumber(Json(-1), 0, 10, value));
  EXPECT_FALSE(WholeNumber(Json("4"), 0, 10, value));
  EXPECT_FALSE(WholeNumber(Json(1e300), INT64_MIN, INT64_MAX, value));
  EXPECT_FALSE(WholeNumber(Json(uint64_t{1} << 63), INT64_MIN, INT64_MAX, value));
  EXPECT_TRUE(WholeNumber(Json(INT64_MIN), INT64_MIN, INT64_MAX, value));
  EXPECT_EQ(value, INT64_MIN);
}

TEST(ShortDoubleTest, ReadsBackAsTheSameFloat) {
  Random random(3);
  for (int round = 0; round < 200000; ++round) {
    const uint32_t bits = static_cast<uint32_t>(random.Next());
    float value;
    std::memcpy(&value, &bits, sizeof value);
    if (!std::isfinite(value)) continue;
    ASSERT_EQ(static_cast<float>(ShortDouble(value)), value) << bits;
  }
  EXPECT_EQ(Json(ShortDouble(0.1f)).Dump(), "0.1");
}

TEST(JsonFieldsTest, WrongTypesAreReportedAndLeaveNothingUnknown) {
  const Json json =
      *Json::Parse(R"({"flag":1,"count":1.5,"big":9e18,"name":null,"list":["a",2],"map":{"k":7},"extra":0})");
  std::vector<Problem> problems;
  JsonFields fields(json, "/at", problems);
  bool flag = true;
  int count = 3;
  int big = 4;
  std::string name = "kept";
  std::vector<std::string> list;
  std::map<std::string, std::string> map;
  std::optional<int> absent;
  fields.Read("flag", flag);
  fields.Read("count", count);
  fields.Read("big", big);
  fields.Read("list", list);
  fields.Read("map", map);
  std::optional<std::string> maybe;
  fields.Read("name", maybe);
  fields.Read("absent", absent);
  fields.Finish();
  ASSERT_EQ(problems.size(), 6u);
  EXPECT_EQ(problems[0].pointer, "/at/flag");
  EXPECT_EQ(problems[3].pointer, "/at/list/1");
  EXPECT_EQ(problems[4].pointer, "/at/map/k");
  EXPECT_EQ(problems[5].code, "unknown_member");
  EXPECT_TRUE(flag);
  EXPECT_EQ(count, 3);
  EXPECT_FALSE(maybe.has_value());
  EXPECT_FALSE(absent.has_value());
}

}  // namespace
}  // namespace grym
