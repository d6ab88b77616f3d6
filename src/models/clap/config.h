// Sizes of a CLAP checkpoint, from its config.json and preprocessor_config.json.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/json.h"

namespace grym {

// The RoBERTa text tower and its projection. Defaults are transformers' (ClapTextConfig).
struct ClapTextConfig {
  int64_t vocab_size = 50265, hidden_size = 768, layers = 12, heads = 12, intermediate_size = 3072;
  int64_t max_position_embeddings = 514, type_vocab_size = 1;
  int64_t pad_token_id = 1, projection_dim = 512;
  double layer_norm_eps = 1e-12;
  std::string hidden_act = "gelu", projection_act = "relu";
  std::vector<std::string> ignored;  // members that nothing reads; as part of a ClapConfig, that has them
  Json resolved;                     // every member in use, given or default; the same

  // Tokens of one text at most, <s> and </s> among them: positions begin after the padding's.
  int64_t most_tokens() const { return max_position_embeddings - pad_token_id - 1; }
};

// The HTSAT (Swin) audio tower and its projection. Defaults are transformers' (ClapAudioConfig).
struct ClapAudioConfig {
  int64_t window_size = 8, mel_bins = 64, spec_size = 256;
  int64_t patch_height = 4, patch_width = 4, stride_height = 4, stride_width = 4;
  int64_t embed_dim = 96, hidden_size = 768, projection_dim = 512;
  std::vector<int64_t> depths = {2, 2, 6, 2}, heads = {4, 8, 16, 32};
  bool enable_fusion = false, patch_norm = true, qkv_bias = true;
  int64_t aff_ratio = 4;
  double mlp_ratio = 4, layer_norm_eps = 1e-5;
  std::string hidden_act = "gelu", projection_act = "relu";

  int stages() const { return static_cast<int>(depths.size()); }
  int64_t freq_ratio() const { return spec_size / mel_bins; }  // strips of time that are stacked to make a square
  int64_t most_frames() const { return spec_size * freq_ratio(); }
  int64_t grid_height(int stage = 0) const { return spec_size / stride_height >> stage; }
  int64_t grid_width(int stage = 0) const { return spec_size / stride_width >> stage; }
  int64_t dim(int stage) const { return embed_dim << stage; }
};

enum class ClapTruncation { kRandTrunc, kFusion };
enum class ClapPadding { kRepeatPad, kRepeat, kPad };

// The feature extractor. Defaults are transformers' (ClapFeatureExtractor).
struct ClapFeatureConfig {
  int64_t mel_bins = 64, rate_hz = 48000, hop_frames = 480, max_length_s = 10, fft_size = 1024;
  double low_hz = 0, high_hz = 14000;
  ClapTruncation truncation = ClapTruncation::kFusion;
  ClapPadding padding = ClapPadding::kRepeatPad;
  std::vector<std::string> ignored;
  Json resolved;

  int64_t max_samples() const { return max_length_s * rate_hz; }
  int64_t frames() const { return max_samples() / hop_frames + 1; }  // of one window
};

struct ClapConfig {
  ClapTextConfig text;
  ClapAudioConfig audio;
  std::vector<std::string> ignored;  // "audio_config/alpha"
  Json resolved;
};

// `where` names the file in errors. InvalidArgument (code "bad_config") names every field that is of a wrong type, out
// of range or contradicts another, with what was wanted and what came; Unimplemented ("unsupported_config") for a layout
// that no published checkpoint has and the reference cannot run either.
absl::StatusOr<ClapTextConfig> ParseClapTextConfig(const Json& json, const std::string& where);
absl::StatusOr<ClapConfig> ParseClapConfig(const Json& json, const std::string& where);
absl::StatusOr<ClapFeatureConfig> ParseClapFeatureConfig(const Json& json, const std::string& where);

// That the features fit the audio tower.
absl::Status CheckClapFeatures(const ClapFeatureConfig& features, const ClapAudioConfig& audio);

}  // namespace grym
