#include "nn/linear.h"

#include <cmath>
#include <map>
#include <span>

#include "checkpoint/bytes_sum.h"
#include "checkpoint/tensor_writer.h"
#include "gtest/gtest.h"
#include "nn/bfloat_conv.h"
#include "runtime/memory_budget.h"
#include "runtime/seeded_noise.h"
#include "runtime/torch_guard.h"
#include "support/peer.h"
#include "support/scratch.h"

namespace grym {
namespace {

at::Tensor RandomMatrix(int64_t rows, int64_t columns, int64_t seed) {
  at::Generator generator = SeededGenerator(seed);
  return Noise({rows, columns}, generator);
}

double RelativeError(const at::Tensor& ours, const at::Tensor& exact) {
  const at::Tensor error = (ours - exact).to(at::kDouble), whole = exact.to(at::kDouble);
  return std::sqrt((error * error).sum().item<double>() / (whole * whole).sum().item<double>());
}

// From the stored codes and scales alone, element by element.
at::Tensor PlainDecoded(const WeightMatrix& matrix) {
  at::Tensor plain = at::empty({matrix.out, matrix.in}, at::kFloat);
  float* const weights = plain.mutable_data_ptr<float>();
  for (int64_t row = 0; row < matrix.out; ++row) {
    for (int64_t column = 0; column < matrix.in; ++column) {
      float& weight = weights[row * matrix.in + column];
      if (matrix.precision == Precision::kInt8) {
        weight = matrix.scales.const_data_ptr<float>()[row] *
                 static_cast<float>(matrix.codes.const_data_ptr<int8_t>()[row * matrix.in + column]);
        continue;
      }
      const uint8_t pair = matrix.codes.const_data_ptr<uint8_t>()[row * matrix.codes.size(1) + column / 2];
      const int code = column % 2 ? pair >> 4 : pair & 15;
      const c10::Half* const scale =
          matrix.scales.const_data_ptr<c10::Half>() + (row * matrix.scales.size(1) + column / matrix.group) * 2;
      weight = static_cast<float>(scale[0]) * static_cast<float>(code) + static_cast<float>(scale[1]);
    }
  }
  return plain;
}

struct TierCase {
  Precision precision;
  int64_t group;
  double most_error;  // of the weights, root mean square against their own
};

// Bounds: what a uniform grid of so many steps over normally distributed weights leaves, and a tenth more. The rows'
// largest of 256 weights is 2.8 deviations on average: a step of 2.8 / 127 leaves 0.0064. A group's range is 4.1, 4.7 and
// 5.4 deviations for 32, 64 and 128: steps of a 15th leave 0.079, 0.090 and 0.104 before the grid is fitted.
TEST(LinearTest, TiersKeepWeightsWithinTheirBounds) {
  const at::Tensor weight = RandomMatrix(96, 256, 1);
  for (const TierCase& tier : {TierCase{Precision::kInt8, 64, 0.0070}, TierCase{Precision::kInt4, 32, 0.080},
                               TierCase{Precision::kInt4, 64, 0.092}, TierCase{Precision::kInt4, 128, 0.105}}) {
    const WeightMatrix packed = WeightMatrix::Pack(weight, tier.precision, tier.group);
    const at::Tensor decoded = packed.Rows(0, packed.out, at::kFloat);
    EXPECT_LE(RelativeError(decoded, weight), tier.most_error) << PrecisionName(tier.precision) << " " << tier.group;
    EXPECT_TRUE(decoded.equal(PlainDecoded(packed))) << PrecisionName(tier.precision) << " " << tier.group;
  }
}

TEST(LinearTest, FittedScalesBeatTheExtremes) {
  at::Tensor weight = RandomMatrix(64, 512, 2);
  weight = weight * weight * weight;  // long tails, where the extremes tell least
  const at::Tensor scale = std::get<0>(weight.abs().max(1, true)) / 127;
  const at::Tensor extremes = (weight / scale).round() * scale;
  const at::Tensor fitted = WeightMatrix::Pack(weight, Precision::kInt8).Rows(0, 64, at::kFloat);
  EXPECT_LT(RelativeError(fitted, weight), RelativeError(extremes, weight));

  const at::Tensor groups = weight.view({-1, 64});
  const at::Tensor low = std::get<0>(groups.min(1, true)), high = std::get<0>(groups.max(1, true));
  const at::Tensor step = (high - low) / 15;
  const at::Tensor from_range = ((groups - low) / step).round() * step + low;
  const at::Tensor four_bits = WeightMatrix::Pack(weight, Precision::kInt4).Rows(0, 64, at::kFloat);
  EXPECT_LT(RelativeError(four_bits, weight), 0.97 * RelativeError(from_range.view({64, 512}), weight));
}

// Every path (row by row for few inputs, by blocks for many) against one product over plainly decoded weights, at odd
// widths and with a last group that is not full. 2e-6: sums of 1,000 products in another order.
TEST(LinearTest, ProductsEqualAPlainReference) {
  for (const int64_t in : {7, 33, 250, 1029}) {
    for (const Precision precision : {Precision::kInt8, Precision::kInt4, Precision::kBFloat16, Precision::kFloat16}) {
      Linear linear;
      const at::Tensor weight = RandomMatrix(1200, in, in);
      linear.weight = WeightMatrix::Pack(weight.to(StorageType(precision)), precision, 32);
      linear.bias = RandomMatrix(1, 1200, 3).view({-1});
      const at::Tensor plain = linear.weight.codes.defined() ? PlainDecoded(linear.weight)
                                                             : linear.weight.plain.to(at::kFloat);
      for (const int64_t rows : {1, 4, 5, 37}) {
        const at::Tensor x = RandomMatrix(rows, in, rows);
        // Where the CPU has units for bfloat16 (nn/bfloat_conv.h) inputs are rounded, and what int4 decodes to.
        const bool rounds = HasBFloatProducts() && precision != Precision::kFloat16;
        const auto seen = [&](const at::Tensor& numbers, bool rounded) {
          return rounded ? numbers.to(at::kBFloat16).to(at::kFloat) : numbers;
        };
        const at::Tensor want = at::linear(seen(x, rounds), seen(plain, rounds && precision == Precision::kInt4),
                                           linear.bias);
        EXPECT_LE(RelativeError(linear(x), want), 2e-6) << PrecisionName(precision) << " " << in << " " << rows;
      }
      const at::Tensor batched = RandomMatrix(6, in, 9).view({2, 3, in});
      EXPECT_EQ(linear(batched).sizes(), (std::vector<int64_t>{2, 3, 1200}));
    }
  }
}

// What a GPU does with codes, done on the CPU: odd widths, a last group that is not full, some rows out of many.
TEST(LinearTest, OperatorsDecodeTheSameRows) {
  for (const int64_t in : {7, 33, 250}) {
    for (const Precision precision : {Precision::kInt8, Precision::kInt4}) {
      const WeightMatrix packed = WeightMatrix::Pack(RandomMatrix(90, in, in), precision, 32);
      const at::Tensor decoded = packed.DecodedByOperators(5, 70);
      EXPECT_LE(RelativeError(decoded, packed.Rows(5, 70, at::kFloat)), 1e-6) << PrecisionName(precision) << " " << in;
    }
  }
}

// What a packed copy holds, read again: the same codes, scales, biases.
TEST(LinearTest, ReadsFromACopyWhatItKept) {
  const testing::Scratch scratch;
  const auto write = [](const std::filesystem::path& path, const std::vector<KeptWeights::Kept>& tensors) {
    std::vector<TensorToWrite> list;
    std::map<std::string, std::string> metadata;
    for (const auto& [name, tensor] : tensors) {
      const std::span<const std::byte> bytes(static_cast<const std::byte*>(tensor.const_data_ptr()), tensor.nbytes());
      const c10::ScalarType type = tensor.scalar_type();
      const ElementType element = type == at::kByte   ? ElementType::kU8
                                  : type == at::kChar ? ElementType::kI8
                                  : type == at::kHalf ? ElementType::kF16
                                                      : ElementType::kF32;
      list.push_back({name, element, tensor.sizes().vec(), [bytes](const TensorSink& sink) { return sink(bytes); }});
      metadata[kSumOfTensor + name] = SumText(SumOfBytes(bytes));
    }
    ASSERT_TRUE(WriteTensorFile(path, list, metadata).ok());
  };
  const std::vector<std::string> layers = {"attend.q", "attend.k"};
  std::vector<KeptWeights::Kept> plain;
  for (const std::string& layer : layers) {
    plain.push_back({layer + ".weight", RandomMatrix(5, 131, 3)});
    plain.push_back({layer + ".bias", RandomMatrix(1, 5, 4).view({-1})});
  }
  write(scratch / "model.safetensors", plain);
  const TensorSet set = TensorSet::Open(scratch / "model.safetensors").value();
  for (const Precision precision : {Precision::kInt8, Precision::kInt4, Precision::kFloat16, Precision::kFloat32}) {
    KeptWeights kept;
    WeightReader reader(set, "net", {.precision = precision, .keep = &kept});
    const Linear wanted = ReadFusedLinear(reader, layers, 131, 5);
    ASSERT_TRUE(reader.status().ok()) << reader.status();
    std::vector<KeptWeights::Kept> copy = kept.tensors();
    for (const auto& each : plain) {
      if (!kept.Replaces(each.name)) copy.push_back(each);
    }
    EXPECT_EQ(copy.size(), 4u);
    write(scratch / "copy.safetensors", copy);
    const TensorSet copied = TensorSet::Open(scratch / "copy.safetensors").value();
    WeightReader again(copied, "net", {.precision = precision, .from_copy = true});
    const Linear got = ReadFusedLinear(again, layers, 131, 5);
    ASSERT_TRUE(again.status().ok()) << again.status();
    EXPECT_TRUE(again.Unread().empty());
    EXPECT_TRUE(got.bias.equal(wanted.bias));
    if (got.weight.in_panels()) {
      EXPECT_TRUE(got.weight.plain.equal(wanted.weight.plain));
    } else {
      EXPECT_TRUE(got.weight.Rows(0, 10, at::kFloat).equal(wanted.weight.Rows(0, 10, at::kFloat)));
    }
    EXPECT_EQ(got.weight.group, wanted.weight.group);
  }
}

TEST(LinearTest, RowsOfOneValueAreKept) {
  const at::Tensor weight = at::zeros({3, 70}, at::kFloat);
  weight.select(0, 1).fill_(0.5);
  weight.select(0, 2).fill_(-3);
  for (const Precision precision : {Precision::kInt8, Precision::kInt4}) {
    const at::Tensor decoded = WeightMatrix::Pack(weight, precision).Rows(0, 3, at::kFloat);
    EXPECT_LE((decoded - weight).abs().max().item<double>(), 1e-6) << PrecisionName(precision);
  }
}

TEST(LinearTest, SaysWhatItKeepsAndTakesAtMost) {
  const auto budget = std::make_shared<MemoryBudget>(int64_t{1} << 30);
  const BudgetScope scope(budget);
  const int64_t out = 3000, in = 1000, rows = 50;
  for (const Precision precision : {Precision::kFloat32, Precision::kBFloat16x3, Precision::kBFloat16, Precision::kInt8,
                                    Precision::kInt4}) {
    const int64_t before = budget->used_bytes();
    Linear linear;
    linear.weight = WeightMatrix::Pack(RandomMatrix(out, in, 1).to(StorageType(precision)), precision);
    EXPECT_EQ(budget->used_bytes() - before, WeightMatrix::BytesKept(out, in, precision)) << PrecisionName(precision);
    const at::Tensor x = RandomMatrix(rows, in, 2);
    budget->ResetPeak();
    const int64_t used = budget->used_bytes();
    const at::Tensor y = linear(x);
    EXPECT_LE(budget->peak_bytes() - used,
              AllocatedBytes(rows * out * 4) + LinearScratchBytes(out, in, precision, x.device(), rows))
        << PrecisionName(precision);
  }
}

}  // namespace
}  // namespace grym
