// What a variational autoencoder's config says: diffusers' AutoencoderKL as AudioLDM uses it.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/json.h"
#include "nn/activation.h"

namespace grym {

// Defaults are those of diffusers 0.42.1, autoencoder_kl.py.
struct VaeConfig {
  int64_t in_channels = 3, out_channels = 3, latent_channels = 4;
  std::vector<int64_t> block_out_channels = {64};
  int64_t layers_per_block = 1;
  int64_t norm_num_groups = 32;
  Activation act_fn = Activation::kSilu;
  double scaling_factor = 0.18215;  // latents of the diffusion = scaling_factor * latents of the encoder
  bool mid_block_add_attention = true;
  bool use_quant_conv = true, use_post_quant_conv = true;
  std::vector<std::string> unknown_fields;
  Json resolved;  // every field in use, given or default

  // A latent frame stands for so many mel frames, and a latent row for so many mel bands.
  int64_t stride() const { return int64_t{1} << (block_out_channels.size() - 1); }

  // InvalidArgument (code "bad_config") with every field that is wrong; `where` starts the message: "vae/config.json".
  static absl::StatusOr<VaeConfig> Parse(const Json& json, const std::string& where);
};

}  // namespace grym
