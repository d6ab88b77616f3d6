#include "models/clap/config.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <set>
#include <string_view>

#include "base/format.h"
#include "base/status.h"
#include "nn/activation.h"

namespace grym {
namespace {

struct FieldRange {
  double minimum = 1, maximum = 65536;
};

// Members of one object, each with its type and range; what is wrong is gathered.
class ClapFields {
 public:
  ClapFields(const Json& json, std::string where) : json_(json), where_(std::move(where)) {
    if (!json.is_object()) Wrong("the file", "an object", json);
  }
  void Int(std::string_view name, int64_t* value, FieldRange range = {}) {
    const Json* found = Take(name);
    if (!found) return;
    if (!found->is_integer() || !Within(found->number(), range)) {
      return Wrong(name, Formatted("an integer in [%.0f, %.0f]", range.minimum, range.maximum), *found);
    }
    *value = found->integer();
  }
  void Number(std::string_view name, double* value, FieldRange range) {
    const Json* found = Take(name);
    if (!found) return;
    if (!found->is_number() || !Within(found->number(), range)) {
      return Wrong(name, Formatted("a number in [%g, %g]", range.minimum, range.maximum), *found);
    }
    *value = found->number();
  }
  void Bool(std::string_view name, bool* value) {
    const Json* found = Take(name);
    if (!found) return;
    if (!found->is_bool()) return Wrong(name, "true or false", *found);
    *value = found->boolean();
  }
  template <class Names>
  void Choice(std::string_view name, std::string* value, const Names& names) {
    const Json* found = Take(name);
    if (!found) return;
    for (const std::string_view known : names) {
      if (found->is_string() && found->text() == known) {
        *value = found->text();
        return;
      }
    }
    std::vector<std::string> wanted;
    for (const std::string_view known : names) wanted.emplace_back(known);
    Wrong(name, "one of " + Join(wanted, ", "), *found);
  }
  void Ints(std::string_view name, std::vector<int64_t>* values, FieldRange range = {}) {
    const Json* found = Take(name);
    if (!found) return;
    bool good = found->is_array() && found->size() >= 1 && found->size() <= 8;
    for (const Json& item : found->items()) good = good && item.is_integer() && Within(item.number(), range);
    if (!good) {
      return Wrong(name, Formatted("1 to 8 integers in [%.0f, %.0f]", range.minimum, range.maximum), *found);
    }
    values->clear();
    for (const Json& item : found->items()) values->push_back(item.integer());
  }
  // One integer for both, or two.
  void Pair(std::string_view name, int64_t* first, int64_t* second, FieldRange range) {
    const Json* found = json_.find(name);
    if (found && found->is_integer()) {
      Int(name, first, range);
      *second = *first;
      return;
    }
    std::vector<int64_t> values = {*first, *second};
    Ints(name, &values, range);
    if (values.size() != 2) return Wrong(name, "an integer or two", *found);
    *first = values[0];
    *second = values[1];
  }
  // Read elsewhere, or of no use when nothing is trained.
  void Known(std::initializer_list<std::string_view> names) {
    for (const std::string_view name : names) read_.insert(std::string(name));
  }
  const Json& Child(std::string_view name) {
    Known({name});
    return json_.at(name);
  }
  void Contradiction(std::string_view name, const std::string& wanted, int64_t got) {
    Wrong(name, wanted, Json(got));
  }
  std::vector<std::string> Ignored() const {
    std::vector<std::string> ignored;
    for (const auto& [name, value] : json_.members()) {
      if (read_.count(name) == 0) ignored.push_back(where_ + ": " + name);
    }
    return ignored;
  }
  bool ok() const { return problems_.empty(); }
  absl::Status Status() const {
    return problems_.empty() ? absl::OkStatus() : ProblemsError("bad_config", where_, problems_);
  }

 private:
  static bool Within(double value, FieldRange range) { return value >= range.minimum && value <= range.maximum; }
  // nullptr for what is absent or null: the default stays.
  const Json* Take(std::string_view name) {
    read_.insert(std::string(name));
    const Json* found = json_.find(name);
    return found && !found->is_null() ? found : nullptr;
  }
  void Wrong(std::string_view name, const std::string& wanted, const Json& got) {
    problems_.push_back({"/" + PointerToken(Printable(name)), "bad_config",
                         "want " + wanted + ", got " + Printable(got.Dump()), ""});
  }

