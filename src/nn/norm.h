// Layer and group normalisation with their weights.
#pragma once
#include <string>

#include "runtime/tensor.h"
#include "runtime/weights.h"

namespace grym {

struct LayerNorm {
  at::Tensor weight, bias;  // [dim]
  double epsilon = 1e-5;
  at::Tensor operator()(const at::Tensor& x) const { return at::layer_norm(x, {weight.size(0)}, weight, bias, epsilon); }
};

struct GroupNorm {
  at::Tensor weight, bias;  // [channels]
  int64_t groups = 32;
  double epsilon = 1e-5;
  at::Tensor operator()(const at::Tensor& x) const { return at::group_norm(x, groups, weight, bias, epsilon); }
};

// Scaled by the root of the mean square, without a shift; the mean is taken in float32 whatever x is. Source: Zhang and
// Sennrich, "Root Mean Square Layer Normalization", 2019, equation 4.
struct RmsNorm {
  at::Tensor weight;  // [dim]
  double epsilon = 1e-6;
  at::Tensor operator()(const at::Tensor& x) const;
};

LayerNorm ReadLayerNorm(WeightReader& weights, const std::string& layer, int64_t dim, double epsilon);
GroupNorm ReadGroupNorm(WeightReader& weights, const std::string& layer, int64_t channels, int64_t groups,
                        double epsilon);
RmsNorm ReadRmsNorm(WeightReader& weights, const std::string& layer, int64_t dim, double epsilon);

}  // namespace grym
