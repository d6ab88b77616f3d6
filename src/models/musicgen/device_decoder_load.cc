#include <algorithm>
#include <utility>

#include "base/status.h"
#include "models/musicgen/device_decoder.h"
#include "runtime/memory_budget.h"
#include "runtime/packed.h"

namespace grym {
namespace {

// cuBLAS keeps up to 32 MiB for each stream that it has seen: the one that runs and the one that captures.
constexpr int64_t kGpuProductBytes = int64_t{64} << 20;
// Of a block of codes that operators decode (DecodedByOperators), beside what LinearScratchBytes counts of it.
constexpr int64_t kDecodingCopies = 6;

}  // namespace

absl::StatusOr<std::shared_ptr<const MusicgenDeviceDecoder>> MusicgenDeviceDecoder::Load(
    const TensorSet& set, const MusicgenConfig& config, const WeightOptions& options, const std::string& prefix,
    std::vector<std::string>* unread, std::optional<c10::ScalarType> type) {
  if (options.from_copy) {
    return Error(absl::StatusCode::kFailedPrecondition, "packed_for_cpu",
                 "musicgen/decoder: want a published folder on \"" + options.device.str() +
                     "\", got a packed copy, which the CPU alone reads: open the folder that it was made from, or this "
                     "one on the device \"cpu\"");
  }
  auto decoder = std::make_shared<MusicgenDeviceDecoder>();
  const Precision storage = options.precision;
  decoder->config_ = config;
  decoder->device_ = options.device;
  decoder->type_ = type.value_or(ComputeType(storage, options.device));
  WeightReader weights(set, "musicgen/decoder", options, prefix);
  const auto read = [&](const std::vector<std::string>& names, int64_t out_each, int64_t in, Precision precision) {
    Linear linear = ReadFusedLinear(weights, names, in, out_each, /*bias=*/false, precision);
    const at::Tensor& plain = linear.weight.plain;
    if (precision == Precision::kFloat16 && plain.defined() && !plain.isfinite().all().item<bool>())
      weights.AddProblem(names.back() + ".weight", "want sizes up to 65504 for float16, got more there or beside it");
    return linear;
  };
  decoder->embeddings_ = ReadMusicgenEmbeddings(weights, config, storage).flatten(0, 1);
  decoder->heads_ = read(MusicgenHeadNames(config), config.vocab_size, config.hidden,
                         MusicgenPrecision(MusicgenMatrix::kHeads, storage));
  decoder->norm_ = ReadMusicgenNorm(weights, "model.decoder.layer_norm", config.hidden);
  decoder->frequencies_ = MusicgenFrequencies(config).to(options.device);
  decoder->layers_ = ReadMusicgenLayers<Linear>(weights, config, storage, read);
  GRYM_RETURN_IF_ERROR(weights.status());
  GRYM_ASSIGN_OR_RETURN(decoder->projections_, ReadMusicgenProjections(set, config, options));
  weights.Skip("model.decoder.embed_positions.weights");  // older files keep the table, which is computed here
  if (unread) *unread = weights.Unread();
  return std::shared_ptr<const MusicgenDeviceDecoder>(std::move(decoder));
}

int64_t MusicgenDeviceDecoder::WeightBytes(const MusicgenConfig& config, Precision precision) {
  return MusicgenWeightBytes(config, precision, [](int64_t out, int64_t in, Precision kept) {
    return WeightMatrix::BytesKept(out, in, kept);
  });
}

// Rows of numbers between products, as RunLayers, Embedded and FillCross hold them at their widest.
int64_t MusicgenDeviceDecoder::WorkingBytes(const MusicgenConfig& config, Precision precision, c10::Device device,
                                            int64_t rows, int64_t most_steps, int64_t conditioning) {
  const int64_t dim = config.hidden, codes = config.books * config.vocab_size;
  const auto element = static_cast<int64_t>(c10::elementSize(ComputeType(precision, device)));
  const int64_t many = std::min(MusicgenDeviceStepsAtOnce(rows), most_steps + (config.melody ? conditioning : 0));
  int64_t decoding = 0;
  for (const auto& [out, in] : {std::pair{3 * dim, dim}, {config.ffn, dim}, {dim, config.ffn}, {codes, dim}})
    decoding = std::max(decoding, LinearScratchBytes(out, in, precision, device, rows * many));
  if (!config.melody) {
    decoding = std::max(decoding, LinearScratchBytes(2 * dim, dim, precision, device, rows * conditioning));
  }
  if (!device.is_cpu() && IsPacked(precision)) decoding *= kDecodingCopies;
  const auto layers = [&](int64_t count) {  // of count steps of each row
    const int64_t all = rows * count, slots = most_steps + (config.melody ? conditioning : 0);
    const int64_t attending = 8 * dim * element, feeding = (config.ffn + 2 * dim) * element;
    // All books' embeddings as they are kept, and converted to be summed.
    const int64_t embedding = config.books * (dim * (precision == Precision::kFloat32 ? 4 : 6) + 8) + dim * 4;
    return AllocatedBytes(all * (dim * 4 + std::max({attending, feeding, embedding}))) +
           AllocatedBytes(count * slots * (element + 1)) + AllocatedBytes(rows * codes * element);
  };
  const int64_t cross = config.melody ? 0 : AllocatedBytes(rows * conditioning * 5 * dim * element);
  int64_t bytes = decoding + std::max(layers(many), cross);
  // A captured step keeps the memory that it works in.
  if (device.is_cuda()) bytes += kGpuProductBytes + decoding + layers(1);
  return bytes;
}

}  // namespace grym
