// wav2vec2's weights and what is computed with them.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "checkpoint/tensor_set.h"
#include "models/wav2vec2/config.h"
#include "models/wav2vec2/features.h"
#include "nn/conv.h"
#include "nn/linear.h"
#include "nn/norm.h"
#include "runtime/streamed_layers.h"
#include "runtime/weights.h"

namespace grym {

struct Wav2Vec2Layer {
  Linear attention_in;  // query, key and value side by side
  Linear attention_out;
  LayerNorm attention_norm;  // after attention, or before it (config.norm_first)
  Linear wide, narrow;       // feed-forward
  LayerNorm wide_norm;       // after feed-forward, or before it
};

// What is wanted of a run, and what it answers: [frames, dim] each, in the compute type, as transformers names them.
struct Wav2Vec2Wants {
  bool extract_features = false, hidden_states = false, logits = false;
  bool letters = false;  // of a session: the largest of the logits alone
};
struct Wav2Vec2States {
  at::Tensor extract_features;            // [frames, conv_dim.back()], normalised
  std::vector<at::Tensor> hidden_states;  // layers + 1 of [frames, hidden]: what the first reads, what each answers
  at::Tensor last_hidden_state;           // the last of them, and normalised where config.norm_first
  at::Tensor logits;                      // [frames, vocabulary]
};

// Source: Baevski et al., "wav2vec 2.0: A Framework for Self-Supervised Learning of Speech Representations", 2020;
// layouts as transformers 5.23 (Wav2Vec2Model, Wav2Vec2ForCTC, Wav2Vec2ForPreTraining). Immutable; threads: any.
class Wav2Vec2Net {
 public:
  // Tensor names begin with "wav2vec2." or with nothing (Wav2Vec2Model). DataLoss as WeightReader::status.
  // `unread`, if set, gets the names under that prefix that nothing asked for.
  static absl::StatusOr<std::shared_ptr<const Wav2Vec2Net>> Load(const TensorSet& set, const Wav2Vec2Config& config,
                                                                 const WeightOptions& options,
                                                                 std::vector<std::string>* unread = nullptr);

  // The same but for the transformer's layers, which are read from the file in each run, in turn. Errors of their weights
  // are the runs'. For precisions that are kept as they are multiplied (CanStream): packing takes longer than computing.
  static absl::StatusOr<std::shared_ptr<const Wav2Vec2Net>> LoadStreamed(std::shared_ptr<const TensorSet> set,
                                                                         const Wav2Vec2Config& config,
                                                                         const WeightOptions& options);
  static bool CanStream(Precision precision) { return precision != Precision::kInt8 && precision != Precision::kInt4; }

  const Wav2Vec2Config& config() const { return config_; }
  // `samples` normalised (SoundStatistics), float32 on the CPU, at least SamplesOf(1). `between`, if set, is called before
  // each piece of the work, some 50 ms long on two cores for ten seconds of sound; what it answers ends the run. May
  // throw c10::Error: call under TorchGuard.
  absl::StatusOr<Wav2Vec2States> operator()(const at::Tensor& samples, const SoundStatistics& statistics,
                                            const Wav2Vec2Wants& wants,
                                            const std::function<absl::Status()>& between = {}) const;

  // As loaded, exactly; and the most that a run over `frames` takes beside them, its results included.
  static int64_t WeightBytes(const Wav2Vec2Config& config, Precision precision, c10::Device device);
  static int64_t WorkingBytes(const Wav2Vec2Config& config, Precision precision, c10::Device device, int64_t frames,
                              const Wav2Vec2Wants& wants, bool streamed = false);
  // Of a streamed net's layers that are there at once, two of them; they are among WorkingBytes' neighbours in a plan and
  // among nothing that is loaded.
  static int64_t StreamedLayerBytes(const Wav2Vec2Config& config, Precision precision, c10::Device device);
  // Of a streamed net between runs.
  static int64_t StreamedWeightBytes(const Wav2Vec2Config& config, Precision precision, c10::Device device);

 private:
  absl::Status ReadWeights(const TensorSet& set, const WeightOptions& options, bool layers,
                           std::vector<std::string>* unread);
  void ReadPositions(WeightReader& weights);
  static Wav2Vec2Layer ReadLayer(WeightReader& weights, const Wav2Vec2Config& config, int64_t index);
  at::Tensor WithPositions(const at::Tensor& x) const;
  at::Tensor Attend(const Wav2Vec2Layer& layer, const at::Tensor& x) const;
  at::Tensor FeedForward(const Wav2Vec2Layer& layer, const at::Tensor& x) const;
  at::Tensor RunLayer(const Wav2Vec2Layer& layer, at::Tensor x) const;

  Wav2Vec2Config config_;
  c10::Device device_ = c10::Device(c10::DeviceType::CPU);
  FeatureEncoder features_;
  LayerNorm projection_norm_;
  Linear projection_;
  Conv1d positions_;
  LayerNorm encoder_norm_;
  std::vector<Wav2Vec2Layer> layers_;                                // or
  std::unique_ptr<const StreamedLayers<Wav2Vec2Layer>> streamed_;
  Linear head_;
};

}  // namespace grym
