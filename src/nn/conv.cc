#include "nn/conv.h"

#include <array>

#include "nn/bfloat_conv.h"
#include "runtime/memory_budget.h"

namespace grym {

at::Tensor AsChannelsLast(const at::Tensor& x) {
  return x.unsqueeze(2).contiguous(at::MemoryFormat::ChannelsLast).squeeze(2);
}

// As a picture one line high: conv1d itself copies every input to channels-first and its output back.
at::Tensor Conv1d::operator()(const at::Tensor& x) const {
  const at::Tensor line = x.unsqueeze(2).contiguous(at::MemoryFormat::ChannelsLast);
  const at::Tensor kernel = weight.to(x.scalar_type()).unsqueeze(2).contiguous(at::MemoryFormat::ChannelsLast);
  const std::array<int64_t, 2> strides{1, stride}, paddings{0, padding}, dilations{1, dilation};
  return at::conv2d(line, kernel, bias, at::IntArrayRef(strides), at::IntArrayRef(paddings), at::IntArrayRef(dilations),
                    groups).squeeze(2);
}

at::Tensor Conv2d::operator()(const at::Tensor& x) const {
  const bool panels = weight.scalar_type() == at::kShort;  // these are read by the products alone
  if (panels || TakesBFloatProducts(precision, weight, x)) {
    const at::Tensor image = panels ? x.to(at::kFloat).contiguous(at::MemoryFormat::ChannelsLast) : x;
    at::Tensor y;
    ConvolveBFloat({{padding, padding}, {stride, stride}, {1, 1}}, image, weight, bias, {}, y);
    return y.to(x.scalar_type());
  }
  return at::conv2d(x, weight.to(x.scalar_type()), bias, stride, padding);
}

int64_t Conv2dScratchBytes(int64_t out, int64_t in, int64_t kernel, int64_t stride, Precision precision,
                           c10::Device device, int64_t images, int64_t out_height, int64_t out_width) {
  if (UsesBFloatProducts(precision, device)) {
    const int64_t around = kernel / 2;
    return BFloatScratchBytes({images, out_height * stride, out_width * stride, in, out, {kernel, kernel},
                               {{around, around}, {stride, stride}, {1, 1}}},
                              precision, FitsPanels(out, in, precision));
  }
  const c10::ScalarType compute = ComputeType(precision, device);
  if (StorageType(precision) == compute) return 0;
  return AllocatedBytes(out * in * kernel * kernel * static_cast<int64_t>(c10::elementSize(compute)));
}

Conv1d ReadConv1d(WeightReader& weights, const std::string& layer, int64_t in, int64_t out, int64_t kernel,
                  bool bias) {
  Conv1d conv;
  conv.weight = weights.Matrix(layer + ".weight", {out, in, kernel});
  if (conv.weight.defined()) conv.weight = AsChannelsLast(conv.weight);
  if (bias) conv.bias = weights.Vector(layer + ".bias", {out});
  return conv;
}

Conv2d ReadConv2d(WeightReader& weights, const std::string& layer, int64_t in, int64_t out, int64_t kernel,
                  int64_t stride, int64_t padding) {
  Conv2d conv;
  conv.weight = weights.Kernel(layer + ".weight", {out, in, kernel, kernel});
  if (weights.options().precision == Precision::kBFloat16) conv.weight = InPanels(conv.weight);
  conv.bias = weights.Vector(layer + ".bias", {out});
  conv.stride = stride;
  conv.padding = padding;
  conv.precision = weights.options().precision;
  return conv;
}

}  // namespace grym
