// y = x W' + b, whatever the weights are kept in.
#pragma once
#include <string>

#include "runtime/tensor.h"
#include "runtime/weights.h"

namespace grym {

// A weight matrix [out, in] at its precision. Immutable once loaded; copies share the storage.
struct WeightMatrix {
  Precision precision = Precision::kFloat32;
  int64_t out = 0, in = 0;
  at::Tensor plain;   // [out, in] in the storage type, for the floating tiers
  at::Tensor codes;   // int8: [out, in]; int4: as LibTorch's kernel packs it
  at::Tensor scales;  // int8: [out]; int4: [groups, out, 2], scale and zero

  static WeightMatrix Pack(const at::Tensor& weight, Precision precision);
  bool loaded() const { return plain.defined() || codes.defined(); }
};

struct Linear {
  WeightMatrix weight;
  at::Tensor bias;  // [out], or undefined
  // x [..., in] in the compute type -> [..., out].
  at::Tensor operator()(const at::Tensor& x) const;
};

// "<layer>.weight" [out, in] and, if wanted, "<layer>.bias" [out].
Linear ReadLinear(WeightReader& weights, const std::string& layer, int64_t in, int64_t out, bool bias = true);
// Several layers on one input as one product: their outputs lie side by side in the order of `layers`.
Linear ReadFusedLinear(WeightReader& weights, const std::vector<std::string>& layers, int64_t in, int64_t out_each,
                       bool bias = true);

}  // namespace grym
