#include "nn/norm.h"

namespace grym {

at::Tensor RmsNorm::operator()(const at::Tensor& x) const {
  const at::Tensor wide = x.to(at::kFloat);
  // The squares' memory takes the result: one tensor of x's size beside x, not two.
  at::Tensor y = wide * wide;
  const at::Tensor scale = y.mean(-1, /*keepdim=*/true).add_(epsilon).rsqrt_();
  at::mul_out(y, wide, scale);
  return y.to(x.scalar_type()).mul_(weight);
}

LayerNorm ReadLayerNorm(WeightReader& weights, const std::string& layer, int64_t dim, double epsilon) {
  return {weights.Vector(layer + ".weight", {dim}), weights.Vector(layer + ".bias", {dim}), epsilon};
}

GroupNorm ReadGroupNorm(WeightReader& weights, const std::string& layer, int64_t channels, int64_t groups,
                        double epsilon) {
  return {weights.Vector(layer + ".weight", {channels}), weights.Vector(layer + ".bias", {channels}), groups, epsilon};
}

RmsNorm ReadRmsNorm(WeightReader& weights, const std::string& layer, int64_t dim, double epsilon) {
  return {weights.Vector(layer + ".weight", {dim}), epsilon};
}

}  // namespace grym
