#include "nn/packed_linear.h"

#include <cmath>
#include <cstring>

#include "base/status.h"
#include "gtest/gtest.h"
#include "nn/linear.h"
#include "runtime/memory_budget.h"
#include "runtime/seeded_noise.h"

namespace grym {
namespace {

constexpr Precision kPrecisions[] = {Precision::kFloat32, Precision::kBFloat16, Precision::kFloat16, Precision::kInt8,
                                     Precision::kInt4};

at::Tensor DrawnMatrix(int64_t rows, int64_t columns, int64_t seed) {
  at::Generator generator = SeededGenerator(seed);
  return Noise({rows, columns}, generator);
}

double RelativeDifference(const at::Tensor& ours, const at::Tensor& exact) {
  const at::Tensor error = (ours - exact).to(at::kDouble), whole = exact.to(at::kDouble);
  return std::sqrt((error * error).sum().item<double>() / (whole * whole).sum().item<double>());
}

at::Tensor Applied(const PackedLinear& linear, const at::Tensor& x) {
  at::Tensor y = at::empty({x.size(0), linear.out()}, at::kFloat);
  linear.Apply(x, y);
  return y;
}

// Inputs are rounded, to 16 bits for int8 and to 8 for int4 (quant/product.h).
TEST(PackedLinearTest, EqualsLibTorchOverTheDecodedWeights) {
  const at::Tensor weight = DrawnMatrix(130, 200, 1), bias = DrawnMatrix(1, 130, 2).view({-1});
  for (const Precision precision : kPrecisions) {
    const PackedLinear linear = PackedLinear::Pack(weight, bias, precision);
    const double most = precision == Precision::kInt4 ? 8e-3 : 4e-5;
    for (const int64_t rows : {1, 2, 40, 500}) {  // 500 rows go in several passes
      const at::Tensor x = DrawnMatrix(rows, 200, rows);
      EXPECT_LE(RelativeDifference(Applied(linear, x), at::linear(x, linear.Decoded(), bias)), most)
          << PrecisionName(precision) << " " << rows;
    }
  }
}

TEST(PackedLinearTest, ARowIsTheSameBitsAmongAnyNumberOfRowsAndThreads) {
  const at::Tensor weight = DrawnMatrix(1000, 512, 3), x = DrawnMatrix(300, 512, 4);
  const int threads = at::get_num_threads();
  for (const Precision precision : kPrecisions) {
    const PackedLinear linear = PackedLinear::Pack(weight, {}, precision);
    const at::Tensor all = Applied(linear, x);
    for (const int64_t rows : {1, 2, 3, 16}) {
      EXPECT_TRUE(Applied(linear, x.narrow(0, 300 - rows, rows)).equal(all.narrow(0, 300 - rows, rows)));
    }
    at::set_num_threads(1);
    EXPECT_TRUE(Applied(linear, x).equal(all)) << PrecisionName(precision);
    at::set_num_threads(threads);
  }
}

TEST(PackedLinearTest, SeveralOfOneInputAnswerSideBySideWhatEachAnswersAlone) {
  const at::Tensor bias = DrawnMatrix(1, 256, 13).view({-1}), x = DrawnMatrix(200, 512, 14);
  std::vector<PackedLinear> parts = {PackedLinear::Pack(DrawnMatrix(256, 512, 11), bias, Precision::kInt4),
                                     PackedLinear::Pack(DrawnMatrix(130, 512, 12), {}, Precision::kInt8),
                                     PackedLinear::Pack(DrawnMatrix(5, 512, 15), {}, Precision::kFloat32)};
  const int threads = at::get_num_threads();
  for (const int64_t rows : {1, 2, 200}) {  // 200 rows go in several passes
    const at::Tensor some = x.narrow(0, 0, rows);
    std::vector<at::Tensor> alone;
    for (const PackedLinear& part : parts) alone.push_back(Applied(part, some));
    const at::Tensor wanted = at::cat(alone, 1);
    for (const int count : {threads, 1}) {
      at::set_num_threads(count);
      at::Tensor y = at::full({rows, 391}, 7, at::kFloat);
      PackedLinear::ApplyAll(parts, some, y);
      EXPECT_TRUE(y.equal(wanted)) << rows << " rows, " << count << " threads";
    }
    at::set_num_threads(threads);
  }
}

TEST(PackedLinearTest, FloatsThatAreHalfNumbersAreKeptAsSuch) {
  const at::Tensor weight = DrawnMatrix(64, 128, 5), rounded = weight.to(at::kHalf).to(at::kFloat);
  EXPECT_EQ(PackedLinear::Pack(weight, {}, Precision::kFloat32).layout().format, WeightFormat::kFloat32);
  const PackedLinear linear = PackedLinear::Pack(rounded, {}, Precision::kFloat32);
  EXPECT_EQ(linear.layout().format, WeightFormat::kFloat16);
  EXPECT_TRUE(linear.Decoded().equal(rounded));
  const PackedLinear asked = PackedLinear::PackAs(rounded, {}, WeightFormat::kFloat32);
  EXPECT_EQ(asked.layout().format, WeightFormat::kFloat32);
  EXPECT_TRUE(asked.Decoded().equal(rounded));
}

TEST(PackedLinearTest, OpensWhatItSavedAndRefusesWhatIsDamaged) {
  const at::Tensor weight = DrawnMatrix(70, 90, 6), bias = DrawnMatrix(1, 70, 7).view({-1}), x = DrawnMatrix(3, 90, 8);
  for (const Precision precision : kPrecisions) {
    const PackedLinear linear = PackedLinear::Pack(weight, bias, precision, 32);
    const at::Tensor saved = linear.packed().clone();
    const auto opened = PackedLinear::Open(saved, bias, 70, 90);
    ASSERT_TRUE(opened.ok()) << opened.status();
    EXPECT_TRUE(Applied(*opened, x).equal(Applied(linear, x)));
    EXPECT_EQ(ErrorCode(PackedLinear::Open(saved, bias, 90, 70).status()), "bad_weights");
    EXPECT_EQ(ErrorCode(PackedLinear::Open(saved.narrow(0, 0, saved.size(0) - 1), bias, 70, 90).status()),
              "bad_packed_weights");
    const at::Tensor infinite = saved.clone();  // of what begins the first block's scales or weights, if 16 bits wide
    const int64_t meta = HasGroups(linear.layout().format) ? linear.layout().meta_begin(0) : 0;
    std::memset(infinite.mutable_data_ptr<uint8_t>() + kPackedHeaderBytes + meta, 0xff, 4);
    EXPECT_EQ(ErrorCode(PackedLinear::Open(infinite, bias, 70, 90).status()), "non_finite_weights");
    saved.mutable_data_ptr<uint8_t>()[24] ^= 1;
    EXPECT_EQ(ErrorCode(PackedLinear::Open(saved, bias, 70, 90).status()), "bad_packed_weights");
  }
}

TEST(PackedLinearTest, KeepsWhatItSaysAndTakesNothingToApply) {
  const auto budget = std::make_shared<MemoryBudget>(int64_t{1} << 30);
  const BudgetScope scope(budget);
  const at::Tensor weight = DrawnMatrix(300, 200, 9), x = DrawnMatrix(20, 200, 10);
  at::Tensor y = at::empty({20, 300}, at::kFloat);
  for (const Precision precision : kPrecisions) {
    const int64_t before = budget->used_bytes();
    const PackedLinear linear = PackedLinear::Pack(weight, {}, precision);
    EXPECT_EQ(budget->used_bytes() - before, PackedLinear::BytesKept(300, 200, precision)) << PrecisionName(precision);
    budget->ResetPeak();
    const int64_t used = budget->used_bytes();
    linear.Apply(x, y);
    EXPECT_EQ(budget->peak_bytes(), used) << PrecisionName(precision);
    at::Tensor twice = at::empty({20, 600}, at::kFloat);
    const std::vector<PackedLinear> both = {linear, linear};
    budget->ResetPeak();
    const int64_t with_more = budget->used_bytes();
    PackedLinear::ApplyAll(both, x, twice);
    EXPECT_EQ(budget->peak_bytes(), with_more) << PrecisionName(precision);
  }
}

}  // namespace
}  // namespace grym
