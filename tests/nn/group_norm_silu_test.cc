#include "nn/group_norm_silu.h"

#include <gtest/gtest.h>

#include "runtime/seeded_noise.h"
#include "runtime/torch_guard.h"

namespace grym {
namespace {

// Its distance to LibTorch's own, taken in double so that only ours rounds.
float DistanceToDouble(const at::Tensor& x, int64_t groups) {
  at::Generator generator = SeededGenerator(3);
  GroupNorm norm{Noise({x.size(1)}, generator), Noise({x.size(1)}, generator), groups, 1e-6};
  const at::Tensor exact = at::silu(at::group_norm(x.to(at::kDouble), groups, norm.weight.to(at::kDouble),
                                                   norm.bias.to(at::kDouble), norm.epsilon));
  const at::Tensor made = NormActivate(norm, Activation::kSilu, x);
  return static_cast<float>((made.to(at::kDouble) - exact).abs().max().item<double>());
}

at::Tensor Image(const std::vector<int64_t>& shape, double offset) {
  at::Generator generator = SeededGenerator(1);
  return (Noise(shape, generator) + offset).contiguous(at::MemoryFormat::ChannelsLast);
}

TEST(GroupNormSiluTest, IsLibTorchsWithinRoundingAtAnySizeAndOffset) {
  EXPECT_LT(DistanceToDouble(Image({1, 32, 17, 5}, 0), 8), 2e-6f);
  EXPECT_LT(DistanceToDouble(Image({1, 12, 1, 1}, 0), 4), 2e-6f);
  EXPECT_LT(DistanceToDouble(Image({1, 64, 40, 32}, 0), 64), 4e-6f);
  // x itself has 1e-4 of its last place here: no more than that may be lost.
  EXPECT_LT(DistanceToDouble(Image({1, 32, 40, 32}, 1000), 8), 1e-3f);
  EXPECT_LT(DistanceToDouble(at::zeros({1, 32, 4, 4}).contiguous(at::MemoryFormat::ChannelsLast), 8), 2e-6f);
}

TEST(GroupNormSiluTest, LargeAndTinyValuesEndInTheirLimits) {
  const GroupNorm norm{at::ones({4}), at::zeros({4}), 4, 1e-6};
  ChannelAffine affine{at::ones({4}), at::zeros({4})};
  const at::Tensor x = at::tensor({-1000.0f, -90.0f, 90.0f, 1000.0f}).view({1, 4, 1, 1});
  at::Tensor out = at::empty_like(x);
  ApplyAffine(affine, Activation::kSilu, x, out);
  EXPECT_LT(at::abs(out - at::silu(x)).max().item<float>(), 1e-30f);
}

TEST(GroupNormSiluTest, TilesAndThreadsChangeNoMoreThanRounding) {
  const at::Tensor x = Image({1, 32, 64, 16}, 5);
  const GroupNorm norm{at::ones({32}), at::zeros({32}), 8, 1e-6};
  GroupSums tiles;
  for (int64_t row = 0; row < 64; row += 7) tiles.Add(x.narrow(2, row, std::min<int64_t>(7, 64 - row)));
  const ChannelAffine whole = MeasureGroups(norm, x), cut = tiles.Finish(norm);
  EXPECT_LT(at::abs(whole.scale - cut.scale).max().item<float>(), 1e-6f);
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  EXPECT_TRUE(MeasureGroups(norm, x).shift.equal(whole.shift));
  at::set_num_threads(threads);
}

TEST(GroupNormSiluTest, EachImageOfSeveralIsNormedWithItsOffset) {
  at::Generator generator = SeededGenerator(4);
  const GroupNorm norm{Noise({24}, generator), Noise({24}, generator), 4, 1e-6};
  const at::Tensor offset = Noise({3, 24}, generator);
  const at::Tensor x = Image({3, 24, 11, 6}, 2);
  const at::Tensor shifted = x.to(at::kDouble) + offset.to(at::kDouble).view({3, 24, 1, 1});
  const at::Tensor exact = at::silu(at::group_norm(shifted, 4, norm.weight.to(at::kDouble),
                                                   norm.bias.to(at::kDouble), norm.epsilon));
  // The loops and, channels first, the operators; beside x and in its place.
  for (const at::Tensor& image : {x, x.contiguous()}) {
    at::Tensor changed = image.clone();
    EXPECT_LT(at::abs(NormActivate(norm, Activation::kSilu, image, offset) - exact).max().item<double>(), 4e-6);
    EXPECT_TRUE(image.equal(changed));
    NormActivateInPlace(norm, Activation::kSilu, changed, offset);
    EXPECT_LT(at::abs(changed - exact).max().item<double>(), 4e-6);
  }
}

TEST(GroupNormSiluTest, HalfTypesGoThroughOperators) {
  const at::Tensor x = Image({1, 32, 9, 4}, 0);
  const GroupNorm norm{at::ones({32}), at::zeros({32}), 8, 1e-6};
  const at::Tensor exact = NormActivate(norm, Activation::kSilu, x);
  const at::Tensor half = NormActivate(norm, Activation::kSilu, x.to(at::kBFloat16));
  EXPECT_EQ(half.scalar_type(), at::kBFloat16);
  EXPECT_LT(at::abs(half.to(at::kFloat) - exact).max().item<float>(), 0.05f);
}

}  // namespace
}  // namespace grym
