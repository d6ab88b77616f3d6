#include "nn/bfloat_conv.h"

#include <bit>
#include <cmath>
#include <limits>
#include <memory>
#include <vector>

#include "gtest/gtest.h"
#include "nn/bfloat_kernels.h"
#include "nn/linear.h"
#include "quant/half.h"
#include "runtime/memory_budget.h"
#include "runtime/seeded_noise.h"
#include "runtime/tensor.h"

namespace grym {
namespace {

at::Tensor NormalNumbers(const std::vector<int64_t>& shape, int64_t seed) {
  at::Generator generator = SeededGenerator(seed);
  return Noise(shape, generator);
}

at::Tensor ChannelsLast(const at::Tensor& image) { return image.contiguous(at::MemoryFormat::ChannelsLast); }

double LargestDifference(const at::Tensor& a, const at::Tensor& b) {
  return (a.to(at::kDouble) - b.to(at::kDouble)).abs().max().item<double>();
}

bool Same(const at::Tensor& a, const at::Tensor& b) { return a.eq(b).all().item<bool>(); }

// In float64, of what the products see: inputs and weights rounded to bfloat16.
at::Tensor Reference(const ConvSteps& steps, const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  return at::conv2d(x.to(at::kBFloat16).to(at::kDouble), weight.to(at::kDouble), bias.to(at::kDouble), steps.stride,
                    steps.padding, steps.dilation);
}

struct Case {
  int64_t images, in, out, height, width, kernel_high, kernel_wide;
  ConvSteps steps;
};

// Borders of every kind: parts of a panel, odd channels, bands of images, of rows and of places, images smaller than
// the kernel's reach, strides, dilations.
const std::vector<Case>& Cases() {
  static const std::vector<Case> cases = {
      {1, 8, 40, 1, 5, 1, 1, {}},
      {1, 33, 1, 1, 1, 1, 1, {}},
      {1, 64, 96, 1, 2000, 1, 1, {}},
      {1, 6, 32, 1, 3001, 1, 11, {{0, 25}, {1, 1}, {1, 5}}},
      {1, 7, 31, 1, 900, 1, 7, {{0, 9}, {1, 1}, {1, 3}}},
      {1, 7, 33, 1, 17, 1, 3, {{0, 1}, {1, 1}, {1, 1}}},
      {1, 512, 20, 1, 40, 1, 3, {{0, 0}, {1, 2}, {1, 1}}},
      {2, 16, 48, 9, 4, 3, 3, {{1, 1}, {1, 1}, {1, 1}}},
      {30, 16, 24, 5, 8, 3, 3, {{1, 1}, {1, 1}, {1, 1}}},
      {2, 12, 70, 120, 16, 3, 3, {{1, 1}, {1, 1}, {1, 1}}},
      {1, 5, 9, 50, 40, 3, 3, {{1, 1}, {2, 2}, {1, 1}}},
      {1, 4, 5, 3, 1000, 2, 2, {{1, 1}, {1, 1}, {1, 1}}},
      {1, 3, 8, 7, 6, 5, 3, {{4, 1}, {1, 1}, {2, 1}}},
  };
  return cases;
}

at::Tensor WholeWeightOf(const Case& c) {
  return ChannelsLast(NormalNumbers({c.out, c.in, c.kernel_high, c.kernel_wide}, 2));
}
at::Tensor WeightOf(const Case& c) { return ChannelsLast(WholeWeightOf(c).to(at::kBFloat16)); }

TEST(BFloatConvTest, IsTheConvolutionOfTheRoundedNumbers) {
  for (const Case& c : Cases()) {
    const at::Tensor x = ChannelsLast(NormalNumbers({c.images, c.in, c.height, c.width}, 1));
    const at::Tensor weight = WeightOf(c);
    const at::Tensor bias = NormalNumbers({c.out}, 3);
    const at::Tensor wanted = Reference(c.steps, x, weight, bias);
    at::Tensor y;
    ConvolveBFloat(c.steps, x, weight, bias, {}, y);
    ASSERT_EQ(y.sizes(), wanted.sizes());
    // Of a sum of `count` products of size 1 in float32, whatever their order: count / 2 roundings of its largest part.
    const auto count = static_cast<double>(c.in * c.kernel_high * c.kernel_wide);
    const double bound = 6e-8 * (count / 2 + 4) * 4 * std::sqrt(count);
    EXPECT_LT(LargestDifference(y, wanted), bound) << c.in << " " << c.out << " " << c.height << " " << c.width;
    at::Tensor sum = ChannelsLast(NormalNumbers(wanted.sizes().vec(), 4));
    const at::Tensor before = sum.clone();
    ConvolveBFloat(c.steps, x, weight, bias, {/*add=*/true, /*slope=*/0.1}, sum);
    EXPECT_LT(LargestDifference(sum, at::leaky_relu(wanted + before.to(at::kDouble), 0.1)), bound);
    at::Tensor plain;
    ConvolveBFloat(c.steps, x, weight, {}, {}, plain);
    EXPECT_LT(LargestDifference(plain, Reference(c.steps, x, weight, at::zeros({c.out}))), bound);
  }
}

TEST(BFloatConvTest, WeightsInPanelsGiveTheSameBitsAndTakeNoMore) {
  int64_t laid = 0;
  for (Case c : Cases()) {
    for (const int64_t out : {c.out, int64_t{32}, int64_t{96}}) {
      c.out = out;
      const at::Tensor x = ChannelsLast(NormalNumbers({c.images, c.in, c.height, c.width}, 1));
      const at::Tensor weight = WeightOf(c), panels = InPanels(ChannelsLast(weight.clone()));
      const bool fits = c.out % 32 == 0 && c.in % 2 == 0 && HasBFloatProducts();
      ASSERT_EQ(panels.scalar_type(), fits ? at::kShort : at::kBFloat16) << c.in << " " << c.out;
      ASSERT_EQ(panels.sizes(), weight.sizes());
      laid += fits ? 1 : 0;
      const ConvShape shape = {c.images, c.height, c.width, c.in, c.out, {c.kernel_high, c.kernel_wide}, c.steps};
      const auto budget = std::make_shared<MemoryBudget>(int64_t{1} << 30);
      at::Tensor wanted, y;
      ConvolveBFloat(c.steps, x, weight, {}, {}, wanted);
      y = at::empty_like(wanted);
      {
        const BudgetScope scope(budget);
        ConvolveBFloat(c.steps, x, panels, {}, {}, y);
      }
      EXPECT_TRUE(Same(y, wanted)) << c.in << " " << c.out << " " << c.height << " " << c.width;
      EXPECT_EQ(budget->peak_bytes(), BFloatScratchBytes(shape, Precision::kBFloat16, fits));
    }
  }
  EXPECT_GE(laid, HasBFloatProducts() ? 5 : 0);
}

TEST(BFloatConvTest, PanelsAreTakenForNumbersByNobody) {
  if (!HasBFloatProducts()) GTEST_SKIP() << "no units for bfloat16 here";
  const at::Tensor weight = NormalNumbers({64, 48}, 1).to(at::kBFloat16), x = NormalNumbers({20, 48}, 2);
  Linear plain, laid;
  plain.weight = WeightMatrix::Pack(weight, Precision::kBFloat16);
  laid.weight = plain.weight;
  laid.weight.plain = InPanels(weight.clone());
  EXPECT_TRUE(Same(laid(x), plain(x)));
  const at::Tensor halves = x.to(at::kBFloat16);
  EXPECT_EQ(laid(halves).scalar_type(), at::kBFloat16);
  EXPECT_LT(LargestDifference(laid(halves).to(at::kFloat), plain(halves.to(at::kFloat)).to(at::kDouble)), 0.1);
  EXPECT_THROW(laid.weight.Rows(0, 3, at::kFloat), c10::Error);
}

TEST(BFloatConvTest, TakesWhatItTells) {
  for (const Case& c : Cases()) {
    for (const Precision precision : {Precision::kBFloat16, Precision::kBFloat16x3}) {
      const auto budget = std::make_shared<MemoryBudget>(int64_t{1} << 30);
      const at::Tensor x = ChannelsLast(NormalNumbers({c.images, c.in, c.height, c.width}, 1));
      const at::Tensor weight = precision == Precision::kBFloat16 ? WeightOf(c) : WholeWeightOf(c);
      const ConvShape shape = {c.images, c.height, c.width, c.in, c.out, {c.kernel_high, c.kernel_wide}, c.steps};
      at::Tensor y;
      ConvolveBFloat(c.steps, x, weight, {}, {}, y);
      {
        const BudgetScope scope(budget);
        ConvolveBFloat(c.steps, x, weight, {}, {}, y);
      }
      EXPECT_EQ(budget->peak_bytes(), BFloatScratchBytes(shape, precision)) << c.in << " " << c.out << " " << c.width;
      EXPECT_EQ(budget->used_bytes(), 0);
    }
  }
}

// A product loses 2^-15 at most (nn/bfloat_conv.h), and 4e-6 of random numbers, whose losses are of either sign.
TEST(BFloatConvTest, ThreeProductsAreNearlyFloat32) {
  for (const Case& c : Cases()) {
    const at::Tensor x = ChannelsLast(NormalNumbers({c.images, c.in, c.height, c.width}, 1));
    const at::Tensor weight = WholeWeightOf(c), bias = NormalNumbers({c.out}, 3);
    const auto exact = [&](const at::Tensor& input, const at::Tensor& kernel, const at::Tensor& shift) {
      return at::conv2d(input.to(at::kDouble), kernel.to(at::kDouble), shift.to(at::kDouble), c.steps.stride,
                        c.steps.padding, c.steps.dilation);
    };
    const at::Tensor wanted = exact(x, weight, bias);
    const double largest = exact(x.abs(), weight.abs(), bias.abs()).max().item<double>();
    at::Tensor y, rounded, plain;
    ConvolveBFloat(c.steps, x, weight, bias, {}, y);
    ASSERT_EQ(y.sizes(), wanted.sizes());
    ConvolveBFloat(c.steps, x, WeightOf(c), bias, {}, rounded);
    const double error = LargestDifference(y, wanted);
    EXPECT_LT(error, 1e-5 * largest) << c.in << " " << c.out << " " << c.width;
    EXPECT_LT(100 * error, LargestDifference(rounded, wanted)) << c.in << " " << c.out << " " << c.width;
    at::Tensor sum = ChannelsLast(NormalNumbers(wanted.sizes().vec(), 4));
    const at::Tensor before = sum.clone();
    ConvolveBFloat(c.steps, x, weight, bias, {/*add=*/true, /*slope=*/0.1}, sum);
    EXPECT_LT(LargestDifference(sum, at::leaky_relu(wanted + before.to(at::kDouble), 0.1)), 1e-5 * largest);
    ConvolveBFloat(c.steps, x, weight, {}, {}, plain);
    EXPECT_LT(LargestDifference(plain, exact(x, weight, at::zeros({c.out}))), 1e-5 * largest);
  }
}

TEST(BFloatConvTest, CodedMatricesAreDecodedAsTheyAreWanted) {
  const int64_t rows = 900, in = 37, out = 75;
  const at::Tensor x = NormalNumbers({rows, in}, 1), bias = NormalNumbers({out}, 3), scales = NormalNumbers({out}, 4);
  const at::Tensor codes = NormalNumbers({out, in}, 2).mul(40).round().to(at::kBFloat16);
  CodedMatrix matrix;
  matrix.scales = scales.const_data_ptr<float>();
  matrix.decode = [&](int64_t first, int64_t count, uint16_t* to) {
    const auto* from = static_cast<const uint16_t*>(codes.const_data_ptr()) + first * in;
    std::copy(from, from + count * in, to);
  };
  at::Tensor y = at::empty({rows, out}, at::kFloat);
  const auto budget = std::make_shared<MemoryBudget>(int64_t{1} << 30);
  {
    const BudgetScope scope(budget);
    MultiplyBFloat(RowsShape(rows, in, out), x.const_data_ptr<float>(), matrix, bias.const_data_ptr<float>(),
                   y.mutable_data_ptr<float>());
  }
  EXPECT_EQ(budget->peak_bytes(), BFloatScratchBytes(RowsShape(rows, in, out), Precision::kInt8));
  const at::Tensor decoded = codes.to(at::kDouble) * scales.to(at::kDouble).unsqueeze(1);
  const at::Tensor wanted = at::linear(x.to(at::kBFloat16).to(at::kDouble), decoded, bias.to(at::kDouble));
  EXPECT_LT(LargestDifference(y, wanted), 6e-8 * 37 * 40 * 4 * 4);
}

// A place's result is the same bits alone and among others, on one thread and on two.
TEST(BFloatConvTest, PlacesDoNotSeeEachOther) {
  const at::Tensor x = NormalNumbers({1000, 48}, 1);
  for (const c10::ScalarType type : {at::kBFloat16, at::kFloat}) {
    const at::Tensor weight = NormalNumbers({70, 48}, 2).to(type);
    const auto product = [&](int64_t begin, int64_t rows) {
      at::Tensor y = at::empty({rows, 70}, at::kFloat);
      ConvolveBFloat(RowsShape(rows, 48, 70), x.const_data_ptr<float>() + begin * 48, weight, nullptr, {},
                     y.mutable_data_ptr<float>());
      return y;
    };
    const at::Tensor all = product(0, 1000);
    EXPECT_TRUE(Same(product(3, 1), all.narrow(0, 3, 1)));
    EXPECT_TRUE(Same(product(500, 57), all.narrow(0, 500, 57)));
    const int threads = at::get_num_threads();
    at::set_num_threads(threads == 1 ? 2 : 1);
    EXPECT_TRUE(Same(product(0, 1000), all));
    at::set_num_threads(threads);
  }
}

TEST(BFloatConvTest, WhatIsNoNumberStaysNone) {
  for (const c10::ScalarType type : {at::kBFloat16, at::kFloat}) {
    for (const float odd : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
      at::Tensor x = at::ones({3, 5}, at::kFloat);
      x[1][4] = odd;
      const at::Tensor weight = at::ones({2, 5}, type);
      at::Tensor y = at::empty({3, 2}, at::kFloat);
      ConvolveBFloat(RowsShape(3, 5, 2), x.const_data_ptr<float>(), weight, nullptr, {false, 0.5},
                     y.mutable_data_ptr<float>());
      EXPECT_EQ(y[0][0].item<float>(), 5);
      EXPECT_FALSE(std::isfinite(y[1][0].item<float>()));
      EXPECT_EQ(y[2][1].item<float>(), 5);
    }
  }
}

// Those next to the largest round to infinity; an infinite part, or one without its rest, would leave nothing of them.
TEST(BFloatConvTest, ThreeProductsKeepTheLargestNumbersFinite) {
  const float largest = std::numeric_limits<float>::max();
  at::Tensor x = at::zeros({2, 3}, at::kFloat), weight = at::zeros({1, 3}, at::kFloat), y = at::empty({2, 1});
  x[0][0] = largest;
  x[0][1] = 0.25;
  x[1][0] = -3.39e38f;  // its rounding is finite
  x[1][1] = -0.25;
  weight[0][0] = 0.3;
  weight[0][1] = largest;
  ConvolveBFloat(RowsShape(2, 3, 1), x.const_data_ptr<float>(), weight, nullptr, {}, y.mutable_data_ptr<float>());
  const double sums[] = {0.3 * largest + 0.25 * largest, -0.3 * 3.39e38 - 0.25 * largest};
  for (int i = 0; i < 2; ++i) EXPECT_NEAR(y[i][0].item<float>() / sums[i], 1, 2e-5) << i;
}

const uint16_t* BitsOf(const at::Tensor& numbers) { return static_cast<const uint16_t*>(numbers.const_data_ptr()); }

class BFloatKernelsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (Avx512BFloatKernels() == nullptr) GTEST_SKIP() << "no AVX-512 BF16 here";
  }
};

