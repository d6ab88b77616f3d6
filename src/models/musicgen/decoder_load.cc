#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>

#include "base/format.h"
#include "base/status.h"
#include "models/musicgen/decoder.h"
#include "models/musicgen/row_loops.h"
#include "runtime/memory_budget.h"

namespace grym {
namespace {

constexpr double kNormEpsilon = 1e-5;

// Embeddings are looked up, eight rows a step, so that packing them would save memory alone; half floats do most of it.
c10::ScalarType EmbeddingType(Precision storage) {
  switch (storage) {
    case Precision::kFloat32: return at::kFloat;
    case Precision::kBFloat16: return at::kBFloat16;
    default: return at::kHalf;
  }
}

constexpr MusicgenMatrix kSelfInputs[] = {MusicgenMatrix::kQuery, MusicgenMatrix::kKey, MusicgenMatrix::kValue};
constexpr MusicgenMatrix kCrossInputs[] = {MusicgenMatrix::kKey, MusicgenMatrix::kValue};

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

// `matrices` in their order, those of the same bits together.
std::vector<std::span<const MusicgenMatrix>> RunsOfBits(std::span<const MusicgenMatrix> matrices, Precision storage) {
  std::vector<std::span<const MusicgenMatrix>> runs;
  for (size_t begin = 0, end = 0; begin < matrices.size(); begin = end) {
    const Precision precision = MusicgenPrecision(matrices[begin], storage);
    while (end < matrices.size() && MusicgenPrecision(matrices[end], storage) == precision) ++end;
    runs.push_back(matrices.subspan(begin, end - begin));
  }
  return runs;
}

// `matrix` of a layer, whose names begin with `at`.
PackedLinear ReadMatrix(WeightReader& weights, const std::string& at, MusicgenMatrix matrix, int64_t out, int64_t in,
                        Precision storage) {
  return ReadPackedLinear(weights, {at + NameOfMatrix(matrix)}, out, in,
                          PackedFormat(MusicgenPrecision(matrix, storage)));
}

// Square ones over the same inputs.
std::vector<PackedLinear> ReadInputs(WeightReader& weights, const std::string& at,
                                     std::span<const MusicgenMatrix> matrices, int64_t dim, Precision storage) {
  std::vector<PackedLinear> read;
  for (const auto run : RunsOfBits(matrices, storage)) {
    std::vector<std::string> names;
    for (const MusicgenMatrix matrix : run) names.push_back(at + NameOfMatrix(matrix));
    read.push_back(
        ReadPackedLinear(weights, names, dim, dim, PackedFormat(MusicgenPrecision(run.front(), storage))));
  }
  return read;
}

bool FitsHalf(std::span<const std::byte> bytes, ElementType type) {
  if (type == ElementType::kF16) return true;
  if (type != ElementType::kF32) return false;
  const auto count = static_cast<int64_t>(bytes.size() / 4);
  std::atomic<bool> fits{true};
  at::parallel_for(0, count, 1 << 20, [&](int64_t begin, int64_t end) {
    constexpr int64_t kBlock = 1 << 16;
    std::vector<uint32_t> room(kBlock);  // a tensor of an old file may lie at an odd place
    for (int64_t i = begin; i < end && fits; i += kBlock) {
      const int64_t size = std::min(kBlock, end - i);
      std::memcpy(room.data(), bytes.data() + i * 4, static_cast<size_t>(size) * 4);
      if (!AllFitHalf(room.data(), size)) fits = false;
    }
  });
  return fits;
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

absl::StatusOr<Precision> MusicgenDecoder::StorageFor(const TensorSet& set, Precision asked, const CancelToken& cancel,
                                                      const std::string& prefix) {
  if (asked != Precision::kFloat32) return asked;
  for (size_t i = 0; i < set.size(); ++i) {
    const TensorPlace& place = set.place(i);
    if (place.entry->name.rfind(prefix, 0) != 0 || place.entry->shape.size() != 2) continue;
    if (place.entry->name.find("embed_positions") != std::string::npos) continue;  // not read, and no matrix
    GRYM_RETURN_IF_ERROR(cancel.Check());
    GRYM_ASSIGN_OR_RETURN(const auto bytes, place.file->Bytes(*place.entry));
    if (!FitsHalf(bytes, place.entry->type)) return Precision::kFloat32;
  }
  return Precision::kFloat16;
}

absl::StatusOr<std::shared_ptr<const MusicgenDecoder>> MusicgenDecoder::Load(const TensorSet& set,
                                                                             const MusicgenConfig& config,
                                                                             const WeightOptions& options,
                                                                             const std::string& prefix,
                                                                             std::vector<std::string>* unread,
                                                                             std::optional<Precision> storage) {
  if (!options.device.is_cpu()) {
    return Error(absl::StatusCode::kUnimplemented, "no_device",
                 "musicgen/decoder: want the device \"cpu\", got \"" + options.device.str() + "\"");
  }
  auto decoder = std::make_shared<MusicgenDecoder>();
  decoder->config_ = config;
  if (storage) {
    decoder->storage_ = *storage;
  } else {
    GRYM_ASSIGN_OR_RETURN(decoder->storage_, StorageFor(set, options.precision, options.cancel, prefix));
  }
  WeightOptions floats = options;
  floats.precision = Precision::kFloat32;  // norms and projections, on machines that compute in bfloat16 as well
  WeightReader weights(set, "musicgen/decoder", floats, prefix);
  decoder->ReadTables(weights);
  decoder->ReadLayers(weights);
  GRYM_RETURN_IF_ERROR(weights.status());
  GRYM_RETURN_IF_ERROR(decoder->ReadProjections(set, floats));
  weights.Skip("model.decoder.embed_positions.weights");  // older files keep the table, which is computed here
  if (unread) *unread = weights.Unread();
  return std::shared_ptr<const MusicgenDecoder>(std::move(decoder));
}

void MusicgenDecoder::ReadTables(WeightReader& weights) {
  const int64_t dim = config_.hidden, rows = config_.vocab_size + 1;
  embeddings_ = at::empty({config_.books, rows, dim}, EmbeddingType(storage_));
  std::vector<std::string> heads;
  for (int64_t book = 0; book < config_.books; ++book) {
    const std::string name = "model.decoder.embed_tokens." + std::to_string(book) + ".weight";
    const at::Tensor table = weights.Exact(name, {rows, dim});
    if (EmbeddingType(storage_) == at::kHalf) CheckFitsHalf(weights, name, table);
    if (table.defined()) {
      embeddings_.select(0, book).copy_(table);
      if (embeddings_.scalar_type() != at::kFloat) weights.Keep(name, embeddings_.select(0, book), {name});
    }
    heads.push_back(NameOfMatrix(MusicgenMatrix::kHeads) + ("." + std::to_string(book)));
  }
  heads_ = ReadPackedLinear(weights, heads, config_.vocab_size, dim,
                            PackedFormat(MusicgenPrecision(MusicgenMatrix::kHeads, storage_)));
  norm_ = ReadLayerNorm(weights, "model.decoder.layer_norm", dim, kNormEpsilon);
  // By the reference's own operators, so that angles of a thousand steps are the same ones.
  const int64_t half = dim / 2;
  const double step = std::log(10000.0) / static_cast<double>(half - 1);
  frequencies_ = at::exp(at::arange(half, at::kLong).to(at::kFloat) * -step);
}

void MusicgenDecoder::ReadLayers(WeightReader& weights) {
  const int64_t dim = config_.hidden;
  for (int64_t i = 0; i < config_.layers; ++i) {
    const std::string at = "model.decoder.layers." + std::to_string(i) + ".";
    const std::string self = at + "self_attn.", cross = at + "encoder_attn.";
    MusicgenLayer layer;
    layer.qkv = ReadInputs(weights, self, kSelfInputs, dim, storage_);
    layer.self_out = ReadMatrix(weights, self, MusicgenMatrix::kOut, dim, dim, storage_);
    layer.self_norm = ReadLayerNorm(weights, at + "self_attn_layer_norm", dim, kNormEpsilon);
    if (!config_.melody) {
      layer.cross_query = ReadMatrix(weights, cross, MusicgenMatrix::kQuery, dim, dim, storage_);
      layer.cross_kv = ReadInputs(weights, cross, kCrossInputs, dim, storage_);
      layer.cross_out = ReadMatrix(weights, cross, MusicgenMatrix::kOut, dim, dim, storage_);
      layer.cross_norm = ReadLayerNorm(weights, at + "encoder_attn_layer_norm", dim, kNormEpsilon);
    }
    layer.wide = ReadMatrix(weights, at, MusicgenMatrix::kWide, config_.ffn, dim, storage_);
    layer.narrow = ReadMatrix(weights, at, MusicgenMatrix::kNarrow, dim, config_.ffn, storage_);
    layer.wide_norm = ReadLayerNorm(weights, at + "final_layer_norm", dim, kNormEpsilon);
    layers_.push_back(std::move(layer));
  }
}

absl::Status MusicgenDecoder::ReadProjections(const TensorSet& set, const WeightOptions& options) {
  WeightReader top(set, "musicgen", options);
  if (config_.projects_text()) {
    text_weight_ = top.Exact("enc_to_dec_proj.weight", {config_.hidden, config_.text.d_model});
    text_bias_ = top.Exact("enc_to_dec_proj.bias", {config_.hidden});
  }
  if (config_.projects_chroma()) {
    chroma_weight_ = top.Exact("audio_enc_to_dec_proj.weight", {config_.hidden, config_.chroma_bins});
    chroma_bias_ = top.Exact("audio_enc_to_dec_proj.bias", {config_.hidden});
  }
  return top.status();
}

int64_t MusicgenDecoder::WeightBytes(const MusicgenConfig& config, Precision precision) {
  const int64_t dim = config.hidden, vector = AllocatedBytes(dim * 4);
  using enum MusicgenMatrix;
  const auto matrix = [&](MusicgenMatrix kind, int64_t out, int64_t in) {
    return PackedLinear::BytesKept(out, in, MusicgenPrecision(kind, precision));
  };
  const auto inputs = [&](std::span<const MusicgenMatrix> kinds) {
    int64_t sum = 0;
    for (const auto run : RunsOfBits(kinds, precision))
      sum += matrix(run.front(), static_cast<int64_t>(run.size()) * dim, dim);
    return sum;
  };
  int64_t layer = inputs(kSelfInputs) + matrix(kOut, dim, dim) + matrix(kWide, config.ffn, dim) +
                  matrix(kNarrow, dim, config.ffn) + 4 * vector;
  if (!config.melody) layer += matrix(kQuery, dim, dim) + inputs(kCrossInputs) + matrix(kOut, dim, dim) + 2 * vector;
  const int64_t element = static_cast<int64_t>(c10::elementSize(EmbeddingType(precision)));
  int64_t bytes = config.layers * layer + matrix(kHeads, config.books * config.vocab_size, dim) + 2 * vector +
                  AllocatedBytes(config.books * (config.vocab_size + 1) * dim * element) +
                  AllocatedBytes(dim / 2 * 4);
  if (config.projects_text()) bytes += AllocatedBytes(dim * config.text.d_model * 4) + vector;
  if (config.projects_chroma()) bytes += AllocatedBytes(dim * config.chroma_bins * 4) + vector;
  return bytes;
}

}  // namespace grym
