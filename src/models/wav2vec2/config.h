// What a wav2vec2 checkpoint says of itself: config.json and preprocessor_config.json.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/json.h"
#include "nn/activation.h"

namespace grym {

// Defaults are those of transformers 5.23 (Wav2Vec2Config).
struct Wav2Vec2Config {
  // The convolutions over the samples, one entry for each layer.
  std::vector<int64_t> conv_dim = {512, 512, 512, 512, 512, 512, 512};
  std::vector<int64_t> conv_kernel = {10, 3, 3, 3, 3, 2, 2};
  std::vector<int64_t> conv_stride = {5, 2, 2, 2, 2, 2, 2};
  bool conv_bias = false;
  bool norm_every_conv = false;  // feat_extract_norm "layer"; false: "group", a norm over time after the first alone
  Activation conv_activation = Activation::kGelu;

  int64_t hidden = 768, layers = 12, heads = 12, intermediate = 3072;
  Activation activation = Activation::kGelu;
  double norm_epsilon = 1e-5;
  bool norm_first = false;  // do_stable_layer_norm: norms before attention and feed-forward, and one after all layers
  int64_t position_kernel = 128, position_groups = 16;
  int64_t vocabulary = 32, blank = 0;  // pad_token_id is what CTC calls the blank
  bool ctc_head = false;  // by architectures: Wav2Vec2ForCTC

  std::vector<std::string> unknown_fields;
  Json resolved;  // every field in use, given or default

  // Of the feature extractor (Wav2Vec2FeatureExtractor).
  int rate_hz = 16000;
  bool normalise = true;  // zero mean and unit variance over the whole recording

  // Frames that come out for `samples` at rate_hz; 0 for fewer than SamplesOf(1).
  int64_t FramesOf(int64_t samples) const { return RowsOf(samples, conv_dim.size()); }
  // Rows of the convolutions' first `convs` layers.
  int64_t RowsOf(int64_t samples, size_t convs) const;
  // The fewest samples that give `frames` (> 0), and those from one frame's first to the next one's: 400 and 320.
  int64_t SamplesOf(int64_t frames) const;
  int64_t SamplesPerFrame() const;
};

// InvalidArgument (code "bad_config") with all problems. Adapters (add_adapter, adapter_attn_dim) are not supported.
absl::StatusOr<Wav2Vec2Config> ReadWav2Vec2Config(const Json& config, const std::string& where);
absl::Status ReadWav2Vec2Preprocessor(const Json& json, const std::string& where, Wav2Vec2Config& config);

}  // namespace grym