  const Json& json_;
  const std::string where_;
  std::set<std::string> read_;
  std::vector<Problem> problems_;
};

constexpr FieldRange kEpsilonRange = {0, 0.1};

void ReadTextFields(ClapFields& fields, ClapTextConfig& text) {
  fields.Int("vocab_size", &text.vocab_size, {1, 1 << 24});
  fields.Int("hidden_size", &text.hidden_size);
  fields.Int("num_hidden_layers", &text.layers, {1, 256});
  fields.Int("num_attention_heads", &text.heads, {1, 1024});
  fields.Int("intermediate_size", &text.intermediate_size, {1, 1 << 20});
  fields.Int("max_position_embeddings", &text.max_position_embeddings, {3, 1 << 20});
  fields.Int("type_vocab_size", &text.type_vocab_size, {1, 1024});
  fields.Int("pad_token_id", &text.pad_token_id, {0, 1 << 24});
  fields.Int("projection_dim", &text.projection_dim);
  fields.Number("layer_norm_eps", &text.layer_norm_eps, kEpsilonRange);
  fields.Choice("hidden_act", &text.hidden_act, kActivationNames);
  fields.Choice("projection_hidden_act", &text.projection_act, kActivationNames);
  fields.Known({"model_type", "architectures", "transformers_version", "torch_dtype", "dtype", "bos_token_id",
                "eos_token_id", "hidden_dropout_prob", "attention_probs_dropout_prob", "initializer_factor",
                "initializer_range", "classifier_dropout", "use_cache", "position_embedding_type"});
  if (!fields.ok()) return;
  if (text.hidden_size % text.heads != 0) {
    fields.Contradiction("hidden_size", Formatted("a multiple of num_attention_heads (%d)", text.heads),
                         text.hidden_size);
  }
  if (text.most_tokens() < 2) {
    fields.Contradiction("max_position_embeddings", Formatted("more than pad_token_id + 2 (%d)", text.pad_token_id + 2),
                         text.max_position_embeddings);
  }
}

void CheckAudioGrid(ClapFields& fields, const ClapAudioConfig& audio) {
  if (audio.heads.size() != audio.depths.size()) {
    return fields.Contradiction("num_attention_heads", Formatted("as many as depths (%d)", audio.depths.size()),
                                static_cast<int64_t>(audio.heads.size()));
  }
  const int last = audio.stages() - 1;
  if (audio.spec_size % audio.mel_bins != 0) {
    return fields.Contradiction("spec_size", Formatted("a multiple of num_mel_bins (%d)", audio.mel_bins),
                                audio.spec_size);
  }
  const int64_t step_height = audio.stride_height << last, step_width = audio.stride_width << last;
  if (audio.spec_size % step_height != 0 || audio.spec_size % step_width != 0) {
    return fields.Contradiction("spec_size", "a multiple of patch_stride at every stage", audio.spec_size);
  }
  if (audio.patch_height < audio.stride_height || audio.patch_width < audio.stride_width ||
      (audio.patch_height - audio.stride_height) % 2 != 0 || (audio.patch_width - audio.stride_width) % 2 != 0) {
    return fields.Contradiction("patch_size", "patch_stride, or more by an even number", audio.patch_height);
  }
  if (std::min(audio.grid_height(last), audio.grid_width(last)) < audio.window_size) {
    return fields.Contradiction("window_size", "at most the smallest grid, that of the last stage", audio.window_size);
  }
  if (audio.grid_height(last) % audio.freq_ratio() != 0) {
    return fields.Contradiction("spec_size", "a last grid that is a multiple of spec_size / num_mel_bins",
                                audio.spec_size);
  }
  if (audio.hidden_size != audio.dim(last)) {
    return fields.Contradiction("hidden_size", Formatted("patch_embeds_hidden_size doubled by every further stage (%d)",
                                                         audio.dim(last)), audio.hidden_size);
  }
  for (int i = 0; i <= last; ++i) {
    const int64_t heads = audio.heads[static_cast<size_t>(i)];
    if (audio.dim(i) % heads != 0) {
      return fields.Contradiction("num_attention_heads", Formatted("divisors of each stage's width (%d)", audio.dim(i)),
                                  heads);
    }
  }
  if (audio.enable_fusion && audio.embed_dim / audio.aff_ratio < 1) {
    fields.Contradiction("aff_block_r", Formatted("at most patch_embeds_hidden_size (%d)", audio.embed_dim),
                         audio.aff_ratio);
  }
}

void ReadAudioFields(ClapFields& fields, ClapAudioConfig& audio) {
  fields.Int("window_size", &audio.window_size, {1, 64});
  fields.Int("num_mel_bins", &audio.mel_bins, {1, 4096});
  fields.Int("spec_size", &audio.spec_size, {1, 4096});
  fields.Pair("patch_size", &audio.patch_height, &audio.patch_width, {1, 64});
  fields.Pair("patch_stride", &audio.stride_height, &audio.stride_width, {1, 64});
  fields.Int("patch_embeds_hidden_size", &audio.embed_dim, {1, 8192});
  fields.Int("hidden_size", &audio.hidden_size);
  fields.Int("projection_dim", &audio.projection_dim);
  fields.Ints("depths", &audio.depths, {1, 256});
  fields.Ints("num_attention_heads", &audio.heads, {1, 1024});
  fields.Bool("enable_fusion", &audio.enable_fusion);
  fields.Bool("enable_patch_layer_norm", &audio.patch_norm);
  fields.Bool("qkv_bias", &audio.qkv_bias);
  fields.Int("aff_block_r", &audio.aff_ratio, {1, 8192});
  fields.Number("mlp_ratio", &audio.mlp_ratio, {0.01, 64});
  fields.Number("layer_norm_eps", &audio.layer_norm_eps, kEpsilonRange);
  fields.Choice("hidden_act", &audio.hidden_act, kActivationNames);
  fields.Choice("projection_hidden_act", &audio.projection_act, kActivationNames);
  fields.Known({"model_type", "num_classes", "num_hidden_layers", "fusion_type", "patch_embed_input_channels",
                "flatten_patch_embeds", "hidden_dropout_prob", "attention_probs_dropout_prob", "drop_path_rate",
                "initializer_factor", "fusion_num_hidden_layers", "torch_dtype", "dtype"});
  if (fields.ok()) CheckAudioGrid(fields, audio);
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

}  // namespace

absl::StatusOr<ClapTextConfig> ParseClapTextConfig(const Json& json, const std::string& where) {
  ClapTextConfig text;
  ClapFields fields(json, where);
  ReadTextFields(fields, text);
  GRYM_RETURN_IF_ERROR(fields.Status());
  text.ignored = fields.Ignored();
  return text;
}

absl::StatusOr<ClapConfig> ParseClapConfig(const Json& json, const std::string& where) {
  ClapConfig config;
  ClapFields whole(json, where);
  const Json none = Json::Object();
  const auto part = [&](const char* name) -> const Json& {
    const Json& child = whole.Child(name);
    return child.is_null() ? none : child;
  };
  ClapFields text(part("text_config"), where + "/text_config");
  ClapFields audio(part("audio_config"), where + "/audio_config");
  ReadTextFields(text, config.text);
  ReadAudioFields(audio, config.audio);
  // The whole's projection rules both towers', whatever stands in them.
  int64_t projection_dim = 512;
  std::string projection_act = "relu";
  whole.Int("projection_dim", &projection_dim);
  whole.Choice("projection_hidden_act", &projection_act, kActivationNames);
  whole.Known({"model_type", "architectures", "transformers_version", "torch_dtype", "dtype", "hidden_size",
               "num_hidden_layers", "initializer_factor", "logit_scale_init_value"});
  for (const ClapFields* fields : {&whole, &text, &audio}) GRYM_RETURN_IF_ERROR(fields->Status());
  GRYM_RETURN_IF_ERROR(CheckAudioLayout(json.at("audio_config"), where + "/audio_config"));
  config.text.projection_dim = config.audio.projection_dim = projection_dim;
  config.text.projection_act = config.audio.projection_act = projection_act;
  config.text.ignored = whole.Ignored();
  for (const std::string& name : text.Ignored()) config.text.ignored.push_back(name);
  config.audio.ignored = audio.Ignored();
  return config;
}

absl::StatusOr<ClapFeatureConfig> ParseClapFeatureConfig(const Json& json, const std::string& where) {
  ClapFeatureConfig features;
  ClapFields fields(json, where);
  std::string truncation = "fusion", padding = "repeatpad";
  constexpr std::string_view kTruncations[] = {"rand_trunc", "fusion"};
  constexpr std::string_view kPaddings[] = {"repeatpad", "repeat", "pad"};
  fields.Int("feature_size", &features.mel_bins, {1, 4096});
  fields.Int("sampling_rate", &features.rate_hz, {1000, 768000});
  fields.Int("hop_length", &features.hop_frames, {1, 1 << 20});
  fields.Int("max_length_s", &features.max_length_s, {1, 3600});
  fields.Int("fft_window_size", &features.fft_size, {16, 1 << 20});
  fields.Number("frequency_min", &features.low_hz, {0, 384000});
  fields.Number("frequency_max", &features.high_hz, {1, 384000});
  fields.Choice("truncation", &truncation, kTruncations);
  fields.Choice("padding", &padding, kPaddings);
  // top_db is read by nobody in the reference either.
  fields.Known({"nb_frequency_bins", "nb_max_samples", "padding_value", "padding_side", "return_attention_mask",
                "top_db", "feature_extractor_type", "processor_class", "chunk_length_s", "n_fft"});
  const bool power_of_two = (features.fft_size & (features.fft_size - 1)) == 0;
  if (fields.ok() && (!power_of_two || features.hop_frames > features.fft_size)) {
    fields.Contradiction("fft_window_size", "a power of two, not below hop_length", features.fft_size);
  }
  const double nyquist_hz = static_cast<double>(features.rate_hz) / 2;
  if (fields.ok() && (features.low_hz >= features.high_hz || features.high_hz > nyquist_hz)) {
    fields.Contradiction("frequency_max", "above frequency_min, at most half of sampling_rate",
                         static_cast<int64_t>(features.high_hz));
  }
  if (fields.ok() && features.max_samples() <= features.fft_size) {
    fields.Contradiction("max_length_s", "longer than fft_window_size", features.max_length_s);
  }
  GRYM_RETURN_IF_ERROR(fields.Status());
  features.truncation = truncation == "fusion" ? ClapTruncation::kFusion : ClapTruncation::kRandTrunc;
  features.padding = padding == "pad" ? ClapPadding::kPad : padding == "repeat" ? ClapPadding::kRepeat
                                                                                : ClapPadding::kRepeatPad;
  features.ignored = fields.Ignored();
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
