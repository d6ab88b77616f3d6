#include "models/musicgen/layers.h"

#include <cmath>

#include "nn/packed_linear.h"
#include "runtime/memory_budget.h"

namespace grym {
namespace {

constexpr double kNormEpsilon = 1e-5;

c10::ScalarType EmbeddingType(Precision storage) {
  switch (storage) {
    case Precision::kFloat32:
    case Precision::kBFloat16x3: return at::kFloat;
    case Precision::kBFloat16: return at::kBFloat16;
    default: return at::kHalf;
  }
}

}  // namespace

Precision MusicgenPrecision(MusicgenMatrix matrix, Precision storage) {
  if (storage != Precision::kInt4) return storage;
  switch (matrix) {
    case MusicgenMatrix::kValue:
    case MusicgenMatrix::kOut:
    case MusicgenMatrix::kHeads: return Precision::kInt8;
    case MusicgenMatrix::kQuery:
    case MusicgenMatrix::kKey:
    case MusicgenMatrix::kWide:
    case MusicgenMatrix::kNarrow: return Precision::kInt4;
  }
  return storage;
}

std::string MusicgenPrecisions(Precision storage) {
  const Precision values = MusicgenPrecision(MusicgenMatrix::kValue, storage);
  const std::string name = PrecisionName(storage);
  return values == storage ? name : name + " and " + PrecisionName(values);
}

const char* NameOfMatrix(MusicgenMatrix matrix) {
  switch (matrix) {
    case MusicgenMatrix::kQuery: return "q_proj";
    case MusicgenMatrix::kKey: return "k_proj";
    case MusicgenMatrix::kValue: return "v_proj";
    case MusicgenMatrix::kOut: return "out_proj";
    case MusicgenMatrix::kWide: return "fc1";
    case MusicgenMatrix::kNarrow: return "fc2";
    case MusicgenMatrix::kHeads: return "lm_heads";
  }
  return "";
}

std::vector<std::span<const MusicgenMatrix>> RunsOfBits(std::span<const MusicgenMatrix> matrices, Precision storage) {
  std::vector<std::span<const MusicgenMatrix>> runs;
  for (size_t begin = 0, end = 0; begin < matrices.size(); begin = end) {
    const Precision precision = MusicgenPrecision(matrices[begin], storage);
    while (end < matrices.size() && MusicgenPrecision(matrices[end], storage) == precision) ++end;
    runs.push_back(matrices.subspan(begin, end - begin));
  }
  return runs;
}

LayerNorm ReadMusicgenNorm(WeightReader& weights, const std::string& name, int64_t dim) {
  return {weights.Exact(name + ".weight", {dim}), weights.Exact(name + ".bias", {dim}), kNormEpsilon};
}

std::vector<std::string> MusicgenHeadNames(const MusicgenConfig& config) {
  std::vector<std::string> names;
  for (int64_t book = 0; book < config.books; ++book)
    names.push_back(NameOfMatrix(MusicgenMatrix::kHeads) + ("." + std::to_string(book)));
  return names;
}

at::Tensor ReadMusicgenEmbeddings(WeightReader& weights, const MusicgenConfig& config, Precision storage) {
  const int64_t rows = config.vocab_size + 1;
  const c10::ScalarType type = EmbeddingType(storage);
  at::Tensor tables = at::empty({config.books, rows, config.hidden},
                                at::TensorOptions().dtype(type).device(weights.options().device));
  for (int64_t book = 0; book < config.books; ++book) {
    const std::string name = "model.decoder.embed_tokens." + std::to_string(book) + ".weight";
    const at::Tensor table = weights.Exact(name, {rows, config.hidden});
    if (type == at::kHalf) CheckFitsHalf(weights, name, table);
    if (!table.defined()) continue;
    tables.select(0, book).copy_(table);
    if (type != at::kFloat) weights.Keep(name, tables.select(0, book), {name});
  }
  return tables;
}

// By the reference's own operators, so that angles of a thousand steps are the same ones.
at::Tensor MusicgenFrequencies(const MusicgenConfig& config) {
  const int64_t half = config.hidden / 2;
  const double step = std::log(10000.0) / static_cast<double>(half - 1);
  return at::exp(at::arange(half, at::kLong).to(at::kFloat) * -step);
}

absl::StatusOr<MusicgenProjections> ReadMusicgenProjections(const TensorSet& set, const MusicgenConfig& config,
                                                            const WeightOptions& options) {
  WeightReader top(set, "musicgen", options);
  MusicgenProjections read;
  if (config.projects_text()) {
    read.text_weight = top.Exact("enc_to_dec_proj.weight", {config.hidden, config.text.d_model});
    read.text_bias = top.Exact("enc_to_dec_proj.bias", {config.hidden});
  }
  if (config.projects_chroma()) {
    read.chroma_weight = top.Exact("audio_enc_to_dec_proj.weight", {config.hidden, config.chroma_bins});
    read.chroma_bias = top.Exact("audio_enc_to_dec_proj.bias", {config.hidden});
  }
  if (absl::Status status = top.status(); !status.ok()) return status;
  return read;
}

int64_t MusicgenWeightBytes(const MusicgenConfig& config, Precision storage,
                            const std::function<int64_t(int64_t out, int64_t in, Precision precision)>& kept) {
  const int64_t dim = config.hidden, vector = AllocatedBytes(dim * 4);
  using enum MusicgenMatrix;
  const auto matrix = [&](MusicgenMatrix kind, int64_t out, int64_t in) {
    return kept(out, in, MusicgenPrecision(kind, storage));
  };
  const auto inputs = [&](std::span<const MusicgenMatrix> kinds) {
    int64_t sum = 0;
    for (const auto run : RunsOfBits(kinds, storage))
      sum += matrix(run.front(), static_cast<int64_t>(run.size()) * dim, dim);
    return sum;
  };
  int64_t layer = inputs(kSelfInputs) + matrix(kOut, dim, dim) + matrix(kWide, config.ffn, dim) +
                  matrix(kNarrow, dim, config.ffn) + 4 * vector;
  if (!config.melody) layer += matrix(kQuery, dim, dim) + inputs(kCrossInputs) + matrix(kOut, dim, dim) + 2 * vector;
  const int64_t element = static_cast<int64_t>(c10::elementSize(EmbeddingType(storage)));
  int64_t bytes = config.layers * layer + matrix(kHeads, config.books * config.vocab_size, dim) + 2 * vector +
                  AllocatedBytes(config.books * (config.vocab_size + 1) * dim * element) +
                  AllocatedBytes(dim / 2 * 4);
  if (config.projects_text()) bytes += AllocatedBytes(dim * config.text.d_model * 4) + vector;
  if (config.projects_chroma()) bytes += AllocatedBytes(dim * config.chroma_bins * 4) + vector;
  return bytes;
}

}  // namespace grym
