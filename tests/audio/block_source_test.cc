#include "audio/block_source.h"

#include <gtest/gtest.h>

#include <limits>

#include "audio/audio_samples.h"
#include "support/scratch.h"

namespace grym {
namespace {

using testing::Sine;

AudioBuffer ReadAll(BlockSource& source, int64_t block_frames) {
  AudioBuffer joined = AudioBuffer::Create(source.channels(), 0, source.rate_hz()).value();
  while (true) {
    const auto block = source.Read(block_frames);
    EXPECT_TRUE(block.ok()) << block.status();
    if (!block.ok() || block->empty()) return joined;
    EXPECT_TRUE(block->frames() <= block_frames);
    EXPECT_TRUE(joined.Append(*block).ok());
  }
}

TEST(BlockSourceTest, ABufferAndItsFileGiveTheSame) {
  testing::Scratch scratch;
  const AudioBuffer audio = Sine(440, 1, 44100, 2);
  const auto path = scratch / "a.wav";
  testing::WriteBySndfile(path, audio, SF_FORMAT_WAV | SF_FORMAT_FLOAT);
  for (const AudioInput& input : {AudioInput(audio), AudioInput(path)}) {
    auto source = OpenInput(input).value();
    EXPECT_EQ(source->frames(), audio.frames());
    EXPECT_TRUE(testing::SameSamples(ReadAll(*source, 1000), audio));
    EXPECT_TRUE(source->Read(5)->empty());
    ASSERT_TRUE(source->Rewind().ok());
    EXPECT_TRUE(testing::SameSamples(ReadAll(*source, 1 << 20), audio));
    EXPECT_EQ(source->Read(0).status().code(), absl::StatusCode::kInvalidArgument);
  }
  EXPECT_EQ(OpenInput(scratch / "absent.wav").status().code(), absl::StatusCode::kNotFound);
}

TEST(BlockSourceTest, NonFiniteSamplesOfABufferAreReplacedInTheBlockAlone) {
  AudioBuffer audio = Sine(440, 0.01, 44100);
  audio.mutable_channel(0)[3] = std::numeric_limits<float>::infinity();
  auto source = OpenInput(audio).value();
  EXPECT_EQ(source->Read(10)->channel(0)[3], 0);
  EXPECT_EQ(source->replaced_samples(), 1);
  EXPECT_TRUE(std::isinf(audio.channel(0)[3]));
}

TEST(BlockSourceTest, ResampledAsItIsRead) {
  const AudioBuffer audio = Sine(440, 1, 44100, 2);
  for (const int rate_hz : {22050, 48000, 44100}) {
    const AudioBuffer whole = Resample(audio, rate_hz, ResampleQuality::kMedium).value();
    auto source = ResampledSource(OpenInput(audio).value(), rate_hz, ResampleQuality::kMedium).value();
    EXPECT_EQ(source->rate_hz(), rate_hz);
    EXPECT_EQ(source->frames(), whole.frames());
    EXPECT_TRUE(testing::SameSamples(ReadAll(*source, 1001), whole));
    ASSERT_TRUE(source->Rewind().ok());
    EXPECT_EQ(source->Read(512)->frames(), 512);
    ASSERT_TRUE(source->Rewind().ok());
    EXPECT_TRUE(testing::SameSamples(ReadAll(*source, 100000), whole));
  }
  EXPECT_FALSE(ResampledSource(OpenInput(audio).value(), 10).ok());
}

}  // namespace
}  // namespace grym
