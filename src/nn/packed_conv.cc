#include "nn/packed_conv.h"

#include <ATen/core/dispatch/Dispatcher.h>

#include <optional>
#include <string>

#include "runtime/memory_budget.h"

namespace grym {
namespace {

using OptionalScalars = c10::List<std::optional<at::Scalar>>;

// oneDNN's convolutions with something after them are operators that LibTorch registers for its own compiler and has no
// headers for. Called by name, with boxed arguments, so that a change of their C++ types is no change of behaviour.
// Nothing where this LibTorch was built without oneDNN.
std::optional<c10::OperatorHandle> FindFusedOperator(const char* overload, bool in_place) {
  return c10::Dispatcher::singleton().findSchema(
      {in_place ? "mkldnn::_convolution_pointwise_" : "mkldnn::_convolution_pointwise", overload});
}

bool HasFusedOperators() {
  return FindFusedOperator("", false).has_value() && FindFusedOperator("binary", true).has_value();
}

bool CanPack(const at::Tensor& weight, c10::ScalarType compute) {
  return weight.device().is_cpu() && weight.scalar_type() == compute && at::globalContext().hasMKLDNN() &&
         at::globalContext().userEnabledMkldnn() && HasFusedOperators();
}

int64_t RoundedUp(int64_t value, int64_t step) { return (value + step - 1) / step * step; }

}  // namespace

PackedConv::PackedConv(const at::Tensor& weight, at::Tensor bias, const Shape& shape, c10::ScalarType compute,
                       const std::array<int64_t, 4>& typical)
    : bias_(std::move(bias)), shape_(shape) {
  if (!weight.defined()) return;  // the reader keeps what is wrong with it
  out_ = weight.size(0);
  in_ = weight.size(1);
  if (!CanPack(weight, compute)) {
    weight_ = weight.contiguous(at::MemoryFormat::ChannelsLast);
    return;
  }
  packed_ = true;
  weight_ = at::mkldnn_reorder_conv2d_weight(weight.contiguous().to_mkldnn(), shape.padding, shape.stride,
                                             shape.dilation, 1, at::IntArrayRef(typical));
}

at::Tensor PackedConv::Plain(const at::Tensor& x) const {
  return at::conv2d(x, weight_.to(x.scalar_type()), bias_, shape_.stride, shape_.padding, shape_.dilation);
}

at::Tensor PackedConv::operator()(const at::Tensor& x) const {
  // A leaky ReLU of slope 1 is none; oneDNN's operator names it "none".
  return WithLeakyRelu(x, 1);
}

at::Tensor PackedConv::WithLeakyRelu(const at::Tensor& x, double slope) const {
  if (!packed_) {
    at::Tensor y = Plain(x);
    return slope == 1 ? y : at::leaky_relu_(y, slope);
  }
  OptionalScalars scalars;
  if (slope != 1) scalars.push_back(at::Scalar(slope));
  torch::jit::Stack stack{x,
                          weight_,
                          bias_.defined() ? c10::IValue(bias_) : c10::IValue(),
                          c10::IValue(at::IntArrayRef(shape_.padding)),
                          c10::IValue(at::IntArrayRef(shape_.stride)),
                          c10::IValue(at::IntArrayRef(shape_.dilation)),
                          int64_t{1},
                          std::string(slope == 1 ? "none" : "leaky_relu"),
                          scalars,
                          std::string()};
  FindFusedOperator("", false)->callBoxed(stack);
  return stack.front().toTensor();
}

void PackedConv::AddTo(at::Tensor& sum, const at::Tensor& x) const {
  if (!packed_) {
    sum.add_(Plain(x));
    return;
  }
  torch::jit::Stack stack{sum,
                          x,
                          weight_,
                          bias_.defined() ? c10::IValue(bias_) : c10::IValue(),
                          c10::IValue(at::IntArrayRef(shape_.padding)),
                          c10::IValue(at::IntArrayRef(shape_.stride)),
                          c10::IValue(at::IntArrayRef(shape_.dilation)),
                          int64_t{1},
                          std::string("add"),
                          c10::IValue(at::Scalar(1.0)),
                          c10::IValue(),
                          OptionalScalars(),
                          c10::IValue()};
  FindFusedOperator("binary", true)->callBoxed(stack);
}

int64_t PackedConvBytes(int64_t out, int64_t in, int64_t taps, Precision precision, c10::Device device) {
  const bool packed = device.is_cpu() && StorageType(precision) == ComputeType(precision, device) &&
                      at::globalContext().hasMKLDNN();
  constexpr int64_t kBlock = 8;  // of AVX2; the few layers with fewer channels are too small to count on AVX-512
  // Sides below a block stay as they are where oneDNN keeps them plain, which only makes it less.
  const int64_t elements = packed ? RoundedUp(out, kBlock) * (in < kBlock ? in : RoundedUp(in, kBlock)) * taps
                                  : out * in * taps;
  return AllocatedBytes(BytesOf(precision, elements));
}

PackedConv ReadPackedConv(WeightReader& weights, const std::string& layer, int64_t in, int64_t out, int64_t kernel,
                          int64_t padding, int64_t stride, std::array<int64_t, 2> typical_size) {
  const at::Tensor weight = weights.Matrix(layer + ".weight", {out, in, kernel, kernel});
  const at::Tensor bias = weights.Vector(layer + ".bias", {out});
  return PackedConv(weight, bias, {{padding, padding}, {stride, stride}, {1, 1}}, weights.compute_type(),
                    {1, in, typical_size[0], typical_size[1]});
}

}  // namespace grym
