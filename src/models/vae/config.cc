#include "models/vae/config.h"

#include "base/format.h"
#include "base/status.h"
#include "checkpoint/config_reader.h"

namespace grym {
namespace {

// Blocks of one kind alone: those with attention inside are of other families than AudioLDM's.
void CheckBlockTypes(ConfigReader& reader, const char* field, const char* type, size_t blocks) {
  std::vector<std::string> types = {type};
  const size_t before = reader.problem_count();
  reader.TextList(field, &types, {.choices = {type}, .shortest = 1, .longest = 8});
  if (reader.problem_count() == before && types.size() != blocks) {
    reader.Contradiction(field, Formatted("want as many blocks as block_out_channels has, %d, got %d", blocks,
                                          types.size()));
  }
}

}  // namespace

absl::StatusOr<VaeConfig> VaeConfig::Parse(const Json& json, const std::string& where) {
  ConfigReader reader(json, where);
  VaeConfig config;
  reader.Int("in_channels", &config.in_channels, {.minimum = 1, .maximum = 1024});
  reader.Int("out_channels", &config.out_channels, {.minimum = 1, .maximum = 1024});
  reader.Int("latent_channels", &config.latent_channels, {.minimum = 1, .maximum = 1024});
  reader.IntList("block_out_channels", &config.block_out_channels,
                 {.minimum = 1, .maximum = 8192, .shortest = 1, .longest = 8});
  reader.Int("layers_per_block", &config.layers_per_block, {.minimum = 1, .maximum = 32});
  reader.Int("norm_num_groups", &config.norm_num_groups, {.minimum = 1, .maximum = 8192});
  reader.Number("scaling_factor", &config.scaling_factor, {.minimum = 1e-6, .maximum = 1e6});
  reader.Bool("mid_block_add_attention", &config.mid_block_add_attention);
  reader.Bool("use_quant_conv", &config.use_quant_conv);
  reader.Bool("use_post_quant_conv", &config.use_post_quant_conv);
  std::string activation = "silu";
  reader.Text("act_fn", &activation, {.choices = {"silu", "swish", "gelu", "relu"}});
  config.act_fn = ActivationOf(activation);
  CheckBlockTypes(reader, "down_block_types", "DownEncoderBlock2D", config.block_out_channels.size());
  CheckBlockTypes(reader, "up_block_types", "UpDecoderBlock2D", config.block_out_channels.size());
  for (const int64_t channels : config.block_out_channels) {
    if (channels % config.norm_num_groups == 0) continue;
    reader.Contradiction("block_out_channels", Formatted("want multiples of norm_num_groups, %d, got %d",
                                                         config.norm_num_groups, channels));
    break;
  }
  // What the pipeline of AudioLDM does not read: it scales latents by scaling_factor alone.
  reader.Ignore({"_class_name", "_diffusers_version", "_name_or_path", "sample_size", "shift_factor", "latents_mean",
                 "latents_std", "force_upcast"});
  GRYM_RETURN_IF_ERROR(reader.Finish());
  config.unknown_fields = reader.UnknownFields();
  config.resolved = reader.Resolved();
  return config;
}

}  // namespace grym
