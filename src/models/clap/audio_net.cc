#include "models/clap/audio_net.h"

#include <algorithm>
#include <string>

#include "base/format.h"
#include "base/status.h"
#include "runtime/memory_budget.h"

namespace grym {
namespace {

constexpr char kClapEncoder[] = "audio_model.audio_encoder.";

SwinStageConfig StageConfigOf(const ClapAudioConfig& config, int stage) {
  SwinStageConfig made;
  made.height = config.grid_height(stage);
  made.width = config.grid_width(stage);
  made.dim = config.dim(stage);
  made.heads = config.heads[static_cast<size_t>(stage)];
  made.depth = config.depths[static_cast<size_t>(stage)];
  made.window = config.window_size;
  made.mlp_ratio = config.mlp_ratio;
  made.layer_norm_eps = config.layer_norm_eps;
  made.qkv_bias = config.qkv_bias;
  made.merges = stage + 1 < config.stages();
  made.activation = ActivationOf(config.hidden_act);
  return made;
}

}  // namespace

ClapAudioNet ClapAudioNet::Read(WeightReader& weights, const ClapAudioConfig& config) {
  ClapAudioNet net;
  net.config_ = config;
  net.compute_ = weights.compute_type();
  const std::string at = kClapEncoder, norm = at + "batch_norm.";
  const at::Tensor scale = weights.Exact(norm + "weight", {config.mel_bins});
  const at::Tensor shift = weights.Exact(norm + "bias", {config.mel_bins});
  const at::Tensor mean = weights.Exact(norm + "running_mean", {config.mel_bins});
  const at::Tensor variance = weights.Exact(norm + "running_var", {config.mel_bins});
  weights.Skip(norm + "num_batches_tracked");
  if (scale.defined() && shift.defined() && mean.defined() && variance.defined()) {
    net.band_scale_ = scale / (variance + 1e-5).sqrt();
    net.band_shift_ = shift - mean * net.band_scale_;
  }
  net.patches_ = ClapPatchEmbed::Read(weights, at + "patch_embed.", config);
  for (int stage = 0; stage < config.stages(); ++stage) {
    net.stages_.push_back(SwinStage::Read(weights, at + Formatted("layers.%d", stage), StageConfigOf(config, stage)));
  }
  net.norm_ = ReadLayerNorm(weights, at + "norm", config.hidden_size, 1e-5);
  net.projection_ = ReadClapProjection(weights, "audio_projection", config.hidden_size, config.projection_dim,
                                       config.projection_act);
  return net;
}

// [batch, channels, frames, mel_bins] -> [batch, channels, side, side]: strips of time above each other, the first on
// top, mel bands downwards and time to the right in each. Fewer frames than the square holds are stretched to it.
at::Tensor ClapAudioNet::FoldToSquare(const at::Tensor& features) const {
  const int64_t batch = features.size(0), channels = features.size(1), strips = config_.freq_ratio();
  at::Tensor x = (features * band_scale_).add_(band_shift_);
  if (x.size(2) < config_.most_frames()) {
    x = at::upsample_bicubic2d(x, {config_.most_frames(), config_.mel_bins}, /*align_corners=*/true);
  }
  return x.view({batch, channels, strips, config_.most_frames() / strips, config_.mel_bins})
      .transpose(3, 4)
      .reshape({batch, channels, config_.spec_size, config_.spec_size})
      .to(compute_);
}

absl::StatusOr<at::Tensor> ClapAudioNet::Encode(const at::Tensor& features, bool longer,
                                                const CancelToken& cancel) const {
  const int64_t channels = config_.enable_fusion ? 4 : 1;
  if (features.dim() != 4 || features.size(1) != channels || features.size(3) != config_.mel_bins ||
      features.size(2) < 1 || features.size(2) > config_.most_frames()) {
    return Error(absl::StatusCode::kInvalidArgument, "bad_features",
                 Formatted("clap/audio: want features [batch, %d, at most %d, %d]", channels, config_.most_frames(),
                           config_.mel_bins));
  }
  at::Tensor x = patches_(FoldToSquare(features), longer);
  for (const SwinStage& stage : stages_) {
    GRYM_RETURN_IF_ERROR(cancel.Check());
    x = stage.Run(std::move(x));
  }
  return norm_(x);
}

absl::StatusOr<at::Tensor> ClapAudioNet::Embed(const at::Tensor& features, bool longer,
                                               const CancelToken& cancel) const {
  GRYM_ASSIGN_OR_RETURN(const at::Tensor tokens, Encode(features, longer, cancel));
  return Project(Pool(tokens));
}

at::Tensor ClapAudioNet::AsReference(const at::Tensor& tokens) const {
  const int last = config_.stages() - 1;
  const int64_t batch = tokens.size(0), dim = tokens.size(2), strips = config_.freq_ratio();
  const int64_t bands = config_.grid_height(last) / strips, columns = config_.grid_width(last);
  return tokens.transpose(1, 2)
      .reshape({batch, dim, strips, bands, columns})
      .transpose(2, 3)
      .reshape({batch, dim, bands, strips * columns});
}

int64_t ClapAudioNet::WeightBytes(const ClapAudioConfig& config, Precision precision, c10::Device device) {
  const auto size = [](c10::ScalarType type) { return static_cast<int64_t>(c10::elementSize(type)); };
  const int64_t storage = size(StorageType(precision)), compute = size(ComputeType(precision, device));
  const int64_t dim = config.hidden_size, space = config.projection_dim;
  int64_t bytes = 2 * AllocatedBytes(config.mel_bins * 4) + ClapPatchEmbed::WeightBytes(config, precision, device);
  for (int stage = 0; stage < config.stages(); ++stage) {
    bytes += SwinStage::WeightBytes(StageConfigOf(config, stage), precision, device);
  }
  return bytes + 2 * AllocatedBytes(dim * compute) + AllocatedBytes(dim * space * storage) +
         AllocatedBytes(space * space * storage) + 2 * AllocatedBytes(space * compute);
}

int64_t ClapAudioNet::WorkingBytes(const ClapAudioConfig& config, int64_t batch, Precision precision,
                                   c10::Device device) {
  int64_t most = 0;
  for (int stage = 0; stage < config.stages(); ++stage) {
    most = std::max(most, SwinStage::WorkingBytes(StageConfigOf(config, stage), batch, precision, device));
  }
  return most;
}

}  // namespace grym
