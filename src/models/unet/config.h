// What unet/config.json says: the sizes of a denoising network that is conditioned by one vector for the whole clip.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/json.h"

namespace grym {

// The fields of diffusers' UNet2DConditionModel (0.42) that change what is computed, with its defaults.
struct UnetConfig {
  enum class Middle { kNone, kResnet, kAttention };

  int64_t in_channels = 4, out_channels = 4;
  int64_t sample_size = 0;  // of the latents along time; 0: not told
  // One entry for each block, from the finest level down. The blocks up lie the other way round.
  std::vector<int64_t> channels = {320, 640, 1280, 1280};
  std::vector<int64_t> layers;                      // residual layers down; one more up
  std::vector<int64_t> heads;                       // of the attention of that level
  std::vector<int64_t> transformer_layers;          // of each attention down
  std::vector<int64_t> up_transformer_layers;       // of each attention up, also from the finest level
  std::vector<bool> down_attention, up_attention;   // both from the finest level
  Middle middle = Middle::kAttention;
  int64_t norm_groups = 32;
  double norm_epsilon = 1e-5;
  int64_t conv_in_kernel = 3, conv_out_kernel = 3;
  bool flip_sin_to_cos = true;
  int64_t freq_shift = 0;
  int64_t time_dim = 0;         // of the embedded time
  int64_t class_dim = 0;        // of the vector that conditions; 0: there is none
  bool class_concat = false;    // beside the embedded time; else added to it
  bool linear_projection = false;
  std::vector<std::string> ignored_fields;
  Json resolved;  // every field in use, given or default

  size_t levels() const { return channels.size(); }
  int64_t embedding_dim() const { return class_concat ? 2 * time_dim : time_dim; }
};

// `where` starts every message: "unet/config.json". InvalidArgument (code "bad_config") with all that is wrong;
// Unimplemented ("unsupported_config") for a field whose value asks for what is not built, with field and value:
// prompts by cross attention, since no checkpoint of ours takes one, and the variants of other families.
absl::StatusOr<UnetConfig> ReadUnetConfig(const Json& json, const std::string& where);

}  // namespace grym
