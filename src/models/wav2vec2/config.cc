#include "models/wav2vec2/config.h"

#include <algorithm>

#include "base/format.h"
#include "base/status.h"
#include "checkpoint/config_reader.h"

namespace grym {
namespace {

constexpr int64_t kWidest = 65'536;
constexpr int64_t kMostConvs = 16;

std::vector<std::string> ActivationChoices() {
  return std::vector<std::string>(std::begin(kActivationNames), std::end(kActivationNames));
}

void IgnoreTrainingFields(ConfigReader& reader) {
  reader.Ignore({"model_type", "architectures", "transformers_version", "dtype", "torch_dtype", "_name_or_path",
                 "activation_dropout", "attention_dropout", "feat_proj_dropout", "feat_quantizer_dropout",
                 "final_dropout", "hidden_dropout", "hidden_dropout_prob", "layerdrop", "initializer_range",
                 "apply_spec_augment", "mask_time_prob", "mask_time_length", "mask_time_min_masks",
                 "mask_feature_prob", "mask_feature_length", "mask_feature_min_masks", "mask_channel_length",
                 "mask_channel_min_space", "mask_channel_other", "mask_channel_prob", "mask_channel_selection",
                 "mask_time_min_space", "mask_time_other", "mask_time_selection", "gradient_checkpointing",
                 "num_codevectors_per_group", "num_codevector_groups", "contrastive_logits_temperature",
                 "num_negatives", "codevector_dim", "proj_codevector_dim", "diversity_loss_weight",
                 "ctc_loss_reduction", "ctc_zero_infinity", "classifier_proj_size", "tdnn_dim", "tdnn_kernel",
                 "tdnn_dilation", "xvector_output_dim", "bos_token_id", "eos_token_id",
                 "use_weighted_layer_sum", "adapter_kernel_size", "adapter_stride", "num_adapter_layers"});
}

void ReadConvolutions(ConfigReader& reader, Wav2Vec2Config& config) {
  const auto list = [](int64_t most) {
    return IntListRule{.minimum = 1, .maximum = most, .shortest = 1, .longest = kMostConvs};
  };
  std::string norm = "group", activation = "gelu";
  const size_t before = reader.problem_count();
  reader.IntList("conv_dim", &config.conv_dim, list(kWidest));
  reader.IntList("conv_kernel", &config.conv_kernel, list(4096));
  reader.IntList("conv_stride", &config.conv_stride, list(4096));
  reader.Bool("conv_bias", &config.conv_bias);
  reader.Text("feat_extract_norm", &norm, {.choices = {"group", "layer"}});
  reader.Text("feat_extract_activation", &activation, {.choices = ActivationChoices()});
  int64_t count = static_cast<int64_t>(config.conv_dim.size());
  reader.Int("num_feat_extract_layers", &count, {.minimum = 1, .maximum = kMostConvs});
  if (reader.problem_count() > before) return;
  config.norm_every_conv = norm == "layer";
  config.conv_activation = ActivationOf(activation);
  const auto same = [&](const char* name, size_t got) {
    if (got == config.conv_dim.size()) return;
    reader.Contradiction(name, Formatted("want %d entries as in conv_dim, got %d", config.conv_dim.size(), got));
  };
  same("conv_kernel", config.conv_kernel.size());
  same("conv_stride", config.conv_stride.size());
  same("num_feat_extract_layers", static_cast<size_t>(count));
  // An hour of samples in one frame is no model, and the products below stay far inside 64 bits.
  int64_t hop = 1;
  for (const int64_t stride : config.conv_stride) {
    hop = std::min<int64_t>(hop * stride, int64_t{1} << 40);
  }
  if (hop > (1 << 20)) reader.Contradiction("conv_stride", Formatted("want a product up to %d, got more", 1 << 20));
}

void ReadEncoder(ConfigReader& reader, Wav2Vec2Config& config) {
  std::string activation = "gelu";
  const size_t before = reader.problem_count();
  reader.Int("hidden_size", &config.hidden, {.minimum = 1, .maximum = kWidest});
  reader.Int("num_hidden_layers", &config.layers, {.minimum = 1, .maximum = 1024});
  reader.Int("num_attention_heads", &config.heads, {.minimum = 1, .maximum = 1024});
  reader.Int("intermediate_size", &config.intermediate, {.minimum = 1, .maximum = 4 * kWidest});
  reader.Text("hidden_act", &activation, {.choices = ActivationChoices()});
  reader.Number("layer_norm_eps", &config.norm_epsilon, {.minimum = 0, .maximum = 1});
  reader.Bool("do_stable_layer_norm", &config.norm_first);
  reader.Int("num_conv_pos_embeddings", &config.position_kernel, {.minimum = 1, .maximum = 4096});
  reader.Int("num_conv_pos_embedding_groups", &config.position_groups, {.minimum = 1, .maximum = kWidest});
  reader.Int("vocab_size", &config.vocabulary, {.minimum = 1, .maximum = 1 << 24});
  reader.Int("pad_token_id", &config.blank, {.minimum = 0, .maximum = 1 << 24});
  bool adapter = false;
  reader.Bool("add_adapter", &adapter);
  std::optional<int64_t> adapter_width, output_width;
  reader.OptionalInt("adapter_attn_dim", &adapter_width);
  reader.OptionalInt("output_hidden_size", &output_width);
  if (reader.problem_count() > before) return;
  config.activation = ActivationOf(activation);
  if (adapter) reader.Contradiction("add_adapter", "want false: adapters are not supported, got true");
  if (adapter_width && config.norm_first) {
    reader.Contradiction("adapter_attn_dim",
                         Formatted("want null: adapters are not supported, got %d", *adapter_width));
  }
  if (output_width && *output_width != config.hidden) {
    reader.Contradiction("output_hidden_size",
                         Formatted("want hidden_size %d without an adapter, got %d", config.hidden, *output_width));
  }
  const auto divides = [&](const char* name, int64_t parts) {
    if (config.hidden % parts == 0) return;
    reader.Contradiction("hidden_size", Formatted("want a multiple of %s %d, got %d", name, parts, config.hidden));
  };
  divides("num_attention_heads", config.heads);
  divides("num_conv_pos_embedding_groups", config.position_groups);
}

}  // namespace

int64_t Wav2Vec2Config::RowsOf(int64_t samples, size_t convs) const {
  for (size_t i = 0; i < convs; ++i) {
    if (samples < conv_kernel[i]) return 0;
    samples = (samples - conv_kernel[i]) / conv_stride[i] + 1;
  }
  return samples;
}

int64_t Wav2Vec2Config::SamplesOf(int64_t frames) const {
  for (size_t i = conv_dim.size(); i-- > 0;) frames = (frames - 1) * conv_stride[i] + conv_kernel[i];
  return frames;
}

int64_t Wav2Vec2Config::SamplesPerFrame() const {
  int64_t hop = 1;
  for (const int64_t stride : conv_stride) hop *= stride;
  return hop;
}

absl::StatusOr<Wav2Vec2Config> ReadWav2Vec2Config(const Json& json, const std::string& where) {
  Wav2Vec2Config config;
  ConfigReader reader(json, where);
  IgnoreTrainingFields(reader);
  ReadConvolutions(reader, config);
  ReadEncoder(reader, config);
  GRYM_RETURN_IF_ERROR(reader.Finish());
  for (const Json& name : json.at("architectures").items()) {
    config.ctc_head = config.ctc_head || name.text() == "Wav2Vec2ForCTC";
  }
  config.unknown_fields = reader.UnknownFields();
  config.resolved = reader.Resolved();
  return config;
}

absl::Status ReadWav2Vec2Preprocessor(const Json& json, const std::string& where, Wav2Vec2Config& config) {
  ConfigReader reader(json, where);
  reader.Int("sampling_rate", &config.rate_hz, {.minimum = 1000, .maximum = 768'000});
  reader.Bool("do_normalize", &config.normalise);
  int64_t width = 1;
  reader.Int("feature_size", &width, {.minimum = 1, .maximum = 1});
  return reader.Finish();
}

}  // namespace grym
