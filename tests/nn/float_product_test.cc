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

// As one that was read, where this machine has the products.
Linear InPanelsOf(const at::Tensor& weight, const at::Tensor& bias) {
  Linear linear{WeightMatrix::Pack(weight, Precision::kFloat32), bias};
  linear.weight.plain = InFloatPanels(weight.clone());
  return linear;
}

TEST(FloatProductTest, IsTheExactProductForAnyRowsAndWidths) {
  at::Generator generator = SeededGenerator(1);
  for (const auto& [in, out] :
       {std::pair<int64_t, int64_t>{1, 1}, {33, 5}, {17, 63}, {64, 192}, {768, 96}, {1030, 70}, {40, 1000}}) {
    const at::Tensor weight = Noise({out, in}, generator);
    Linear linear = InPanelsOf(weight, Noise({out}, generator));
    EXPECT_EQ(linear.weight.in_panels(), HasFloatProducts());
    EXPECT_EQ(linear.weight.plain.sizes(), weight.sizes());
    for (const int64_t rows : {1, 2, 15, 16, 17, 63, 64, 65, 100, 300}) {
      const at::Tensor x = Noise({2, rows, in}, generator), exact = ExactProduct(x, weight, linear.bias);
      ASSERT_EQ(linear(x).sizes(), exact.sizes());
      EXPECT_LT(testing::DistanceOf(linear(x), exact).max_relative_error, 3e-6) << in << " " << out << " " << rows;
      const at::Tensor apart = at::cat({x, x}, 2).narrow(2, 0, in);  // rows that lie apart
      EXPECT_TRUE(linear(apart).equal(linear(x)));
      const at::Tensor flat = x.view({-1, in});
      at::Tensor out_rows = at::full({2 * rows, out}, 7, x.options()), sum = Noise({2 * rows, out}, generator);
      const at::Tensor bare = ExactProduct(flat, weight, {}), wanted = sum.to(at::kDouble) + bare;
      linear.Multiply(flat, /*add=*/false, out_rows);
      linear.Multiply(flat, /*add=*/true, sum);
      EXPECT_LT(testing::DistanceOf(out_rows, bare).max_relative_error, 3e-6) << in << " " << out << " " << rows;
      EXPECT_LT(testing::DistanceOf(sum, wanted).max_relative_error, 3e-6) << in << " " << out << " " << rows;
    }
    EXPECT_EQ(linear(at::empty({0, in})).sizes(), at::empty({0, out}).sizes());
    const at::Tensor halves = Noise({9, in}, generator).to(at::kBFloat16);
    if (linear.weight.in_panels()) {
      EXPECT_EQ(linear(halves).scalar_type(), at::kBFloat16);
    }
  }
}

TEST(FloatProductTest, TheSameBitsBesideOthersAndForAnyNumberOfThreads) {
  at::Generator generator = SeededGenerator(2);
  const at::Tensor weight = Noise({330, 200}, generator), x = Noise({150, 200}, generator);
  const Linear linear = InPanelsOf(weight, Noise({330}, generator));
  if (!linear.weight.in_panels()) GTEST_SKIP() << "LibTorch's own product is taken on this machine";
  const at::Tensor all = linear(x);
  EXPECT_TRUE(linear(x.narrow(0, 3, 1)).equal(all.narrow(0, 3, 1)));
  EXPECT_TRUE(linear(x.narrow(0, 60, 37)).equal(all.narrow(0, 60, 37)));
  const int threads = at::get_num_threads();
  for (const int other : {1, 2, 3, 7}) {
    at::set_num_threads(other);
    EXPECT_TRUE(linear(x).equal(all)) << other;
  }
  at::set_num_threads(threads);
  // More inputs than are multiplied at once, added to what is there.
  const Linear wide = InPanelsOf(Noise({70, 1700}, generator), {});
  const at::Tensor inputs = Noise({80, 1700}, generator);
  at::Tensor sums = Noise({80, 70}, generator), some = sums.narrow(0, 0, 70).clone();
  wide.Multiply(inputs, /*add=*/true, sums);
  wide.Multiply(inputs.narrow(0, 0, 70), /*add=*/true, some);
  EXPECT_TRUE(some.equal(sums.narrow(0, 0, 70)));
  EXPECT_TRUE(wide(inputs).narrow(0, 0, 70).equal(wide(inputs.narrow(0, 0, 70))));
}

TEST(FloatProductTest, TakesWhatItSays) {
  at::Generator generator = SeededGenerator(3);
  const auto budget = std::make_shared<MemoryBudget>(int64_t{1} << 30);
  for (const int64_t in : {24, 320, 3072}) {
    for (const int64_t rows : {1, 16, 77, 499}) {
      const at::Tensor x = Noise({rows, in}, generator);
      const Linear linear = InPanelsOf(Noise({70, in}, generator), {});
      if (!linear.weight.in_panels()) GTEST_SKIP() << "LibTorch's own product is taken on this machine";
      budget->ResetPeak();
      const BudgetScope scope(budget);
      const at::Tensor y = linear(x);
      EXPECT_EQ(budget->peak_bytes() - AllocatedBytes(rows * 70 * 4),
                LinearScratchBytes(70, in, Precision::kFloat32, x.device(), rows));
    }
  }
  EXPECT_THROW(InPanelsOf(Noise({70, 8}, generator), {}).weight.Rows(0, 3, at::kFloat), c10::Error);
}

}  // namespace
}  // namespace grym
