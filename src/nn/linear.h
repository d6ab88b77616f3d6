// y = x W' + b, whatever the weights are kept in.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "runtime/tensor.h"
#include "runtime/weights.h"

namespace grym {

inline constexpr int64_t kInt4Group = 64;  // by default; 32 and 128 are the others that published weights use

// A weight matrix [out, in] at its precision. Immutable once loaded; copies share the storage.
struct WeightMatrix {
  Precision precision = Precision::kFloat32;
  int64_t out = 0, in = 0;
  int64_t group = 0;  // int4: weights of a row that share a scale; the last group of a row may be shorter
  at::Tensor plain;   // [out, in] in the storage type, for the floating tiers; or in panels (in_panels)
  at::Tensor codes;   // int8: [out, in]; int4: uint8 [out, (in + 1) / 2], the even column in the low half
  at::Tensor scales;  // int8: float32 [out]; int4: float16 [out, groups, 2]: w = scale * code + offset, code in [0, 15]

  // Requires float32 [out, in] for int8 and int4. Their scales are those of the least squared error among several
  // widths of the grid, each refined by least squares (quant/weight_codes.h), not those of the row's extremes.
  static WeightMatrix Pack(const at::Tensor& weight, Precision precision, int64_t group = kInt4Group);
  // The same of a matrix that was just read by `weights` and is nobody else's: it may be changed in place.
  static WeightMatrix PackRead(const at::Tensor& weight, const WeightReader& weights, Precision precision);
  // Laid out for the products that this CPU is fastest at: nn/bfloat_conv.h, nn/float_product.h.
  bool in_panels() const { return plain.defined() && !c10::isFloatingType(plain.scalar_type()); }
  bool loaded() const { return plain.defined() || codes.defined(); }
  // Rows [begin, begin + count) in `type`, of one that is not in panels: a view where they are kept so, else a copy.
  at::Tensor Rows(int64_t begin, int64_t count, c10::ScalarType type) const;
  // The same of codes, in float32, by LibTorch's own operators: as Rows has them where loops of ours cannot reach.
  at::Tensor DecodedByOperators(int64_t begin, int64_t count) const;
  // What Pack keeps for a matrix, as the allocator counts it.
  static int64_t BytesKept(int64_t out, int64_t in, Precision precision, int64_t group = kInt4Group);
};

struct Linear {
  WeightMatrix weight;
  at::Tensor bias;  // [out], or undefined
  // x [..., in] in the compute type -> [..., out]. Weights of another type are converted some rows at a time, never
  // the whole matrix: LibTorch's own kernels for packed int8 and int4 weights (_weight_int8pack_mm and
  // _weight_int4pack_mm_for_cpu, measured in 2.13) take float32 inputs 54 and 77 times slower than float32 weights for
  // 500 rows on a CPU with AVX2, and rounding the inputs to bfloat16 costs an error of 3e-3.
  at::Tensor operator()(const at::Tensor& x) const;
  // out = rows W', without the bias, or with `add` that added to it: rows [count, in], out [count, out], contiguous. For
  // weights in float32.
  void Multiply(const at::Tensor& rows, bool add, at::Tensor& out) const;
};

// The most that a product of so many rows takes beside its input, its result and the weights, as ReadLinear keeps them.
int64_t LinearScratchBytes(int64_t out, int64_t in, Precision precision, c10::Device device, int64_t rows);

// "<layer>.weight" [out, in] and, if wanted, "<layer>.bias" [out].
Linear ReadLinear(WeightReader& weights, const std::string& layer, int64_t in, int64_t out, bool bias = true);
// Several layers on one input as one product: their outputs lie side by side in the order of `layers`. `precision` is
// the reader's, or the other of int8 and int4, for a network that mixes the two.
Linear ReadFusedLinear(WeightReader& weights, const std::vector<std::string>& layers, int64_t in, int64_t out_each,
                       bool bias = true, std::optional<Precision> precision = std::nullopt);

}  // namespace grym
