#include "models/t5/config.h"

#include <string_view>

#include "base/status.h"
#include "checkpoint/config_reader.h"

namespace grym {

absl::StatusOr<T5Config> T5Config::Parse(const Json& json, const std::string& where) {
  T5Config config;
  ConfigReader reader(json, where);
  reader.Int("vocab_size", &config.vocab_size, {.minimum = 1, .maximum = 1 << 20});
  reader.Int("d_model", &config.d_model, {.minimum = 1, .maximum = 16384});
  reader.Int("d_kv", &config.d_kv, {.minimum = 1, .maximum = 1024});
  reader.Int("d_ff", &config.d_ff, {.minimum = 1, .maximum = 131072});
  reader.Int("num_layers", &config.num_layers, {.minimum = 1, .maximum = 256});
  reader.Int("num_heads", &config.num_heads, {.minimum = 1, .maximum = 256});
  reader.Int("relative_attention_num_buckets", &config.relative_attention_num_buckets,
             {.minimum = 4, .maximum = 4096});
  reader.Int("relative_attention_max_distance", &config.relative_attention_max_distance,
             {.minimum = 2, .maximum = 1 << 20});
  reader.Number("layer_norm_epsilon", &config.layer_norm_epsilon, {.minimum = 0, .maximum = 1});
  std::string projection = "relu";
  reader.Text("feed_forward_proj", &projection,
              {.choices = {"relu", "gelu", "gelu_new", "silu", "gated-gelu", "gated-relu", "gated-silu"}});
  // Each half of the distances has its own buckets, and half of those are for exact distances.
  if (config.relative_attention_max_distance <= config.relative_attention_num_buckets / 4) {
    reader.Contradiction("relative_attention_max_distance",
                         "want more than a quarter of relative_attention_num_buckets " +
                             std::to_string(config.relative_attention_num_buckets) + ", got " +
                             std::to_string(config.relative_attention_max_distance));
  }
  reader.Ignore({"architectures", "model_type", "dropout_rate", "classifier_dropout", "initializer_factor",
                 "is_encoder_decoder", "use_cache", "pad_token_id", "eos_token_id", "num_decoder_layers",
                 "tie_word_embeddings", "decoder_start_token_id", "n_positions", "output_past", "torch_dtype", "dtype",
                 "transformers_version", "dense_act_fn", "is_gated_act", "task_specific_params"});
  GRYM_RETURN_IF_ERROR(reader.Finish());
  constexpr std::string_view kGated = "gated-";
  config.gated = projection.rfind(kGated, 0) == 0;
  if (config.gated) projection = projection.substr(kGated.size());
  // "gated-gelu" means the tanh approximation, as transformers reads it for old checkpoints.
  config.activation = ActivationOf(config.gated && projection == "gelu" ? "gelu_new" : projection);
  config.unknown_fields = reader.UnknownFields();
  config.resolved = reader.Resolved();
  return config;
}

}  // namespace grym
