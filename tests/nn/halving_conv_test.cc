#include "nn/halving_conv.h"

#include <gtest/gtest.h>

#include <cmath>

#include "runtime/memory_budget.h"
#include "runtime/seeded_noise.h"
#include "support/peer.h"

namespace grym {
namespace {

at::Tensor ExactHalving(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  const at::Tensor shift = bias.defined() ? bias.to(at::kDouble) : at::Tensor();
  return at::conv1d(x.to(at::kDouble).t().unsqueeze(0), weight.to(at::kDouble), shift, 2).squeeze(0).t().contiguous();
}

TEST(HalvingConvTest, EqualsTheExactSumWithinRoundingForAnyLengthAndWidth) {
  at::Generator generator = SeededGenerator(3);
  for (const auto& [in, out] : {std::pair<int64_t, int64_t>{1, 1}, {3, 70}, {64, 64}, {48, 130}, {512, 512}}) {
    const at::Tensor weight = Noise({out, in, 3}, generator), bias = Noise({out}, generator);
    const at::Tensor packed = PackHalving(weight);
    for (const int64_t results : {1, 2, 3, 15, 16, 17, 63, 64, 65, 127, 130, 513}) {
      for (const int64_t beyond : {0, 1}) {  // an even number of frames: the last one is read by no result
        at::Tensor x = Noise({2 * results + 1 + beyond, in}, generator);
        if (beyond == 1) x.select(0, 2 * results + 1).fill_(NAN);
        const at::Tensor shift = results % 2 == 0 ? bias : at::Tensor();
        at::Tensor y = at::full({results, out}, 7, x.options());
        ConvolveHalving(x, packed, shift, y);
        const at::Tensor exact = ExactHalving(x.narrow(0, 0, 2 * results + 1), weight, shift);
        EXPECT_LT(testing::DistanceOf(y, exact).max_relative_error, 3e-6)
            << in << " to " << out << ", " << results << " results";
      }
    }
  }
}

TEST(HalvingConvTest, TheErrorLiesFarBelowTheResult) {
  at::Generator generator = SeededGenerator(5);
  const at::Tensor x = Noise({1025, 512}, generator), weight = Noise({512, 512, 3}, generator);
  const at::Tensor exact = ExactHalving(x, weight, {});
  const auto error = [&](const at::Tensor& made) {
    const at::Tensor apart = made.to(at::kDouble) - exact;
    return (apart * apart).mean().item<double>() / (exact * exact).mean().item<double>();
  };
  at::Tensor y = at::empty({512, 512}, at::kFloat);
  ConvolveHalving(x, PackHalving(weight), {}, y);
  EXPECT_LT(error(y), 4e-13);  // 124 dB; 126 measured
}

TEST(HalvingConvTest, TheSameBitsForAnyNumberOfThreadsAndTakesWhatItSays) {
  at::Generator generator = SeededGenerator(4);
  const int64_t in = 96, out = 160, results = 301, threads = at::get_num_threads();
  const at::Tensor x = Noise({2 * results + 1, in}, generator);
  const auto budget = std::make_shared<MemoryBudget>(int64_t{1} << 30);
  at::Tensor packed;
  {
    const BudgetScope scope(budget);
    packed = PackHalving(Noise({out, in, 3}, generator));
  }
  EXPECT_EQ(budget->used_bytes(), HalvingWeightBytes(in, out));
  at::Tensor y = at::empty({results, out}, at::kFloat), one = at::empty_like(y);
  {
    const BudgetScope scope(budget);
    budget->ResetPeak();
    ConvolveHalving(x, packed, {}, y);
  }
  EXPECT_EQ(budget->peak_bytes() - budget->used_bytes(), HalvingScratchBytes(in, out));
  at::set_num_threads(1);
  ConvolveHalving(x, packed, {}, one);
  at::set_num_threads(static_cast<int>(threads));
  EXPECT_TRUE(y.equal(one));
}

}  // namespace
}  // namespace grym
