#include "workflow/condition.h"

#include <gtest/gtest.h>

#include "base/status.h"

namespace grym {
namespace {

// "true", "false" or the error's code.
std::string Answer(CompareOperator op, const char* left, const char* right) {
  const auto held = CompareValues(op, Json::Parse(left).value(), Json::Parse(right).value());
  return held.ok() ? (*held ? "true" : "false") : ErrorCode(held.status());
}
std::string Equals(const char* left, const char* right) { return Answer(CompareOperator::kEquals, left, right); }
std::string Contains(const char* left, const char* right) { return Answer(CompareOperator::kContains, left, right); }
std::string Greater(const char* left, const char* right) { return Answer(CompareOperator::kGreaterThan, left, right); }
std::string Less(const char* left, const char* right) { return Answer(CompareOperator::kLessThan, left, right); }
const char* const kTypeError = "condition_type_error";

TEST(ConditionTest, EqualsVectors) {
  EXPECT_EQ(Equals("1", "1.0"), "true");
  EXPECT_EQ(Equals("\"1\"", "1"), "false");
  EXPECT_EQ(Equals("true", "1"), "false");
  EXPECT_EQ(Equals("null", "null"), "true");
  EXPECT_EQ(Equals("null", "0"), "false");
  EXPECT_EQ(Equals("9007199254740993", "9007199254740992.0"), "false");
  EXPECT_EQ(Equals(R"({"a":1,"b":[2]})", R"({"b":[2.0],"a":1})"), "true");
  EXPECT_EQ(Equals("[1,2]", "[2,1]"), "false");
}

TEST(ConditionTest, ContainsVectors) {
  EXPECT_EQ(Contains("\"abc\"", "\"\""), "true");
  EXPECT_EQ(Contains("\"abc\"", "\"B\""), "false");
  EXPECT_EQ(Contains(R"([1,"x"])", "1.0"), "true");
  EXPECT_EQ(Contains(R"([1,"x"])", "\"1\""), "false");
  EXPECT_EQ(Contains(R"({"k":0})", "\"k\""), "true");
  EXPECT_EQ(Contains("\"a1\"", "1"), kTypeError);
  EXPECT_EQ(Contains("5", "5"), kTypeError);
  EXPECT_EQ(Contains(R"({"k":0})", "0"), kTypeError);
}

TEST(ConditionTest, OrderVectors) {
  EXPECT_EQ(Greater("0.8", "0.8"), "false");
  EXPECT_EQ(Less("0.8", "0.8"), "false");
  EXPECT_EQ(Less("\"Z\"", "\"a\""), "true");
  EXPECT_EQ(Less("\"\\uE000\"", "\"\\uD83C\\uDFB5\""), "true");  // by code point, not by UTF-16 unit
  EXPECT_EQ(Greater("\"2\"", "1"), kTypeError);
  EXPECT_EQ(Less("null", "1"), kTypeError);
  EXPECT_EQ(Less("true", "2"), kTypeError);
  EXPECT_EQ(Less("[1]", "[2]"), kTypeError);
  EXPECT_EQ(Greater("18446744073709551615", "18446744073709551616.0"), "false");
  EXPECT_EQ(Less("18446744073709551615", "18446744073709551616.0"), "true");
  EXPECT_EQ(Greater("9007199254740993", "9007199254740992.0"), "true");
}

TEST(ConditionTest, AMissingLeftPathIsMissingForEveryOperatorAndNullIsNot) {
  for (const CompareOperator op : {CompareOperator::kEquals, CompareOperator::kContains, CompareOperator::kGreaterThan,
                                   CompareOperator::kLessThan}) {
    EXPECT_EQ(ErrorCode(EvaluateCondition(op, nullptr, "result.x", Json(1), {}).status()), "condition_path_missing");
    EXPECT_EQ(*EvaluateCondition(op, nullptr, "result.x", Json(1), true), true);
    const Json null;
    EXPECT_NE(ErrorCode(EvaluateCondition(op, &null, "result.x", Json(1), {}).status()), "condition_path_missing");
  }
}

TEST(ConditionTest, ComparisonTexts) {
  const auto comparison = ParseComparison(R"(result["a b"].c less_than "x y")");
  ASSERT_TRUE(comparison.ok()) << comparison.status();
  EXPECT_EQ(comparison->left, (Path{"result", "a b", "c"}));
  EXPECT_EQ(comparison->op, CompareOperator::kLessThan);
  EXPECT_EQ(comparison->right.at("$literal").text(), "x y");
  for (const char* bad : {"", "maybe", "result.x", "result.x equals", "result.x equals ", "result.x is 1",
                          "result..x equals 1", "result.x equals {", " equals 1", "result.x equals 1 2"}) {
    EXPECT_EQ(ErrorCode(ParseComparison(bad).status()), "bad_condition") << bad;
  }
}

}  // namespace
}  // namespace grym
