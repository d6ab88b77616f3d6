#include "models/musicgen/row_loops.h"

#include <bit>
#include <cmath>
#include <vector>

#include "gtest/gtest.h"
#include "runtime/tensor.h"

namespace grym {
namespace {

TEST(RowLoopsTest, NormsAsLibTorchDoesAtOddWidths) {
  at::manual_seed(1);
  for (const int64_t dim : {4, 7, 32, 33, 1024}) {
    at::Tensor x = at::randn({dim}) * 3 + 5, add = at::randn({dim}), weight = at::randn({dim}), bias = at::randn({dim});
    const at::Tensor wanted = at::layer_norm((x + add).to(at::kDouble), {dim}, weight.to(at::kDouble),
                                             bias.to(at::kDouble), 1e-5);
    at::Tensor out = at::empty({dim}), sum = x.clone();
    AddAndNorm(sum.mutable_data_ptr<float>(), add.const_data_ptr<float>(), weight.const_data_ptr<float>(),
               bias.const_data_ptr<float>(), 1e-5f, dim, out.mutable_data_ptr<float>());
    EXPECT_LT((out.to(at::kDouble) - wanted).abs().max().item<double>(), 2e-5) << dim;
    EXPECT_TRUE(sum.equal(x + add)) << dim;
  }
}

TEST(RowLoopsTest, EveryActivationIsLibTorchsAndAloneTheSame) {
  at::manual_seed(1);
  const at::Tensor x = at::randn({1003}) * 4;
  for (const Activation activation : {Activation::kGelu, Activation::kGeluTanh, Activation::kRelu, Activation::kSilu,
                                      Activation::kTanh}) {
    at::Tensor whole = x.clone(), single = x.clone();
    ActivateRow(activation, whole.mutable_data_ptr<float>(), 1003);
    for (int64_t i = 0; i < 1003; ++i) ActivateRow(activation, single.mutable_data_ptr<float>() + i, 1);
    EXPECT_TRUE(whole.equal(single));
    EXPECT_LT((whole - Activate(activation, x)).abs().max().item<double>(), 3e-6);
  }
}

TEST(RowLoopsTest, PositionsAreCosinesThenSines) {
  const std::vector<float> frequencies = {1.0f, 0.01f};
  std::vector<float> sum = {1, 1, 1, 1, 7};
  AddPosition(frequencies.data(), 2, 3, sum.data());
  EXPECT_NEAR(sum[0], 1 + std::cos(3.0), 1e-6);
  EXPECT_NEAR(sum[1], 1 + std::cos(0.03), 1e-6);
  EXPECT_NEAR(sum[2], 1 + std::sin(3.0), 1e-6);
  EXPECT_NEAR(sum[3], 1 + std::sin(0.03), 1e-6);
  EXPECT_EQ(sum[4], 7);
}

TEST(RowLoopsTest, TellsWhatFitsHalfFloats) {
  const auto fits = [](float x) {
    std::vector<uint32_t> bits(5000, std::bit_cast<uint32_t>(0.5f));
    bits[4999] = std::bit_cast<uint32_t>(x);
    return AllFitHalf(bits.data(), 5000);
  };
  for (const float x : {0.0f, -0.0f, 1.0f, -65504.0f, 6.103515625e-5f, 5.9604644775390625e-8f, 0.333251953125f}) {
    EXPECT_TRUE(fits(x)) << x;
  }
  for (const float x : {0.1f, 65520.0f, 1e30f, -1e-9f, 8.9e-8f, INFINITY, std::nanf(""), 1.00048828125f + 1e-4f}) {
    EXPECT_FALSE(fits(x)) << x;
  }
  // Every half is one, and the next float beside it is none.
  for (int i = 0; i < 0x7c00; i += 7) {
    const float x = static_cast<float>(c10::Half(static_cast<uint16_t>(i), c10::Half::from_bits()));
    ASSERT_TRUE(fits(x)) << x;
    ASSERT_FALSE(fits(std::nextafter(x, 1e9f))) << x;
  }
}

}  // namespace
}  // namespace grym
