#include "report/report.h"

#include <gtest/gtest.h>

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
  for (const char* outside : {"http://", "https://", "src='/", "href="}) EXPECT_EQ(html->find(outside), std::string::npos) << outside;
  EXPECT_NE(html->find("data:image/bmp"), std::string::npos);
  EXPECT_NE(html->find("data:audio/ogg"), std::string::npos);
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
