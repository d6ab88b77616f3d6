#include "models/wav2vec2/features.h"

#include <algorithm>

#include "base/status.h"
#include "nn/bfloat_conv.h"
#include "nn/halving_conv.h"
#include "nn/tile_product.h"
#include "runtime/memory_budget.h"

namespace grym {
namespace {

// Frames of the last layer in one stretch: 1.28 s, whose widest layer is 8 MB for the published sizes.
constexpr int64_t kStretchFrames = 64;
constexpr double kFeatureNormEpsilon = 1e-5;  // torch.nn's default, which no config changes

// The first convolution becomes another one for every sound, in float32.
bool GoesByBFloat(size_t layer, Precision precision, c10::Device device) {
  return layer > 0 && UsesBFloatProducts(precision, device);
}

// Three taps with a stride of two, as the published layouts have but for the first and the last ones.
bool GoesByHalving(const Wav2Vec2Config& config, size_t layer, Precision precision, c10::Device device) {
  return layer > 0 && !GoesByBFloat(layer, precision, device) && device.is_cpu() && HasTileProducts() &&
         config.conv_kernel[layer] == 3 && config.conv_stride[layer] == 2 &&
         ComputeType(precision, device) == at::kFloat;
}

// Of a convolution that gives so many rows.
ConvShape ShapeOf(const Wav2Vec2Config& config, size_t layer, int64_t rows) {
  const int64_t kernel = config.conv_kernel[layer], stride = config.conv_stride[layer];
  ConvShape shape;
  shape.width = (rows - 1) * stride + kernel;
  shape.in = config.conv_dim[layer - 1];
  shape.out = config.conv_dim[layer];
  shape.kernel = {1, kernel};
  shape.steps.stride = {1, stride};
  return shape;
}

}  // namespace

FeatureEncoder FeatureEncoder::Read(WeightReader& weights, const Wav2Vec2Config& config) {
  FeatureEncoder encoder;
  encoder.config_ = config;
  encoder.type_ = weights.compute_type();
  for (size_t i = 0; i < config.conv_dim.size(); ++i) {
    const std::string layer = "feature_extractor.conv_layers." + std::to_string(i);
    const int64_t in = i == 0 ? 1 : config.conv_dim[i - 1], out = config.conv_dim[i];
    FeatureConv conv;
    if (GoesByBFloat(i, weights.options().precision, weights.options().device)) {
      conv.rows = weights.Matrix(layer + ".conv.weight", {out, in, config.conv_kernel[i]});
      if (conv.rows.defined()) conv.rows = conv.rows.permute({0, 2, 1}).reshape({out, -1}).contiguous();
      if (weights.options().precision == Precision::kBFloat16 && in % 2 == 0) conv.rows = InPanels(conv.rows);
    } else if (GoesByHalving(config, i, weights.options().precision, weights.options().device)) {
      const at::Tensor weight = weights.Vector(layer + ".conv.weight", {out, in, config.conv_kernel[i]});
      if (weight.defined()) conv.halving = PackHalving(weight);
    } else {
      conv.weight = weights.Vector(layer + ".conv.weight", {out, in, config.conv_kernel[i]});
      if (conv.weight.defined()) conv.weight = conv.weight.permute({2, 1, 0}).reshape({-1, out}).contiguous();
    }
    if (config.conv_bias) conv.bias = weights.Vector(layer + ".conv.bias", {out});
    if (config.norm_every_conv || i == 0) {
      conv.norm_weight = weights.Vector(layer + ".layer_norm.weight", {out});
      conv.norm_bias = weights.Vector(layer + ".layer_norm.bias", {out});
    }
    encoder.convs_.push_back(std::move(conv));
  }
  return encoder;
}

FeatureConv FeatureEncoder::WithNorm(const SoundStatistics& statistics) const {
  const FeatureConv& first = convs_[0];
  if (config_.norm_every_conv) return first;
  const int64_t kernel = config_.conv_kernel[0];
  const auto doubles = [&](const std::vector<double>& values, std::vector<int64_t> shape) {
    at::Tensor tensor = at::empty(shape, at::kDouble);
    std::copy(values.begin(), values.end(), tensor.mutable_data_ptr<double>());
    return tensor.to(first.weight.device());
  };
  const at::Tensor weight = first.weight.to(at::kDouble);  // [kernel, out]
  const at::Tensor mean = at::mm(doubles(statistics.patch_mean, {1, kernel}), weight);
  const at::Tensor variance =
      at::mm(doubles(statistics.patch_covariance, {kernel, kernel}), weight).mul_(weight).sum(0, true).clamp_min_(0);
  const at::Tensor gain = first.norm_weight.to(at::kDouble) / (variance + kFeatureNormEpsilon).sqrt_();
  // The convolution's own bias is taken away again with the mean.
  FeatureConv whole;
  whole.weight = (weight * gain).to(type_);
  whole.bias = (first.norm_bias.to(at::kDouble) - mean * gain).view({-1}).to(type_);
  return whole;
}

at::Tensor FeatureEncoder::FirstRows(const FeatureConv& conv, const at::Tensor& samples, int64_t rows) const {
  const at::Tensor patches =
      samples.as_strided({rows, config_.conv_kernel[0]}, {config_.conv_stride[0], 1}, samples.storage_offset());
  at::Tensor x = conv.bias.defined() ? at::addmm(conv.bias, patches, conv.weight) : at::mm(patches, conv.weight);
  Finish(conv, x);
  return x;
}

at::Tensor FeatureEncoder::Rows(size_t layer, const at::Tensor& x, int64_t rows) const {
  const FeatureConv& conv = convs_[layer];
  const int64_t kernel = config_.conv_kernel[layer], stride = config_.conv_stride[layer], in = x.size(1);
  at::Tensor out;
  if (conv.rows.defined()) {
    out = at::empty({rows, config_.conv_dim[layer]}, x.options());
    ConvolveBFloat(ShapeOf(config_, layer, rows), x.const_data_ptr<float>(), conv.rows,
                   conv.bias.defined() ? conv.bias.const_data_ptr<float>() : nullptr, {}, out.mutable_data_ptr<float>());
    Finish(conv, out);
    return out;
  }
  if (conv.halving.defined()) {
    out = at::empty({rows, config_.conv_dim[layer]}, x.options());
    ConvolveHalving(x, conv.halving, conv.bias, out);
    Finish(conv, out);
    return out;
  }
  for (int64_t tap = 0; tap < kernel; tap += stride) {
    const int64_t taps = std::min(stride, kernel - tap);
    const at::Tensor part = x.as_strided({rows, taps * in}, {stride * in, 1}, x.storage_offset() + tap * in);
    const at::Tensor weight = conv.weight.narrow(0, tap * in, taps * in);
    if (out.defined()) {
      out.addmm_(part, weight);
    } else {
      out = conv.bias.defined() ? at::addmm(conv.bias, part, weight) : at::mm(part, weight);
    }
  }
  Finish(conv, out);
  return out;
}

void FeatureEncoder::Finish(const FeatureConv& conv, at::Tensor& x) const {
  if (conv.norm_weight.defined()) {
    x = at::layer_norm(x, {x.size(1)}, conv.norm_weight, conv.norm_bias, kFeatureNormEpsilon);
  }
  ActivateInPlace(config_.conv_activation, x);
}

absl::StatusOr<at::Tensor> FeatureEncoder::operator()(const at::Tensor& samples, const SoundStatistics& statistics,
                                                      const std::function<absl::Status()>& between) const {
  const FeatureConv first = WithNorm(statistics);
  const int64_t frames = config_.FramesOf(samples.size(0)), hop = config_.SamplesPerFrame();
  const at::Tensor sound = samples.to(type_);
  at::Tensor features = at::empty({frames, config_.conv_dim.back()}, sound.options());
  for (int64_t begin = 0; begin < frames; begin += kStretchFrames) {
    if (between) GRYM_RETURN_IF_ERROR(between());
    const int64_t count = std::min(kStretchFrames, frames - begin), needed = config_.SamplesOf(count);
    at::Tensor x = FirstRows(first, sound.narrow(0, begin * hop, needed), config_.RowsOf(needed, 1));
    for (size_t layer = 1; layer < convs_.size(); ++layer) x = Rows(layer, x, config_.RowsOf(needed, layer + 1));
    features.narrow(0, begin, count).copy_(x);
  }
  return features;
}

int64_t FeatureEncoder::WorkingBytes(const Wav2Vec2Config& config, Precision precision, c10::Device device,
                                     int64_t frames) {
  const auto element_bytes = static_cast<int64_t>(c10::elementSize(ComputeType(precision, device)));
  const int64_t needed = config.SamplesOf(std::min(frames, kStretchFrames));
  int64_t before = AllocatedBytes(config.RowsOf(needed, 1) * config.conv_kernel[0] * element_bytes), most = 0;
  for (size_t i = 0; i < config.conv_dim.size(); ++i) {
    const int64_t here = AllocatedBytes(config.RowsOf(needed, i + 1) * config.conv_dim[i] * element_bytes);
    int64_t scratch = 0;
    if (GoesByBFloat(i, precision, device)) {
      scratch = BFloatScratchBytes(ShapeOf(config, i, config.RowsOf(needed, i + 1)), precision,
                                   FitsPanels(config.conv_dim[i], config.conv_dim[i - 1], precision));
    } else if (GoesByHalving(config, i, precision, device)) {
      scratch = HalvingScratchBytes(config.conv_dim[i - 1], config.conv_dim[i]);
    }
    most = std::max(most, before + here + scratch);
    if (config.norm_every_conv) {  // its result beside its input, and each row's mean and deviation
      const int64_t rows = AllocatedBytes(config.RowsOf(needed, i + 1) * element_bytes);
      most = std::max(most, (i == 0 ? 0 : before) + 2 * here + 2 * rows);
    }
    before = here;
  }
  if (!config.norm_every_conv) {  // the first weights with the norm in them
    most += AllocatedBytes(config.conv_kernel[0] * config.conv_dim[0] * element_bytes) +
            AllocatedBytes(config.conv_dim[0] * element_bytes);
  }
  return most + AllocatedBytes(frames * config.conv_dim.back() * element_bytes);
}

int64_t FeatureEncoder::WeightBytes(const Wav2Vec2Config& config, Precision precision, c10::Device device) {
  const auto element_bytes = static_cast<int64_t>(c10::elementSize(ComputeType(precision, device)));
  int64_t bytes = 0;
  for (size_t i = 0; i < config.conv_dim.size(); ++i) {
    const int64_t in = i == 0 ? 1 : config.conv_dim[i - 1], out = config.conv_dim[i];
    const int64_t vectors = (config.conv_bias ? 1 : 0) + (config.norm_every_conv || i == 0 ? 2 : 0);
    const int64_t kept = GoesByBFloat(i, precision, device) ? BytesOf(precision, 1) : element_bytes;
    bytes += (GoesByHalving(config, i, precision, device) ? HalvingWeightBytes(in, out)
                                                          : AllocatedBytes(out * in * config.conv_kernel[i] * kept)) +
             vectors * AllocatedBytes(out * element_bytes);
  }
  return bytes;
}

}  // namespace grym
