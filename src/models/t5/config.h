// What the config of a T5 text encoder says.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/json.h"
#include "nn/activation.h"

namespace grym {

// Defaults are those of transformers 5.23, configuration_t5.py.
struct T5Config {
  int64_t vocab_size = 32128;
  int64_t d_model = 512;
  int64_t d_kv = 64;  // of each head; the heads together need not be as wide as the model
  int64_t d_ff = 2048;
  int64_t num_layers = 6;
  int64_t num_heads = 8;
  int64_t relative_attention_num_buckets = 32;
  int64_t relative_attention_max_distance = 128;
  double layer_norm_epsilon = 1e-6;
  bool gated = false;  // feed_forward_proj "gated-...": a product of two projections
  Activation activation = Activation::kRelu;
  std::vector<std::string> unknown_fields;
  Json resolved;

  // InvalidArgument (code "bad_config") with every field that is wrong; `where` starts the message.
  static absl::StatusOr<T5Config> Parse(const Json& json, const std::string& where);
};

}  // namespace grym
