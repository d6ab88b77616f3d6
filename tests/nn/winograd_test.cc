#include "nn/winograd.h"

#include <gtest/gtest.h>

#include "nn/fused_conv.h"
#include "runtime/memory_budget.h"
#include "runtime/seeded_noise.h"
#include "support/peer.h"

namespace grym {
namespace {

struct ImageCase {
  int64_t rows, in, out, height, width;
};

at::Tensor ChannelsLastNoise(const std::vector<int64_t>& shape, at::Generator& generator) {
  return Noise(shape, generator).contiguous(at::MemoryFormat::ChannelsLast);
}

TEST(WinogradTest, EqualsTheExactSumWithinRounding) {
  at::Generator generator = SeededGenerator(1);
  // Sides that tiles fit and do not, one block of tiles and several, channels of one chunk and of several that are not
  // alike, more than one image.
  for (const ImageCase& c : {ImageCase{1, 32, 32, 16, 16}, ImageCase{2, 40, 136, 19, 15}, ImageCase{1, 64, 288, 50, 48},
                             ImageCase{3, 128, 128, 30, 9}, ImageCase{1, 256, 40, 4, 64}}) {
    const at::Tensor weight = ChannelsLastNoise({c.out, c.in, 3, 3}, generator), bias = Noise({c.out}, generator);
    ASSERT_TRUE(CanTileByFour(weight) && WantsTilesOfFour(c.height, c.width));
    const at::Tensor x = ChannelsLastNoise({c.rows, c.in, c.height, c.width}, generator);
    const at::Tensor exact = at::conv2d(x.to(at::kDouble), weight.to(at::kDouble), bias.to(at::kDouble), 1, 1);
    at::Tensor made = at::full(exact.sizes(), 7, x.options()).contiguous(at::MemoryFormat::ChannelsLast);
    ConvolveByTilesOfFour(x, weight, bias, /*add=*/false, made);
    // 118 dB on average; the largest of so many errors is some times that.
    EXPECT_LT(testing::DistanceOf(made, exact).max_relative_error, 8e-6) << c.in << " " << c.height;
    const at::Tensor error = made.to(at::kDouble) - exact;
    EXPECT_LT((error * error).mean().item<double>() / (exact * exact).mean().item<double>(), 4e-12) << c.in;
    at::Tensor sum = ChannelsLastNoise(exact.sizes().vec(), generator);
    const at::Tensor wanted = sum.to(at::kDouble) + exact - bias.to(at::kDouble).view({1, -1, 1, 1});
    ConvolveByTilesOfFour(x, weight, at::Tensor(), /*add=*/true, sum);
    EXPECT_LT(testing::DistanceOf(sum, wanted).max_relative_error, 8e-6) << c.in << " " << c.height;
  }
}

TEST(WinogradTest, TheNumberOfThreadsChangesNoBit) {
  at::Generator generator = SeededGenerator(2);
  const at::Tensor weight = ChannelsLastNoise({160, 32, 3, 3}, generator), bias = Noise({160}, generator);
  const at::Tensor x = ChannelsLastNoise({1, 32, 64, 40}, generator);
  at::Tensor one = at::empty({1, 160, 64, 40}, x.options().memory_format(at::MemoryFormat::ChannelsLast));
  at::Tensor two = at::empty_like(one);
  const int before = at::get_num_threads();
  at::set_num_threads(1);
  ConvolveByTilesOfFour(x, weight, bias, false, one);
  at::set_num_threads(3);
  ConvolveByTilesOfFour(x, weight, bias, false, two);
  at::set_num_threads(before);
  EXPECT_TRUE(one.equal(two));
}

TEST(WinogradTest, TakesWhatItSays) {
  at::Generator generator = SeededGenerator(3);
  const at::Tensor weight = ChannelsLastNoise({160, 64, 3, 3}, generator), bias = Noise({160}, generator);
  for (const int64_t side : {16, 60}) {
    const at::Tensor x = ChannelsLastNoise({1, 64, side, side}, generator);
    const auto budget = std::make_shared<MemoryBudget>(int64_t{1} << 30);
    const BudgetScope scope(budget);
    at::Tensor out = at::empty({1, 160, side, side}, x.options().memory_format(at::MemoryFormat::ChannelsLast));
    const int64_t before = budget->used_bytes();
    ConvolveByTilesOfFour(x, weight, bias, false, out);
    EXPECT_EQ(budget->peak_bytes() - before, TilesOfFourScratchBytes(160, 64, 1, side, side));
    EXPECT_EQ(budget->used_bytes(), before);
  }
}

TEST(WinogradTest, IsOfferedForWhatItCanDoAlone) {
  at::Generator generator = SeededGenerator(4);
  const at::Tensor weight = ChannelsLastNoise({32, 32, 3, 3}, generator);
  EXPECT_TRUE(CanTileByFour(weight));
  EXPECT_FALSE(CanTileByFour(weight.contiguous()));
  EXPECT_FALSE(CanTileByFour(weight.to(at::kBFloat16)));
  EXPECT_FALSE(CanTileByFour(ChannelsLastNoise({32, 36, 3, 3}, generator)));
  EXPECT_FALSE(CanTileByFour(ChannelsLastNoise({32, 24, 3, 3}, generator)));
  EXPECT_FALSE(CanTileByFour(ChannelsLastNoise({32, 32, 1, 3}, generator)));
  EXPECT_FALSE(WantsTilesOfFour(128, 3));
  EXPECT_FALSE(WantsTilesOfFour(15, 16));
  EXPECT_TRUE(WantsTilesOfFour(16, 16));
}

// Where it is not offered, or the image is small, the layer's other way gives the same.
TEST(WinogradTest, ALayerTakesItWhereItIsOffered) {
  at::Generator generator = SeededGenerator(5);
  for (const bool wide : {true, false}) {
    const int64_t in = wide ? 64 : 20, side = wide ? 20 : 6;
    const at::Tensor weight = Noise({48, in, 3, 3}, generator), bias = Noise({48}, generator);
    const FusedConv conv(weight, bias, {{1, 1}, {1, 1}, {1, 1}}, Precision::kFloat32);
    const at::Tensor x = ChannelsLastNoise({1, in, side, side}, generator);
    const at::Tensor exact = at::conv2d(x.to(at::kDouble), weight.to(at::kDouble), bias.to(at::kDouble), 1, 1);
    EXPECT_LT(testing::DistanceOf(conv(x), exact).max_relative_error, 8e-6);
    EXPECT_LT(testing::DistanceOf(conv.WithLeakyRelu(x, 0.1), at::leaky_relu(exact, 0.1)).max_relative_error, 8e-6);
    at::Tensor sum = ChannelsLastNoise(exact.sizes().vec(), generator);
    const at::Tensor wanted = sum.to(at::kDouble) + exact;
    conv.AddTo(sum, x);
    EXPECT_LT(testing::DistanceOf(sum, wanted).max_relative_error, 8e-6);
  }
}

}  // namespace
}  // namespace grym
