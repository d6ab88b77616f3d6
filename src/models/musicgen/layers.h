// What a MusicGen decoder is made of, whatever its matrices are multiplied by, and how it is read out of a checkpoint.
#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "checkpoint/tensor_set.h"
#include "models/musicgen/config.h"
#include "nn/norm.h"
#include "runtime/weights.h"

namespace grym {

// A matrix by what it is for; queries, keys, values and what comes out of both kinds of attention.
enum class MusicgenMatrix { kQuery, kKey, kValue, kOut, kWide, kNarrow, kHeads };

// What `matrix` is kept in where the decoder's weights are kept in `storage`: the same, but with int4 values, what comes
// out of attention and the heads have 8 bits. Source of the method: the mixtures of GGUF's quantisations (llama.cpp's
// Q4_K_M and its neighbours: attention's values and a few others in more bits). Differs: which ones is by measurement
// of this network (README.md, "Which matrices have 8 bits").
Precision MusicgenPrecision(MusicgenMatrix matrix, Precision storage);
// What tells weights that are kept so from others: "int8", "int4 and int8", ...
std::string MusicgenPrecisions(Precision storage);

const char* NameOfMatrix(MusicgenMatrix matrix);

// What a row of inputs is multiplied by.
inline constexpr MusicgenMatrix kSelfInputs[] = {MusicgenMatrix::kQuery, MusicgenMatrix::kKey, MusicgenMatrix::kValue};
inline constexpr MusicgenMatrix kCrossInputs[] = {MusicgenMatrix::kKey, MusicgenMatrix::kValue};
// `matrices` in their order, those of the same bits together.
std::vector<std::span<const MusicgenMatrix>> RunsOfBits(std::span<const MusicgenMatrix> matrices, Precision storage);

// Matrices over the same inputs are one where they have the same bits.
template <class Matrix>
struct MusicgenLayerOf {
  LayerNorm self_norm, cross_norm, wide_norm;
  std::vector<Matrix> qkv;  // query, key and value side by side
  Matrix self_out;
  Matrix cross_query, cross_out;  // not in a melody model, as cross_kv
  std::vector<Matrix> cross_kv;
  Matrix wide, narrow;
};

// Reads "<name>.weight" [out_each, in] of each name as one matrix of that precision.
template <class Matrix>
using MusicgenMatrixReader =
    std::function<Matrix(const std::vector<std::string>& names, int64_t out_each, int64_t in, Precision precision)>;

// Norms are float32 whatever the matrices are.
LayerNorm ReadMusicgenNorm(WeightReader& weights, const std::string& name, int64_t dim);

template <class Matrix>
std::vector<MusicgenLayerOf<Matrix>> ReadMusicgenLayers(WeightReader& weights, const MusicgenConfig& config,
                                                        Precision storage, const MusicgenMatrixReader<Matrix>& read) {
  const int64_t dim = config.hidden;
  const auto one = [&](const std::string& at, MusicgenMatrix matrix, int64_t out, int64_t in) {
    return read({at + NameOfMatrix(matrix)}, out, in, MusicgenPrecision(matrix, storage));
  };
  const auto inputs = [&](const std::string& at, std::span<const MusicgenMatrix> matrices) {
    std::vector<Matrix> all;
    for (const auto run : RunsOfBits(matrices, storage)) {
      std::vector<std::string> names;
      for (const MusicgenMatrix matrix : run) names.push_back(at + NameOfMatrix(matrix));
      all.push_back(read(names, dim, dim, MusicgenPrecision(run.front(), storage)));
    }
    return all;
  };
  std::vector<MusicgenLayerOf<Matrix>> layers;
  for (int64_t i = 0; i < config.layers; ++i) {
    const std::string at = "model.decoder.layers." + std::to_string(i) + ".";
    const std::string self = at + "self_attn.", cross = at + "encoder_attn.";
    MusicgenLayerOf<Matrix> layer;
    layer.qkv = inputs(self, kSelfInputs);
    layer.self_out = one(self, MusicgenMatrix::kOut, dim, dim);
    layer.self_norm = ReadMusicgenNorm(weights, at + "self_attn_layer_norm", dim);
    if (!config.melody) {
      layer.cross_query = one(cross, MusicgenMatrix::kQuery, dim, dim);
      layer.cross_kv = inputs(cross, kCrossInputs);
      layer.cross_out = one(cross, MusicgenMatrix::kOut, dim, dim);
      layer.cross_norm = ReadMusicgenNorm(weights, at + "encoder_attn_layer_norm", dim);
    }
    layer.wide = one(at, MusicgenMatrix::kWide, config.ffn, dim);
    layer.narrow = one(at, MusicgenMatrix::kNarrow, dim, config.ffn);
    layer.wide_norm = ReadMusicgenNorm(weights, at + "final_layer_norm", dim);
    layers.push_back(std::move(layer));
  }
  return layers;
}

// The heads of all books, one below the other, as ReadMusicgenLayers' `read` is asked for them.
std::vector<std::string> MusicgenHeadNames(const MusicgenConfig& config);

// All books' tables [books, vocab + 1, hidden]: in float32, bfloat16, or half floats for everything else, whose numbers
// must fit those (a problem of the reader's). Embeddings are looked up, eight rows a step, so that packing them would
// save memory alone; half floats do most of it.
at::Tensor ReadMusicgenEmbeddings(WeightReader& weights, const MusicgenConfig& config, Precision storage);
// Of the positions' waves, [hidden / 2].
at::Tensor MusicgenFrequencies(const MusicgenConfig& config);

// The two projections of conditioning, float32; undefined where the widths are the same.
struct MusicgenProjections {
  at::Tensor text_weight, text_bias, chroma_weight, chroma_bias;
  at::Tensor Text(const at::Tensor& states) const { return Projected(states, text_weight, text_bias); }
  at::Tensor Chroma(const at::Tensor& chroma) const { return Projected(chroma, chroma_weight, chroma_bias); }

 private:
  static at::Tensor Projected(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
    return weight.defined() ? at::linear(x.to(weight.device()), weight, bias) : x;
  }
};
// They stand at the checkpoint's top.
absl::StatusOr<MusicgenProjections> ReadMusicgenProjections(const TensorSet& set, const MusicgenConfig& config,
                                                            const WeightOptions& options);

// What all of it takes; `kept` says what a matrix [out, in] does.
int64_t MusicgenWeightBytes(const MusicgenConfig& config, Precision storage,
                            const std::function<int64_t(int64_t out, int64_t in, Precision precision)>& kept);

}  // namespace grym