TEST_F(BFloatKernelsTest, RoundAsThePortableOnes) {
  std::vector<float> numbers;
  for (uint32_t bits = 0; bits < 0xffff0000u; bits += 40503) numbers.push_back(std::bit_cast<float>(bits));
  for (const uint32_t bits :
       {0x3f808000u, 0x3f818000u, 0x7f7fffffu, 0x7fffffffu, 0xff800001u, 0x00000001u, 0x80008000u}) {
    numbers.push_back(std::bit_cast<float>(bits));
  }
  std::vector<uint16_t> ours(numbers.size()), plain(numbers.size());
  Avx512BFloatKernels()->round(numbers.data(), static_cast<int64_t>(numbers.size()), ours.data());
  PortableBFloatKernels().round(numbers.data(), static_cast<int64_t>(numbers.size()), plain.data());
  EXPECT_EQ(ours, plain);
}

TEST_F(BFloatKernelsTest, SplitAsThePortableOnes) {
  std::vector<float> numbers;
  for (uint32_t bits = 0; bits < 0xffff0000u; bits += 40503) numbers.push_back(std::bit_cast<float>(bits));
  for (const uint32_t bits : {0x7f7fffffu, 0xff7fffffu, 0x7f7f7fffu, 0x7f7f8000u, 0x7f800000u, 0xff800000u, 0x7fffffffu,
                              0x7f800001u, 0x00000001u, 0x80008000u, 0x3f808000u}) {
    numbers.push_back(std::bit_cast<float>(bits));
  }
  std::vector<uint16_t> high[2], low[2];
  for (int i = 0; i < 2; ++i) {
    high[i].assign(numbers.size(), 0);
    low[i].assign(numbers.size(), 0);
    const BFloatKernels& kernels = i == 0 ? PortableBFloatKernels() : *Avx512BFloatKernels();
    kernels.split(numbers.data(), static_cast<int64_t>(numbers.size()), high[i].data(), low[i].data());
  }
  EXPECT_EQ(high[0], high[1]);
  EXPECT_EQ(low[0], low[1]);
  for (size_t i = 0; i < numbers.size(); ++i) {
    const double value = numbers[i], first = BFloat16ToFloat(high[0][i]), parts = first + BFloat16ToFloat(low[0][i]);
    if (!std::isfinite(value)) {
      EXPECT_EQ(low[0][i], 0) << value;
      EXPECT_EQ(std::isnan(parts), std::isnan(value));
    } else {
      // Below the smallest normal number the rest has fewer digits.
      EXPECT_LE(std::abs(parts - value), std::max(std::abs(value) / (1 << 17), 1e-40)) << value;
    }
  }
}

