#include "text/piece_trie.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace grym {
namespace {

std::vector<std::pair<size_t, int32_t>> Prefixes(const PieceTrie& trie, std::string_view text, size_t at = 0) {
  std::vector<std::pair<size_t, int32_t>> found;
  trie.Prefixes(text, at, [&](size_t bytes, int32_t piece) { found.emplace_back(bytes, piece); });
  return found;
}

using Found = std::vector<std::pair<size_t, int32_t>>;

TEST(PieceTrieTest, FindsAllPrefixesShortestFirst) {
  PieceTrie trie;
  ASSERT_TRUE(trie.Build({"abc", "a", "ab", "abd", "b", "\xE4\xBD\xA0"}));
  EXPECT_EQ(Prefixes(trie, "abcd"), (Found{{1, 1}, {2, 2}, {3, 0}}));
  EXPECT_EQ(Prefixes(trie, "xab", 1), (Found{{1, 1}, {2, 2}}));
  EXPECT_EQ(Prefixes(trie, "x"), Found());
  EXPECT_EQ(Prefixes(trie, ""), Found());
  EXPECT_EQ(trie.Find("\xE4\xBD\xA0"), 5);
  EXPECT_EQ(trie.Find("\xE4\xBD"), -1);
  EXPECT_EQ(trie.Find("abcd"), -1);
}

TEST(PieceTrieTest, TheLastOfEqualPiecesCounts) {
  PieceTrie trie;
  ASSERT_TRUE(trie.Build({"a", "a", "", "a"}));
  EXPECT_EQ(trie.Find("a"), 3);
  EXPECT_EQ(trie.Find(""), 2);
}

TEST(PieceTrieTest, OfNothingFindsNothing) {
  PieceTrie empty, built;
  ASSERT_TRUE(built.Build({}));
  EXPECT_EQ(empty.Find("a"), -1);
  EXPECT_EQ(built.Find("a"), -1);
  EXPECT_EQ(built.Find(""), -1);
}

TEST(PieceTrieTest, RefusesMoreNodesThanItsLimit) {
  // Pairs that part at their last byte: no tail is shared, each byte is a node.
  std::vector<std::string> pieces;
  for (int i = 0; i < 4000; ++i) {
    for (const char* end : {"x", "y"}) pieces.push_back(std::to_string(i) + std::string(1000, '-') + end);
  }
  PieceTrie trie;
  EXPECT_FALSE(trie.Build({pieces.begin(), pieces.end()}));
  EXPECT_TRUE(trie.Build({pieces.begin(), pieces.begin() + 2000}));
}

}  // namespace
}  // namespace grym
