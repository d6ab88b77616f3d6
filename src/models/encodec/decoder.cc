#include "models/encodec/decoder.h"

#include <algorithm>

#include "base/format.h"
#include "base/status.h"
#include "runtime/memory_budget.h"

namespace grym {

EncodecDecoder::EncodecDecoder(const EncodecConfig& config) : config_(config), quantizer_(config) {
  first_ = ShapeOfConv(config, config.hidden_size, config.channels(0), config.kernel_size);
  for (size_t level = 0; level < config.levels(); ++level) {
    Level shape;
    shape.upsample = ShapeOfUpsample(config, level);
    for (int64_t i = 0; i < config.num_residual_layers; ++i) {
      shape.residuals.push_back(ShapeOfResidual(config, config.channels(level + 1), i));
    }
    levels_.push_back(std::move(shape));
  }
  last_ = ShapeOfConv(config, config.num_filters, config.audio_channels, config.last_kernel_size);
}

absl::StatusOr<std::shared_ptr<const EncodecDecoder>> EncodecDecoder::Load(const TensorSet& set,
                                                                           const EncodecConfig& config,
                                                                           const WeightOptions& options,
                                                                           const std::string& prefix) {
  std::shared_ptr<EncodecDecoder> net(new EncodecDecoder(config));
  WeightOptions exact;
  exact.cancel = options.cancel;
  exact.precision = options.precision;
  WeightReader weights(set, "encodec", exact, prefix);
  net->Read(weights);
  GRYM_RETURN_IF_ERROR(weights.status());
  return std::shared_ptr<const EncodecDecoder>(std::move(net));
}

// The largest first, while the checkpoint's own form of a layer has room beside it: the peak is what is kept.
void EncodecDecoder::Read(WeightReader& weights) {
  const auto name = [](int64_t layer) { return "decoder.layers." + std::to_string(layer); };
  const int64_t each = 2 + config_.num_residual_layers;  // layers of a level: an ELU, the upsampling, residual ones
  const auto read_upsample = [&](size_t level) {
    return ReadEncodecUpsample(weights, name(3 + static_cast<int64_t>(level) * each), config_, level);
  };
  levels_[0].upsample = read_upsample(0);
  lstm_ = ReadEncodecLstm(weights, name(1), config_);
  first_ = ReadEncodecConv(weights, name(0), config_, first_.in, first_.out, config_.kernel_size);
  for (size_t level = 0; level < levels_.size(); ++level) {
    if (level > 0) levels_[level].upsample = read_upsample(level);
    for (int64_t i = 0; i < config_.num_residual_layers; ++i) {
      levels_[level].residuals[static_cast<size_t>(i)] =
          ReadEncodecResidual(weights, name(4 + static_cast<int64_t>(level) * each + i), config_,
                              config_.channels(level + 1), i);
    }
  }
  last_ = ReadEncodecConv(weights, name(3 + static_cast<int64_t>(levels_.size()) * each), config_, last_.in, last_.out,
                          config_.last_kernel_size);
  quantizer_.Read(weights, /*to_encode=*/false);
}

at::Tensor EncodecDecoder::Decode(const at::Tensor& codes, const CancelToken& cancel, int64_t chunk_frames) const {
  const int64_t frames = codes.size(1), channels = config_.audio_channels;
  at::Tensor sound = at::empty({frames * config_.hop(), channels}, at::kFloat);
  {
    Stream stream(*this, std::min(frames, chunk_frames));
    float* const sink = sound.mutable_data_ptr<float>();
    const int64_t made = stream.PushTo(codes, cancel, sink);
    if (made < 0) return {};
    stream.FinishTo(sink + made * channels);
  }
  return channels == 1 ? sound.view({1, -1}) : Planar(sound, sound.size(0));
}

// By a loop of our own: LibTorch's copy of a transposed matrix takes scratch that a plan does not know of.
at::Tensor EncodecDecoder::Planar(const at::Tensor& frames, int64_t count) {
  const int64_t channels = frames.size(1);
  at::Tensor planar = at::empty({channels, count}, at::kFloat);
  const float* const from = frames.const_data_ptr<float>();
  float* to = planar.mutable_data_ptr<float>();
  for (int64_t channel = 0; channel < channels; ++channel) {
    for (int64_t i = 0; i < count; ++i) *to++ = from[i * channels + channel];
  }
  return planar;
}

int64_t EncodecDecoder::WeightBytes(const EncodecConfig& config, Precision precision) {
  const EncodecDecoder shape(config);
  int64_t sum = CodeBooks::WeightBytes(config, false) + EncodecConvBytes(shape.first_, precision) +
                EncodecConvBytes(shape.last_, precision) + EncodecLstmBytes(config, precision);
  for (const Level& level : shape.levels_) {
    sum += PanelMatrix::BytesKept(2 * level.upsample.in, level.upsample.ratio * level.upsample.out, precision);
    for (const EncodecResidual& residual : level.residuals) sum += EncodecResidualBytes(residual, precision);
  }
  return sum;
}

int64_t EncodecDecoder::WorkingBytes(const EncodecConfig& config, int64_t frames, int64_t chunk_frames) {
  const EncodecDecoder shape(config);
  const int64_t sound = AllocatedBytes(frames * config.hop() * config.audio_channels * 4);
  const int64_t room = Stream(shape, std::min(frames, chunk_frames)).bytes();
  return std::max(sound + room, (config.audio_channels == 1 ? 1 : 2) * sound);
}

// Each convolution holds back its right padding, and an upsampling what it cuts at the left, in its own frames.
int64_t EncodecDecoder::LatencyFrames(const EncodecConfig& config) {
  const EncodecDecoder shape(config);
  int64_t behind = shape.last_.right;
  for (size_t level = shape.levels_.size(); level-- > 0;) {
    for (const EncodecResidual& residual : shape.levels_[level].residuals) behind += residual.wide.right;
    behind = (behind + shape.levels_[level].upsample.trimmed + shape.levels_[level].upsample.ratio - 1) /
             shape.levels_[level].upsample.ratio;
  }
  return behind + shape.first_.right;
}

// A layer has seen more than its padding by then, the last one too: a frame of codes is a frame at least to each.
int64_t EncodecDecoder::SettledFrames(const EncodecConfig& config) {
  const EncodecDecoder shape(config);
  const auto reach = [](const EncodecConv& conv) { return conv.span + conv.left + conv.right; };
  int64_t most = std::max(reach(shape.first_), reach(shape.last_));
  for (const Level& level : shape.levels_) {
    for (const EncodecResidual& residual : level.residuals) most = std::max(most, reach(residual.wide));
  }
  return LatencyFrames(config) + most;
}

}  // namespace grym
