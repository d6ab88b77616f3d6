// MusicGen's decoder: one step of codes in, the logits of the next one out.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "checkpoint/tensor_set.h"
#include "models/musicgen/config.h"
#include "models/musicgen/decoder_state.h"
#include "models/musicgen/layers.h"
#include "nn/packed_linear.h"
#include "runtime/weights.h"

namespace grym {

using MusicgenLayer = MusicgenLayerOf<PackedLinear>;

// A decoder of pre-norm layers over the sum of all books' embeddings. Immutable once loaded; threads: const methods may
// run together, each with a state of its own. On the CPU. Call under a TorchGuard; what a caller must keep to (codes in
// range, room in the state) is checked and throws there.
//
// Paper: Copet et al., "Simple and Controllable Music Generation", 2023 (arXiv 2306.05284). Reference: transformers
// 5.23, MusicgenForCausalLM and MusicgenMelodyForCausalLM. Differs: sums in float32 whatever the weights are kept in,
// but for whole-number sums of rounded inputs with int8 and int4 (quant/product.h), and keys and values in 16 bits, 8
// with int8 and int4 (key_value_cache.h).
class MusicgenDecoder {
 public:
  using State = MusicgenState;

  // `prefix` is put before the decoder's names ("decoder."); the two projections of conditioning stand at the top.
  // With Precision::kFloat32 the matrices are kept as float16 where StorageFor says so: the same results from half the
  // memory; who knows already what it says gives it as `storage`, since asking reads the matrices. `unread` takes the
  // names under `prefix` that nothing asked for. Errors as of WeightReader::status;
  // Unimplemented (code "no_device") for a device other than the CPU.
  static absl::StatusOr<std::shared_ptr<const MusicgenDecoder>> Load(const TensorSet& set, const MusicgenConfig& config,
                                                                     const WeightOptions& options,
                                                                     const std::string& prefix = "decoder.",
                                                                     std::vector<std::string>* unread = nullptr,
                                                                     std::optional<Precision> storage = {});
  // What the matrices will be kept in: `asked`, or float16 where float32 is asked for and every number of every matrix
  // fits that type exactly, as in the published files. Reads up to the first that does not. Errors as of
  // TensorFile::Bytes; Cancelled.
  static absl::StatusOr<Precision> StorageFor(const TensorSet& set, Precision asked, const CancelToken& cancel = {},
                                              const std::string& prefix = "decoder.");

  const MusicgenConfig& config() const { return config_; }
  Precision storage() const { return storage_; }

  // The text encoder's states [tokens, d_model] -> [tokens, hidden]; chroma [frames, bins] -> [frames, hidden].
  at::Tensor ProjectText(const at::Tensor& states) const { return projections_.Text(states); }
  at::Tensor ProjectChroma(const at::Tensor& chroma) const { return projections_.Chroma(chroma); }
  const MusicgenProjections& projections() const { return projections_; }

  // conditioning: float32 [rows, length, hidden] out of the projections, undefined or of length 0 for none; `lengths`
  // are the real ones of each row, 0 for the half without guidance. What is behind a row's length is not attended to;
  // in a melody model it is a row of zeros that is, as in the reference. There the conditioning comes first (chroma,
  // then text) and is worked through here, with `cancel` polled.
  // InvalidArgument (code "bad_conditioning") for shapes that do not fit; Cancelled.
  absl::StatusOr<State> NewState(int64_t rows, int64_t most_steps, const at::Tensor& conditioning,
                                 std::span<const int64_t> lengths, const CancelToken& cancel = {}) const;
  // codes [rows, books] in [0, vocab_size], one step for each row; logits [rows, books, vocab_size] of the next one. No
  // memory is taken.
  void Step(State& state, std::span<const int32_t> codes, float* logits) const;
  // Several steps at once, a prompt's: codes [rows, steps, books]; the logits behind the last one, as Step would give
  // them bit by bit. Cancelled within a layer; the state is then of no use.
  absl::Status Prefill(State& state, std::span<const int32_t> codes, int64_t steps, float* logits,
                       const CancelToken& cancel = {}) const;

  // Exactly what Load keeps, `precision` being what StorageFor answers, and what NewState takes.
  static int64_t WeightBytes(const MusicgenConfig& config, Precision precision);
  static int64_t StateBytes(const MusicgenConfig& config, Precision precision, int64_t rows, int64_t most_steps,
                            int64_t conditioning) {
    return MusicgenState::Bytes(config, precision, rows, most_steps, conditioning);
  }

 private:
  struct Batch;  // rows * steps positions that are computed at once
  void EmbedCodes(const State& state, const Batch& batch, std::span<const int32_t> codes, int64_t first,
                  int64_t of_steps) const;
  absl::Status RunLayers(State& state, Batch& batch, const CancelToken& cancel) const;
  void SelfAttend(State& state, Batch& batch, int64_t layer) const;
  void CrossAttend(State& state, Batch& batch, int64_t layer) const;
  void AddAndNormRows(Batch& batch, const LayerNorm& norm, bool add) const;
  void Head(State& state, const Batch& batch, float* logits) const;
  void FillCross(State& state, const at::Tensor& conditioning) const;
  absl::Status FillPrefix(State& state, const at::Tensor& conditioning, std::span<const int64_t> lengths,
                          const CancelToken& cancel) const;

  MusicgenConfig config_;
  Precision storage_ = Precision::kFloat32;
  at::Tensor embeddings_;   // [books, vocab + 1, hidden] in the storage type, of half floats for int8 and int4
  at::Tensor frequencies_;  // [hidden / 2]
  std::vector<MusicgenLayer> layers_;
  LayerNorm norm_;
  PackedLinear heads_;  // of all books
  MusicgenProjections projections_;
};

}  // namespace grym
