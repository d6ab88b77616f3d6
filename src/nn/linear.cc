#include "nn/linear.h"

namespace grym {

WeightMatrix WeightMatrix::Pack(const at::Tensor& weight, Precision precision) {
  WeightMatrix packed;
  packed.precision = precision;
  if (!weight.defined()) return packed;
  packed.out = weight.size(0);
  packed.in = weight.size(1);
  packed.plain = weight;
  return packed;
}

at::Tensor Linear::operator()(const at::Tensor& x) const {
  const at::Tensor& plain = weight.plain;
  if (plain.scalar_type() == x.scalar_type()) return at::linear(x, plain, bias);
  // Kept in half, computed in float32: the copy lives for this product alone.
  return at::linear(x, plain.to(x.scalar_type()), bias);
}

Linear ReadLinear(WeightReader& weights, const std::string& layer, int64_t in, int64_t out, bool bias) {
  Linear linear;
  linear.weight = WeightMatrix::Pack(weights.Matrix(layer + ".weight", {out, in}), weights.options().precision);
  if (bias) linear.bias = weights.Vector(layer + ".bias", {out});
  return linear;
}

Linear ReadFusedLinear(WeightReader& weights, const std::vector<std::string>& layers, int64_t in, int64_t out_each,
                       bool bias) {
  std::vector<at::Tensor> matrices, vectors;
  for (const std::string& layer : layers) {
    matrices.push_back(weights.Matrix(layer + ".weight", {out_each, in}));
    if (bias) vectors.push_back(weights.Vector(layer + ".bias", {out_each}));
    if (!matrices.back().defined() || (bias && !vectors.back().defined())) return {};
  }
  Linear linear;
  linear.weight = WeightMatrix::Pack(at::cat(matrices), weights.options().precision);
  if (bias) linear.bias = at::cat(vectors);
  return linear;
}

}  // namespace grym
