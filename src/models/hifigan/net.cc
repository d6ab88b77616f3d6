#include "models/hifigan/net.h"

#include <algorithm>
#include <utility>

#include "base/format.h"
#include "base/progress.h"
#include "base/status.h"

namespace grym {
namespace {

constexpr int64_t kOuterKernel = 7;       // of the first and the last convolution
constexpr double kLastLeakySlope = 0.01;  // torch's default, which the reference takes before the last convolution

int64_t SamePadding(int64_t kernel, int64_t dilation) { return dilation * (kernel - 1) / 2; }

WaveConv ReadWaveConv(WeightReader& weights, const std::string& layer, int64_t in, int64_t out, int64_t kernel,
                      int64_t dilation) {
  const at::Tensor weight = weights.WeightNormedMatrix(layer, {out, in, kernel});
  return WaveConv(weight, weights.Vector(layer + ".bias", {out}), SamePadding(kernel, dilation), dilation,
                  weights.options().precision);
}

// Floor and ceiling of a / b for b > 0 and any a.
int64_t FloorDivided(int64_t a, int64_t b) { return a >= 0 ? a / b : -((-a + b - 1) / b); }
int64_t CeilingDivided(int64_t a, int64_t b) { return FloorDivided(a + b - 1, b); }

}  // namespace

FrameRange FramesBehind(const HifiGanConfig& config, int64_t frames, int64_t begin, int64_t end) {
  int64_t reach = 0;  // of the widest residual block, to each side
  for (size_t k = 0; k < config.resblock_kernel_sizes.size(); ++k) {
    int64_t wide = 0;
    for (const int64_t dilation : config.resblock_dilation_sizes[k]) {
      wide += SamePadding(config.resblock_kernel_sizes[k], dilation) + SamePadding(config.resblock_kernel_sizes[k], 1);
    }
    reach = std::max(reach, wide);
  }
  begin -= kOuterKernel / 2;
  end += kOuterKernel / 2;
  for (size_t level = config.levels(); level-- > 0;) {
    const int64_t rate = config.upsample_rates[level], padding = config.padding(level);
    // Output n takes from inputs t with 0 <= n + padding - t * rate < kernel.
    begin = CeilingDivided(begin - reach + padding - config.upsample_kernel_sizes[level] + 1, rate);
    end = FloorDivided(end - 1 + reach + padding, rate) + 1;
  }
  return {std::max<int64_t>(0, begin - kOuterKernel / 2), std::min(frames, end + kOuterKernel / 2)};
}

absl::StatusOr<std::shared_ptr<const HifiGan>> HifiGan::Load(const TensorSet& set, const HifiGanConfig& config,
                                                             const WeightOptions& options) {
  std::shared_ptr<HifiGan> net(new HifiGan);
  net->config_ = config;
  WeightReader weights(set, "vocoder", options);
  net->compute_ = weights.compute_type();
  net->device_ = options.device;
  net->Read(weights);
  GRYM_RETURN_IF_ERROR(weights.status());
  return std::shared_ptr<const HifiGan>(std::move(net));
}

void HifiGan::Read(WeightReader& weights) {
  const int64_t bands = config_.model_in_dim;
  if (config_.normalize_before) {
    mean_ = weights.Vector("mean", {bands});
    scale_ = weights.Vector("scale", {bands});
  }
  first_ = ReadWaveConv(weights, "conv_pre", bands, config_.upsample_initial_channel, kOuterKernel, 1);
  for (size_t level = 0; level < config_.levels(); ++level) {
    const int64_t in = config_.upsample_initial_channel >> level, channels = config_.channels(level);
    const std::string layer = "upsampler." + std::to_string(level);
    Level made;
    const at::Tensor weight = weights.WeightNormedMatrix(layer, {in, channels, config_.upsample_kernel_sizes[level]});
    made.upsample = WaveUpsample(weight, weights.Vector(layer + ".bias", {channels}), config_.upsample_rates[level],
                                 config_.padding(level), weights.options().precision);
    for (size_t k = 0; k < config_.resblock_kernel_sizes.size(); ++k) {
      const int64_t kernel = config_.resblock_kernel_sizes[k];
      const std::string block = "resblocks." + std::to_string(level * config_.resblock_kernel_sizes.size() + k);
      ResidualBlock convs;
      for (size_t i = 0; i < config_.resblock_dilation_sizes[k].size(); ++i) {
        const std::string number = std::to_string(i);
        convs.dilated.push_back(ReadWaveConv(weights, block + ".convs1." + number, channels, channels, kernel,
                                             config_.resblock_dilation_sizes[k][i]));
        convs.plain.push_back(
            ReadWaveConv(weights, block + ".convs2." + number, channels, channels, kernel, 1));
      }
      made.blocks.push_back(std::move(convs));
    }
    levels_.push_back(std::move(made));
  }
  last_ = ReadWaveConv(weights, "conv_post", config_.channels(config_.levels() - 1), 1, kOuterKernel, 1);
}

absl::StatusOr<at::Tensor> HifiGan::Synthesize(const at::Tensor& mel, int64_t chunk_frames,
                                               const RunOptions& run) const {
  if (mel.dim() != 3 || mel.size(2) != config_.model_in_dim || mel.numel() == 0 ||
      config_.FramesAfter(config_.levels(), mel.size(1)) < 1) {
    return Error(absl::StatusCode::kInvalidArgument, "bad_mel",
                 Formatted("vocoder: want a mel of shape [batch, frames, %d], got %s", config_.model_in_dim,
                           ShapeText({mel.sizes().begin(), mel.sizes().end()}).c_str()));
  }
  const int64_t batch = mel.size(0);
  at::Tensor waves = at::empty({batch, config_.FramesAfter(config_.levels(), mel.size(1))},
                               at::TensorOptions().dtype(at::kFloat).device(device_));
  for (int64_t item = 0; item < batch; ++item) {
    const double from = static_cast<double>(item) / static_cast<double>(batch);
    GRYM_RETURN_IF_ERROR(RunInto(waves.select(0, item), mel.select(0, item), chunk_frames,
                                 PartOf(run, from, from + 1.0 / static_cast<double>(batch))));
  }
  return waves;
}

absl::Status HifiGan::RunInto(at::Tensor wave, const at::Tensor& mel, int64_t chunk_frames,
                              const RunOptions& run) const {
  const int64_t frames = mel.size(0), samples = wave.size(0), hop = config_.hop();
  if (chunk_frames <= 0 || chunk_frames >= frames) {
    GRYM_ASSIGN_OR_RETURN(const at::Tensor whole, Run(mel, run));
    wave.copy_(whole);
    return absl::OkStatus();
  }
  for (int64_t frame = 0; frame < frames; frame += chunk_frames) {
    const int64_t begin = frame * hop;
    // What is left after the last whole frame, a sample or two, belongs to the last piece.
    const int64_t end = frame + chunk_frames >= frames ? samples : std::min(samples, (frame + chunk_frames) * hop);
    if (begin >= end) break;
    const FrameRange range = FramesBehind(config_, frames, begin, end);
    const auto share = [&](int64_t at) { return static_cast<double>(at) / static_cast<double>(samples); };
    GRYM_ASSIGN_OR_RETURN(const at::Tensor piece, Run(mel.narrow(0, range.begin, range.end - range.begin),
                                                      PartOf(run, share(begin), share(end))));
    wave.narrow(0, begin, end - begin).copy_(piece.narrow(0, begin - range.begin * hop, end - begin));
  }
  return absl::OkStatus();
}

absl::StatusOr<at::Tensor> HifiGan::Run(const at::Tensor& mel, const RunOptions& run) const {
  ProgressReporter progress(run);
  at::Tensor wave = mel.to(at::TensorOptions().dtype(compute_).device(device_)).contiguous();
  if (config_.normalize_before) wave = (wave - mean_).div_(scale_);
  wave = first_.WithLeakyRelu(wave, config_.leaky_relu_slope);
  for (size_t i = 0; i < levels_.size(); ++i) {
    progress.Report(static_cast<double>(i) / static_cast<double>(levels_.size()), "vocoder");
    GRYM_RETURN_IF_ERROR(progress.Check());
    wave = levels_[i].upsample(wave);
    GRYM_ASSIGN_OR_RETURN(wave, MixBlocks(levels_[i], std::move(wave), progress.cancel()));
    at::leaky_relu_(wave, i + 1 < levels_.size() ? config_.leaky_relu_slope : kLastLeakySlope);
  }
  wave = last_(wave);
  return at::tanh_(wave).flatten();
}

// The mean of the residual blocks over `wave`. At most five waves of this size live at once: the input, the sum so
// far, the block's own, and the two sides of a convolution; of four by tiles, whose leaky ReLU takes none.
absl::StatusOr<at::Tensor> HifiGan::MixBlocks(const Level& level, at::Tensor wave, const CancelToken& cancel) const {
  at::Tensor sum;
  for (size_t k = 0; k < level.blocks.size(); ++k) {
    const ResidualBlock& block = level.blocks[k];
    at::Tensor own;
    for (size_t i = 0; i < block.dilated.size(); ++i) {
      GRYM_RETURN_IF_ERROR(cancel.Check());
      const at::Tensor inner =
          block.dilated[i].BetweenLeakyRelus(own.defined() ? own : wave, config_.leaky_relu_slope);
      if (!own.defined()) own = k + 1 < level.blocks.size() ? wave.clone() : std::move(wave);
      block.plain[i].AddTo(own, inner);
    }
    if (sum.defined()) {
      sum.add_(own);
    } else {
      sum = std::move(own);
    }
  }
  return sum.div_(static_cast<double>(level.blocks.size()));
}

}  // namespace grym
