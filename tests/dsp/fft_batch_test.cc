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
      double error = 0, energy = 0;
      for (int k = 0; k < batch.bins(); ++k) {
        error += std::abs(static_cast<double>(got[k]) - want[k]);
        energy += want[k];
      }
      EXPECT_LT(error, 1e-6 * energy) << "size " << size << " hop " << hop << " frame " << f;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, RealFftBatchTest, ::testing::Values(16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192));

}  // namespace
}  // namespace grym
