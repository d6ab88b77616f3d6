#include "text/char_map.h"

#include <gtest/gtest.h>

#include "text/small_files.h"

namespace grym {
namespace {

CharMap Made(const std::map<std::string, std::string>& entries) {
  return CharMap::Parse(testing::CharMapBytes(entries), "map").value();
}

TEST(CharMapTest, ReplacesRemovesAndKeeps) {
  const CharMap map = Made({{"A", "a"}, {"\x01", ""}, {"\uFB01", "fi"}, {"e\u0301", "\u00E9"}});
  EXPECT_EQ(map.Normalize("ABA\x01 \uFB01x"), "aBa fix");
  EXPECT_EQ(map.Normalize("xe\u0301e"), "x\u00E9" "e");
  EXPECT_EQ(map.Normalize(""), "");
  EXPECT_EQ(map.Normalize(std::string_view("a\0b", 3)), std::string_view("a\0b", 3));
}

// A cluster of fewer than 6 bytes is replaced as one by the entry that it begins with; longer ones by character.
TEST(CharMapTest, ShortClustersAreReplacedAsOne) {
  const CharMap map = Made({{"e", "E"}, {"\r", "R"}});
  EXPECT_EQ(map.Normalize("e\u0301"), "E");
  EXPECT_EQ(map.Normalize("e\u0301\u0301\u0301"), "E\u0301\u0301\u0301");
  EXPECT_EQ(map.Normalize("\r\n\r"), "RR");
}

TEST(CharMapTest, CutOrLyingMapsAreRefused) {
  const std::string bytes = testing::CharMapBytes({{"a", "b"}});
  EXPECT_FALSE(CharMap::Parse("", "map").ok());
  EXPECT_FALSE(CharMap::Parse(bytes.substr(0, 100), "map").ok());
  EXPECT_FALSE(CharMap::Parse(testing::Little32(0xFFFFFFFC) + bytes, "map").ok());
  EXPECT_FALSE(CharMap::Parse(testing::Little32(3) + bytes, "map").ok());
  EXPECT_FALSE(CharMap::Parse(testing::Little32(0) + bytes, "map").ok());
  EXPECT_EQ(CharMap::Parse(bytes + "\xFF", "map").status().code(), absl::StatusCode::kDataLoss);
}

// Units and values that lead outside match nothing.
TEST(CharMapTest, NoUnitLeadsOutside) {
  std::string bytes = testing::CharMapBytes({{"a", "b"}});
  for (size_t at = 4; at + 4 < bytes.size(); at += 4) {
    std::string wild = bytes;
    wild.replace(at, 4, testing::Little32(0x7FFFFD61));  // far offset, a leaf, label "a"
    const auto map = CharMap::Parse(wild, "map");
    if (map.ok()) map->Normalize("abcaaa\u00E9");
  }
}

}  // namespace
}  // namespace grym
