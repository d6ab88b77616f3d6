#include <algorithm>
#include <atomic>
#include <cstring>

#include "base/format.h"
#include "base/status.h"
#include "models/musicgen/decoder.h"
#include "models/musicgen/row_loops.h"

namespace grym {
namespace {

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
  const auto read = [&](const std::vector<std::string>& names, int64_t out_each, int64_t in, Precision precision) {
    return ReadPackedLinear(weights, names, out_each, in, PackedFormat(precision));
  };
  decoder->embeddings_ = ReadMusicgenEmbeddings(weights, config, decoder->storage_);
  decoder->heads_ = read(MusicgenHeadNames(config), config.vocab_size, config.hidden,
                         MusicgenPrecision(MusicgenMatrix::kHeads, decoder->storage_));
  decoder->norm_ = ReadMusicgenNorm(weights, "model.decoder.layer_norm", config.hidden);
  decoder->frequencies_ = MusicgenFrequencies(config);
  decoder->layers_ = ReadMusicgenLayers<PackedLinear>(weights, config, decoder->storage_, read);
  GRYM_RETURN_IF_ERROR(weights.status());
  GRYM_ASSIGN_OR_RETURN(decoder->projections_, ReadMusicgenProjections(set, config, floats));
  weights.Skip("model.decoder.embed_positions.weights");  // older files keep the table, which is computed here
  if (unread) *unread = weights.Unread();
  return std::shared_ptr<const MusicgenDecoder>(std::move(decoder));
}

int64_t MusicgenDecoder::WeightBytes(const MusicgenConfig& config, Precision precision) {
  return MusicgenWeightBytes(config, precision, [](int64_t out, int64_t in, Precision kept) {
    return PackedLinear::BytesKept(out, in, kept);
  });
}

}  // namespace grym
