#include "analysis/enhance/flat_tops.h"

#include <gtest/gtest.h>

#include "analysis/enhance/clip_detect.h"
#include "analysis/enhance/enhance.h"
#include "support/damage.h"
#include "support/scratch.h"

namespace grym {
namespace {

using namespace testing;  // NOLINT: the damage and the pieces, and nothing else

double Evidence(const AudioBuffer& audio) {
  double most = 0;
  for (int c = 0; c < audio.channels(); ++c) most = std::max(most, FindFlatTops(audio.channel(c)).evidence);
  return most;
}

double ShareOnCeiling(const AudioBuffer& audio) {
  int64_t frames = 0;
  for (int c = 0; c < audio.channels(); ++c) frames += FindFlatTops(audio.channel(c)).frames;
  return static_cast<double>(frames) / static_cast<double>(audio.planar().size());
}

double ShareCutOff(const AudioBuffer& audio) {
  int64_t frames = 0;
  for (int c = 0; c < audio.channels(); ++c)
    for (const ClippedRun& run : FindClippedRuns(audio.channel(c))) frames += run.count;
  return static_cast<double>(frames) / static_cast<double>(audio.planar().size());
}

TEST(FlatTopsTest, NoneInCleanOrDenselyMasteredRecordings) {
  GRYM_NEED_SHARED_AUDIO();
  EnhanceParams loud;
  loud.target_lufs = -8;
  for (const char* name :
       {"real/acoustic-drums.flac", "real/hiphop.mp3", "real/359628__mtg__sax-tenor-d-minor.flac",
        "real/loop_breakbeat.flac", "real/sir_duke_fast.ogg", "real/198-209-0000.ogg", "real/Guitar-A4-432-1.ogg"}) {
    const AudioBuffer audio = Recording(name, 5);
    EXPECT_EQ(Evidence(audio), 0) << name;
    EXPECT_EQ(Evidence(EnhanceAudio(audio, loud).value().audio), 0) << name << ", limited to -8 LUFS";
  }
}

TEST(FlatTopsTest, SeesClippingThroughResamplingCodingAndGain) {
  GRYM_NEED_SHARED_AUDIO();
  Scratch scratch;
  for (const char* name : {kRecordings[0], kRecordings[2], kRecordings[4], kRecordings[6], kRecordings[8]}) {
    const AudioBuffer clipped = WithClipping(Recording(name, 4), 8, false);
    const double cut = ShareCutOff(clipped);
    ASSERT_GT(cut, 0) << name;
    for (const AudioBuffer& later :
         {AtRate(clipped, 48000), AtRate(AtRate(clipped, 22050), clipped.rate_hz()),
          OnceCoded(WithGain(clipped, -6), scratch.path())}) {
      EXPECT_GT(Evidence(later), 0.5) << name;
      EXPECT_GT(ShareOnCeiling(later), 0.4 * cut) << name;
      EXPECT_LT(ShareOnCeiling(later), 2 * cut + 0.05) << name;
    }
  }
}

TEST(FlatTopsTest, RunsLieInOrderInsideTheChannel) {
  std::vector<float> tone;
  for (int n = 0; n < 44100; ++n) tone.push_back(static_cast<float>(std::sin(0.02 * n)));
  EXPECT_EQ(FindFlatTops(tone).evidence, 0);
  for (float& sample : tone) sample = std::clamp(sample, -0.5f, 0.4f);
  for (size_t n = 1; n < tone.size(); ++n) tone[n] = 0.5f * (tone[n] + tone[n - 1]);
  const FlatTops tops = FindFlatTops(tone);
  EXPECT_EQ(tops.evidence, 1);
  ASSERT_GT(tops.runs.size(), 200u);  // two a period
  int64_t last = 0;
  for (const ClippedRun& run : tops.runs) {
    EXPECT_GE(run.start, last);
    EXPECT_GE(run.count, 5);
    last = run.start + run.count;
  }
  EXPECT_LE(last, 44100);
}

TEST(FlatTopsTest, ASquareWaveSilenceAndAFewSamplesAreNotClipped) {
  std::vector<float> square;
  for (int n = 0; n < 44100; ++n) square.push_back(n / 100 % 2 == 0 ? 0.5f : -0.5f);
  EXPECT_EQ(FindFlatTops(square).evidence, 0);
  EXPECT_EQ(FindFlatTops(std::vector<float>(44100, 0.0f)).evidence, 0);
  EXPECT_EQ(FindFlatTops(std::vector<float>(3, 1.0f)).evidence, 0);
  EXPECT_EQ(FindFlatTops({}).evidence, 0);
}

}  // namespace
}  // namespace grym
