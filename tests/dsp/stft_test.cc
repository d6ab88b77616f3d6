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

TEST(FramerTest, FramesAreTheSameHoweverTheSamplesArrive) {
  const std::vector<float> x = RandomSignal(10000);
  std::vector<std::vector<float>> runs;
  for (const size_t block : {size_t{1}, size_t{77}, size_t{10000}}) {
    Framer framer(512, 128);
    std::vector<float> all;
    const auto take = [&](const float* frame) { all.insert(all.end(), frame, frame + 512); };
    for (size_t at = 0; at < x.size(); at += block) {
      framer.Push(std::span(x).subspan(at, std::min(block, x.size() - at)), take);
    }
    framer.Finish(take);
    EXPECT_EQ(framer.frames(), 1 + 10000 / 128);
    runs.push_back(all);
  }
  EXPECT_EQ(runs[0], runs[1]);
  EXPECT_EQ(runs[0], runs[2]);
}

TEST(FramerTest, FrameIsCentred) {
  std::vector<float> x(4096);
  x[1024] = 1;
  Framer framer(512, 128);
  int index = 0, centred = -1;
  const auto take = [&](const float* frame) {
    if (frame[256] == 1) centred = index;
    ++index;
  };
  framer.Push(x, take);
  framer.Finish(take);
  EXPECT_EQ(centred, 1024 / 128);
}

TEST(BatchFramerTest, GivesTheFramesOfTheFramer) {
  const std::vector<float> x = RandomSignal(10000);
  for (const size_t length : {size_t{1}, size_t{300}, size_t{1279}, size_t{1280}, size_t{10000}}) {
    const std::span<const float> signal = std::span(x).first(length);
    std::vector<float> want;
    Framer framer(512, 128);
    const auto take = [&](const float* frame) { want.insert(want.end(), frame, frame + 512); };
    framer.Push(signal, take);
    framer.Finish(take);
    for (const size_t block : {size_t{1}, size_t{77}, size_t{10000}}) {
      std::vector<float> got;
      const auto take_batch = [&](const float* first, int frames) {
        for (int f = 0; f < frames; ++f) got.insert(got.end(), first + f * 128, first + f * 128 + 512);
      };
      BatchFramer batches(512, 128);
      for (size_t at = 0; at < length; at += block) {
        batches.Push(signal.subspan(at, std::min(block, length - at)), take_batch);
      }
      batches.Finish(take_batch);
      EXPECT_EQ(got, want) << length << " samples in blocks of " << block;
    }
  }
  BatchFramer none(512, 128);
  none.Finish([](const float*, int) { ADD_FAILURE(); });
}

TEST(FramerTest, NothingInNothingOut) {
  Framer framer(512, 128);
  int frames = 0;
  framer.Finish([&](const float*) { ++frames; });
  EXPECT_EQ(frames, 0);
}

}  // namespace
}  // namespace grym
