// T5's encoder: a text as one state for each token.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "checkpoint/tensor_set.h"
#include "grymsynth/job.h"
#include "models/t5/config.h"
#include "nn/linear.h"
#include "nn/norm.h"
#include "runtime/tensor.h"
#include "runtime/weights.h"

namespace grym {

// Source: Raffel et al., "Exploring the Limits of Transfer Learning with a Unified Text-to-Text Transformer", 2020,
// section 2.1, and Shazeer, "GLU Variants Improve Transformer", 2020, for the gated layers of T5 1.1; as transformers
// 5.23, modeling_t5.py (T5EncoderModel).
// Immutable and shared by sessions. LibTorch's exceptions go through: call under a TorchGuard and a BudgetScope.
class T5Encoder {
 public:
  // Names begin with `prefix`: "" for a folder of its own, "text_encoder." within MusicGen's. The table is
  // "shared.weight" or "encoder.embed_tokens.weight". DataLoss as WeightReader::status, Cancelled.
  static absl::StatusOr<std::shared_ptr<const T5Encoder>> Load(const TensorSet& set, const T5Config& config,
                                                               const WeightOptions& options,
                                                               const std::string& prefix = "");

  // InvalidArgument: no tokens (code "no_tokens"), or an id that the table lacks ("bad_token_id").
  absl::Status Check(std::span<const int32_t> ids) const;
  // Requires ids that Check accepts, </s> among them where the model was trained so, and no padding: what the reference
  // computes beside padding and masks is the same. Answers float32 [tokens, d_model], or an undefined tensor once
  // `cancel` is set, which is looked at before every layer.
  at::Tensor Encode(std::span<const int32_t> ids, const CancelToken& cancel = {}) const;
  const T5Config& config() const { return config_; }

  // What Load keeps on the CPU, and the most that Encode takes beside it, its result included: upper bounds, at most
  // 10 % above what is measured.
  static int64_t WeightBytes(const T5Config& config, Precision precision);
  static int64_t WorkingBytes(const T5Config& config, int64_t tokens, Precision precision);

 private:
  struct Layer {
    RmsNorm attention_norm, norm;
    Linear query_key_value, attention_out;
    Linear up, down;  // `up` is the gate's and the value's, side by side, where config.gated
  };
  T5Encoder() = default;
  void Read(WeightReader& weights, const TensorSet& set, const std::string& prefix);
  Layer ReadLayer(WeightReader& weights, int64_t index) const;
  at::Tensor PositionBias(int64_t tokens) const;  // [1, heads, tokens, tokens] in the compute type
  void RunLayer(const Layer& layer, at::Tensor& x, const at::Tensor& bias) const;

  T5Config config_;
  c10::ScalarType compute_ = c10::ScalarType::Float;
  c10::Device device_ = c10::Device(c10::DeviceType::CPU);
  absl::Status table_status_;
  at::Tensor table_;    // [vocab_size, d_model] in a floating type; see TablePrecision
  at::Tensor buckets_;  // float32 [buckets, heads] on the CPU: what each distance adds to the scores
  std::vector<Layer> layers_;
  RmsNorm norm_;
};

// Buckets of the distances key - query from -(tokens - 1) to tokens - 1: int64 [2 tokens - 1]. Half of them are for
// keys behind the query; in either half the first half is for single distances and the others grow with the logarithm.
at::Tensor T5Buckets(const T5Config& config, int64_t tokens);

}  // namespace grym
