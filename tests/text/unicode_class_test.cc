#include "text/unicode_class.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace grym {
namespace {

std::vector<std::string> Clusters(std::string_view text) {
  std::vector<std::string> clusters;
  for (size_t at = 0; at < text.size();) {
    const size_t end = GraphemeEnd(text, at);
    clusters.emplace_back(text.substr(at, end - at));
    at = end;
  }
  return clusters;
}

using Strings = std::vector<std::string>;

TEST(UnicodeClassTest, TellsLettersNumbersAndSpaces) {
  EXPECT_TRUE(UnicodeClass::Of('a').is_letter());
  EXPECT_TRUE(UnicodeClass::Of(0x4E00).is_letter());
  EXPECT_FALSE(UnicodeClass::Of(0x301).is_letter());  // a mark
  EXPECT_TRUE(UnicodeClass::Of(0x2167).is_number());  // Roman eight
  EXPECT_TRUE(UnicodeClass::Of(0xBD).is_number());
  EXPECT_FALSE(UnicodeClass::Of(0x378).is_letter());  // unassigned
  EXPECT_TRUE(UnicodeClass::Of(0x3000).is_space());
  EXPECT_TRUE(UnicodeClass::Of(0x85).is_space());
  EXPECT_FALSE(UnicodeClass::Of(0x200B).is_space());
  EXPECT_FALSE(UnicodeClass::Of(0x1C).is_space());
  EXPECT_TRUE(UnicodeClass::Of('_').is_word());
  EXPECT_FALSE(UnicodeClass::Of(0x110000).is_letter());
  EXPECT_FALSE(UnicodeClass::Of(0xFFFFFFFF).is_letter());
}

// Letters and numbers end at Unicode 16.0: this CJK extension is of 17.0.
TEST(UnicodeClassTest, LettersAreThoseOfUnicode16) {
  EXPECT_TRUE(UnicodeClass::Of(0x1C89).is_letter());
  EXPECT_FALSE(UnicodeClass::Of(0x323B0).is_letter());
}

TEST(UnicodeClassTest, ClustersFollowTheAnnex) {
  EXPECT_EQ(Clusters("ab\r\n\n"), (Strings{"a", "b", "\r\n", "\n"}));
  EXPECT_EQ(Clusters("e\u0301x"), (Strings{"e\u0301", "x"}));
  EXPECT_EQ(Clusters("\u1100\u1161\u11A8\u1100"), (Strings{"\u1100\u1161\u11A8", "\u1100"}));
  EXPECT_EQ(Clusters("\uAC00\u11A8\uAC01\u1161"), (Strings{"\uAC00\u11A8", "\uAC01", "\u1161"}));
  EXPECT_EQ(Clusters("\U0001F1E9\U0001F1EA\U0001F1EB"), (Strings{"\U0001F1E9\U0001F1EA", "\U0001F1EB"}));
  EXPECT_EQ(Clusters("\u2764\uFE0F\u200D\U0001F525a"), (Strings{"\u2764\uFE0F\u200D\U0001F525", "a"}));
  EXPECT_EQ(Clusters("a\u200D\U0001F525"), (Strings{"a\u200D", "\U0001F525"}));
  EXPECT_EQ(Clusters("\u0915\u094D\u0937"), (Strings{"\u0915\u094D\u0937"}));  // conjunct
  EXPECT_EQ(Clusters("\u0600\u0661"), (Strings{"\u0600\u0661"}));              // prepended
  EXPECT_EQ(Clusters("\n\u0301"), (Strings{"\n", "\u0301"}));
}

TEST(UnicodeClassTest, StripsSpaceOfAllScripts) {
  EXPECT_EQ(StripSpace(" \u3000a \n", true, true), "a");
  EXPECT_EQ(StripSpace(" a ", false, true), " a");
  EXPECT_EQ(StripSpace(" a ", true, false), "a ");
  EXPECT_EQ(StripSpace(" \u2003", true, true), "");
  EXPECT_EQ(StripSpace("\u200B", true, true), "\u200B");
}

}  // namespace
}  // namespace grym
