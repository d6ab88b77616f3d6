#include "nn/fused_conv.h"

#include <ATen/core/dispatch/Dispatcher.h>

#include <optional>
#include <string>
#include <utility>

#include "nn/winograd.h"
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

// Weights of half the bytes become those that are computed with in each call: their sums with a residual then take no
// image more than those of whole ones.
bool CanFuse(const at::Tensor& weight, c10::ScalarType compute) {
  return weight.device().is_cpu() && (weight.scalar_type() == compute || compute == c10::ScalarType::Float) &&
         at::globalContext().hasMKLDNN() && at::globalContext().userEnabledMkldnn() && HasFusedOperators();
}

int64_t RoundedUp(int64_t value, int64_t step) { return (value + step - 1) / step * step; }

}  // namespace

FusedConv::FusedConv(const at::Tensor& weight, at::Tensor bias, const Shape& shape, Precision precision)
    : bias_(std::move(bias)), shape_(shape), precision_(precision) {
  if (!weight.defined()) return;  // the reader keeps what is wrong with it
  compute_ = ComputeType(precision, weight.device());
  out_ = weight.size(0);
  in_ = weight.size(1);
  fused_ = CanFuse(weight, compute_);
  weight_ = weight.contiguous(at::MemoryFormat::ChannelsLast);
  if (precision == Precision::kBFloat16) weight_ = InPanels(weight_);
  in_panels_ = weight_.scalar_type() == at::kShort;
  constexpr std::array<int64_t, 2> kOnes = {1, 1};
  tiles_ = compute_ == at::kFloat && shape.padding == kOnes && shape.stride == kOnes && shape.dilation == kOnes &&
           CanTileByFour(weight_);
}

bool FusedConv::ByTiles(const at::Tensor& x) const { return tiles_ && WantsTilesOfFour(x.size(2), x.size(3)); }

// Panels are read by the products alone, which want an image as it most often is.
at::Tensor FusedConv::ForPanels(const at::Tensor& x) const {
  return in_panels_ ? x.contiguous(at::MemoryFormat::ChannelsLast) : x;
}

at::Tensor FusedConv::Plain(const at::Tensor& x) const {
  return at::conv2d(x, weight_.to(x.scalar_type()), bias_, shape_.stride, shape_.padding, shape_.dilation);
}

at::Tensor FusedConv::operator()(const at::Tensor& x) const {
  // A leaky ReLU of slope 1 is none; oneDNN's operator names it "none".
  return WithLeakyRelu(x, 1);
}

at::Tensor FusedConv::WithLeakyRelu(const at::Tensor& x, double slope) const {
  if (in_panels_ || TakesBFloatProducts(precision_, weight_, x)) {
    at::Tensor y;
    ConvolveBFloat(shape_, ForPanels(x), weight_, bias_, {/*add=*/false, slope}, y);
    return y;
  }
  if (ByTiles(x)) {
    at::Tensor y = at::empty({x.size(0), out_, x.size(2), x.size(3)},
                             x.options().memory_format(at::MemoryFormat::ChannelsLast));
    ConvolveByTilesOfFour(x, weight_, bias_, /*add=*/false, y);
    return slope == 1 ? y : at::leaky_relu_(y, slope);
  }
  if (!fused_) {
    at::Tensor y = Plain(x);
    return slope == 1 ? y : at::leaky_relu_(y, slope);
  }
  OptionalScalars scalars;
  if (slope != 1) scalars.push_back(at::Scalar(slope));
  torch::jit::Stack stack{x};
  PushLayer(stack);
  for (c10::IValue value : {c10::IValue(std::string(slope == 1 ? "none" : "leaky_relu")), c10::IValue(scalars),
                            c10::IValue(std::string())}) {
    stack.push_back(std::move(value));
  }
  FindFusedOperator("", false)->callBoxed(stack);
  return stack.front().toTensor();
}

