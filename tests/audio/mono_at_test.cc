#include "audio/mono_at.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "grymsynth/error.h"

namespace grym::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(MonoAtTest, MixesAndTakesWhatIsNoNumberForSilence) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const AudioBuffer stereo = *AudioBuffer::FromPlanar({1, nan, 0.5f, 0, 0.5f, 0.5f}, 2, 16000);
  const auto mono = MonoAt(stereo, 16000, "test");
  ASSERT_TRUE(mono.ok()) << mono.status();
  EXPECT_EQ(mono->channels(), 1);
  EXPECT_THAT(mono->planar(), ElementsAre(0.5f, 0.25f, 0.5f));
}

TEST(MonoAtTest, ResamplesToTheRate) {
  std::vector<float> samples(4800);
  for (size_t i = 0; i < samples.size(); ++i) samples[i] = std::sin(0.05f * static_cast<float>(i));
  const auto mono = MonoAt(*AudioBuffer::FromPlanar(samples, 1, 48000), 16000, "test");
  ASSERT_TRUE(mono.ok()) << mono.status();
  EXPECT_EQ(mono->rate_hz(), 16000);
  EXPECT_EQ(mono->frames(), 1600);
  EXPECT_NEAR(mono->channel(0)[800], std::sin(0.05f * 2400), 1e-3);
}

TEST(MonoAtTest, AnEmptyBufferIsAnErrorOfItsCaller) {
  const absl::Status status = MonoAt(AudioBuffer(), 16000, "clap").status();
  EXPECT_EQ(ErrorCode(status), "no_frames");
  EXPECT_THAT(std::string(status.message()), HasSubstr("clap: want frames"));
}

}  // namespace
}  // namespace grym::testing
