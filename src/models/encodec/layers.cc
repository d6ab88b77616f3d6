#include "models/encodec/layers.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/format.h"
#include "runtime/memory_budget.h"

namespace grym {
namespace {

int64_t SpanOf(int64_t kernel, int64_t dilation) { return (kernel - 1) * dilation + 1; }

// [out, in, kernel] as the matrix over [frames, in], with zeros for the taps that a dilation leaves out.
at::Tensor MatrixOfConv(const at::Tensor& weight, int64_t dilation) {
  const int64_t out = weight.size(0), in = weight.size(1), kernel = weight.size(2);
  const at::Tensor taps = weight.permute({0, 2, 1});  // [out, kernel, in]
  if (dilation == 1) return taps.reshape({out, kernel * in});
  at::Tensor spread = at::zeros({out, SpanOf(kernel, dilation), in}, at::kFloat);
  for (int64_t tap = 0; tap < kernel; ++tap) spread.select(1, tap * dilation).copy_(taps.select(1, tap));
  return spread.view({out, -1});
}

}  // namespace

EncodecConv ShapeOfConv(const EncodecConfig& config, int64_t in, int64_t out, int64_t kernel, int64_t stride,
                        int64_t dilation) {
  EncodecConv conv;
  conv.in = in;
  conv.out = out;
  conv.span = SpanOf(kernel, dilation);
  conv.stride = stride;
  conv.pad = config.pad_mode;
  const int64_t padding = conv.span - stride;
  conv.right = config.use_causal_conv ? 0 : padding / 2;
  conv.left = padding - conv.right;
  return conv;
}

EncodecConv ReadEncodecConv(WeightReader& weights, const std::string& layer, const EncodecConfig& config, int64_t in,
                            int64_t out, int64_t kernel, int64_t stride, int64_t dilation) {
  EncodecConv conv = ShapeOfConv(config, in, out, kernel, stride, dilation);
  const at::Tensor weight = weights.WeightNormed(layer + ".conv", {out, in, kernel});
  const at::Tensor bias = weights.Exact(layer + ".conv.bias", {out});
  if (weight.defined()) {
    conv.matrix = PanelMatrix::Pack(MatrixOfConv(weight, dilation), bias, weights.options().precision);
  }
  return conv;
}

int64_t EncodecConvBytes(const EncodecConv& shape, Precision precision) {
  return PanelMatrix::BytesKept(shape.span * shape.in, shape.out, precision);
}

EncodecUpsample ShapeOfUpsample(const EncodecConfig& config, size_t level) {
  EncodecUpsample shape;
  shape.in = config.channels(level);
  shape.out = config.channels(level + 1);
  shape.ratio = config.upsampling_ratios[level];
  const auto trimmed = static_cast<double>(shape.ratio) * config.trim_right_ratio;
  shape.trimmed = config.use_causal_conv ? shape.ratio - static_cast<int64_t>(std::ceil(trimmed))
                                         : shape.ratio - shape.ratio / 2;
  return shape;
}

// Input frame t gives its taps 0 .. 2 ratio - 1 to the output frames from t * ratio on. Group q of `ratio` outputs
// so takes the first half of frame q's taps and the second half of frame q - 1's.
EncodecUpsample ReadEncodecUpsample(WeightReader& weights, const std::string& layer, const EncodecConfig& config,
                                    size_t level) {
  EncodecUpsample upsample = ShapeOfUpsample(config, level);
  const int64_t in = upsample.in, out = upsample.out, ratio = upsample.ratio;
  const at::Tensor weight = weights.WeightNormed(layer + ".conv", {in, out, 2 * ratio});
  const at::Tensor bias = weights.Exact(layer + ".conv.bias", {out});
  if (!weight.defined() || !bias.defined()) return upsample;
  const at::Tensor halves = weight.view({in, out, 2, ratio});
  const auto row = [&](int64_t i) {
    const at::Tensor taps = halves.select(3, i / out).select(1, i % out);  // [in, now and before]
    return at::cat({taps.select(1, 1), taps.select(1, 0)});
  };
  upsample.matrix = PanelMatrix::PackRows(2 * in, ratio * out, row, bias.repeat({ratio}),
                                          weights.options().precision);
  return upsample;
}

EncodecResidual ShapeOfResidual(const EncodecConfig& config, int64_t dim, int64_t index) {
  int64_t dilation = 1;
  for (int64_t i = 0; i < index; ++i) dilation *= config.dilation_growth_rate;
  EncodecResidual layer;
  const int64_t hidden = dim / config.compress;
  layer.wide = ShapeOfConv(config, dim, hidden, config.residual_kernel_size, 1, dilation);
  layer.narrow = ShapeOfConv(config, hidden, dim, 1);
  layer.shortcut = ShapeOfConv(config, dim, dim, 1);
  layer.has_shortcut = config.use_conv_shortcut;
  return layer;
}

EncodecResidual ReadEncodecResidual(WeightReader& weights, const std::string& layer, const EncodecConfig& config,
                                    int64_t dim, int64_t index) {
  EncodecResidual read = ShapeOfResidual(config, dim, index);
  int64_t dilation = 1;
  for (int64_t i = 0; i < index; ++i) dilation *= config.dilation_growth_rate;
  read.wide = ReadEncodecConv(weights, layer + ".block.1", config, dim, read.wide.out, config.residual_kernel_size, 1,
                              dilation);
  read.narrow = ReadEncodecConv(weights, layer + ".block.3", config, read.wide.out, dim, 1);
  if (read.has_shortcut) read.shortcut = ReadEncodecConv(weights, layer + ".shortcut", config, dim, dim, 1);
  return read;
}

int64_t EncodecResidualBytes(const EncodecResidual& shape, Precision precision) {
  return EncodecConvBytes(shape.wide, precision) + EncodecConvBytes(shape.narrow, precision) +
         (shape.has_shortcut ? EncodecConvBytes(shape.shortcut, precision) : 0);
}

float* FrameQueue::Append(int64_t count) {
  if (!data_.defined()) data_ = at::empty({most_, channels_}, at::kFloat);
  float* const room = at(size_);
  size_ += count;
  return room;
}

void FrameQueue::Drop(int64_t count) {
  if (count == 0) return;
  size_ -= count;
  std::memmove(front(), at(count), static_cast<size_t>(size_ * channels_) * sizeof(float));
}

void FrameQueue::DropLast(int64_t count) { size_ -= count; }

std::span<float> FrameQueue::kept() {
  if (!data_.defined()) return {};
  return {front(), static_cast<size_t>(size_ * channels_)};
}

int64_t FrameQueue::bytes() const { return AllocatedBytes(most_ * channels_ * 4); }

// Between two runs fewer frames than a span are kept, and fewer than the left padding wants before the first; the end
// adds the right padding, what the stride lacks, and zeros to a signal that is shorter than its padding.
ConvStream::ConvStream(const EncodecConv& conv, int64_t most)
    : conv_(&conv), queue_(conv.in, most + 2 * conv.span + conv.left + conv.right + conv.stride), most_(most) {}

float* ConvStream::Append(int64_t count) {
  if (!begun_ && seen_ == 0) queue_.Append(conv_->left);
  seen_ += count;
  return queue_.Append(count);
}

// The padded frame `index` before or behind the signal x[0 .. seen). As the reference has it, a signal no longer
// than its padding is made longer with zeros before it is reflected.
void ConvStream::PadFront() {
  const size_t frame_bytes = static_cast<size_t>(conv_->in) * sizeof(float);
  const int64_t left = conv_->left;
  for (int64_t i = 1; i <= left; ++i) {
    float* const to = queue_.at(left - i);
    const bool there = conv_->pad == EncodecPad::kReplicate || (conv_->pad == EncodecPad::kReflect && i < seen_);
    if (there) {
      std::memcpy(to, queue_.at(left + (conv_->pad == EncodecPad::kReplicate ? 0 : i)), frame_bytes);
    } else {
      std::memset(to, 0, frame_bytes);
    }
  }
  begun_ = true;
}

void ConvStream::End() {
  if (seen_ == 0) return;
  if (!begun_) PadFront();
  const int64_t outputs = (seen_ + conv_->stride - 1) / conv_->stride;
  const int64_t right = conv_->right + outputs * conv_->stride - seen_;
  const int64_t most = std::max(conv_->left, right), length = seen_ <= most ? most + 1 : seen_;
  const size_t frame_bytes = static_cast<size_t>(conv_->in) * sizeof(float);
  const int64_t last = queue_.size() - 1;  // where the signal's last frame is
  for (int64_t i = 0; i < right; ++i) {
    const int64_t place = seen_ + i;
    // In the lengthened signal: itself, a zero, or the reflection at its last frame.
    int64_t from = place < length ? place : 2 * (length - 1) - place;
    if (conv_->pad == EncodecPad::kReplicate) from = seen_ - 1;
    float* const to = queue_.Append(1);
    if (conv_->pad != EncodecPad::kConstant && from < seen_) {
      std::memcpy(to, queue_.at(last - (seen_ - 1 - from)), frame_bytes);
    } else {
      std::memset(to, 0, frame_bytes);
    }
  }
}

int64_t ConvStream::ready() const {
  const bool enough = begun_ || (seen_ > 0 && (conv_->pad != EncodecPad::kReflect || seen_ > conv_->left));
  if (!enough || queue_.size() < conv_->span) return 0;
  return (queue_.size() - conv_->span) / conv_->stride + 1;
}

void ConvStream::Run(float* y, const PanelAfter& after) {
  const int64_t count = ready();
  if (count == 0) return;
  if (!begun_) PadFront();
  conv_->matrix.Apply(queue_.front(), conv_->stride * conv_->in, count, y, after);
  queue_.Drop(count * conv_->stride);
}

int64_t ConvStream::most_ready() const {
  return (most_ + conv_->span + conv_->left + conv_->right + conv_->stride) / conv_->stride;
}

ResidualStream::ResidualStream(const EncodecResidual& layer, int64_t most)
    : layer_(&layer), raw_(layer.wide.in, most + layer.wide.left + layer.wide.right + 1), wide_(layer.wide, most),
      hidden_(layer.wide.out, wide_.most_ready()), skip_(layer.wide.in, layer.has_shortcut ? wide_.most_ready() : 0) {}

float* ResidualStream::Append(int64_t count) { return raw_.Append(count); }

int64_t ResidualStream::Flow(bool last) {
  const int64_t fresh = raw_.size() - flowed_;
  if (fresh > 0) EluInto(raw_.at(flowed_), wide_.Append(fresh), fresh * layer_->wide.in);
  flowed_ += fresh;
  if (last) wide_.End();
  return wide_.ready();
}

void ResidualStream::Run(float* y, bool elu) {
  const int64_t count = wide_.ready(), dim = layer_->wide.in;
  if (count == 0) return;
  hidden_.DropLast(hidden_.size());
  float* const hidden = hidden_.Append(count);
  wide_.Run(hidden, {.elu = true});
  const float* added = raw_.front();
  if (layer_->has_shortcut) {
    skip_.DropLast(skip_.size());
    float* const skip = skip_.Append(count);
    layer_->shortcut.matrix.Apply(raw_.front(), dim, count, skip);
    added = skip;
  }
  layer_->narrow.matrix.Apply(hidden, layer_->narrow.in, count, y, {added, dim, elu});
  raw_.Drop(count);
  flowed_ -= count;
}

int64_t ResidualStream::bytes() const { return raw_.bytes() + wide_.bytes() + hidden_.bytes() + skip_.bytes(); }

}  // namespace grym
