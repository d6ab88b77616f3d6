#include "nn/wave_conv.h"

#include <gtest/gtest.h>

#include "runtime/seeded_noise.h"

namespace grym {
namespace {

at::Tensor Random(const std::vector<int64_t>& shape, int64_t seed) {
  at::Generator generator = SeededGenerator(seed);
  return Noise(shape, generator);
}

float Apart(const at::Tensor& ours, const at::Tensor& theirs) {
  EXPECT_EQ(ours.sizes(), theirs.sizes());
  return (ours - theirs).abs().max().item<float>();
}

at::Tensor AsConv1dTakesIt(const at::Tensor& wave) { return wave.t().unsqueeze(0).contiguous(); }
at::Tensor AsWave(const at::Tensor& batch) { return batch.squeeze(0).t().contiguous(); }

TEST(WaveConvTest, IsConv1dWithWhatFollowsIt) {
  for (const auto& [in, out, kernel, dilation] : std::vector<std::array<int64_t, 4>>{
           {3, 5, 7, 1}, {16, 16, 3, 5}, {32, 1, 7, 1}, {1, 8, 1, 1}, {24, 40, 11, 3}}) {
    const at::Tensor weight = Random({out, in, kernel}, 1), bias = Random({out}, 2), wave = Random({50, in}, 3);
    const int64_t padding = dilation * (kernel - 1) / 2;
    const WaveConv conv(weight, bias, padding, dilation, Precision::kFloat32);
    const at::Tensor wanted = AsWave(at::conv1d(AsConv1dTakesIt(wave), weight, bias, 1, padding, dilation));
    EXPECT_LT(Apart(conv(wave), wanted), 1e-4f) << in;
    EXPECT_LT(Apart(conv.WithLeakyRelu(wave, 0.1), at::leaky_relu(wanted, 0.1)), 1e-4f) << in;
    at::Tensor sum = at::ones({50, out});
    conv.AddTo(sum, wave);
    EXPECT_LT(Apart(sum, wanted + 1), 1e-4f) << in;
  }
}

TEST(WaveConvTest, WeightsKeptInHalfAreSummedInFloat) {
  const at::Tensor weight = Random({8, 8, 3}, 1).to(at::kBFloat16), wave = Random({20, 8}, 3);
  const WaveConv conv(weight, {}, 1, 1, Precision::kBFloat16);
  // Where the CPU has units for bfloat16 the wave is rounded as well.
  const bool rounds = UsesBFloatProducts(Precision::kBFloat16, wave.device());
  const at::Tensor seen = rounds ? wave.to(at::kBFloat16).to(at::kFloat) : wave;
  const at::Tensor wanted = AsWave(at::conv1d(AsConv1dTakesIt(seen), weight.to(at::kFloat), {}, 1, 1));
  EXPECT_LT(Apart(conv(wave), wanted), 1e-5f);
}

TEST(WaveUpsampleTest, IsConvTranspose1dForAnyKernelStrideAndPadding) {
  for (const auto& [kernel, stride, padding] : std::vector<std::array<int64_t, 3>>{
           {16, 5, 5}, {16, 4, 6}, {8, 2, 3}, {4, 2, 1}, {4, 4, 0}, {7, 3, 2}, {3, 1, 1}, {9, 2, 8}}) {
    for (const int64_t frames : {9, 40}) {
      const at::Tensor weight = Random({6, 10, kernel}, 1), bias = Random({10}, 2), wave = Random({frames, 6}, 3);
      const WaveUpsample upsample(weight, bias, stride, padding, Precision::kFloat32);
      const at::Tensor wanted =
          AsWave(at::conv_transpose1d(AsConv1dTakesIt(wave), weight, bias, stride, padding));
      EXPECT_LT(Apart(upsample(wave), wanted), 1e-4f) << kernel << " " << stride << " " << frames;
    }
  }
}

}  // namespace
}  // namespace grym
