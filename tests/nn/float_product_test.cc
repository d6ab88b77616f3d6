#include "nn/float_product.h"

#include <gtest/gtest.h>

#include "nn/linear.h"
#include "runtime/memory_budget.h"
#include "runtime/seeded_noise.h"
#include "support/peer.h"

namespace grym {
namespace {

at::Tensor ExactProduct(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  return at::linear(x.to(at::kDouble), weight.to(at::kDouble), bias.defined() ? bias.to(at::kDouble) : at::Tensor());
}

TEST(FloatProductTest, ALinearLayerIsTheExactProductForAnyRowsWhateverMultiplies) {
  at::Generator generator = SeededGenerator(1);
  for (const auto& [in, out] : {std::pair<int64_t, int64_t>{1, 1}, {33, 5}, {64, 192}, {768, 96}, {1030, 70}}) {
    Linear linear{WeightMatrix::Pack(Noise({out, in}, generator), Precision::kFloat32), Noise({out}, generator)};
    for (const int64_t rows : {1, 15, 16, 17, 100}) {
      const at::Tensor x = Noise({2, rows, in}, generator);
      const at::Tensor exact = ExactProduct(x, linear.weight.plain, linear.bias);
      ASSERT_EQ(linear(x).sizes(), exact.sizes());
      EXPECT_LT(testing::DistanceOf(linear(x), exact).max_relative_error, 3e-6) << in << " " << out << " " << rows;
      const at::Tensor apart = at::cat({x, x}, 2).narrow(2, 0, in);  // rows that lie apart
      EXPECT_LT(testing::DistanceOf(linear(apart), exact).max_relative_error, 3e-6) << in << " " << out << " " << rows;
    }
    linear.bias = at::Tensor();
    const at::Tensor x = Noise({40, in}, generator);
    EXPECT_LT(testing::DistanceOf(linear(x), ExactProduct(x, linear.weight.plain, {})).max_relative_error, 3e-6);
  }
}

TEST(FloatProductTest, EveryActivationBehindIt) {
  at::Generator generator = SeededGenerator(2);
  const Linear linear{WeightMatrix::Pack(Noise({80, 64}, generator), Precision::kFloat32), Noise({80}, generator)};
  for (const Activation activation :
       {Activation::kRelu, Activation::kGelu, Activation::kGeluTanh, Activation::kSilu, Activation::kTanh}) {
    for (const int64_t rows : {3, 48}) {
      const at::Tensor x = Noise({rows, 64}, generator);
      const at::Tensor wanted = Activate(activation, ExactProduct(x, linear.weight.plain, linear.bias));
      EXPECT_LT(testing::DistanceOf(linear.Activated(x, activation), wanted).max_relative_error, 3e-6)
          << static_cast<int>(activation) << ", " << rows << " rows";
    }
  }
}

TEST(FloatProductTest, TakesNoMoreThanItSaysAndNotThreeTimesLess) {
  if (!HasFloatProducts()) GTEST_SKIP() << "LibTorch's own product is taken on this machine";
  at::Generator generator = SeededGenerator(3);
  const auto budget = std::make_shared<MemoryBudget>(int64_t{1} << 30);
  for (const int64_t in : {24, 96, 320, 768, 1024, 3072}) {
    for (const int64_t out : {40, 64, 768}) {
      for (const int64_t rows : {16, 77, 499}) {
        const at::Tensor x = Noise({rows, in}, generator), weight = Noise({out, in}, generator);
        const at::Tensor bias = Noise({out}, generator);
        ASSERT_TRUE(TakesFloatProduct(x, weight));
        budget->ResetPeak();
        int64_t took = 0;
        {
          const BudgetScope scope(budget);
          const at::Tensor y = FloatProduct(x, weight, bias, Activation::kGelu);
          took = budget->peak_bytes() - AllocatedBytes(rows * out * 4);
        }
        const int64_t said = FloatProductScratchBytes(in, rows);
        EXPECT_LE(took, said) << rows << " x " << in << " x " << out;
        EXPECT_GE(3 * took, said) << rows << " x " << in << " x " << out;
      }
    }
  }
  EXPECT_EQ(FloatProductScratchBytes(768, 4), 0);
}

}  // namespace
}  // namespace grym