void FusedConv::AddTo(at::Tensor& sum, const at::Tensor& x) const {
  if ((in_panels_ || TakesBFloatProducts(precision_, weight_, x)) &&
      sum.is_contiguous(at::MemoryFormat::ChannelsLast)) {
    return ConvolveBFloat(shape_, ForPanels(x), weight_, bias_, {/*add=*/true, /*slope=*/1}, sum);
  }
  if (in_panels_) {
    sum.add_((*this)(x));
    return;
  }
  if (ByTiles(x)) return ConvolveByTilesOfFour(x, weight_, bias_, /*add=*/true, sum);
  if (!fused_) {
    sum.add_(Plain(x));
    return;
  }
  torch::jit::Stack stack{sum, x};
  PushLayer(stack);
  for (c10::IValue value : {c10::IValue(std::string("add")), c10::IValue(at::Scalar(1.0)), c10::IValue(),
                            c10::IValue(OptionalScalars()), c10::IValue()}) {
    stack.push_back(std::move(value));
  }
  FindFusedOperator("binary", true)->callBoxed(stack);
}

// What both operators take behind their inputs.
void FusedConv::PushLayer(std::vector<c10::IValue>& stack) const {
  for (c10::IValue value : {c10::IValue(weight_.to(compute_)), bias_.defined() ? c10::IValue(bias_) : c10::IValue(),
                            c10::IValue(at::IntArrayRef(shape_.padding)), c10::IValue(at::IntArrayRef(shape_.stride)),
                            c10::IValue(at::IntArrayRef(shape_.dilation)), c10::IValue(int64_t{1})}) {
    stack.push_back(std::move(value));
  }
}

int64_t ConvScratchBytes(const ConvShape& shape, Precision precision, c10::Device device) {
  if (UsesBFloatProducts(precision, device)) {
    return BFloatScratchBytes(shape, precision, FitsPanels(shape.out, shape.in, precision));
  }
  const int64_t out = shape.out, in = shape.in, taps = shape.kernel[0] * shape.kernel[1];
  const c10::ScalarType compute = ComputeType(precision, device);
  const int64_t bytes = compute == c10::ScalarType::Float ? 4 : 2;
  // Weights of another type are converted first, and the converted ones laid out.
  const int64_t converted = StorageType(precision) == compute ? 0 : AllocatedBytes(out * in * taps * bytes);
  constexpr int64_t kMostChannels = 24;
  constexpr int64_t kKernelBytes = 8192;  // of sums for each thread; 6,144 measured with AVX2
  return converted + AllocatedBytes(RoundedUp(out, kMostChannels) * in * taps * bytes) +
         at::get_num_threads() * kKernelBytes;
}

int64_t Conv3x3ScratchBytes(int64_t out, int64_t in, int64_t height, int64_t width, Precision precision,
                            c10::Device device) {
  const bool tiles = precision == Precision::kFloat32 && device.is_cpu() && ChannelsTileByFour(out, in) &&
                     WantsTilesOfFour(height, width);
  return tiles ? TilesOfFourScratchBytes(out, in, 1, height, width)
               : ConvScratchBytes({1, height, width, in, out, {3, 3}, {{1, 1}, {1, 1}, {1, 1}}}, precision, device);
}

int64_t ConvWeightBytes(int64_t out, int64_t in, int64_t taps, Precision precision) {
  return AllocatedBytes(BytesOf(precision, out * in * taps)) + AllocatedBytes(out * 4);
}

FusedConv ReadFusedConv(WeightReader& weights, const std::string& layer, int64_t in, int64_t out, int64_t kernel,
                        int64_t padding, int64_t stride) {
  const at::Tensor weight = weights.Matrix(layer + ".weight", {out, in, kernel, kernel});
  return FusedConv(weight, weights.Vector(layer + ".bias", {out}), {{padding, padding}, {stride, stride}, {1, 1}},
                   weights.options().precision);
}

}  // namespace grym
