#include "nn/packed_linear.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <atomic>
#include <vector>

#include "base/format.h"
#include "base/status.h"
#include "quant/pack.h"
#include "runtime/memory_budget.h"

namespace grym {
namespace {

// Prepared inputs stay on the caller's stack, 256 KiB of it: sixteen rows of 4,000. More rows go in several passes.
constexpr int64_t kPreparedFloats = int64_t{64} << 10;
// What a thread should get at least: starting it costs as much as reading so many weights.
constexpr int64_t kFewestWeights = int64_t{64} << 10;
constexpr int64_t kGroup = 64;  // of int8 and int4, where a network is read

bool FitsHalf(const at::Tensor& weight) {
  return FitsFloat16({weight.const_data_ptr<float>(), static_cast<size_t>(weight.numel())});
}

PackedLayout LayoutFor(int64_t out, int64_t in, WeightFormat format, int64_t group) {
  return PackedLayout{format, out, in, HasGroups(format) ? group : 0};
}

// Of a packed copy. Its size follows from the config, so that what the file says is compared before anything is read.
PackedLinear OpenStored(WeightReader& weights, const std::string& name, const PackedLayout& layout) {
  const at::Tensor packed = weights.Stored(name, {layout.bytes()}, ElementType::kU8);
  if (!packed.defined()) return {};
  absl::StatusOr<PackedLinear> linear = PackedLinear::Open(packed, {}, layout.out, layout.in);
  if (linear.ok() && linear->layout() == layout) return *std::move(linear);
  weights.Fail(name, !linear.ok() ? linear.status()
                                  : Error(absl::StatusCode::kDataLoss, "bad_weights",
                                          Formatted("want %s in groups of %d, got %s in groups of %d",
                                                    WeightFormatName(layout.format), layout.group,
                                                    WeightFormatName(linear->layout().format),
                                                    linear->layout().group)));
  return {};
}

}  // namespace

WeightFormat PackedFormat(Precision precision, bool exact_half) {
  switch (precision) {
    case Precision::kFloat32:
    case Precision::kBFloat16x3: return exact_half ? WeightFormat::kFloat16 : WeightFormat::kFloat32;
    case Precision::kBFloat16: return WeightFormat::kBFloat16;
    case Precision::kFloat16: return WeightFormat::kFloat16;
    case Precision::kInt8: return WeightFormat::kInt8;
    case Precision::kInt4: return WeightFormat::kInt4;
  }
  return WeightFormat::kFloat32;
}

PackedLinear PackedLinear::Pack(const at::Tensor& weight, const at::Tensor& bias, Precision precision, int64_t group) {
  const bool exact_half = precision == Precision::kFloat32 && FitsHalf(weight);
  return PackAs(weight, bias, PackedFormat(precision, exact_half), group);
}

PackedLinear PackedLinear::PackAs(const at::Tensor& weight, const at::Tensor& bias, WeightFormat format,
                                  int64_t group) {
  const PackedLayout layout = LayoutFor(weight.size(0), weight.size(1), format, group);
  PackedLinear linear;
  linear.packed_ = at::empty({layout.bytes()}, at::kByte);
  linear.bias_ = bias;
  uint8_t* const bytes = linear.packed_.mutable_data_ptr<uint8_t>();
  const float* const rows = weight.const_data_ptr<float>();
  at::parallel_for(0, layout.blocks(), 1, [&](int64_t begin, int64_t end) {
    const int64_t first = begin * kPackedRows;
    PackRows(layout, rows + first * layout.in, first, std::min(end * kPackedRows, layout.out), bytes);
  });
  linear.view_ = PackedView(layout, bytes);
  return linear;
}

absl::StatusOr<PackedLinear> PackedLinear::Open(const at::Tensor& packed, const at::Tensor& bias, int64_t out,
                                                int64_t in) {
  PackedLinear linear;
  const auto size = static_cast<size_t>(packed.numel());
  GRYM_ASSIGN_OR_RETURN(linear.view_, PackedView::Open({packed.const_data_ptr<uint8_t>(), size}));
  if (linear.out() != out || linear.in() != in) {
    return Error(absl::StatusCode::kDataLoss, "bad_weights",
                 Formatted("packed weights: want [%d, %d], got [%d, %d]", out, in, linear.out(), linear.in()));
  }
  std::atomic<bool> finite{true};
  at::parallel_for(0, linear.layout().blocks(), 64, [&](int64_t begin, int64_t end) {
    if (!linear.view_.AreFinite(begin, end)) finite = false;
  });
  if (!finite) {
    return Error(absl::StatusCode::kDataLoss, "non_finite_weights", "packed weights: want finite numbers, got others");
  }
  linear.packed_ = packed;
  linear.bias_ = bias;
  return linear;
}

void PackedLinear::Apply(const at::Tensor& x, at::Tensor& y) const {
  Apply(x.const_data_ptr<float>(), x.size(0), y.mutable_data_ptr<float>());
}

void PackedLinear::Apply(const float* x, int64_t rows, float* y) const { ApplyAll({this, 1}, x, rows, y); }

void PackedLinear::ApplyAll(std::span<const PackedLinear> parts, const at::Tensor& x, at::Tensor& y) {
  ApplyAll(parts, x.const_data_ptr<float>(), x.size(0), y.mutable_data_ptr<float>());
}

void PackedLinear::ApplyAll(std::span<const PackedLinear> parts, const float* x, int64_t rows, float* y) {
  if (parts.empty()) return;
  int64_t each = 0, out = 0;
  for (const PackedLinear& part : parts) {
    each += PreparedRowFloats(part.layout());
    out += part.out();
  }
  const int64_t in = parts.front().in(), at_once = kPreparedFloats / each;
  if (at_once == 0) {
    std::vector<float> one(static_cast<size_t>(each));
    for (int64_t r = 0; r < rows; ++r) ApplyPrepared(parts, x + r * in, 1, one.data(), y + r * out, out);
    return;
  }
  alignas(64) std::array<float, kPreparedFloats> prepared;
  for (int64_t r = 0; r < rows; r += at_once) {
    ApplyPrepared(parts, x + r * in, std::min(at_once, rows - r), prepared.data(), y + r * out, out);
  }
}

void PackedLinear::ApplyPrepared(std::span<const PackedLinear> parts, const float* x, int64_t rows, float* prepared,
                                 float* y, int64_t y_stride) {
  const ProductPath path = BestProductPath();
  // Slices of all parts alike: the work of each is the same, whatever the formats.
  int64_t slices = parts.front().layout().blocks(), weights = 0, begin_floats = 0;
  for (const PackedLinear& part : parts) {
    const PackedLayout& layout = part.layout();
    slices = std::min(slices, layout.blocks());
    weights += layout.blocks() * kPackedRows * layout.padded_in();
    PrepareInputs(layout, x, rows, prepared + begin_floats);
    begin_floats += rows * PreparedRowFloats(layout);
  }
  const int64_t grain = std::max<int64_t>(1, kFewestWeights / (weights / slices * rows));
  at::parallel_for(0, slices, grain, [&](int64_t begin, int64_t end) {
    const float* inputs = prepared;
    float* to = y;
    for (const PackedLinear& part : parts) {
      const PackedLayout& layout = part.layout();
      const float* const bias = part.bias_.defined() ? part.bias_.const_data_ptr<float>() : nullptr;
      MultiplyBlocks(part.view_, inputs, rows, begin * layout.blocks() / slices, end * layout.blocks() / slices, bias,
                     to, path, y_stride);
      inputs += rows * PreparedRowFloats(layout);
      to += part.out();
    }
  });
}

at::Tensor PackedLinear::Decoded() const {
  at::Tensor weights = at::empty({out(), in()}, at::kFloat);
  float* const to = weights.mutable_data_ptr<float>();
  at::parallel_for(0, out(), 16, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) view_.DecodeRow(row, to + row * in());
  });
  return weights;
}

