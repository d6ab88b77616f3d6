// CLAP's text tower: RoBERTa, its pooler and the projection. It is AudioLDM's text encoder too.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "checkpoint/tensor_set.h"
#include "grymsynth/job.h"
#include "grymsynth/tokenizer.h"
#include "models/clap/config.h"
#include "models/clap/projection.h"
#include "nn/activation.h"
#include "nn/linear.h"
#include "nn/norm.h"
#include "runtime/device.h"
#include "runtime/packed.h"
#include "runtime/streamed_layers.h"
#include "runtime/weights.h"

namespace grym {

// What the tower reads of a text.
struct ClapTokens {
  std::vector<int32_t> ids;  // with <s> and </s>, which stays where the text is cut
  int64_t dropped = 0;       // tokens beyond config.most_tokens()
};
// Any text, empty or of control characters too. Errors as of Tokenizer::Encode.
absl::StatusOr<ClapTokens> TokensOfText(const Tokenizer& tokenizer, const ClapTextConfig& config,
                                        std::string_view text_utf8);
// "prompt: cut to 512 tokens, 3 were dropped"; "" where nothing was.
std::string CutWarning(const std::string& where, const ClapTokens& tokens);

// Immutable once read; shared by sessions. Sources: Liu et al., "RoBERTa", 2019; Wu et al., "Large-scale Contrastive
// Language-Audio Pretraining with Feature Fusion and Keyword-to-Caption Augmentation", 2023; transformers 5.23,
// modeling_clap.py.
//
// Differs: texts are encoded at their own lengths, side by side in one matrix, where the reference pads them to one
// length and masks the padding. The pooled output is made of the first token, which sees no masked ones, so that both
// give the same numbers; AudioLDM's prompts, padded to 512 tokens, cost what their words cost.
class ClapTextNet {
 public:
  // Reads "text_model.*" and "text_projection.*" behind the reader's own prefix. The reader's status() tells what is
  // missing; call nothing of the net unless it is OK.
  // `tables`, if set, reads the table of words, in its own precision.
  static ClapTextNet Read(WeightReader& weights, const ClapTextConfig& config, WeightReader* tables = nullptr);
  // The same from a folder's tensors, with that table as BesideMatrices says. `where` names the component in errors,
  // which are those of WeightReader::status.
  static absl::StatusOr<std::shared_ptr<const ClapTextNet>> Load(const TensorSet& set, const std::string& where,
                                                                 const WeightOptions& options,
                                                                 const ClapTextConfig& config);
  // The same but for the layers, which are read from the file for every call, in turn, and the table of words, of which
  // the rows in use are. Errors of these are the calls'. For precisions that are kept as they are multiplied
  // (CanStream): packing takes longer than computing.
  static absl::StatusOr<std::shared_ptr<const ClapTextNet>> LoadStreamed(std::shared_ptr<const TensorSet> set,
                                                                         const std::string& where,
                                                                         const WeightOptions& options,
                                                                         const ClapTextConfig& config);
  static bool CanStream(Precision precision) { return !IsPacked(precision); }

  // What the pipelines call text embeddings, before normalisation: one row for each text, [texts, projection_dim] in
  // the compute type. `ids` are the tokens with <s> and </s> and without padding.
  // InvalidArgument: no texts, one without tokens ("no_tokens"), one of more than config.most_tokens()
  // ("too_many_tokens"), an id that the table lacks ("bad_token_id"). Cancelled between layers.
  absl::StatusOr<at::Tensor> Embed(const std::vector<std::vector<int32_t>>& ids, const CancelToken& cancel = {}) const;

  // Hidden states of the last layer, all texts' tokens one after another [tokens, hidden_size]. Errors as of Embed.
  absl::StatusOr<at::Tensor> Encode(const std::vector<std::vector<int32_t>>& ids, const CancelToken& cancel = {}) const;
  // `first` [texts, hidden_size]: the hidden states of each text's first token.
  at::Tensor Pool(const at::Tensor& first) const { return at::tanh(pooler_(first)); }
  at::Tensor Project(const at::Tensor& pooled) const { return projection_(pooled); }

  const ClapTextConfig& config() const { return config_; }

  // What Read takes, without reading: tensors at `precision` on `device`. Requires a config that passed its checks.
  static int64_t WeightBytes(const ClapTextConfig& config, Precision precision, c10::Device device);
  // Of a streamed net: between calls; and the layers that are there at once.
  static int64_t StreamedWeightBytes(const ClapTextConfig& config, Precision precision, c10::Device device);
  static int64_t StreamedLayerBytes(const ClapTextConfig& config, Precision precision, c10::Device device);
  // The most that Embed's tensors take at once beside the weights, for so many tokens in all.
  static int64_t WorkingBytes(const ClapTextConfig& config, Precision precision, c10::Device device, int64_t tokens);

 private:
  struct Layer {
    Linear query_key_value, attention_out, up, down;
    LayerNorm attention_norm, norm;
  };
  static Layer ReadLayer(WeightReader& weights, const ClapTextConfig& config, int64_t index);
  // All but the layers and the table of words.
  static ClapTextNet ReadAround(WeightReader& weights, const ClapTextConfig& config);
  absl::Status Check(const std::vector<std::vector<int32_t>>& ids) const;
  absl::StatusOr<at::Tensor> EmbedTokens(const std::vector<std::vector<int32_t>>& ids) const;
  at::Tensor RunLayer(const Layer& layer, const at::Tensor& x, const std::vector<int64_t>& lengths) const;

  ClapTextConfig config_;
  c10::ScalarType compute_ = c10::ScalarType::Float;
  c10::Device device_ = c10::Device(c10::DeviceType::CPU);
  at::Tensor words_;      // [vocab, hidden], in the storage type; or
  std::function<absl::StatusOr<at::Tensor>(const std::vector<int64_t>& ids)> gather_words_;
  at::Tensor positions_;  // [positions, hidden], the token type's row added
  LayerNorm norm_;
  std::vector<Layer> layers_;  // or
  std::shared_ptr<const StreamedLayers<Layer>> streamed_;
  Activation activation_ = Activation::kGelu;
  Linear pooler_;
  ClapProjection projection_;
};

}  // namespace grym
