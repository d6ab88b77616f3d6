#include "base/number_text.h"

#include <gtest/gtest.h>

#include <clocale>
#include <cmath>
#include <cstdio>
#include <cstdlib>

namespace grym {
namespace {

void ExpectPointIsPoint() {
  EXPECT_EQ(ParseNumber("120.5"), 120.5);
  EXPECT_EQ(ParseNumber("-1e-3"), -0.001);
  EXPECT_FALSE(ParseNumber("120,5"));
  std::string_view rest;
  EXPECT_EQ(LeadingNumber("84.37bpm", &rest), 84.37);
  EXPECT_EQ(rest, "bpm");
  EXPECT_EQ(LeadingNumber("1,5", &rest), 1.0);
  EXPECT_EQ(rest, ",5");
  EXPECT_EQ(ShortNumber(120.5), "120.5");
}

TEST(NumberTextTest, ReadsAllOrNothing) {
  for (const char* text : {"", " 1", "1 ", "abc", "nan", "inf", "-inf", "1e999", "--1", "."}) {
    EXPECT_FALSE(ParseNumber(text)) << text;
  }
  std::string_view rest;
  EXPECT_FALSE(LeadingNumber("bpm", &rest));
  EXPECT_FALSE(LeadingNumber("nanbpm", &rest));
}

TEST(NumberTextTest, WritesAsPrintfDoesInTheCLocale) {
  for (const double value : {0.0, 1.0, 120.0, 97.5, 123.456789, 1e-5, 1234567.0, -0.1, 1e300}) {
    char text[32];
    std::snprintf(text, sizeof text, "%.6g", value);  // the test runs in the C locale
    EXPECT_EQ(ShortNumber(value), text);
  }
}

TEST(NumberTextTest, IsTheSameWhereTheCommaIsAPoint) {
  ExpectPointIsPoint();
  const std::string before = std::setlocale(LC_NUMERIC, nullptr);
  const char* comma = nullptr;
  for (const char* name : {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "fr_FR.utf8", "German_Germany.1252"}) {
    if (!comma) comma = std::setlocale(LC_NUMERIC, name);
  }
  if (!comma) GTEST_SKIP() << "no locale with a decimal comma is installed";
  EXPECT_EQ(std::atof("1,5"), 1.5);  // so it is one
  ExpectPointIsPoint();
  std::setlocale(LC_NUMERIC, before.c_str());
}

}  // namespace
}  // namespace grym