int64_t PackedLinear::BytesKept(int64_t out, int64_t in, Precision precision, int64_t group, bool exact_half) {
  return AllocatedBytes(LayoutFor(out, in, PackedFormat(precision, exact_half), group).bytes());
}

void CheckFitsHalf(WeightReader& weights, const std::string& name, const at::Tensor& tensor) {
  if (!tensor.defined()) return;
  float largest = 0;
  if (tensor.is_cpu()) {
    const float* const values = tensor.const_data_ptr<float>();
    for (int64_t i = 0; i < tensor.numel(); ++i) largest = std::max(largest, std::fabs(values[i]));
  } else if (tensor.numel() > 0) {
    largest = tensor.abs().max().item<float>();
  }
  if (largest > 65504.0f) weights.AddProblem(name, Formatted("want sizes up to 65504 for float16, got %g", largest));
}

PackedLinear ReadPackedLinear(WeightReader& weights, const std::vector<std::string>& layers, int64_t out_each,
                              int64_t in, WeightFormat format) {
  const auto count = static_cast<int64_t>(layers.size());
  const std::string name = JoinedName(layers) + ".packed";
  if (weights.options().from_copy) return OpenStored(weights, name, LayoutFor(count * out_each, in, format, kGroup));
  at::Tensor whole;
  std::vector<std::string> parts;
  bool complete = true;
  for (int64_t i = 0; i < count; ++i) {
    parts.push_back(layers[static_cast<size_t>(i)] + ".weight");
    const at::Tensor part = weights.Exact(parts.back(), {out_each, in});
    if (format == WeightFormat::kFloat16) CheckFitsHalf(weights, parts.back(), part);
    complete = complete && part.defined();  // the reader tells, of every layer
    if (!complete) continue;
    if (count == 1) {
      whole = part;
    } else {
      if (i == 0) whole = at::empty({count * out_each, in}, at::kFloat);
      whole.narrow(0, i * out_each, out_each).copy_(part);
    }
  }
  if (!complete) return {};
  PackedLinear linear = PackedLinear::PackAs(whole, {}, format, kGroup);
  weights.Keep(name, linear.packed(), std::move(parts));
  return linear;
}

}  // namespace grym