void ExpectPortableResults(const BFloatKernels& others) {
  for (const int64_t outputs : {1, 15, 16, 17, 32}) {
    for (const int64_t depth : {1, 2, 31, 32, 33, 100}) {
      const int64_t segments = 3, pairs = (depth + 1) / 2, rows = 31;
      const at::Tensor weights = NormalNumbers({outputs, segments * depth}, 1).to(at::kBFloat16);
      const at::Tensor x = NormalNumbers({rows + segments, 2 * pairs}, 2).to(at::kBFloat16);
      const at::Tensor bias = NormalNumbers({outputs}, 3), scales = NormalNumbers({outputs}, 4);
      std::vector<int64_t> starts, offsets;
      for (int64_t i = 0; i < rows; ++i) starts.push_back(i * 2 * pairs);
      for (int64_t s = 0; s < segments; ++s) offsets.push_back(s * 2 * pairs);
      std::vector<uint16_t> panels[2];
      at::Tensor results[2];
      for (int i = 0; i < 2; ++i) {
        const BFloatKernels& kernels = i == 0 ? PortableBFloatKernels() : others;
        panels[i].assign(static_cast<size_t>(segments * pairs * 2 * kBFloatPanel), 7);
        kernels.pack({BitsOf(weights), outputs, segments, depth, panels[i].data()});
        results[i] = at::zeros({rows, outputs}, at::kFloat);
        kernels.product({BitsOf(x), starts.data(), offsets.data(), segments, pairs, panels[i].data(),
                         scales.const_data_ptr<float>(), bias.const_data_ptr<float>(),
                         results[i].mutable_data_ptr<float>(), outputs, outputs, false, 0.2f},
                        rows);
      }
      EXPECT_EQ(panels[0], panels[1]) << outputs << " " << depth;
      EXPECT_LT(LargestDifference(results[0], results[1]), 1e-5 * static_cast<double>(depth))
          << outputs << " " << depth;
    }
  }
}

