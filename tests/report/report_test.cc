#include "report/report.h"

#include <gtest/gtest.h>

#include <cmath>

#include "report/timeline.h"

namespace grym {
namespace {

ReportContent SmallContent() {
  ReportContent content;
  content.title = "<script>alert(1)</script>";
  content.before = AudioBuffer::Create(2, 4410, 44100).value();
  content.after = AudioBuffer::Create(2, 4410, 44100).value();
  content.before_features.duration_s = 0.1;
  content.before_features.sections = {{0, 0.1, "A", 0.9}};
  content.before_features.chords = {{0, 0.05, "C", 0.8}, {0.05, 0.1, "N", 0}};
  content.before_features.beats_s = {0, 0.05};
  content.before_features.downbeats_s = {0};
  content.takes = {{"take 1", 0.61, {{"noise", 0.5, 1, "SNR 20 dB"}}, {{"noise", 0.5, {}, "hiss"}}, false},
                   {"take 2", 0.87, {{"noise", 0.9, 1, "SNR 40 dB"}}, {}, true}};
  content.facts = {{"prompt", "a \"quoted\" & <b>bold</b> one"}};
  content.provenance_json = "{\"model\": \"composer\"}";
  return content;
}

TEST(ReportTest, EverythingFromOutsideIsEscaped) {
  const auto html = RenderReport(SmallContent());
  ASSERT_TRUE(html.ok()) << html.status();
  EXPECT_EQ(html->find("<script"), std::string::npos);
  EXPECT_EQ(html->find("<b>bold"), std::string::npos);
  EXPECT_NE(html->find("&lt;b&gt;bold"), std::string::npos);
}

TEST(ReportTest, PageNeedsNothingBesideItself) {
  const auto html = RenderReport(SmallContent());
  ASSERT_TRUE(html.ok());
  for (const char* outside : {"http://", "https://", "src='/", "href="})
    EXPECT_EQ(html->find(outside), std::string::npos) << outside;
  EXPECT_NE(html->find("data:image/bmp"), std::string::npos);
  EXPECT_NE(html->find("data:audio/ogg"), std::string::npos);
}

// A take that is only louder has its noise just as far below the music.
TEST(ReportTest, NoiseIsToldAgainstTheMusic) {
  ReportContent content = SmallContent();
  content.before = AudioBuffer::Create(1, 4 * 44100, 44100).value();
  uint32_t state = 1;
  for (int64_t n = 0; n < content.before.frames(); ++n) {
    state = state * 1664525u + 1013904223u;
    const double tone = n / 11025 % 2 == 0 ? 0.1 * std::sin(0.06 * static_cast<double>(n)) : 0;
    content.before.mutable_channel(0)[static_cast<size_t>(n)] =
        static_cast<float>(tone + 1e-12 * static_cast<double>(static_cast<int32_t>(state)));
  }
  content.after = content.before;
  for (float& sample : content.after.mutable_planar()) sample *= 4;
  const auto html = RenderReport(content);
  ASSERT_TRUE(html.ok());
  const size_t first = html->find("dB below the music");
  ASSERT_NE(first, std::string::npos);
  const size_t second = html->find("dB below the music", first + 1);
  ASSERT_NE(second, std::string::npos);
  EXPECT_EQ(html->substr(first - 6, 6), html->substr(second - 6, 6));
}

TEST(ReportTest, ShowsTheExportedScoreAndEveryTake) {
  const auto html = RenderReport(SmallContent());
  ASSERT_TRUE(html.ok());
  EXPECT_NE(html->find("0.870"), std::string::npos);
  EXPECT_NE(html->find("take 1"), std::string::npos);
  EXPECT_NE(html->find("(exported)"), std::string::npos);
}

TEST(ReportTest, NothingHeardStillMakesAPage) {
  ReportContent content;
  content.before = AudioBuffer::Create(1, 1, 44100).value();
  EXPECT_TRUE(RenderReport(content).ok());
}

TEST(ReportTest, HighRatesArePlayedAtOneThatBrowsersKnow) {
  for (const int rate_hz : {1000, 384000, 768000}) {
    ReportContent content = SmallContent();
    content.before = AudioBuffer::Create(2, rate_hz / 10, rate_hz).value();
    const auto html = RenderReport(content);
    EXPECT_TRUE(html.ok()) << rate_hz << ": " << html.status();
  }
}

}  // namespace
}  // namespace grym
