// CLAP's audio tower: HTSAT, a Swin transformer over log-mel spectra folded into a square, and its projection.
#pragma once
#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "grymsynth/job.h"
#include "models/clap/config.h"
#include "models/clap/patch_embed.h"
#include "models/clap/projection.h"
#include "models/clap/swin_stage.h"
#include "nn/norm.h"
#include "runtime/weights.h"

namespace grym {

// Immutable once read; shared by sessions. Sources: Chen et al., "HTS-AT: A Hierarchical Token-Semantic Audio
// Transformer for Sound Classification and Detection", 2022; Wu et al. 2023 (the fusion, section 2.3); transformers
// 5.23, ClapAudioEncoder. Differs: batch normalisation is folded into one scale and shift of each band (and into the
// convolutions of the fusion).
class ClapAudioNet {
 public:
  // Reads "audio_model.audio_encoder.*" and "audio_projection.*" behind the reader's own prefix.
  static ClapAudioNet Read(WeightReader& weights, const ClapAudioConfig& config);

  // `features` float32 [batch, 1, frames, mel_bins] of at most config.most_frames() frames; with fusion
  // [batch, 4, frames, mel_bins], the shrunken whole first, then three parts of it. `longer`, with fusion alone: whether
  // the parts are to be mixed in. -> tokens of the last layer, normalised, [batch, tokens, hidden_size]. Cancelled
  // between stages.
  absl::StatusOr<at::Tensor> Encode(const at::Tensor& features, bool longer, const CancelToken& cancel = {}) const;
  static at::Tensor Pool(const at::Tensor& tokens) { return tokens.mean(1); }
  at::Tensor Project(const at::Tensor& pooled) const { return projection_(pooled); }
  // Encode, Pool and Project: [batch, projection_dim], not normalised.
  absl::StatusOr<at::Tensor> Embed(const at::Tensor& features, bool longer, const CancelToken& cancel = {}) const;
  // The tokens as the reference lays out its last_hidden_state: [batch, hidden_size, bands, strips * time].
  at::Tensor AsReference(const at::Tensor& tokens) const;

  const ClapAudioConfig& config() const { return config_; }
  // What Read takes, without reading.
  static int64_t WeightBytes(const ClapAudioConfig& config, Precision precision, c10::Device device);
  // The most that Embed's tensors take at once beside weights and features.
  static int64_t WorkingBytes(const ClapAudioConfig& config, int64_t batch, Precision precision, c10::Device device);

 private:
  at::Tensor FoldToSquare(const at::Tensor& features) const;

  ClapAudioConfig config_;
  c10::ScalarType compute_ = c10::ScalarType::Float;
  at::Tensor band_scale_, band_shift_;  // [mel_bins], float32
  ClapPatchEmbed patches_;
  std::vector<SwinStage> stages_;
  LayerNorm norm_;
  ClapProjection projection_;
};

}  // namespace grym
