#include "text/byte_level.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace grym {
namespace {

std::vector<std::string> Words(std::string_view text) {
  std::vector<std::string> words;
  for (size_t at = 0; at < text.size();) {
    const size_t end = WordEnd(text, at);
    words.emplace_back(text.substr(at, end - at));
    at = end;
  }
  return words;
}

using Strings = std::vector<std::string>;

TEST(ByteLevelTest, EveryByteComesBack) {
  std::string bytes, chars;
  for (int byte = 0; byte < 256; ++byte) bytes += static_cast<char>(byte);
  AppendByteLevel(bytes, chars);
  EXPECT_EQ(FromByteLevel(chars), bytes);
  EXPECT_EQ(chars.substr(0, 2), "\u0100");                  // byte 0
  std::string space;
  AppendByteLevel(" a\n", space);
  EXPECT_EQ(space, "\u0120a\u010A");
  EXPECT_EQ(FromByteLevel("\u0144"), std::nullopt);
  EXPECT_EQ(FromByteLevel(" "), std::nullopt);
}

TEST(ByteLevelTest, SplitsAsThePatternDoes) {
  EXPECT_EQ(Words("I'll go, don't you'Re"), (Strings{"I", "'ll", " go", ",", " don", "'t", " you", "'", "Re"}));
  EXPECT_EQ(Words("a  b"), (Strings{"a", " ", " b"}));
  EXPECT_EQ(Words("a \n b \n"), (Strings{"a", " \n", " b", " \n"}));
  EXPECT_EQ(Words("\n\nx"), (Strings{"\n", "\n", "x"}));
  EXPECT_EQ(Words("\nx"), (Strings{"\n", "x"}));
  EXPECT_EQ(Words("128bpm 3\u00BD!?"), (Strings{"128", "bpm", " 3\u00BD", "!?"}));
  EXPECT_EQ(Words("e\u0301 \u4F60\u597D"), (Strings{"e", "\u0301", " \u4F60\u597D"}));
  EXPECT_EQ(Words("\u3000x \u3000"), (Strings{"\u3000", "x", " \u3000"}));
  EXPECT_EQ(Words("  "), (Strings{"  "}));
  EXPECT_EQ(Words(" 's"), (Strings{" '", "s"}));
}

TEST(ByteLevelTest, BytesThatAreNoTextBecomeReplacementCharacters) {
  EXPECT_EQ(LossyUtf8("a\xC3\xA9"), "a\u00E9");
  EXPECT_EQ(LossyUtf8("\xF0\x9F\x98"), "\uFFFD");               // cut: one part
  EXPECT_EQ(LossyUtf8("\xF0\x9F\x98x"), "\uFFFDx");
  EXPECT_EQ(LossyUtf8("\x80\x80"), "\uFFFD\uFFFD");
  EXPECT_EQ(LossyUtf8("\xE0\x80\x80"), "\uFFFD\uFFFD\uFFFD");   // over-long: no part is longer than its lead
  EXPECT_EQ(LossyUtf8("\xED\xA0\x80"), "\uFFFD\uFFFD\uFFFD");   // surrogate
  EXPECT_EQ(LossyUtf8("\xC3"), "\uFFFD");
  EXPECT_EQ(LossyUtf8("\xE4\xBD\xE4\xBD\xA0"), "\uFFFD\u4F60");
}

}  // namespace
}  // namespace grym
