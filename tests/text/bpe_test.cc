#include "text/bpe.h"

#include <gtest/gtest.h>

namespace grym {
namespace {

using Ids = std::vector<int32_t>;

std::unique_ptr<const SubwordModel> Made(BpeParts parts, const std::vector<std::string>& tokens) {
  for (size_t i = 0; i < tokens.size(); ++i)
    EXPECT_TRUE(parts.vocabulary.Add(tokens[i], static_cast<int64_t>(i), "v").ok());
  EXPECT_TRUE(parts.vocabulary.Seal("v", true).ok());
  return MakeBpe(std::move(parts), "v").value();
}

Ids Encoded(const SubwordModel& model, std::string_view word) {
  Ids ids;
  EXPECT_TRUE(model.Append(word, ids).ok());
  return ids;
}

TEST(BpeTest, LowestRankFirstThenLeftmost) {
  const auto model = Made({.merges = {{"b", "c"}, {"a", "b"}, {"a", "a"}, {"aa", "aa"}}},
                          {"a", "b", "c", "ab", "bc", "aa", "aaaa"});
  EXPECT_EQ(Encoded(*model, "abc"), (Ids{0, 4}));
  EXPECT_EQ(Encoded(*model, "abab"), (Ids{3, 3}));
  EXPECT_EQ(Encoded(*model, "aaaaa"), (Ids{6, 0}));
}

TEST(BpeTest, UnknownsAloneFusedOrAsBytes) {
  EXPECT_EQ(Encoded(*Made({.unk_token = "?"}, {"a", "?"}), "axya"), (Ids{0, 1, 1, 0}));
  EXPECT_EQ(Encoded(*Made({.unk_token = "?", .fuse_unk = true}, {"a", "?"}), "axyaz"), (Ids{0, 1, 0, 1}));
  EXPECT_EQ(Encoded(*Made({}, {"a"}), "axa"), (Ids{0, 0}));
  std::vector<std::string> bytes{"a"};
  for (int byte = 0; byte < 256; ++byte) {
    static constexpr char kDigits[] = "0123456789ABCDEF";
    bytes.push_back({'<', '0', 'x', kDigits[byte / 16], kDigits[byte % 16], '>'});
  }
  EXPECT_EQ(Encoded(*Made({.byte_fallback = true}, bytes), "a\u00E9"), (Ids{0, 1 + 0xC3, 1 + 0xA9}));
}

TEST(BpeTest, AWholeWordMayStay) {
  const std::vector<std::string> tokens{"a", "b", "ab"};
  EXPECT_EQ(Encoded(*Made({.ignore_merges = true}, tokens), "ab"), (Ids{2}));
  EXPECT_EQ(Encoded(*Made({}, tokens), "ab"), (Ids{0, 1}));
}

TEST(BpeTest, TheLastOfEqualMergesCounts) {
  MergeTable table;
  ASSERT_TRUE(table.Build({{1, 2, 0, 3}, {4, 5, 1, 6}, {1, 2, 2, 7}}).ok());
  ASSERT_NE(table.Find(1, 2), nullptr);
  EXPECT_EQ(table.Find(1, 2)->merged, 7);
  EXPECT_EQ(table.Find(2, 1), nullptr);
  MergeTable empty;
  EXPECT_EQ(empty.Find(1, 2), nullptr);
}

TEST(BpeTest, ManyMergesAreAllFound) {
  std::vector<MergeTable::Merge> merges;
  for (int32_t i = 0; i < 100000; ++i) merges.push_back({i % 317, i / 317, i, i});
  MergeTable table;
  ASSERT_TRUE(table.Build(merges).ok());
  for (const auto& merge : merges) ASSERT_EQ(table.Find(merge.left, merge.right)->rank, merge.rank);
}

}  // namespace
}  // namespace grym
