#include "models/vae/net.h"

#include <algorithm>
#include <utility>

#include "base/format.h"
#include "base/progress.h"
#include "base/status.h"

namespace grym {
namespace {

VaeMidBlock ReadMidBlock(WeightReader& weights, const std::string& layer, const VaeConfig& config) {
  const int64_t channels = config.block_out_channels.back();
  VaeMidBlock middle;
  const auto resnet = [&](const char* name) {
    return ReadVaeResnet(weights, layer + name, channels, channels, config.norm_num_groups, config.act_fn);
  };
  middle.first = resnet(".resnets.0");
  middle.second = resnet(".resnets.1");
  middle.has_attention = config.mid_block_add_attention;
  if (middle.has_attention) {
    middle.attention = ReadVaeAttention(weights, layer + ".attentions.0", channels, config.norm_num_groups);
  }
  return middle;
}

std::string Numbered(const std::string& layer, int64_t number) { return layer + "." + std::to_string(number); }

at::Tensor OneOf(const at::Tensor& batch, int64_t item, c10::ScalarType type, c10::Device device) {
  return batch.narrow(0, item, 1).to(at::TensorOptions().dtype(type).device(device), false, /*copy=*/true,
                                     at::MemoryFormat::ChannelsLast);
}

}  // namespace

at::Tensor VaeMidBlock::operator()(at::Tensor x) const {
  x = first(std::move(x));
  if (has_attention) x = attention(std::move(x));
  return second(std::move(x));
}

absl::StatusOr<std::shared_ptr<const VaeDecoder>> VaeDecoder::Load(const TensorSet& set, const VaeConfig& config,
                                                                   const WeightOptions& options) {
  std::shared_ptr<VaeDecoder> decoder(new VaeDecoder);
  decoder->config_ = config;
  WeightReader weights(set, "vae", options);
  decoder->compute_ = weights.compute_type();
  decoder->device_ = options.device;
  decoder->Read(weights);
  GRYM_RETURN_IF_ERROR(weights.status());
  return std::shared_ptr<const VaeDecoder>(std::move(decoder));
}

void VaeDecoder::Read(WeightReader& weights) {
  const std::vector<int64_t>& channels = config_.block_out_channels;
  const int64_t latent = config_.latent_channels, groups = config_.norm_num_groups;
  if (config_.use_post_quant_conv) {
    post_quant_ = ReadFusedConv(weights, "post_quant_conv", latent, latent, 1, 0, 1);
  }
  in_ = ReadFusedConv(weights, "decoder.conv_in", latent, channels.back(), 3, 1, 1);
  middle_ = ReadMidBlock(weights, "decoder.mid_block", config_);
  int64_t in = channels.back();
  for (size_t i = 0; i < channels.size(); ++i) {
    const int64_t out = channels[channels.size() - 1 - i];
    const std::string layer = Numbered("decoder.up_blocks", static_cast<int64_t>(i));
    Block block;
    for (int64_t j = 0; j <= config_.layers_per_block; ++j) {
      block.resnets.push_back(
          ReadVaeResnet(weights, Numbered(layer + ".resnets", j), in, out, groups, config_.act_fn));
      in = out;
    }
    block.has_upsample = i + 1 < channels.size();
    if (block.has_upsample) block.upsample = ReadVaeUpsample(weights, layer + ".upsamplers.0.conv", out);
    blocks_.push_back(std::move(block));
  }
  norm_out_ = ReadGroupNorm(weights, "decoder.conv_norm_out", channels.front(), groups, 1e-6);
  out_ = ReadFusedConv(weights, "decoder.conv_out", channels.front(), config_.out_channels, 3, 1, 1);
}

absl::StatusOr<at::Tensor> VaeDecoder::Decode(const at::Tensor& latents, int64_t tile_frames,
                                              const RunOptions& run) const {
  if (latents.dim() != 4 || latents.size(1) != config_.latent_channels || latents.numel() == 0) {
    return Error(absl::StatusCode::kInvalidArgument, "bad_latents",
                 Formatted("vae: want latents of shape [batch, %d, frames, bands], got %s", config_.latent_channels,
                           ShapeText({latents.sizes().begin(), latents.sizes().end()}).c_str()));
  }
  const int64_t batch = latents.size(0), stride = config_.stride();
  at::Tensor mel = at::empty({batch, config_.out_channels, latents.size(2) * stride, latents.size(3) * stride},
                             at::TensorOptions().dtype(at::kFloat).device(device_));
  for (int64_t item = 0; item < batch; ++item) {
    const double from = static_cast<double>(item) / static_cast<double>(batch);
    GRYM_ASSIGN_OR_RETURN(const at::Tensor one,
                          DecodeOne(OneOf(latents, item, compute_, device_), tile_frames,
                                    PartOf(run, from, from + 1.0 / static_cast<double>(batch))));
    mel.narrow(0, item, 1).copy_(one);
  }
  return mel;
}

absl::StatusOr<at::Tensor> VaeDecoder::DecodeOne(at::Tensor x, int64_t tile_frames, const RunOptions& run) const {
  ProgressReporter progress(run);
  double done = 0;
  const auto step = [&] {
    progress.Report(done++ / static_cast<double>(blocks_.size() * blocks_.front().resnets.size() + 2), "vae decode");
    return progress.Check();
  };
  GRYM_RETURN_IF_ERROR(step());
  if (config_.use_post_quant_conv) x = post_quant_(x);
  x = in_(x);
  x = middle_(std::move(x));
  for (size_t i = 0; i < blocks_.size(); ++i) {
    const bool tiled = tile_frames > 0 && i + 1 == blocks_.size();
    for (size_t j = 0; j < blocks_[i].resnets.size(); ++j) {
      GRYM_RETURN_IF_ERROR(step());
      const VaeResnet& resnet = blocks_[i].resnets[j];
      if (!tiled) {
        x = resnet(std::move(x));
      } else if (j == 0 && i > 0) {
        // The large image before the last block is the largest of all: told tile by tile, it never lies there whole.
        const VaeUpsample& upsample = blocks_[i - 1].upsample;
        x = resnet.Tiled(TiledImage{2 * x.size(2), [x, &upsample](int64_t begin, int64_t end) {
                                      return upsample.Rows(x, begin, end);
                                    }},
                         tile_frames);
      } else {
        x = resnet.Tiled(std::move(x), tile_frames);
      }
    }
    const bool next_is_tiled = tile_frames > 0 && i + 2 == blocks_.size();
    if (blocks_[i].has_upsample && !next_is_tiled) x = blocks_[i].upsample(x);
  }
  GRYM_RETURN_IF_ERROR(step());
  NormActivateInPlace(norm_out_, Activation::kSilu, x);
  return out_(x);
}

at::Tensor LatentDistribution::Sample(at::Generator& generator) const {
  const at::Tensor noise = at::randn(mean.sizes(), generator, at::TensorOptions().dtype(at::kFloat)).to(mean.device());
  return mean + at::exp(log_variance * 0.5).mul_(noise);
}

absl::StatusOr<std::shared_ptr<const VaeEncoder>> VaeEncoder::Load(const TensorSet& set, const VaeConfig& config,
                                                                   const WeightOptions& options) {
  std::shared_ptr<VaeEncoder> encoder(new VaeEncoder);
  encoder->config_ = config;
  WeightReader weights(set, "vae", options);
  encoder->compute_ = weights.compute_type();
  encoder->device_ = options.device;
  encoder->Read(weights);
  GRYM_RETURN_IF_ERROR(weights.status());
  return std::shared_ptr<const VaeEncoder>(std::move(encoder));
}

void VaeEncoder::Read(WeightReader& weights) {
  const std::vector<int64_t>& channels = config_.block_out_channels;
  const int64_t latent = config_.latent_channels, groups = config_.norm_num_groups;
  // First what is largest: the copy that laying it out takes is gone again before the weights are complete.
  middle_ = ReadMidBlock(weights, "encoder.mid_block", config_);
  in_ = ReadFusedConv(weights, "encoder.conv_in", config_.in_channels, channels.front(), 3, 1, 1);
  int64_t in = channels.front();
  for (size_t i = 0; i < channels.size(); ++i) {
    const std::string layer = Numbered("encoder.down_blocks", static_cast<int64_t>(i));
    Block block;
    for (int64_t j = 0; j < config_.layers_per_block; ++j) {
      block.resnets.push_back(
          ReadVaeResnet(weights, Numbered(layer + ".resnets", j), in, channels[i], groups, config_.act_fn));
      in = channels[i];
    }
    block.has_downsample = i + 1 < channels.size();
    if (block.has_downsample) {
      block.downsample.conv =
          ReadFusedConv(weights, layer + ".downsamplers.0.conv", in, in, 3, 0, 2);
    }
    blocks_.push_back(std::move(block));
  }
  norm_out_ = ReadGroupNorm(weights, "encoder.conv_norm_out", channels.back(), groups, 1e-6);
  out_ = ReadFusedConv(weights, "encoder.conv_out", channels.back(), 2 * latent, 3, 1, 1);
  if (config_.use_quant_conv) {
    quant_ = ReadFusedConv(weights, "quant_conv", 2 * latent, 2 * latent, 1, 0, 1);
  }
}

absl::StatusOr<LatentDistribution> VaeEncoder::Encode(const at::Tensor& mel, const RunOptions& run) const {
  const int64_t stride = config_.stride();
  if (mel.dim() != 4 || mel.size(1) != config_.in_channels || mel.numel() == 0 || mel.size(2) % stride != 0 ||
      mel.size(3) % stride != 0) {
    return Error(absl::StatusCode::kInvalidArgument, "bad_mel",
                 Formatted("vae: want a mel of shape [batch, %d, frames, bands], both multiples of %d, got %s",
                           config_.in_channels, stride,
                           ShapeText({mel.sizes().begin(), mel.sizes().end()}).c_str()));
  }
  std::vector<at::Tensor> moments;
  const auto batch = static_cast<double>(mel.size(0));
  for (int64_t item = 0; item < mel.size(0); ++item) {
    const double from = static_cast<double>(item) / batch;
    GRYM_ASSIGN_OR_RETURN(at::Tensor one, EncodeOne(OneOf(mel, item, compute_, device_),
                                                    PartOf(run, from, from + 1.0 / batch)));
    moments.push_back(one.to(at::kFloat).contiguous());
  }
  const at::Tensor all = at::cat(moments);
  const int64_t latent = config_.latent_channels;
  return LatentDistribution{all.narrow(1, 0, latent).contiguous(),
                            at::clamp(all.narrow(1, latent, latent), -30.0, 20.0).contiguous()};
}

absl::StatusOr<at::Tensor> VaeEncoder::EncodeOne(at::Tensor x, const RunOptions& run) const {
  ProgressReporter progress(run);
  double done = 0;
  x = in_(x);
  for (const Block& block : blocks_) {
    for (const VaeResnet& resnet : block.resnets) {
      progress.Report(done++ / static_cast<double>(blocks_.size() * block.resnets.size() + 1), "vae encode");
      GRYM_RETURN_IF_ERROR(progress.Check());
      x = resnet(std::move(x));
    }
    if (block.has_downsample) x = block.downsample(x);
  }
  GRYM_RETURN_IF_ERROR(progress.Check());
  x = middle_(std::move(x));
  NormActivateInPlace(norm_out_, Activation::kSilu, x);
  x = out_(x);
  return config_.use_quant_conv ? quant_(x) : x;
}

}  // namespace grym
