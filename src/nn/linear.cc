#include "nn/linear.h"

#include <algorithm>

#include "quant/weight_codes.h"
#include "runtime/memory_budget.h"

namespace grym {
namespace {

// Of converted weights at once: some hundred rows, so that the product over them is still one of large matrices.
constexpr int64_t kBlockBytes = int64_t{4} << 20;
constexpr int64_t kFewestBlockRows = 64;
// Up to so many rows of x a product is bound by reading the weights: each row of them is decoded into the cache and used
// there, without a block in memory.
constexpr int64_t kFewRows = 4;

int64_t BlockRows(int64_t out, int64_t in) {
  return std::min(out, std::max(kFewestBlockRows, kBlockBytes / (4 * std::max<int64_t>(in, 1))));
}

int64_t GroupsOf(int64_t in, int64_t group) { return (in + group - 1) / group; }

WeightMatrix PackedInt8(const at::Tensor& weight) {
  const at::Tensor rows = weight.to(at::kCPU).contiguous();
  WeightMatrix packed;
  at::Tensor codes = at::empty(rows.sizes(), at::kChar), scales = at::empty({rows.size(0)}, at::kFloat);
  const int64_t in = rows.size(1);
  at::parallel_for(0, rows.size(0), 16, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      scales.mutable_data_ptr<float>()[row] = EncodeInt8(rows.const_data_ptr<float>() + row * in,
                                                         static_cast<size_t>(in),
                                                         codes.mutable_data_ptr<int8_t>() + row * in);
    }
  });
  packed.codes = codes.to(weight.device());
  packed.scales = scales.to(weight.device());
  return packed;
}

uint16_t* HalfBits(const at::Tensor& halves) { return static_cast<uint16_t*>(halves.data_ptr()); }

void PackRowInt4(const float* weights, int64_t in, int64_t group, uint8_t* packed, uint16_t* scales) {
  std::vector<uint8_t> codes(static_cast<size_t>(in + in % 2), 0);
  for (int64_t begin = 0; begin < in; begin += group, scales += 2) {
    EncodeInt4(weights + begin, static_cast<size_t>(std::min(group, in - begin)), codes.data() + begin, scales);
  }
  for (size_t i = 0; i < codes.size(); i += 2) packed[i / 2] = static_cast<uint8_t>(codes[i] | codes[i + 1] << 4);
}

WeightMatrix PackedInt4(const at::Tensor& weight, int64_t group) {
  const at::Tensor rows = weight.to(at::kCPU).contiguous();
  const int64_t out = rows.size(0), in = rows.size(1), bytes = (in + 1) / 2, groups = GroupsOf(in, group);
  WeightMatrix packed;
  packed.group = group;
  at::Tensor codes = at::empty({out, bytes}, at::kByte), scales = at::empty({out, groups, 2}, at::kHalf);
  at::parallel_for(0, out, 16, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      PackRowInt4(rows.const_data_ptr<float>() + row * in, in, group, codes.mutable_data_ptr<uint8_t>() + row * bytes,
                  HalfBits(scales) + row * groups * 2);
    }
  });
  packed.codes = codes.to(weight.device());
  packed.scales = scales.to(weight.device());
  return packed;
}

// One row on the CPU.
void DecodeRow(const WeightMatrix& matrix, int64_t row, float* weights) {
  const auto in = static_cast<size_t>(matrix.in);
  if (matrix.precision == Precision::kInt8) {
    DecodeInt8(matrix.codes.const_data_ptr<int8_t>() + row * matrix.in, in,
               matrix.scales.const_data_ptr<float>()[row], weights);
    return;
  }
  DecodeInt4(matrix.codes.const_data_ptr<uint8_t>() + row * matrix.codes.size(1), in,
             static_cast<size_t>(matrix.group),
             HalfBits(matrix.scales) + row * matrix.scales.size(1) * 2, weights);
}

// By LibTorch's own operators, for devices that the loops above cannot reach.
at::Tensor DecodedByOperators(const WeightMatrix& matrix, int64_t begin, int64_t count) {
  const at::Tensor codes = matrix.codes.narrow(0, begin, count), scales = matrix.scales.narrow(0, begin, count);
  if (matrix.precision == Precision::kInt8) return codes.to(at::kFloat).mul_(scales.unsqueeze(1));
  at::Tensor each = at::stack({codes.bitwise_and(15), codes.bitwise_right_shift(4)}, 2).flatten(1).to(at::kFloat);
  each = each.narrow(1, 0, matrix.in);
  const at::Tensor wide = scales.to(at::kFloat).repeat_interleave(matrix.group, 1).narrow(1, 0, matrix.in);
  return each.mul(wide.select(2, 0)).add_(wide.select(2, 1));
}

// out [rows, matrix.out] = x W' by blocks of W's rows.
at::Tensor ProductByBlocks(const WeightMatrix& matrix, const at::Tensor& x) {
  at::Tensor out = at::empty({x.size(0), matrix.out}, x.options());
  const int64_t most = BlockRows(matrix.out, matrix.in);
  for (int64_t begin = 0; begin < matrix.out; begin += most) {
    const int64_t count = std::min(most, matrix.out - begin);
    at::Tensor columns = out.narrow(1, begin, count);
    at::mm_out(columns, x, matrix.Rows(begin, count, x.scalar_type()).t());
  }
  return out;
}

