#include "nn/linear.h"

#include <algorithm>

#include "nn/bfloat_conv.h"
#include "nn/float_product.h"
#include "quant/weight_codes.h"
#include "runtime/memory_budget.h"
#include "runtime/packed.h"

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

// The matrices of `layers`, one below the other; undefined where one is not as wanted.
at::Tensor JoinedMatrices(WeightReader& weights, const std::vector<std::string>& layers, int64_t in, int64_t out_each) {
  if (layers.size() == 1) return weights.Matrix(layers[0] + ".weight", {out_each, in});
  at::Tensor whole;
  bool complete = true;
  for (size_t i = 0; i < layers.size(); ++i) {
    const at::Tensor part = weights.Matrix(layers[i] + ".weight", {out_each, in});
    complete = complete && part.defined();
    if (!complete) continue;  // the reader tells, of every layer
    if (!whole.defined()) whole = at::empty({static_cast<int64_t>(layers.size()) * out_each, in}, part.options());
    whole.narrow(0, static_cast<int64_t>(i) * out_each, out_each).copy_(part);
  }
  return complete ? whole : at::Tensor();
}

at::Tensor ReadBiases(WeightReader& weights, const std::vector<std::string>& layers, int64_t out_each) {
  if (layers.size() == 1) return weights.Vector(layers[0] + ".bias", {out_each});
  std::vector<at::Tensor> parts;
  for (const std::string& layer : layers) {
    at::Tensor part = weights.Vector(layer + ".bias", {out_each});
    if (part.defined()) parts.push_back(std::move(part));
  }
  return parts.size() == layers.size() ? at::cat(parts) : at::Tensor();
}

// What a packed copy holds of a matrix: its codes and scales under one name for all of its layers, or each layer's part
// of a floating tier under the layer's own.
void KeepMatrix(WeightReader& weights, const std::vector<std::string>& layers, const WeightMatrix& matrix) {
  if (!weights.options().keep || !matrix.loaded()) return;
  const auto each = matrix.out / static_cast<int64_t>(layers.size());
  std::vector<std::string> names;
  for (const std::string& layer : layers) names.push_back(layer + ".weight");
  if (matrix.codes.defined()) {
    weights.Keep(JoinedName(layers) + ".codes", matrix.codes, names);
    weights.Keep(JoinedName(layers) + ".scales", matrix.scales, names);
  } else if (matrix.precision != Precision::kFloat32) {
    for (size_t i = 0; i < names.size(); ++i) {
      weights.Keep(names[i], matrix.plain.narrow(0, static_cast<int64_t>(i) * each, each), {names[i]});
    }
  }
}

WeightMatrix ReadMatrix(WeightReader& weights, const std::vector<std::string>& layers, int64_t in, int64_t out_each,
                        Precision precision) {
  WeightMatrix matrix = WeightMatrix::PackRead(JoinedMatrices(weights, layers, in, out_each), weights, precision);
  KeepMatrix(weights, layers, matrix);
  return matrix;
}

