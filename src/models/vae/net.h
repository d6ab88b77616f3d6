// The variational autoencoder between mel spectrograms and latents: diffusers' AutoencoderKL, as AudioLDM uses it.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "checkpoint/tensor_set.h"
#include "grymsynth/job.h"
#include "models/vae/config.h"
#include "models/vae/layers.h"
#include "runtime/tensor.h"
#include "runtime/weights.h"

namespace grym {

struct VaeMidBlock {
  VaeResnet first, second;
  VaeAttention attention;
  bool has_attention = true;
  at::Tensor operator()(at::Tensor x) const;
};

// Immutable and shared by sessions. LibTorch's exceptions go through: call under a TorchGuard and a BudgetScope.
class VaeDecoder {
 public:
  // `set` holds the whole autoencoder; only the decoder's half is read. DataLoss (code "bad_weights").
  static absl::StatusOr<std::shared_ptr<const VaeDecoder>> Load(const TensorSet& set, const VaeConfig& config,
                                                                const WeightOptions& options);
  // Latents [batch, latent_channels, frames, bands], not scaled (divide those of the diffusion by scaling_factor
  // first), -> [batch, out_channels, frames * stride, bands * stride] in float32. One after another, so that a batch
  // takes the memory of one. `tile_frames` > 0: the last block, where the memory goes, is computed in tiles of so many
  // frames of the output; that changes nothing but rounding and costs a few per cent of time (README.md).
  // Cancelled between layers. InvalidArgument (code "bad_latents") for another shape.
  absl::StatusOr<at::Tensor> Decode(const at::Tensor& latents, int64_t tile_frames = 0,
                                    const RunOptions& run = {}) const;
  const VaeConfig& config() const { return config_; }

 private:
  struct Block {
    std::vector<VaeResnet> resnets;
    VaeUpsample upsample;  // after them; not in the last
    bool has_upsample = false;
  };
  VaeDecoder() = default;
  void Read(WeightReader& weights);
  absl::StatusOr<at::Tensor> DecodeOne(at::Tensor x, int64_t tile_frames, const RunOptions& run) const;
  VaeConfig config_;
  c10::ScalarType compute_ = c10::ScalarType::Float;
  c10::Device device_ = c10::Device(c10::DeviceType::CPU);
  FusedConv post_quant_, in_, out_;
  VaeMidBlock middle_;
  std::vector<Block> blocks_;
  GroupNorm norm_out_;
};

// A diagonal normal distribution of latents, float32 [batch, latent_channels, frames / stride, bands / stride].
struct LatentDistribution {
  at::Tensor mean, log_variance;  // the latter in [-30, 20]
  // mean + exp(log_variance / 2) * noise; the noise is the generator's, in the order of memory, as diffusers draws it.
  at::Tensor Sample(at::Generator& generator) const;
};

class VaeEncoder {
 public:
  static absl::StatusOr<std::shared_ptr<const VaeEncoder>> Load(const TensorSet& set, const VaeConfig& config,
                                                                const WeightOptions& options);
  // Mel [batch, in_channels, frames, bands]; frames and bands are multiples of the stride, else InvalidArgument (code
  // "bad_mel"). Multiply samples by scaling_factor for the diffusion.
  absl::StatusOr<LatentDistribution> Encode(const at::Tensor& mel, const RunOptions& run = {}) const;
  const VaeConfig& config() const { return config_; }

 private:
  struct Block {
    std::vector<VaeResnet> resnets;
    VaeDownsample downsample;  // after them; not in the last
    bool has_downsample = false;
  };
  VaeEncoder() = default;
  void Read(WeightReader& weights);
  absl::StatusOr<at::Tensor> EncodeOne(at::Tensor x, const RunOptions& run) const;
  VaeConfig config_;
  c10::ScalarType compute_ = c10::ScalarType::Float;
  c10::Device device_ = c10::Device(c10::DeviceType::CPU);
  FusedConv quant_, in_, out_;
  VaeMidBlock middle_;
  std::vector<Block> blocks_;
  GroupNorm norm_out_;
};

}  // namespace grym
