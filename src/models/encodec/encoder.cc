#include "models/encodec/encoder.h"

#include <algorithm>

#include "base/format.h"
#include "base/status.h"
#include "runtime/memory_budget.h"

namespace grym {

EncodecEncoder::EncodecEncoder(const EncodecConfig& config) : config_(config), quantizer_(config) {
  first_ = ShapeOfConv(config, config.audio_channels, config.num_filters, config.kernel_size);
  for (size_t level = config.levels(); level-- > 0;) {
    const int64_t channels = config.channels(level + 1), ratio = config.upsampling_ratios[level];
    Level shape;
    for (int64_t i = 0; i < config.num_residual_layers; ++i) {
      shape.residuals.push_back(ShapeOfResidual(config, channels, i));
    }
    shape.down = ShapeOfConv(config, channels, 2 * channels, 2 * ratio, ratio);
    levels_.push_back(std::move(shape));
  }
  last_ = ShapeOfConv(config, config.channels(0), config.hidden_size, config.last_kernel_size);
}

absl::StatusOr<std::shared_ptr<const EncodecEncoder>> EncodecEncoder::Load(const TensorSet& set,
                                                                           const EncodecConfig& config,
                                                                           const WeightOptions& options,
                                                                           const std::string& prefix) {
  std::shared_ptr<EncodecEncoder> net(new EncodecEncoder(config));
  WeightOptions exact;
  exact.cancel = options.cancel;
  exact.precision = options.precision;
  WeightReader weights(set, "encodec", exact, prefix);
  net->Read(weights);
  GRYM_RETURN_IF_ERROR(weights.status());
  return std::shared_ptr<const EncodecEncoder>(std::move(net));
}

// The largest first, as EncodecDecoder does.
void EncodecEncoder::Read(WeightReader& weights) {
  const auto name = [](int64_t layer) { return "encoder.layers." + std::to_string(layer); };
  const int64_t each = 2 + config_.num_residual_layers;  // layers of a level: residual ones, an ELU, the convolution
  const int64_t after = 1 + static_cast<int64_t>(levels_.size()) * each;
  lstm_ = ReadEncodecLstm(weights, name(after), config_);
  for (size_t level = levels_.size(); level-- > 0;) {
    const int64_t begin = 1 + static_cast<int64_t>(level) * each;
    EncodecConv& down = levels_[level].down;
    down = ReadEncodecConv(weights, name(begin + each - 1), config_, down.in, down.out, down.span, down.stride);
    for (int64_t i = 0; i < config_.num_residual_layers; ++i) {
      levels_[level].residuals[static_cast<size_t>(i)] =
          ReadEncodecResidual(weights, name(begin + i), config_, down.in, i);
    }
  }
  first_ = ReadEncodecConv(weights, name(0), config_, first_.in, first_.out, config_.kernel_size);
  last_ = ReadEncodecConv(weights, name(after + 2), config_, last_.in, last_.out, config_.last_kernel_size);
  quantizer_.Read(weights, /*to_encode=*/true);
}

absl::Status EncodecEncoder::Check(const at::Tensor& wave) const {
  const bool right = wave.dim() == 2 && wave.scalar_type() == at::kFloat && wave.is_cpu() &&
                     wave.size(0) == config_.audio_channels && wave.size(1) > 0;
  if (right) return absl::OkStatus();
  return Error(absl::StatusCode::kInvalidArgument, "bad_wave",
               Formatted("encodec: want float32 samples of shape [%d channels, samples], got shape %s",
                         config_.audio_channels, ShapeText({wave.sizes().begin(), wave.sizes().end()}).c_str()));
}

at::Tensor EncodecEncoder::Encode(const at::Tensor& wave, const CancelToken& cancel) const {
  Stream stream(*this, std::min(wave.size(1), kEncodecChunkSamples));
  const at::Tensor most = stream.Push(wave, cancel);
  if (!most.defined()) return {};
  const at::Tensor rest = stream.Finish();
  return at::cat({most, rest}, 1);
}

at::Tensor EncodecEncoder::States(const at::Tensor& wave, const CancelToken& cancel) const {
  at::Tensor states = at::empty({config_.FramesOf(wave.size(1)), config_.hidden_size}, at::kFloat);
  float* to = states.mutable_data_ptr<float>();
  const Stream::Take take = [&](float* made, int64_t frames) {
    to = std::copy(made, made + frames * config_.hidden_size, to);
  };
  Stream stream(*this, std::min(wave.size(1), kEncodecChunkSamples));
  for (int64_t at = 0; at < wave.size(1); at += kEncodecChunkSamples) {
    if (cancel.cancelled()) return {};
    stream.PushTo(wave.narrow(1, at, std::min(kEncodecChunkSamples, wave.size(1) - at)), take);
  }
  stream.FinishTo(take);
  return states;
}

int64_t EncodecEncoder::WeightBytes(const EncodecConfig& config, Precision precision) {
  const EncodecEncoder shape(config);
  int64_t sum = CodeBooks::WeightBytes(config, true) + EncodecConvBytes(shape.first_, precision) +
                EncodecConvBytes(shape.last_, precision) + EncodecLstmBytes(config, precision);
  for (const Level& level : shape.levels_) {
    sum += EncodecConvBytes(level.down, precision);
    for (const EncodecResidual& residual : level.residuals) sum += EncodecResidualBytes(residual, precision);
  }
  return sum;
}

// At the end the codes of the two parts lie beside the whole; each is rounded up to a cache line.
int64_t EncodecEncoder::WorkingBytes(const EncodecConfig& config, int64_t samples) {
  const EncodecEncoder shape(config);
  return Stream(shape, std::min(samples, kEncodecChunkSamples)).bytes() +
         2 * AllocatedBytes(config.books() * config.FramesOf(samples) * 8) + AllocatedBytes(1);
}

EncodecEncoder::Stream::Stream(const EncodecEncoder& encoder, int64_t chunk_samples)
    : net_(encoder), chunk_samples_(chunk_samples), first_(encoder.first_, chunk_samples) {
  const EncodecConfig& config = encoder.config_;
  int64_t most = first_.most_ready();
  for (const Level& level : encoder.levels_) {
    LevelState state;
    for (const EncodecResidual& residual : level.residuals) {
      state.residuals.emplace_back(residual, most);
      most = state.residuals.back().most_ready();
    }
    state.down = ConvStream(level.down, most);
    most = state.down.most_ready();
    levels_.push_back(std::move(state));
  }
  latent_ = FrameQueue(config.channels(0), most);
  lstm_ = LstmStream(encoder.lstm_, config.num_lstm_layers, config.channels(0), most);
  last_ = ConvStream(encoder.last_, most);
  states_ = FrameQueue(config.hidden_size, last_.most_ready());
  distances_ = FrameQueue(config.codebook_size, last_.most_ready());
}

int64_t EncodecEncoder::Stream::bytes() const {
  int64_t sum = first_.bytes() + last_.bytes() + latent_.bytes() + states_.bytes() + distances_.bytes() + lstm_.bytes();
  for (const LevelState& level : levels_) {
    sum += level.down.bytes();
    for (const ResidualStream& residual : level.residuals) sum += residual.bytes();
  }
  return sum;
}

at::Tensor EncodecEncoder::Stream::Quantized(const std::function<void(const Take&)>& run) {
  const int64_t books = net_.quantizer_.books(), most = net_.config_.FramesOf(samples_in_) - frames_out_;
  at::Tensor codes = at::empty({books, most}, at::kLong);
  int64_t made = 0;
  run([&](float* states, int64_t frames) {
    distances_.Append(0);
    net_.quantizer_.Quantize(states, frames, distances_.front(), codes.mutable_data_ptr<int64_t>() + made, most);
    made += frames;
  });
  frames_out_ += made;
  return made == most ? codes : codes.narrow(1, 0, made).clone();
}

at::Tensor EncodecEncoder::Stream::Push(const at::Tensor& wave, const CancelToken& cancel) {
  samples_in_ += wave.size(1);
  bool stopped = false;
  at::Tensor codes = Quantized([&](const Take& take) {
    for (int64_t at = 0; at < wave.size(1) && !stopped; at += chunk_samples_) {
      PushTo(wave.narrow(1, at, std::min(chunk_samples_, wave.size(1) - at)), take);
      stopped = cancel.cancelled();
    }
  });
  return stopped ? at::Tensor() : codes;
}

at::Tensor EncodecEncoder::Stream::Finish() {
  return Quantized([&](const Take& take) { FinishTo(take); });
}

void EncodecEncoder::Stream::PushTo(const at::Tensor& wave, const Take& take) {
  const int64_t samples = wave.size(1), channels = wave.size(0);
  float* const to = first_.Append(samples);
  const float* const from = wave.const_data_ptr<float>();
  for (int64_t channel = 0; channel < channels; ++channel) {
    const float* const own = from + channel * wave.stride(0);
    for (int64_t i = 0; i < samples; ++i) to[i * channels + channel] = own[i * wave.stride(1)];
  }
  RunFirst(take, false);
}

void EncodecEncoder::Stream::FinishTo(const Take& take) {
  first_.End();
  RunFirst(take, true);
}

// Where what comes to residual layer `index` of a level goes: after the last of them to the convolution.
float* EncodecEncoder::Stream::Room(size_t level, size_t index, int64_t frames) {
  LevelState& state = levels_[level];
  return index == state.residuals.size() ? state.down.Append(frames) : state.residuals[index].Append(frames);
}

void EncodecEncoder::Stream::RunFirst(const Take& take, bool last) {
  const int64_t count = first_.ready();
  if (count > 0) first_.Run(Room(0, 0, count));
  if (count > 0 || last) RunResidual(0, 0, take, last);
}

void EncodecEncoder::Stream::RunResidual(size_t level, size_t index, const Take& take, bool last) {
  LevelState& state = levels_[level];
  if (index < state.residuals.size()) {
    const int64_t count = state.residuals[index].Flow(last);
    if (count > 0) state.residuals[index].Run(Room(level, index + 1, count), index + 1 == state.residuals.size());
    if (count > 0 || last) RunResidual(level, index + 1, take, last);
    return;
  }
  if (last) state.down.End();
  const int64_t count = state.down.ready();
  if (count == 0 && !last) return;
  if (level + 1 < levels_.size()) {
    if (count > 0) state.down.Run(Room(level + 1, 0, count));
    return RunResidual(level + 1, 0, take, last);
  }
  if (count > 0) {
    latent_.DropLast(latent_.size());
    float* const latent = latent_.Append(count);
    state.down.Run(latent);
    lstm_.Run(latent, count, last_.Append(count));
  }
  RunLatent(take, last);
}

void EncodecEncoder::Stream::RunLatent(const Take& take, bool last) {
  if (last) last_.End();
  const int64_t count = last_.ready();
  if (count == 0) return;
  states_.DropLast(states_.size());
  float* const states = states_.Append(count);
  last_.Run(states);
  take(states, count);
}

}  // namespace grym
