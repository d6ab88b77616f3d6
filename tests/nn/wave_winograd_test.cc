#include "nn/wave_winograd.h"

#include <gtest/gtest.h>

#include "nn/wave_conv.h"
#include "runtime/memory_budget.h"
#include "runtime/seeded_noise.h"
#include "support/peer.h"

namespace grym {
namespace {

struct WaveLayer {
  WaveTiling shape;
  at::Tensor weight, bias;  // [out, in, kernel], [out]
  WaveLayer(const WaveTiling& tiling, at::Generator& generator)
      : shape(tiling), weight(Noise({tiling.out, tiling.in, tiling.kernel}, generator)),
        bias(Noise({tiling.out}, generator)) {}

  at::Tensor Exact(const at::Tensor& wave) const {
    const at::Tensor batch = wave.to(at::kDouble).t().unsqueeze(0);
    return at::conv1d(batch, weight.to(at::kDouble), bias.to(at::kDouble), 1, shape.padding, shape.dilation)
        .squeeze(0).t().contiguous();
  }
  void Run(const at::Tensor& wave, const WaveTilingSteps& steps, at::Tensor& out, bool with_bias = true) const {
    ConvolveByWaveTiles(wave, weight.unsqueeze(2).contiguous(at::MemoryFormat::ChannelsLast),
                        with_bias ? bias : at::Tensor(), shape, steps, out);
  }
};

// A tile's error is some times that of its parts, which a plain sum has as well: 121 dB on average for many channels.
// The largest of so many errors is some times that.
void ExpectRoundedOnly(const at::Tensor& made, const at::Tensor& exact, const WaveTiling& shape) {
  const std::string layer = std::to_string(shape.in) + " to " + std::to_string(shape.out) + ", kernel " +
                            std::to_string(shape.kernel) + ", dilation " + std::to_string(shape.dilation) + ", " +
                            std::to_string(made.size(0)) + " frames";
  const at::Tensor error = made.to(at::kDouble) - exact;
  EXPECT_LT((error * error).mean().item<double>() / (exact * exact).mean().item<double>(), 2e-12) << layer;
  EXPECT_LT(testing::DistanceOf(made, exact).max_relative_error, 6e-6) << layer;
}

void ExpectTheExactSum(const WaveTiling& shape, int64_t frames, at::Generator& generator) {
  const WaveLayer layer(shape, generator);
  const at::Tensor wave = Noise({frames, shape.in}, generator), exact = layer.Exact(wave);
  at::Tensor made = at::full(exact.sizes(), 7, wave.options());
  layer.Run(wave, {}, made);
  ExpectRoundedOnly(made, exact, shape);
  layer.Run(wave, {0.1F, 0.2F, /*add=*/false}, made);
  ExpectRoundedOnly(made, at::leaky_relu(layer.Exact(at::leaky_relu(wave, 0.1)), 0.2), shape);
  at::Tensor sum = Noise(exact.sizes().vec(), generator);
  const at::Tensor wanted = sum.to(at::kDouble) + exact - layer.bias.to(at::kDouble);
  layer.Run(wave, {1, 1, /*add=*/true}, sum, /*with_bias=*/false);
  ExpectRoundedOnly(sum, wanted, shape);
}

TEST(WaveWinogradTest, EqualsTheExactSumWithinRoundingForAnyKernelAndDilation) {
  at::Generator generator = SeededGenerator(1);
  for (int64_t kernel = 1; kernel <= 15; ++kernel) {
    for (const int64_t dilation : {1, 2, 3, 5}) {
      const int64_t reach = dilation * (kernel - 1);
      // Padding that keeps the length, none, and all that a transposed convolution asks for; signals shorter than a
      // tile, than the dilation, and of several tiles that the last one does not fill.
      ExpectTheExactSum({8, 16, kernel, reach / 2, dilation}, 61 + kernel, generator);
      ExpectTheExactSum({16, 8, kernel, 0, dilation}, reach + 1 + kernel % 3, generator);
      ExpectTheExactSum({32, 40, kernel, reach, dilation}, 1 + kernel % 4, generator);
    }
  }
}

TEST(WaveWinogradTest, EqualsTheExactSumWithinRoundingForManyChannelsAndFrames) {
  at::Generator generator = SeededGenerator(2);
  ExpectTheExactSum({32, 32, 11, 25, 5}, 2603, generator);   // blocks of tiles in each phase
  ExpectTheExactSum({40, 200, 7, 3, 1}, 519, generator);     // panels of the result that are not alike
  ExpectTheExactSum({512, 264, 16, 15, 1}, 100, generator);  // more weights than are transformed at once
  ExpectTheExactSum({512, 64, 11, 15, 3}, 400, generator);   // the error of the most summands
}

TEST(WaveWinogradTest, KeepsWhatIsNoNumberAndWhatSurroundsIt) {
  at::Generator generator = SeededGenerator(3);
  const WaveLayer layer({32, 32, 7, 3, 1}, generator);
  at::Tensor wave = Noise({200, 32}, generator), clean = at::empty_like(wave), made = at::empty_like(wave);
  layer.Run(wave, {0.1F, 0.1F, false}, clean);
  wave[100][5] = std::numeric_limits<float>::quiet_NaN();
  layer.Run(wave, {0.1F, 0.1F, false}, made);
  EXPECT_TRUE(made.narrow(0, 97, 7).isnan().all().item<bool>());
  EXPECT_TRUE(made.narrow(0, 0, 90).equal(clean.narrow(0, 0, 90)));
  EXPECT_TRUE(made.narrow(0, 110, 90).equal(clean.narrow(0, 110, 90)));
}

TEST(WaveWinogradTest, TheNumberOfThreadsChangesNoBit) {
  at::Generator generator = SeededGenerator(4);
  const WaveLayer layer({64, 96, 11, 15, 3}, generator);
  const at::Tensor wave = Noise({1501, 64}, generator);
  at::Tensor one = at::empty({1501, 96}), three = at::empty_like(one);
  const int before = at::get_num_threads();
  at::set_num_threads(1);
  layer.Run(wave, {}, one);
  at::set_num_threads(3);
  layer.Run(wave, {}, three);
  at::set_num_threads(before);
  EXPECT_TRUE(one.equal(three));
}

// A piece of a wave, cut where tiles begin or between, has the whole's results but for rounding.
TEST(WaveWinogradTest, APieceHasTheWholesResults) {
  at::Generator generator = SeededGenerator(5);
  const WaveLayer layer({48, 32, 11, 0, 3}, generator);
  const at::Tensor wave = Noise({900, 48}, generator);
  at::Tensor whole = at::empty({870, 32});
  layer.Run(wave, {}, whole);
  for (const int64_t begin : {12, 301, 446}) {
    at::Tensor piece = at::empty({170, 32});
    layer.Run(wave.narrow(0, begin, 200), {}, piece);
    ExpectRoundedOnly(piece, whole.narrow(0, begin, 170).to(at::kDouble), layer.shape);
  }
}

TEST(WaveWinogradTest, TakesWhatItSays) {
  at::Generator generator = SeededGenerator(6);
  for (const WaveTiling& shape : {WaveTiling{64, 160, 7, 9, 3}, WaveTiling{512, 264, 16, 15, 1}}) {
    const WaveLayer layer(shape, generator);
    const at::Tensor weight = layer.weight.unsqueeze(2).contiguous(at::MemoryFormat::ChannelsLast);
    for (const int64_t frames : {90, 700}) {
      const at::Tensor wave = Noise({frames, shape.in}, generator);
      const auto budget = std::make_shared<MemoryBudget>(int64_t{1} << 30);
      const BudgetScope scope(budget);
      at::Tensor out = at::empty({shape.FramesAfter(frames), shape.out});
      const int64_t before = budget->used_bytes();
      ConvolveByWaveTiles(wave, weight, at::Tensor(), shape, {}, out);
      EXPECT_EQ(budget->peak_bytes() - before, WaveTilesScratchBytes(shape, frames));
      EXPECT_EQ(budget->used_bytes(), before);
    }
  }
}

TEST(WaveWinogradTest, IsOfferedWhereItSavesMoreThanItTakes) {
  EXPECT_TRUE(WantsWaveTiles({512, 512, 3, 1, 1}, 100));
  EXPECT_TRUE(WantsWaveTiles({1024, 2560, 4, 3, 1}, 16));
  EXPECT_TRUE(WantsWaveTiles({32, 32, 7, 15, 5}, 480));
  EXPECT_FALSE(WantsWaveTiles({32, 32, 7, 15, 5}, 479));    // too few frames in a phase
  EXPECT_FALSE(WantsWaveTiles({32, 32, 3, 1, 1}, 100000));  // the transforms take what the products save
  EXPECT_FALSE(WantsWaveTiles({512, 512, 1, 0, 1}, 100000));
  EXPECT_FALSE(WantsWaveTiles({512, 512, 2, 1, 1}, 100000));
  EXPECT_FALSE(WantsWaveTiles({32, 1, 7, 3, 1}, 100000));
  EXPECT_FALSE(WantsWaveTiles({68, 64, 7, 3, 1}, 100000));
}

// Where it is not offered, for its channels, its type or its length, the layer's other way gives the same.
TEST(WaveWinogradTest, ALayerTakesItWhereItIsOffered) {
  at::Generator generator = SeededGenerator(7);
  for (const WaveTiling& shape : {WaveTiling{48, 64, 7, 9, 3}, WaveTiling{36, 50, 7, 9, 3}}) {
    for (const int64_t frames : {20, 400}) {
      const WaveLayer layer(shape, generator);
      const WaveConv conv(layer.weight, layer.bias, shape.padding, shape.dilation, Precision::kFloat32);
      const at::Tensor wave = Noise({frames, shape.in}, generator), exact = layer.Exact(wave);
      EXPECT_EQ(WaveConvTiles(shape, frames, Precision::kFloat32, c10::Device(c10::DeviceType::CPU)),
                frames == 400 && shape.in == 48);
      ExpectRoundedOnly(conv(wave), exact, shape);
      ExpectRoundedOnly(conv.WithLeakyRelu(wave, 0.1), at::leaky_relu(exact, 0.1), shape);
      ExpectRoundedOnly(conv.BetweenLeakyRelus(wave, 0.1),
                        at::leaky_relu(layer.Exact(at::leaky_relu(wave, 0.1)), 0.1), shape);
      at::Tensor sum = Noise(exact.sizes().vec(), generator);
      const at::Tensor wanted = sum.to(at::kDouble) + exact;
      conv.AddTo(sum, wave);
      ExpectRoundedOnly(sum, wanted, shape);
    }
  }
}

}  // namespace
}  // namespace grym
