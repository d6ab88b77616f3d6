#include "report/timeline.h"

#include <gtest/gtest.h>

namespace grym {
namespace {

TEST(TimelineTest, PlacesSpansByTime) {
  AudioFeatures features;
  features.duration_s = 10;
  features.sections = {{0, 5, "A", 1}, {5, 10, "B", 1}};
  AudioPattern pattern;
  pattern.kind = PatternKind::kHarmonic;
  pattern.description = "loop <C>";
  pattern.spans = {{0, 2.5}, {5, 7.5}};
  const std::string svg = TimelineSvg(features, {{pattern}, 10});
  EXPECT_NE(svg.find("x='545.0'"), std::string::npos) << svg;  // 5 s of 10: half of the 910 units after the labels
  EXPECT_NE(svg.find("loop &lt;C&gt;"), std::string::npos);
  EXPECT_NE(svg.find("harmonic"), std::string::npos);
}

TEST(TimelineTest, ALongPieceStaysSmall) {
  AudioFeatures features;
  features.duration_s = 3600;
  for (int i = 0; i < 7200; ++i) features.beats_s.push_back(i * 0.5);
  for (int i = 0; i < 1800; ++i) features.chords.push_back({i * 2.0, i * 2.0 + 2, i % 2 ? "C" : "G", 0.9});
  EXPECT_LT(TimelineSvg(features, {}).size(), 200000u);
}

TEST(TimelineTest, WaveformOfSilenceAndOfOneFrame) {
  EXPECT_NE(WaveformSvg(AudioBuffer()).find("<svg"), std::string::npos);
  EXPECT_NE(WaveformSvg(AudioBuffer::Create(1, 1, 8000).value()).find("<svg"), std::string::npos);
  EXPECT_EQ(ScoresSvg({}), "");
}

}  // namespace
}  // namespace grym