TEST_F(BFloatKernelsTest, PackAndMultiplyAsThePortableOnes) { ExpectPortableResults(*Avx512BFloatKernels()); }

TEST_F(BFloatKernelsTest, LibrarysMultiplyAsThePortableOnes) {
  if (LibraryBFloatKernels() == nullptr) GTEST_SKIP() << "this LibTorch offers no products of small matrices";
  ExpectPortableResults(*LibraryBFloatKernels());
}

// Of a wave's frames, three taps side by side: rows that overlap, lines of other lengths, and single ones.
TEST_F(BFloatKernelsTest, LibrarysTakeRowsThatOverlap) {
  if (LibraryBFloatKernels() == nullptr) GTEST_SKIP() << "this LibTorch offers no products of small matrices";
  const int64_t channels = 6, depth = 3 * channels, outputs = 20;
  const at::Tensor x = NormalNumbers({200, channels}, 1).to(at::kBFloat16);
  const at::Tensor weights = NormalNumbers({outputs, depth}, 2).to(at::kBFloat16);
  std::vector<int64_t> starts;
  for (const int64_t frame : {0, 1, 2, 3, 4, 9, 10, 11, 40, 60, 61, 70}) starts.push_back(frame * channels);
  for (int64_t frame = 80; frame < 190; ++frame) starts.push_back(frame * channels);
  const auto rows = static_cast<int64_t>(starts.size());
  const int64_t offset = 0;
  std::vector<uint16_t> panel(static_cast<size_t>(depth * kBFloatPanel));
  PortableBFloatKernels().pack({BitsOf(weights), outputs, 1, depth, panel.data()});
  at::Tensor results[2];
  for (int i = 0; i < 2; ++i) {
    const BFloatKernels& kernels = i == 0 ? PortableBFloatKernels() : *LibraryBFloatKernels();
    results[i] = at::ones({rows, outputs}, at::kFloat);
    kernels.product({BitsOf(x), starts.data(), &offset, 1, depth / 2, panel.data(), nullptr, nullptr,
                     results[i].mutable_data_ptr<float>(), outputs, outputs, true, 1},
                    rows);
  }
  EXPECT_LT(LargestDifference(results[0], results[1]), 1e-4);
}

}  // namespace
}  // namespace grym
