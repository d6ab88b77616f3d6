#include "grymsynth/audio_buffer.h"

#include <gtest/gtest.h>

#include <limits>

#include "audio/audio_samples.h"
#include "grymsynth/error.h"

namespace grym {
namespace {

TEST(AudioBufferTest, CreateRejectsWhatIsOutOfRange) {
  for (const int channels : {-1, 0, 33}) {
    const auto made = AudioBuffer::Create(channels, 10, 44100);
    EXPECT_EQ(made.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_NE(std::string(made.status().message()).find("channels"), std::string::npos);
  }
  EXPECT_FALSE(AudioBuffer::Create(1, -1, 44100).ok());
  EXPECT_FALSE(AudioBuffer::Create(1, std::numeric_limits<int64_t>::max(), 44100).ok());
  EXPECT_FALSE(AudioBuffer::Create(1, 10, 999).ok());
  EXPECT_FALSE(AudioBuffer::Create(1, 10, 768001).ok());
  EXPECT_TRUE(AudioBuffer::Create(32, 0, 768000).ok());
  EXPECT_TRUE(AudioBuffer::Create(1, 1, 1000).ok());
}

TEST(AudioBufferTest, PlanarAndInterleavedAgree) {
  const auto planar = AudioBuffer::FromPlanar({1, 2, 3, 10, 20, 30}, 2, 48000).value();
  const std::vector<float> interleaved = {1, 10, 2, 20, 3, 30};
  EXPECT_TRUE(testing::SameSamples(planar, AudioBuffer::FromInterleaved(interleaved, 2, 48000).value()));
  EXPECT_EQ(planar.frames(), 3);
  EXPECT_EQ(planar.channel(1)[2], 30);
  EXPECT_FALSE(AudioBuffer::FromPlanar({1, 2, 3}, 2, 48000).ok());
  EXPECT_FALSE(AudioBuffer::FromInterleaved(std::vector<float>{1, 2, 3}, 2, 48000).ok());
}

TEST(AudioBufferTest, BorrowedSamplesAreReadInPlaceAndNeverWritten) {
  const auto owner = std::make_shared<const std::vector<float>>(std::vector<float>{1, 2, 3, 10, 20, 30});
  auto borrowed = AudioBuffer::Borrow(*owner, 2, 48000, owner).value();
  EXPECT_EQ(borrowed.planar().data(), owner->data());
  EXPECT_EQ(borrowed.channel(1)[2], 30);
  EXPECT_EQ(owner.use_count(), 2);
  const AudioBuffer copy = borrowed;
  EXPECT_NE(copy.planar().data(), owner->data());
  EXPECT_TRUE(testing::SameSamples(copy, borrowed));
  EXPECT_EQ(borrowed.ReplaceNonFinite(), 0);
  EXPECT_EQ(borrowed.planar().data(), owner->data());
  const AudioBuffer moved = std::move(borrowed);
  EXPECT_EQ(moved.planar().data(), owner->data());
  borrowed = moved;
  borrowed = AudioBuffer::Borrow(*owner, 1, 48000, owner).value();
  borrowed.mutable_channel(0)[0] = 7;
  EXPECT_EQ((*owner)[0], 1);
  EXPECT_EQ(borrowed.planar()[0], 7);
  EXPECT_EQ(owner.use_count(), 2);  // let go by the write
  auto grown = AudioBuffer::Borrow(*owner, 1, 48000, owner).value();
  ASSERT_TRUE(grown.Append(grown).ok());
  EXPECT_EQ(grown.frames(), 12);
  EXPECT_EQ(grown.planar()[11], 30);
  EXPECT_FALSE(AudioBuffer::Borrow(*owner, 4, 48000, owner).ok());
  EXPECT_FALSE(AudioBuffer::Borrow(*owner, 2, 48000, nullptr).ok());
}

TEST(AudioBufferTest, SliceIsClippedToWhatThereIs) {
  const auto audio = AudioBuffer::FromPlanar({0, 1, 2, 3, 10, 11, 12, 13}, 2, 8000).value();
  EXPECT_EQ(audio.Slice(1, 2).planar()[0], 1);
  EXPECT_EQ(audio.Slice(1, 2).planar()[2], 11);
  EXPECT_EQ(audio.Slice(3, 100).frames(), 1);
  EXPECT_EQ(audio.Slice(4, 1).frames(), 0);
  EXPECT_EQ(audio.Slice(100, std::numeric_limits<int64_t>::max()).frames(), 0);
  EXPECT_EQ(audio.Slice(-2, 3).frames(), 1);  // two of the three lie before the start
  EXPECT_EQ(audio.Slice(-2, 3).planar()[0], 0);
  EXPECT_EQ(audio.Slice(0, -5).frames(), 0);
  EXPECT_EQ(audio.Slice(0, 4).rate_hz(), 8000);
}

TEST(AudioBufferTest, AppendJoinsEveryChannel) {
  auto audio = AudioBuffer::FromPlanar({1, 2, 10, 20}, 2, 8000).value();
  ASSERT_TRUE(audio.Append(AudioBuffer::FromPlanar({3, 30}, 2, 8000).value()).ok());
  EXPECT_EQ(audio.frames(), 3);
  EXPECT_EQ(audio.channel(0)[2], 3);
  EXPECT_EQ(audio.channel(1)[2], 30);
  ASSERT_TRUE(audio.Append(audio).ok());
  EXPECT_EQ(audio.frames(), 6);
  EXPECT_EQ(audio.channel(1)[5], 30);
  auto mono = AudioBuffer::FromPlanar({1, 2}, 1, 8000).value();
  ASSERT_TRUE(mono.Append(mono).ok());
  EXPECT_EQ(mono.channel(0)[3], 2);
  EXPECT_EQ(audio.Append(mono).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_FALSE(mono.Append(AudioBuffer::Create(1, 1, 8001).value()).ok());
}

TEST(AudioBufferTest, MonoIsTheMean) {
  const auto audio = AudioBuffer::FromPlanar({1, 1, 0, -1}, 2, 8000).value();
  EXPECT_EQ(audio.ToMono().planar()[0], 0.5f);
  EXPECT_EQ(audio.ToMono().planar()[1], 0.0f);
  EXPECT_EQ(AudioBuffer().ToMono().frames(), 0);
}

TEST(AudioBufferTest, ReplacesAndCountsWhatIsNotFinite) {
  const float nan = std::numeric_limits<float>::quiet_NaN(), infinity = std::numeric_limits<float>::infinity();
  auto audio = AudioBuffer::FromPlanar({nan, 1, -infinity, infinity}, 2, 8000).value();
  EXPECT_EQ(audio.ReplaceNonFinite(), 3);
  EXPECT_EQ(audio.planar()[0], 0);
  EXPECT_EQ(audio.planar()[1], 1);
  EXPECT_EQ(audio.ReplaceNonFinite(), 0);
}

TEST(AudioBufferTest, AnEmptyBufferIsUsable) {
  AudioBuffer audio;
  EXPECT_TRUE(audio.empty());
  EXPECT_EQ(audio.channel(0).size(), 0u);
  EXPECT_EQ(audio.duration_s(), 0);
  EXPECT_EQ(audio.Slice(0, 10).frames(), 0);
}

}  // namespace
}  // namespace grym
