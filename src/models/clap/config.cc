#include "models/clap/config.h"

#include <algorithm>

#include "base/format.h"
#include "base/status.h"
#include "checkpoint/config_reader.h"
#include "nn/activation.h"

namespace grym {
namespace {

const TextRule& ActivationRule() {
  static const TextRule* const rule = new TextRule{{std::begin(kActivationNames), std::end(kActivationNames)}};
  return *rule;
}

constexpr int64_t kMostDim = 65536;
const NumberRule kEpsilonRule = {0, 0.1};

void Clash(ConfigReader& fields, const char* name, const std::string& wanted, int64_t got) {
  fields.Contradiction(name, Formatted("want %s, got %d", wanted.c_str(), got));
}

void ReadTextFields(ConfigReader& fields, ClapTextConfig& text) {
  fields.Int("vocab_size", &text.vocab_size, {1, 1 << 24});
  fields.Int("hidden_size", &text.hidden_size, {1, kMostDim});
  fields.Int("num_hidden_layers", &text.layers, {1, 256});
  fields.Int("num_attention_heads", &text.heads, {1, 1024});
  fields.Int("intermediate_size", &text.intermediate_size, {1, 1 << 20});
  fields.Int("max_position_embeddings", &text.max_position_embeddings, {3, 1 << 20});
  fields.Int("type_vocab_size", &text.type_vocab_size, {1, 1024});
  fields.Int("pad_token_id", &text.pad_token_id, {0, 1 << 24});
  fields.Int("projection_dim", &text.projection_dim, {1, kMostDim});
  fields.Number("layer_norm_eps", &text.layer_norm_eps, kEpsilonRule);
  fields.Text("hidden_act", &text.hidden_act, ActivationRule());
  fields.Text("projection_hidden_act", &text.projection_act, ActivationRule());
  fields.Ignore({"model_type", "architectures", "transformers_version", "torch_dtype", "dtype", "bos_token_id",
                "eos_token_id", "hidden_dropout_prob", "attention_probs_dropout_prob", "initializer_factor",
                "initializer_range", "classifier_dropout", "use_cache", "position_embedding_type"});
  if (fields.problem_count() > 0) return;
  if (text.hidden_size % text.heads != 0) {
    Clash(fields, "hidden_size", Formatted("a multiple of num_attention_heads (%d)", text.heads),
                         text.hidden_size);
  }
  if (text.most_tokens() < 2) {
    Clash(fields, "max_position_embeddings", Formatted("more than pad_token_id + 2 (%d)", text.pad_token_id + 2),
                         text.max_position_embeddings);
  }
}

void CheckAudioGrid(ConfigReader& fields, const ClapAudioConfig& audio) {
  if (audio.heads.size() != audio.depths.size()) {
    return Clash(fields, "num_attention_heads", Formatted("as many as depths (%d)", audio.depths.size()),
                                static_cast<int64_t>(audio.heads.size()));
  }
  const int last = audio.stages() - 1;
  if (audio.spec_size % audio.mel_bins != 0) {
    return Clash(fields, "spec_size", Formatted("a multiple of num_mel_bins (%d)", audio.mel_bins),
                                audio.spec_size);
  }
  const int64_t step_height = audio.stride_height << last, step_width = audio.stride_width << last;
  if (audio.spec_size % step_height != 0 || audio.spec_size % step_width != 0) {
    return Clash(fields, "spec_size", "a multiple of patch_stride at every stage", audio.spec_size);
  }
  if (audio.patch_height < audio.stride_height || audio.patch_width < audio.stride_width ||
      (audio.patch_height - audio.stride_height) % 2 != 0 || (audio.patch_width - audio.stride_width) % 2 != 0) {
    return Clash(fields, "patch_size", "patch_stride, or more by an even number", audio.patch_height);
  }
  if (std::min(audio.grid_height(last), audio.grid_width(last)) < audio.window_size) {
    return Clash(fields, "window_size", "at most the smallest grid, that of the last stage", audio.window_size);
  }
  if (audio.grid_height(last) % audio.freq_ratio() != 0) {
    return Clash(fields, "spec_size", "a last grid that is a multiple of spec_size / num_mel_bins",
                                audio.spec_size);
  }
  if (audio.hidden_size != audio.dim(last)) {
    return Clash(fields, "hidden_size", Formatted("patch_embeds_hidden_size doubled by every further stage (%d)",
                                                         audio.dim(last)), audio.hidden_size);
  }
  for (int i = 0; i <= last; ++i) {
    const int64_t heads = audio.heads[static_cast<size_t>(i)];
    if (audio.dim(i) % heads != 0) {
      return Clash(fields, "num_attention_heads", Formatted("divisors of each stage's width (%d)", audio.dim(i)),
                                  heads);
    }
  }
  if (audio.enable_fusion && audio.embed_dim / audio.aff_ratio < 1) {
    Clash(fields, "aff_block_r", Formatted("at most patch_embeds_hidden_size (%d)", audio.embed_dim),
                         audio.aff_ratio);
  }
}

void ReadAudioFields(ConfigReader& fields, ClapAudioConfig& audio) {
  fields.Int("window_size", &audio.window_size, {1, 64});
  fields.Int("num_mel_bins", &audio.mel_bins, {1, 4096});
  fields.Int("spec_size", &audio.spec_size, {1, 4096});
  std::vector<int64_t> patch = {audio.patch_height, audio.patch_width};
  std::vector<int64_t> stride = {audio.stride_height, audio.stride_width};
  fields.IntOrList("patch_size", &patch, 2, {1, 64});
  fields.IntOrList("patch_stride", &stride, 2, {1, 64});
  audio.patch_height = patch[0];
  audio.patch_width = patch[1];
  audio.stride_height = stride[0];
  audio.stride_width = stride[1];
  fields.Int("patch_embeds_hidden_size", &audio.embed_dim, {1, 8192});
  fields.Int("hidden_size", &audio.hidden_size, {1, kMostDim});
  fields.Int("projection_dim", &audio.projection_dim, {1, kMostDim});
  fields.IntList("depths", &audio.depths, {1, 256, 1, 8});
  fields.IntList("num_attention_heads", &audio.heads, {1, 1024, 1, 8});
  fields.Bool("enable_fusion", &audio.enable_fusion);
  fields.Bool("enable_patch_layer_norm", &audio.patch_norm);
  fields.Bool("qkv_bias", &audio.qkv_bias);
  fields.Int("aff_block_r", &audio.aff_ratio, {1, 8192});
  fields.Number("mlp_ratio", &audio.mlp_ratio, {0.01, 64});
  fields.Number("layer_norm_eps", &audio.layer_norm_eps, kEpsilonRule);
  fields.Text("hidden_act", &audio.hidden_act, ActivationRule());
  fields.Text("projection_hidden_act", &audio.projection_act, ActivationRule());
  fields.Ignore({"model_type", "num_classes", "num_hidden_layers", "fusion_type", "patch_embed_input_channels",
                "flatten_patch_embeds", "hidden_dropout_prob", "attention_probs_dropout_prob", "drop_path_rate",
                "initializer_factor", "fusion_num_hidden_layers", "torch_dtype", "dtype"});
  if (fields.problem_count() == 0) CheckAudioGrid(fields, audio);
}

// Layouts that transformers' own code fails on.
absl::Status CheckAudioLayout(const Json& json, const std::string& where) {
  const auto unsupported = [&](const char* field, const std::string& wanted) {
    return Error(absl::StatusCode::kUnimplemented, "unsupported_config",
                 where + ": \"" + field + "\": want " + wanted + ", got " + Printable(json.at(field).Dump()));
  };
  if (json.at("fusion_type").text() == "channel_map") return unsupported("fusion_type", "null or \"aff_2d\"");
  if (json.at("patch_embed_input_channels").integer(1) != 1) return unsupported("patch_embed_input_channels", "1");
  if (!json.at("flatten_patch_embeds").boolean(true)) return unsupported("flatten_patch_embeds", "true");
  return absl::OkStatus();
}

void CheckTransform(ConfigReader& fields, const ClapFeatureConfig& features) {
  if ((features.fft_size & (features.fft_size - 1)) != 0 || features.hop_frames > features.fft_size) {
    return Clash(fields, "fft_window_size", "a power of two, not below hop_length", features.fft_size);
  }
  if (features.low_hz >= features.high_hz || features.high_hz > static_cast<double>(features.rate_hz) / 2) {
    return Clash(fields, "frequency_max", "above frequency_min and at most half of sampling_rate",
                 static_cast<int64_t>(features.high_hz));
  }
  if (features.max_samples() <= features.fft_size) {
    Clash(fields, "max_length_s", "longer than fft_window_size", features.max_length_s);
  }
}

}  // namespace

absl::StatusOr<ClapTextConfig> ParseClapTextConfig(const Json& json, const std::string& where) {
  ClapTextConfig text;
  ConfigReader fields(json, where);
  ReadTextFields(fields, text);
  GRYM_RETURN_IF_ERROR(fields.Finish());
  text.ignored = fields.UnknownFields();
  text.resolved = fields.Resolved();
  return text;
}

absl::StatusOr<ClapConfig> ParseClapConfig(const Json& json, const std::string& where) {
  ClapConfig config;
  ConfigReader whole(json, where);
  ReadTextFields(whole.Nested("text_config"), config.text);
  ReadAudioFields(whole.Nested("audio_config"), config.audio);
  // The whole's projection rules both towers', whatever stands in them.
  int64_t projection_dim = 512;
  std::string projection_act = "relu";
  whole.Int("projection_dim", &projection_dim, {1, kMostDim});
  whole.Text("projection_hidden_act", &projection_act, ActivationRule());
  whole.Ignore({"model_type", "architectures", "transformers_version", "torch_dtype", "dtype", "hidden_size",
                "num_hidden_layers", "initializer_factor", "logit_scale_init_value"});
  GRYM_RETURN_IF_ERROR(whole.Finish());
  GRYM_RETURN_IF_ERROR(CheckAudioLayout(json.at("audio_config"), where + "/audio_config"));
  config.text.projection_dim = config.audio.projection_dim = projection_dim;
  config.text.projection_act = config.audio.projection_act = projection_act;
  config.ignored = whole.UnknownFields();
  config.resolved = whole.Resolved();
  return config;
}

absl::StatusOr<ClapFeatureConfig> ParseClapFeatureConfig(const Json& json, const std::string& where) {
  ClapFeatureConfig features;
  ConfigReader fields(json, where);
  std::string truncation = "fusion", padding = "repeatpad";
  fields.Int("feature_size", &features.mel_bins, {1, 4096});
  fields.Int("sampling_rate", &features.rate_hz, {1000, 768000});
  fields.Int("hop_length", &features.hop_frames, {1, 1 << 20});
  fields.Int("max_length_s", &features.max_length_s, {1, 3600});
  fields.Int("fft_window_size", &features.fft_size, {16, 1 << 20});
  fields.Number("frequency_min", &features.low_hz, {0, 384000});
  fields.Number("frequency_max", &features.high_hz, {1, 384000});
  fields.Text("truncation", &truncation, {{"rand_trunc", "fusion"}});
  fields.Text("padding", &padding, {{"repeatpad", "repeat", "pad"}});
  // top_db is read by nobody in the reference either.
  fields.Ignore({"nb_frequency_bins", "nb_max_samples", "padding_value", "padding_side", "return_attention_mask",
                "top_db", "feature_extractor_type", "processor_class", "chunk_length_s", "n_fft"});
  if (fields.problem_count() == 0) CheckTransform(fields, features);
  GRYM_RETURN_IF_ERROR(fields.Finish());
  features.truncation = truncation == "fusion" ? ClapTruncation::kFusion : ClapTruncation::kRandTrunc;
  features.padding = padding == "pad" ? ClapPadding::kPad : padding == "repeat" ? ClapPadding::kRepeat
                                                                                : ClapPadding::kRepeatPad;
  features.ignored = fields.UnknownFields();
  features.resolved = fields.Resolved();
  return features;
}

absl::Status CheckClapFeatures(const ClapFeatureConfig& features, const ClapAudioConfig& audio) {
  const auto bad = [](const std::string& text) {
    return Error(absl::StatusCode::kInvalidArgument, "bad_config", "clap/preprocessor_config.json: " + text);
  };
  if (features.mel_bins != audio.mel_bins) {
    return bad(Formatted("\"feature_size\": want the audio tower's num_mel_bins (%d), got %d", audio.mel_bins,
                         features.mel_bins));
  }
  if (features.frames() > audio.most_frames()) {
    return bad(Formatted("\"max_length_s\": want at most %d frames, what the audio tower's spec_size holds, got %d",
                         audio.most_frames(), features.frames()));
  }
  if ((features.truncation == ClapTruncation::kFusion) != audio.enable_fusion) {
    return bad(audio.enable_fusion ? "\"truncation\": want fusion, as the audio tower's enable_fusion says"
                                   : "\"truncation\": want rand_trunc, as the audio tower's enable_fusion says");
  }
  return absl::OkStatus();
}

}  // namespace grym
