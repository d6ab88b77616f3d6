#include "dsp/fft_batch.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "dsp/fft.h"
#include "dsp/window.h"

namespace grym {
namespace {

class RealFftBatchTest : public ::testing::TestWithParam<int> {};

// RealFft is tested against a double transform; the batch must be it, frame by frame, at any hop.
TEST_P(RealFftBatchTest, EveryLaneIsItsFramesTransform) {
  const int size = GetParam();
  Random random(3, "batch");
  std::vector<float> signal(static_cast<size_t>(size) * 9 + 5);
  for (float& sample : signal) sample = static_cast<float>(random.Uniform(-1, 1));
  const std::vector<float> window = MakeWindow(WindowKind::kHann, size);
  RealFftBatch batch(size);
  RealFft one(size);
  ASSERT_EQ(batch.bins(), one.bins());
  std::vector<float> lanes(static_cast<size_t>(batch.bins()) * RealFftBatch::kFrames), got(batch.bins()),
      want(batch.bins()), frame(size);
  for (const int hop : {0, 1, 3, size / 8, size}) {
    batch.Power(signal.data(), hop, window.data(), lanes.data());
    for (int f = 0; f < RealFftBatch::kFrames; ++f) {
      for (int n = 0; n < size; ++n) frame[n] = signal[f * hop + n] * window[n];
      one.Power(frame.data(), want.data());
      TakeLane(lanes.data(), batch.bins(), f, got.data());
      EXPECT_EQ(got, want) << "size " << size << " hop " << hop << " frame " << f;  // the same sums, so the same bits
    }
  }
}

TEST_P(RealFftBatchTest, ForwardAndInverseAgreeWithOneFrameAtATime) {
  const int size = GetParam(), hop = size / 2;
  Random random(4, "batch");
  std::vector<float> signal(static_cast<size_t>(size) * 5), ones(size, 1.0f);
  for (float& sample : signal) sample = static_cast<float>(random.Uniform(-1, 1));
  RealFftBatch batch(size);
  RealFft one(size);
  std::vector<float> spectra(static_cast<size_t>(batch.bins()) * 16), back(static_cast<size_t>(size) * 8);
  batch.Forward(signal.data(), hop, ones.data(), spectra.data());
  batch.Inverse(spectra.data(), back.data());
  std::vector<std::complex<float>> want(one.bins());
  for (int f = 0; f < RealFftBatch::kFrames; ++f) {
    one.Forward(signal.data() + f * hop, want.data());
    double error = 0, energy = 0, lost = 0;
    for (int k = 0; k < batch.bins(); ++k) {
      const std::complex<float> got(spectra[(2 * k) * 8 + f], spectra[(2 * k + 1) * 8 + f]);
      error += std::norm(got - want[k]);
      energy += std::norm(want[k]);
    }
    EXPECT_LT(std::sqrt(error / energy), 4e-7) << size;
    for (int n = 0; n < size; ++n) lost = std::max<double>(lost, std::abs(back[n * 8 + f] - signal[f * hop + n]));
    EXPECT_LT(lost, 2e-6) << size;
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, RealFftBatchTest, ::testing::Values(16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192));

TEST(FftBatchTest, LanesAreTakenOneByOneOrAllAtOnce) {
  for (const int count : {1, 7, 8, 9, 65}) {
    std::vector<float> lanes(static_cast<size_t>(count) * 8), one(static_cast<size_t>(count));
    for (size_t i = 0; i < lanes.size(); ++i) lanes[i] = static_cast<float>(i);
    const int stride = count + 3;
    std::vector<float> all(static_cast<size_t>(stride) * 8, -1);
    TakeLanes(lanes.data(), count, all.data(), stride);
    for (int lane = 0; lane < 8; ++lane) {
      TakeLane(lanes.data(), count, lane, one.data());
      for (int i = 0; i < stride; ++i) {
        EXPECT_EQ(all[static_cast<size_t>(lane * stride + i)], i < count ? one[static_cast<size_t>(i)] : -1) << count;
        if (i < count) {
          EXPECT_EQ(one[static_cast<size_t>(i)], static_cast<float>(8 * i + lane));
        }
      }
    }
  }
}

}  // namespace
}  // namespace grym
