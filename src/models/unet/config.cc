#include "models/unet/config.h"

#include <algorithm>
#include <initializer_list>
#include <optional>

#include "base/format.h"
#include "base/status.h"
#include "checkpoint/config_reader.h"

namespace grym {
namespace {

constexpr size_t kMostLevels = 16;
constexpr int64_t kMostChannels = 65536;

// What diffusers would compute otherwise for any other value. The first that differs is told.
absl::Status CheckBuilt(const Json& json, const std::string& where) {
  struct Fixed {
    const char* field;
    std::vector<Json> values;  // that are built; an absent field is always among them
  };
  const std::vector<Fixed> fixed = {
      {"act_fn", {"silu", "swish"}},
      {"addition_embed_type", {nullptr}},
      {"attention_type", {"default"}},
      {"center_input_sample", {false}},
      {"cross_attention_norm", {nullptr}},
      {"downsample_padding", {1}},
      {"dual_cross_attention", {false}},
      {"encoder_hid_dim", {nullptr}},
      {"encoder_hid_dim_type", {nullptr}},
      {"mid_block_only_cross_attention", {nullptr, false}},
      {"mid_block_scale_factor", {1, nullptr}},
      {"num_class_embeds", {nullptr}},
      {"resnet_out_scale_factor", {1}},
      {"resnet_skip_time_act", {false}},
      {"resnet_time_scale_shift", {"default"}},
      {"time_cond_proj_dim", {nullptr}},
      {"time_embedding_act_fn", {nullptr}},
      {"time_embedding_type", {"positional"}},
      {"timestep_post_act", {nullptr}},
      {"class_embed_type", {nullptr, "simple_projection"}},
      {"mid_block_type", {nullptr, "UNetMidBlock2DCrossAttn", "UNetMidBlock2D"}},
      {"only_cross_attention", {false}},
      {"upcast_attention", {false}},
  };
  for (const Fixed& rule : fixed) {
    const Json* field = json.find(rule.field);
    if (!field || std::find(rule.values.begin(), rule.values.end(), *field) != rule.values.end()) continue;
    if (std::string(rule.field) == "only_cross_attention" && field->is_array() &&
        std::all_of(field->items().begin(), field->items().end(), [](const Json& one) { return one == Json(false); })) {
      continue;
    }
    return Error(absl::StatusCode::kUnimplemented, "unsupported_config",
                 Formatted("%s: %s: want %s, got %s", where.c_str(), rule.field, rule.values.back().Dump().c_str(),
                           Printable(field->Dump(), 64).c_str()));
  }
  return absl::OkStatus();
}

std::vector<bool> AttentionOf(const std::vector<std::string>& types) {
  std::vector<bool> attention;
  for (const std::string& type : types) attention.push_back(type.rfind("CrossAttn", 0) == 0);
  return attention;
}

// A field that is absent, one number, or a list of `count`.
void ReadPerLevel(ConfigReader& reader, const char* name, size_t count, int64_t maximum, std::vector<int64_t>* value) {
  IntRule rule;
  rule.minimum = 1;
  rule.maximum = maximum;
  reader.IntOrList(name, value, count, rule);
}

void ReadBlocks(ConfigReader& reader, UnetConfig& config) {
  IntListRule sizes;
  sizes.minimum = 1;
  sizes.maximum = kMostChannels;
  sizes.shortest = 1;
  sizes.longest = kMostLevels;
  reader.IntList("block_out_channels", &config.channels, sizes);
  const size_t levels = config.levels();
  std::vector<std::string> down = {"CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D",
                                   "DownBlock2D"};
  std::vector<std::string> up = {"UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"};
  TextListRule types;
  types.shortest = 1;
  types.longest = kMostLevels;
  types.choices = {"DownBlock2D", "CrossAttnDownBlock2D"};
  reader.TextList("down_block_types", &down, types);
  types.choices = {"UpBlock2D", "CrossAttnUpBlock2D"};
  reader.TextList("up_block_types", &up, types);
  for (const auto& [name, types_read] : {std::pair("down_block_types", &down), std::pair("up_block_types", &up)}) {
    if (types_read->size() != levels) {
      reader.Contradiction(name, Formatted("want %d as block_out_channels has, got %d", levels, types_read->size()));
      types_read->resize(levels);
    }
  }
  config.down_attention = AttentionOf(down);
  config.up_attention = AttentionOf(up);
  std::reverse(config.up_attention.begin(), config.up_attention.end());

  config.layers.assign(levels, 2);
  ReadPerLevel(reader, "layers_per_block", levels, 64, &config.layers);
  // The name says size of a head and the number always was that of heads; a config that has both means it as it says.
  // Source: diffusers issue 2011, and the constructor of UNet2DConditionModel.
  config.heads.assign(levels, 8);
  if (reader.Has("num_attention_heads")) {
    reader.Ignore({"attention_head_dim"});
    ReadPerLevel(reader, "num_attention_heads", levels, 1024, &config.heads);
  } else {
    reader.Ignore({"num_attention_heads"});
    ReadPerLevel(reader, "attention_head_dim", levels, 1024, &config.heads);
  }
  config.transformer_layers.assign(levels, 1);
  ReadPerLevel(reader, "transformer_layers_per_block", levels, 64, &config.transformer_layers);
  config.up_transformer_layers = config.transformer_layers;
  if (reader.Has("reverse_transformer_layers_per_block")) {
    ReadPerLevel(reader, "reverse_transformer_layers_per_block", levels, 64, &config.up_transformer_layers);
    std::reverse(config.up_transformer_layers.begin(), config.up_transformer_layers.end());
  } else {
    reader.Ignore({"reverse_transformer_layers_per_block"});
  }
}

void ReadConditioning(ConfigReader& reader, UnetConfig& config) {
  IntRule size;
  size.minimum = 1;
  size.maximum = kMostChannels;
  config.time_dim = config.channels[0] * 4;
  reader.Int("time_embedding_dim", &config.time_dim, size);
  std::string type;
  reader.Text("class_embed_type", &type);
  reader.Bool("class_embeddings_concat", &config.class_concat);
  if (type.empty()) {
    reader.Ignore({"projection_class_embeddings_input_dim"});
    if (config.class_concat)
      reader.Contradiction("class_embeddings_concat", "want a class_embed_type beside it, got none");
    return;
  }
  size.required = true;
  reader.Int("projection_class_embeddings_input_dim", &config.class_dim, size);
}

// With no prompt by cross attention the second attention of a block attends to the block's own positions, which
// are as wide as the block.
void CheckAttention(ConfigReader& reader, const UnetConfig& config, const std::vector<int64_t>& context) {
  for (size_t level = 0; level < config.levels(); ++level) {
    const bool middle = level + 1 == config.levels() && config.middle == UnetConfig::Middle::kAttention;
    if (!config.down_attention[level] && !config.up_attention[level] && !middle) continue;
    if (config.channels[level] % config.heads[level] != 0) {
      reader.Contradiction("attention_head_dim",
                           Formatted("want a divisor of block_out_channels[%d] %d, got %d heads", level,
                                     config.channels[level], config.heads[level]));
    }
    if (context[level] != config.channels[level]) {
      reader.Contradiction("cross_attention_dim",
                           Formatted("want %d as block_out_channels[%d], since no prompt is taken there, got %d",
                                     config.channels[level], level, context[level]));
    }
  }
}

}  // namespace

absl::StatusOr<UnetConfig> ReadUnetConfig(const Json& json, const std::string& where) {
  GRYM_RETURN_IF_ERROR(CheckBuilt(json, where));
  UnetConfig config;
  ConfigReader reader(json, where);
  IntRule size;
  size.minimum = 1;
  size.maximum = kMostChannels;
  reader.Int("in_channels", &config.in_channels, size);
  reader.Int("out_channels", &config.out_channels, size);
  if (json.at("sample_size").is_array()) {
    std::vector<int64_t> sides;
    reader.IntList("sample_size", &sides, {1, kMostChannels, 2, 2});
    if (!sides.empty()) config.sample_size = sides[0];
  } else {
    reader.Int("sample_size", &config.sample_size, size);
  }
  ReadBlocks(reader, config);
  std::string middle = json.contains("mid_block_type") ? "" : "UNetMidBlock2DCrossAttn";
  reader.Text("mid_block_type", &middle);
  config.middle = middle.empty()               ? UnetConfig::Middle::kNone
                  : middle == "UNetMidBlock2D" ? UnetConfig::Middle::kResnet
                                               : UnetConfig::Middle::kAttention;
  reader.Int("norm_num_groups", &config.norm_groups, size);
  reader.Number("norm_eps", &config.norm_epsilon, {1e-12, 1});
  for (const auto& [name, kernel] : {std::pair("conv_in_kernel", &config.conv_in_kernel),
                                     std::pair("conv_out_kernel", &config.conv_out_kernel)}) {
    reader.Int(name, kernel, {1, 15});
    if (*kernel % 2 == 0) reader.Contradiction(name, Formatted("want an odd number, got %d", *kernel));
  }
  reader.Bool("flip_sin_to_cos", &config.flip_sin_to_cos);
  reader.Int("freq_shift", &config.freq_shift, {0, 1});
  reader.Bool("use_linear_projection", &config.linear_projection);
  ReadConditioning(reader, config);
  std::vector<int64_t> context(config.levels(), 1280);
  ReadPerLevel(reader, "cross_attention_dim", config.levels(), kMostChannels, &context);
  for (size_t level = 0; level < config.levels(); ++level) {
    if (config.channels[level] % config.norm_groups != 0) {
      reader.Contradiction("norm_num_groups", Formatted("want a divisor of block_out_channels[%d] %d, got %d", level,
                                                        config.channels[level], config.norm_groups));
    }
  }
  CheckAttention(reader, config, context);
  reader.Ignore({"_class_name", "_diffusers_version", "_name_or_path", "dropout", "act_fn", "addition_embed_type",
                 "addition_embed_type_num_heads", "addition_time_embed_dim", "attention_type", "center_input_sample",
                 "cross_attention_norm", "downsample_padding", "dual_cross_attention", "encoder_hid_dim",
                 "encoder_hid_dim_type", "mid_block_only_cross_attention", "mid_block_scale_factor", "num_class_embeds",
                 "only_cross_attention", "resnet_out_scale_factor", "resnet_skip_time_act", "resnet_time_scale_shift",
                 "time_cond_proj_dim", "time_embedding_act_fn", "time_embedding_type", "timestep_post_act",
                 "upcast_attention"});
  config.ignored_fields = reader.UnknownFields();
  config.resolved = reader.Resolved();
  GRYM_RETURN_IF_ERROR(reader.Finish());
  return config;
}

}  // namespace grym