// Of a packed copy.
WeightMatrix StoredMatrix(WeightReader& weights, const std::vector<std::string>& layers, int64_t in,
                          int64_t out_each, Precision precision) {
  const bool bytes = precision == Precision::kInt8;
  WeightMatrix matrix;
  matrix.precision = precision;
  matrix.out = static_cast<int64_t>(layers.size()) * out_each;
  matrix.in = in;
  matrix.group = bytes ? 0 : kInt4Group;
  const std::string codes = JoinedName(layers) + ".codes", scales = JoinedName(layers) + ".scales";
  if (bytes) {
    matrix.codes = weights.Stored(codes, {matrix.out, in}, ElementType::kI8);
    matrix.scales = weights.Stored(scales, {matrix.out}, ElementType::kF32);
  } else {
    matrix.codes = weights.Stored(codes, {matrix.out, (in + 1) / 2}, ElementType::kU8);
    matrix.scales = weights.Stored(scales, {matrix.out, GroupsOf(in, kInt4Group), 2}, ElementType::kF16);
  }
  return matrix;
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

at::Tensor BFloatProduct(const Linear& linear, const at::Tensor& x) {
  at::Tensor out = at::empty({x.size(0), linear.weight.out}, x.options());
  ConvolveBFloat(RowsShape(x.size(0), linear.weight.in, linear.weight.out), x.const_data_ptr<float>(),
                 linear.weight.plain, linear.bias.defined() ? linear.bias.const_data_ptr<float>() : nullptr, {},
                 out.mutable_data_ptr<float>());
  return out;
}

// int8's codes are numbers of bfloat16 as they are; int4's groups are decoded and rounded, to a fortieth of their error.
at::Tensor CodedProduct(const Linear& linear, const at::Tensor& x) {
  const WeightMatrix& matrix = linear.weight;
  const bool bytes = matrix.precision == Precision::kInt8;
  CodedMatrix coded;
  coded.scales = bytes ? matrix.scales.const_data_ptr<float>() : nullptr;
  coded.decode = [&matrix, bytes](int64_t first, int64_t count, uint16_t* rows) {
    std::vector<float> row(static_cast<size_t>(matrix.in));
    for (int64_t i = 0; i < count; ++i) {
      if (bytes) {
        DecodeInt8(matrix.codes.const_data_ptr<int8_t>() + (first + i) * matrix.in, row.size(), 1, row.data());
      } else {
        DecodeRow(matrix, first + i, row.data());
      }
      RoundToBFloat(row.data(), matrix.in, rows + i * matrix.in);
    }
  };
  at::Tensor out = at::empty({x.size(0), matrix.out}, x.options());
  MultiplyBFloat(RowsShape(x.size(0), matrix.in, matrix.out), x.const_data_ptr<float>(), coded,
                 linear.bias.defined() ? linear.bias.const_data_ptr<float>() : nullptr, out.mutable_data_ptr<float>());
  return out;
}

at::Tensor PanelProduct(const Linear& linear, const at::Tensor& x) {
  at::Tensor out = at::empty({x.size(0), linear.weight.out}, x.options());
  MultiplyFloatPanels(x, linear.weight.plain, linear.bias, /*add=*/false, out);
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

WeightMatrix WeightMatrix::PackRead(const at::Tensor& weight, const WeightReader& weights, Precision precision) {
  WeightMatrix packed = Pack(weight, precision);
  if (precision == Precision::kFloat32) packed.plain = InFloatPanels(packed.plain);
  // What a packed copy takes is told as it was read.
  if (precision == Precision::kBFloat16 && !weights.options().keep) packed.plain = InPanels(packed.plain);
  return packed;
}

at::Tensor WeightMatrix::Rows(int64_t begin, int64_t count, c10::ScalarType type) const {
  if (plain.defined()) {
    TORCH_CHECK(!in_panels(), "want rows that lie as they were read, got panels");
    return plain.narrow(0, begin, count).to(type);
  }
  if (!codes.is_cpu()) return DecodedByOperators(begin, count).to(type);
  at::Tensor rows = at::empty({count, in}, at::kFloat);
  float* const weights = rows.mutable_data_ptr<float>();
  at::parallel_for(0, count, 16, [&](int64_t from, int64_t to) {
    for (int64_t row = from; row < to; ++row) DecodeRow(*this, begin + row, weights + row * in);
  });
  return rows.to(type);
}

at::Tensor WeightMatrix::DecodedByOperators(int64_t begin, int64_t count) const {
  const at::Tensor some = codes.narrow(0, begin, count), by = scales.narrow(0, begin, count);
  if (precision == Precision::kInt8) return some.to(at::kFloat).mul_(by.unsqueeze(1));
  at::Tensor each = at::stack({some.bitwise_and(15), some.bitwise_right_shift(4)}, 2).flatten(1).to(at::kFloat);
  each = each.narrow(1, 0, in);
  const at::Tensor wide = by.to(at::kFloat).repeat_interleave(group, 1).narrow(1, 0, in);
  return each.mul(wide.select(2, 0)).add_(wide.select(2, 1));
}

int64_t WeightMatrix::BytesKept(int64_t out, int64_t in, Precision precision, int64_t group) {
  if (precision == Precision::kInt8) return AllocatedBytes(out * in) + AllocatedBytes(out * 4);
  if (precision == Precision::kInt4) {
    return AllocatedBytes(out * ((in + 1) / 2)) + AllocatedBytes(out * GroupsOf(in, group) * 4);
  }
  return AllocatedBytes(BytesOf(precision, out * in));
}

int64_t LinearScratchBytes(int64_t out, int64_t in, Precision precision, c10::Device device, int64_t rows) {
  const bool coded = IsPacked(precision) && device.is_cpu() && HasBFloatProducts();
  if (coded || UsesBFloatProducts(precision, device)) {
    return BFloatScratchBytes(RowsShape(rows, in, out), precision, FitsPanels(out, in, precision));
  }
  if (!IsPacked(precision) && StorageType(precision) == ComputeType(precision, device)) {
    return precision == Precision::kFloat32 && device.is_cpu() ? FloatProductScratchBytes(in, rows) : 0;
  }
  return AllocatedBytes(BlockRows(out, in) * in * 4);
}

at::Tensor Linear::operator()(const at::Tensor& x) const {
  const bool plain = weight.plain.defined();
  if (plain && weight.in_panels() && x.scalar_type() != at::kFloat) {  // which are for float32
    return (*this)(x.to(at::kFloat)).to(x.scalar_type());
  }
  const bool by_bfloat = plain && x.scalar_type() == at::kFloat &&
                         UsesBFloatProducts(weight.precision, weight.plain.device());
  if (plain && !by_bfloat && weight.plain.scalar_type() == x.scalar_type()) return at::linear(x, weight.plain, bias);
  std::vector<int64_t> shape = x.sizes().vec();
  const at::Tensor rows = x.reshape({-1, weight.in}).contiguous();
  shape.back() = weight.out;
  if (plain && AreFloatPanels(weight.plain)) return PanelProduct(*this, rows).view(shape);
  if (by_bfloat) return BFloatProduct(*this, rows).view(shape);
  const bool ours = weight.codes.defined() && weight.codes.is_cpu() && rows.scalar_type() == at::kFloat;
  if (ours && HasBFloatProducts()) return CodedProduct(*this, rows).view(shape);
  const bool few = ours && rows.size(0) <= kFewRows;
  at::Tensor out = few ? ProductByRows(weight, rows) : ProductByBlocks(weight, rows);
  if (bias.defined()) out.add_(bias);
  return out.view(shape);
}

void Linear::Multiply(const at::Tensor& rows, bool add, at::Tensor& out) const {
  if (AreFloatPanels(weight.plain)) return MultiplyFloatPanels(rows, weight.plain, {}, add, out);
  if (add) {
    out.addmm_(rows, weight.plain.t());
  } else {
    at::mm_out(out, rows, weight.plain.t());
  }
}

Linear ReadLinear(WeightReader& weights, const std::string& layer, int64_t in, int64_t out, bool bias) {
  return ReadFusedLinear(weights, {layer}, in, out, bias);
}

Linear ReadFusedLinear(WeightReader& weights, const std::vector<std::string>& layers, int64_t in, int64_t out_each,
                       bool bias, std::optional<Precision> precision) {
  Linear linear;
  const Precision kept = precision.value_or(weights.options().precision);
  const bool stored = weights.options().from_copy && IsPacked(kept);
  linear.weight =
      stored ? StoredMatrix(weights, layers, in, out_each, kept) : ReadMatrix(weights, layers, in, out_each, kept);
  if (bias) linear.bias = ReadBiases(weights, layers, out_each);
  return linear;
}

}  // namespace grym
