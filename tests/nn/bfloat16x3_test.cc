// Layers of float32 weights that are multiplied by three products of bfloat16: each takes them, whatever faster way
// there is for float32 itself, and the memory that it tells.
#include <gtest/gtest.h>

#include <functional>

#include "nn/bfloat_conv.h"
#include "nn/conv3x3.h"
#include "nn/float_product.h"
#include "nn/linear.h"
#include "nn/wave_conv.h"
#include "runtime/memory_budget.h"
#include "runtime/seeded_noise.h"
#include "support/bfloat_units.h"

namespace grym {
namespace {

constexpr Precision kX3 = Precision::kBFloat16x3;
const c10::Device kCpu(c10::DeviceType::CPU);

at::Tensor Drawn(const std::vector<int64_t>& shape, int64_t seed) {
  at::Generator generator = SeededGenerator(seed);
  return Noise(shape, generator);
}
at::Tensor Image(const std::vector<int64_t>& shape, int64_t seed) {
  return Drawn(shape, seed).contiguous(at::MemoryFormat::ChannelsLast);
}

class BFloat16x3Test : public ::testing::Test {
 protected:
  void SetUp() override {
    GRYM_NEED_BFLOAT_UNITS();
  }

  // By such products: nearer to `exact` than bfloat16 comes and not the bits of `strict`.
  static void ExpectThreeProducts(const at::Tensor& ours, const at::Tensor& strict, const at::Tensor& exact) {
    ASSERT_EQ(ours.sizes(), exact.sizes());
    EXPECT_LT((ours.to(at::kDouble) - exact).abs().max().item<double>(), 3e-5 * exact.abs().max().item<double>());
    EXPECT_FALSE(ours.eq(strict).all().item<bool>());
  }

  // Beside its result.
  static int64_t ScratchOf(const std::function<at::Tensor()>& run) {
    const auto budget = std::make_shared<MemoryBudget>(int64_t{1} << 30);
    const BudgetScope scope(budget);
    const at::Tensor y = run();
    return budget->peak_bytes() - AllocatedBytes(y.numel() * 4);
  }
};

TEST_F(BFloat16x3Test, LinearTakesThem) {
  const at::Tensor weight = Drawn({150, 97}, 1), x = Drawn({2, 30, 97}, 2);
  Linear linear;
  linear.weight = WeightMatrix::Pack(weight, kX3);
  linear.bias = Drawn({150}, 3);
  ExpectThreeProducts(linear(x), at::linear(x, weight, linear.bias),
                      at::linear(x.to(at::kDouble), weight.to(at::kDouble), linear.bias.to(at::kDouble)));
  EXPECT_EQ(ScratchOf([&] { return linear(x); }), LinearScratchBytes(150, 97, kX3, kCpu, 60));
  EXPECT_EQ(LinearScratchBytes(150, 97, Precision::kFloat32, kCpu, 60), FloatProductScratchBytes(97, 60));
}

TEST_F(BFloat16x3Test, ConvolutionsOfFewPositionsTakeThem) {
  Conv3x3 conv;
  conv.plain = {Image({40, 24, 3, 3}, 1), Drawn({40}, 2), 1, 1, kX3};
  const at::Tensor x = Image({1, 24, 6, 8}, 3);  // float32 gathers these as rows
  const auto exact = at::conv2d(x.to(at::kDouble), conv.plain.weight.to(at::kDouble), conv.plain.bias.to(at::kDouble),
                                1, 1);
  Conv3x3 strict = conv;
  strict.plain.precision = Precision::kFloat32;
  ExpectThreeProducts(conv(x), strict(x), exact);
  EXPECT_EQ(ScratchOf([&] { return conv(x); }), Conv2dScratchBytes(40, 24, 3, 1, kX3, kCpu, 1, 6, 8));
}

TEST_F(BFloat16x3Test, FusedConvolutionsTakeThem) {
  const at::Tensor weight = Image({64, 64, 3, 3}, 1), bias = Drawn({64}, 2), x = Image({1, 64, 64, 32}, 3);
  const FusedConv::Shape shape = {{1, 1}, {1, 1}, {1, 1}};
  const FusedConv conv(weight, bias, shape, kX3), strict(weight, bias, shape, Precision::kFloat32);  // by tiles
  const auto exact = at::conv2d(x.to(at::kDouble), weight.to(at::kDouble), bias.to(at::kDouble), 1, 1);
  ExpectThreeProducts(conv(x), strict(x), exact);
  ExpectThreeProducts(conv.WithLeakyRelu(x, 0.1), strict.WithLeakyRelu(x, 0.1), at::leaky_relu(exact, 0.1));
  at::Tensor sum = x.clone(), strict_sum = x.clone();
  conv.AddTo(sum, x);
  strict.AddTo(strict_sum, x);
  ExpectThreeProducts(sum, strict_sum, exact + x.to(at::kDouble));
  EXPECT_EQ(ScratchOf([&] { return conv(x); }), Conv3x3ScratchBytes(64, 64, 64, 32, kX3, kCpu));
}

TEST_F(BFloat16x3Test, WavesTakeThem) {
  const WaveTiling shape{32, 32, 7, 9, 3};
  const int64_t frames = 4000;
  ASSERT_TRUE(WaveConvTiles(shape, frames, Precision::kFloat32, kCpu));
  EXPECT_FALSE(WaveConvTiles(shape, frames, kX3, kCpu));
  const at::Tensor weight = Drawn({32, 32, 7}, 1), bias = Drawn({32}, 2), wave = Drawn({frames, 32}, 3);
  const WaveConv conv(weight, bias, 9, 3, kX3), strict(weight, bias, 9, 3, Precision::kFloat32);
  const auto exact = [&](const at::Tensor& from) {
    const at::Tensor batch = from.to(at::kDouble).t().unsqueeze(0);
    return at::conv1d(batch, weight.to(at::kDouble), bias.to(at::kDouble), 1, 9, 3).squeeze(0).t();
  };
  ExpectThreeProducts(conv(wave), strict(wave), exact(wave));
  ExpectThreeProducts(conv.BetweenLeakyRelus(wave, 0.1), strict.BetweenLeakyRelus(wave, 0.1),
                      at::leaky_relu(exact(at::leaky_relu(wave, 0.1)), 0.1));
  at::Tensor sum = wave.clone(), strict_sum = wave.clone();
  conv.AddTo(sum, wave);
  strict.AddTo(strict_sum, wave);
  ExpectThreeProducts(sum, strict_sum, exact(wave) + wave.to(at::kDouble));
  EXPECT_EQ(ScratchOf([&] { return conv(wave); }), WaveConvScratchBytes(shape, frames, kX3, kCpu));
}

TEST_F(BFloat16x3Test, UpsampledWavesTakeThem) {
  const at::Tensor weight = Drawn({16, 10, 8}, 1), bias = Drawn({10}, 2), wave = Drawn({200, 16}, 3);
  const WaveUpsample upsample(weight, bias, 4, 2, kX3), strict(weight, bias, 4, 2, Precision::kFloat32);
  const at::Tensor exact = at::conv_transpose1d(wave.to(at::kDouble).t().unsqueeze(0), weight.to(at::kDouble),
                                                bias.to(at::kDouble), 4, 2).squeeze(0).t();
  ExpectThreeProducts(upsample(wave), strict(wave), exact);
}

}  // namespace
}  // namespace grym
