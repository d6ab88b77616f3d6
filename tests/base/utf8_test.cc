#include "base/utf8.h"

#include <gtest/gtest.h>

#include "base/status.h"

namespace grym {
namespace {

TEST(Utf8Test, IsStrict) {
  for (const char* text : {"", "a", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x8E\xB5"}) EXPECT_TRUE(IsUtf8(text)) << text;
  for (const char* text :
       {"\x80", "\xC0\x80", "\xE0\x80\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xE2\x82"}) {
    EXPECT_FALSE(IsUtf8(text));
    EXPECT_TRUE(IsUtf8(Printable(text))) << Printable(text);  // nor does a message carry them
  }
}

}  // namespace
}  // namespace grym