at::Tensor ProductByRows(const WeightMatrix& matrix, const at::Tensor& x) {
  at::Tensor out = at::empty({x.size(0), matrix.out}, x.options());
  const float* const inputs = x.const_data_ptr<float>();
  float* const outputs = out.mutable_data_ptr<float>();
  at::parallel_for(0, matrix.out, 64, [&](int64_t begin, int64_t end) {
    std::vector<float> weights(static_cast<size_t>(matrix.in));
    for (int64_t row = begin; row < end; ++row) {
      DecodeRow(matrix, row, weights.data());
      for (int64_t i = 0; i < x.size(0); ++i) {
        outputs[i * matrix.out + row] = DotProduct(inputs + i * matrix.in, weights.data(), weights.size());
      }
    }
  });
  return out;
}

}  // namespace

WeightMatrix WeightMatrix::Pack(const at::Tensor& weight, Precision precision, int64_t group) {
  WeightMatrix packed;
  if (weight.defined() && precision == Precision::kInt8) packed = PackedInt8(weight);
  if (weight.defined() && precision == Precision::kInt4) packed = PackedInt4(weight, group);
  packed.precision = precision;
  if (!weight.defined()) return packed;
  packed.out = weight.size(0);
  packed.in = weight.size(1);
  if (!packed.codes.defined()) packed.plain = weight;
  return packed;
}

at::Tensor WeightMatrix::Rows(int64_t begin, int64_t count, c10::ScalarType type) const {
  if (plain.defined()) return plain.narrow(0, begin, count).to(type);
  if (!codes.is_cpu()) return DecodedByOperators(*this, begin, count).to(type);
  at::Tensor rows = at::empty({count, in}, at::kFloat);
  float* const weights = rows.mutable_data_ptr<float>();
  at::parallel_for(0, count, 16, [&](int64_t from, int64_t to) {
    for (int64_t row = from; row < to; ++row) DecodeRow(*this, begin + row, weights + row * in);
  });
  return rows.to(type);
}

int64_t WeightMatrix::BytesKept(int64_t out, int64_t in, Precision precision, int64_t group) {
  if (precision == Precision::kInt8) return AllocatedBytes(out * in) + AllocatedBytes(out * 4);
  if (precision == Precision::kInt4) {
    return AllocatedBytes(out * ((in + 1) / 2)) + AllocatedBytes(out * GroupsOf(in, group) * 4);
  }
  return AllocatedBytes(BytesOf(precision, out * in));
}

int64_t LinearScratchBytes(int64_t out, int64_t in, Precision precision) {
  return precision == Precision::kFloat32 ? 0 : AllocatedBytes(BlockRows(out, in) * in * 4);
}

at::Tensor Linear::operator()(const at::Tensor& x) const {
  if (weight.plain.defined() && weight.plain.scalar_type() == x.scalar_type()) return at::linear(x, weight.plain, bias);
  std::vector<int64_t> shape = x.sizes().vec();
  const at::Tensor rows = x.reshape({-1, weight.in}).contiguous();
  const bool few = rows.size(0) <= kFewRows && weight.codes.defined() && weight.codes.is_cpu() &&
                   rows.scalar_type() == at::kFloat;
  at::Tensor out = few ? ProductByRows(weight, rows) : ProductByBlocks(weight, rows);
  if (bias.defined()) out.add_(bias);
  shape.back() = weight.out;
  return out.view(shape);
}

Linear ReadLinear(WeightReader& weights, const std::string& layer, int64_t in, int64_t out, bool bias) {
  Linear linear;
  linear.weight = WeightMatrix::Pack(weights.Matrix(layer + ".weight", {out, in}), weights.options().precision);
  if (bias) linear.bias = weights.Vector(layer + ".bias", {out});
  return linear;
}

Linear ReadFusedLinear(WeightReader& weights, const std::vector<std::string>& layers, int64_t in, int64_t out_each,
                       bool bias) {
  at::Tensor whole, biases;
  bool complete = true;
  for (size_t i = 0; i < layers.size(); ++i) {
    const int64_t begin = static_cast<int64_t>(i) * out_each, rows = static_cast<int64_t>(layers.size()) * out_each;
    const at::Tensor matrix = weights.Matrix(layers[i] + ".weight", {out_each, in});
    const at::Tensor vector = bias ? weights.Vector(layers[i] + ".bias", {out_each}) : at::Tensor();
    complete = complete && matrix.defined() && (!bias || vector.defined());
    if (!complete) continue;  // the reader tells, of every layer
    if (!whole.defined()) whole = at::empty({rows, in}, matrix.options());
    if (bias && !biases.defined()) biases = at::empty({rows}, vector.options());
    whole.narrow(0, begin, out_each).copy_(matrix);
    if (bias) biases.narrow(0, begin, out_each).copy_(vector);
  }
  if (!complete) return {};
  Linear linear;
  linear.weight = WeightMatrix::Pack(whole, weights.options().precision);
  linear.bias = biases;
  return linear;
}

}  // namespace grym
