#include "text/json_scanner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/status.h"

namespace grym {
namespace {

absl::Status Skipped(std::string_view text) {
  JsonScanner scanner(text, "t.json");
  GRYM_RETURN_IF_ERROR(scanner.Skip());
  return scanner.End();
}

TEST(JsonScannerTest, ReadsEveryKindOfValue) {
  JsonScanner scanner(R"( {"a\u00e9\ud83d\ude00\n": [1, -2.5e3, true, null], "b": {"c": "d"}} )", "t.json");
  std::vector<std::string> keys;
  std::vector<double> numbers;
  const absl::Status read = scanner.Object([&](const std::string& key) -> absl::Status {
    keys.push_back(key);
    if (key == "b") return scanner.Skip();
    int item = 0;
    return scanner.Array([&]() -> absl::Status {
      if (item++ < 2) {
        GRYM_ASSIGN_OR_RETURN(numbers.emplace_back(), scanner.Number());
        return absl::OkStatus();
      }
      if (scanner.Null()) return absl::OkStatus();
      return scanner.Boolean().status();
    });
  });
  ASSERT_TRUE(read.ok()) << read;
  EXPECT_TRUE(scanner.End().ok());
  EXPECT_THAT(keys, testing::ElementsAre("a\u00e9\U0001F600\n", "b"));
  EXPECT_THAT(numbers, testing::ElementsAre(1, -2500));
}

TEST(JsonScannerTest, RefusesWhatIsNoJsonWithItsPlace) {
  for (const char* text : {"", "{", "[1", "[1,", "[1,]", "[,1]", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{a:1}", "\"a", "\"\x01\"",
                           "\"\\x\"", "\"\\u12\"", "\"\\ud800\"", "\"\\ud800\\u0041\"", "\"\\udc00\"", "\"\xFF\"", "01", "-",
                           "1.", ".5", "1e", "+1", "nul", "tru", "[1 2]", "1 2", "{\"a\":1 \"b\":2}"}) {
    const absl::Status status = Skipped(text);
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << text;
    EXPECT_EQ(ErrorCode(status), "damaged_tokenizer");
    EXPECT_THAT(std::string(status.message()), testing::HasSubstr("t.json: byte ")) << text;
  }
}

TEST(JsonScannerTest, DepthHasALimit) {
  EXPECT_TRUE(Skipped(std::string(64, '[') + std::string(64, ']')).ok());
  EXPECT_FALSE(Skipped(std::string(65, '[') + std::string(65, ']')).ok());
  EXPECT_FALSE(Skipped(std::string(1 << 20, '[')).ok());
}

TEST(JsonScannerTest, ATreeHasALimitAndNoDuplicates) {
  JsonScanner small("[1, 2, 3]", "t.json");
  EXPECT_EQ(small.Tree(9)->size(), 3u);
  JsonScanner large("[1, 2, 3]", "t.json");
  EXPECT_EQ(large.Tree(8).status().code(), absl::StatusCode::kResourceExhausted);
  JsonScanner twice(R"({"a": 1, "a": 2})", "t.json");
  EXPECT_EQ(twice.Tree(100).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(JsonScannerTest, NumbersHaveALimit) {
  EXPECT_TRUE(Skipped("1" + std::string(63, '0')).ok());
  EXPECT_FALSE(Skipped("1" + std::string(64, '0')).ok());
  JsonScanner huge("1e999", "t.json");
  EXPECT_FALSE(huge.Number().ok());
  JsonScanner whole("9223372036854775808", "t.json");
  EXPECT_FALSE(whole.Integer().ok());
}

}  // namespace
}  // namespace grym
