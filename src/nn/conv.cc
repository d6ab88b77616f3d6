#include "nn/conv.h"

namespace grym {

at::Tensor Conv1d::operator()(const at::Tensor& x) const {
  return at::conv1d(x, weight.to(x.scalar_type()), bias, stride, padding, dilation, groups);
}

at::Tensor Conv2d::operator()(const at::Tensor& x) const {
  return at::conv2d(x, weight.to(x.scalar_type()), bias, stride, padding);
}

Conv1d ReadConv1d(WeightReader& weights, const std::string& layer, int64_t in, int64_t out, int64_t kernel,
                  bool bias) {
  Conv1d conv;
  conv.weight = weights.Matrix(layer + ".weight", {out, in, kernel});
  if (bias) conv.bias = weights.Vector(layer + ".bias", {out});
  return conv;
}

Conv2d ReadConv2d(WeightReader& weights, const std::string& layer, int64_t in, int64_t out, int64_t kernel,
                  int64_t stride, int64_t padding) {
  Conv2d conv;
  conv.weight = weights.Matrix(layer + ".weight", {out, in, kernel, kernel});
  if (conv.weight.defined()) conv.weight = conv.weight.contiguous(at::MemoryFormat::ChannelsLast);
  conv.bias = weights.Vector(layer + ".bias", {out});
  conv.stride = stride;
  conv.padding = padding;
  return conv;
}

}  // namespace grym
