#include "dsp/stft.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace grym {
namespace {

std::vector<float> RandomSignal(int size) {
  Random random(3, "stft");
  std::vector<float> x(size);
  for (float& value : x) value = static_cast<float>(random.Uniform(-1, 1));
  return x;
}

TEST(StftTest, InverseReturnsTheSignal) {
  for (const int samples : {1, 511, 512, 5000, 44100}) {
    for (const WindowKind window : {WindowKind::kHann, WindowKind::kBlackman}) {
      const std::vector<float> x = RandomSignal(samples);
      const std::vector<float> back = Istft(Stft(x, {1024, 256, window}));
      ASSERT_EQ(back.size(), x.size());
      for (size_t n = 0; n < x.size(); ++n) ASSERT_NEAR(back[n], x[n], 3e-6) << samples << " at " << n;
    }
  }
}

TEST(StftTest, AnEmptySignalHasOneSilentFrame) {
  const Spectrogram s = Stft({}, {});
  EXPECT_EQ(s.frames, 1);
  EXPECT_TRUE(Istft(s).empty());
}

// By definition: 1 + floor(samples / hop) frames, each centred, with zeros around the signal.
std::vector<float> CentredFrames(std::span<const float> signal, int size, int hop) {
  std::vector<float> all;
  for (int64_t i = 0; !signal.empty() && i < 1 + std::ssize(signal) / hop; ++i) {
    for (int64_t n = i * hop - size / 2; n < i * hop + size / 2; ++n) {
      all.push_back(n >= 0 && n < std::ssize(signal) ? signal[static_cast<size_t>(n)] : 0.0f);
    }
  }
  return all;
}

TEST(BatchFramerTest, FramesAreCentredHoweverTheSamplesArrive) {
  const std::vector<float> x = RandomSignal(10000);
  for (const size_t length : {size_t{1}, size_t{300}, size_t{1279}, size_t{1280}, size_t{10000}}) {
    const std::span<const float> signal = std::span(x).first(length);
    for (const auto& [block, at_once] : {std::pair<size_t, int>{1, 8}, {77, 8}, {10000, 8}, {77, 1}, {10000, 3}}) {
      std::vector<float> got;
      const auto take = [&](const float* first, int frames) {
        for (int f = 0; f < frames; ++f) got.insert(got.end(), first + f * 128, first + f * 128 + 512);
      };
      BatchFramer batches(512, 128, -1, at_once);
      for (size_t at = 0; at < length; at += block) {
        batches.Push(signal.subspan(at, std::min(block, length - at)), take);
      }
      batches.Finish(take);
      EXPECT_EQ(got, CentredFrames(signal, 512, 128)) << length << " samples in blocks of " << block << ", " << at_once;
    }
  }
}

TEST(BatchFramerTest, NothingInNothingOut) {
  BatchFramer none(512, 128);
  none.Finish([](const float*, int) { ADD_FAILURE(); });
}

}  // namespace
}  // namespace grym
