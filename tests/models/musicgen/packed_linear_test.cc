#include "models/musicgen/packed_linear.h"

#include "gtest/gtest.h"

namespace grym {
namespace {

TEST(PackedLinearTest, MultipliesAtAnySizeAndPrecision) {
  for (const auto& [out, in] : {std::pair<int64_t, int64_t>{5, 3}, {64, 32}, {130, 72}}) {
    const at::Tensor weight = at::randn({out, in}), bias = at::randn({out}), x = at::randn({5, in});
    const at::Tensor wanted = at::linear(x, weight, bias);
    for (const auto& [precision, error] : {std::pair{Precision::kFloat32, 1e-6}, {Precision::kFloat16, 1e-3},
                                           {Precision::kBFloat16, 8e-3}, {Precision::kInt8, 2e-2},
                                           {Precision::kInt4, 0.25}}) {
      const PackedLinear packed = PackedLinear::Pack(weight, bias, precision);
      at::Tensor y = at::empty({5, out});
      packed.Apply(x, y);
      EXPECT_LT(((y - wanted).norm() / wanted.norm()).item<double>(), error) << PrecisionName(precision) << " " << out;
    }
  }
}

TEST(PackedLinearTest, ARowsBitsDoNotDependOnItsNeighbours) {
  const at::Tensor weight = at::randn({70, 45}), x = at::randn({9, 45});
  for (const Precision precision : {Precision::kFloat32, Precision::kFloat16, Precision::kInt8, Precision::kInt4}) {
    const PackedLinear packed = PackedLinear::Pack(weight, {}, precision);
    at::Tensor whole = at::empty({9, 70}), one = at::empty({1, 70});
    packed.Apply(x, whole);
    for (int64_t row = 0; row < 9; ++row) {
      packed.Apply(x.narrow(0, row, 1), one);
      EXPECT_TRUE(one.equal(whole.narrow(0, row, 1))) << PrecisionName(precision) << " " << row;
    }
  }
}

}  // namespace
}  // namespace grym
