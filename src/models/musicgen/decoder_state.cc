#include "models/musicgen/decoder_state.h"

#include <algorithm>

#include "runtime/memory_budget.h"

namespace grym {
namespace {

// The weights are read once for so many rows of a prompt; more would only take more room.
constexpr int64_t kRowsAtOnce = 64;

// What int8 and int4 weights lose is more than 8 bits here do, and their step is the one that the cache weighs in.
CacheShape SelfShape(const MusicgenConfig& config, Precision weights, int64_t rows, int64_t most_steps,
                     int64_t conditioning) {
  const bool narrow = weights == Precision::kInt8 || weights == Precision::kInt4;
  return {config.layers,
          rows,
          config.heads,
          config.head_dim(),
          most_steps + (config.melody ? conditioning : 0),
          narrow ? 8 : 16};
}
// Short, and written once: 16 bits cost nothing.
CacheShape CrossShape(const MusicgenConfig& config, int64_t rows, int64_t conditioning) {
  return {config.layers, rows, config.heads, config.head_dim(), config.melody ? 0 : conditioning};
}

}  // namespace

int64_t MusicgenStepsAtOnce(int64_t rows) { return std::max<int64_t>(1, kRowsAtOnce / rows); }

MusicgenRows MusicgenRows::Make(const MusicgenConfig& config, int64_t count) {
  const auto rows = [&](int64_t dim) { return at::empty({count, dim}, at::kFloat); };
  return {rows(config.hidden), rows(config.hidden), rows(3 * config.hidden), rows(config.hidden), rows(config.hidden),
          rows(config.ffn)};
}

int64_t MusicgenRows::Bytes(const MusicgenConfig& config, int64_t count) {
  return 4 * AllocatedBytes(count * config.hidden * 4) + AllocatedBytes(count * 3 * config.hidden * 4) +
         AllocatedBytes(count * config.ffn * 4);
}

MusicgenRows MusicgenRows::First(int64_t count) const {
  const auto first = [&](const at::Tensor& tensor) { return tensor.narrow(0, 0, count); };
  return {first(x), first(normed), first(qkv), first(mixed), first(added), first(wide)};
}

MusicgenState::MusicgenState(const MusicgenConfig& config, Precision weights, int64_t rows, int64_t most_steps,
                             int64_t conditioning)
    : rows_(rows),
      most_steps_(most_steps),
      prefix_(config.melody ? conditioning : 0),
      lengths_(static_cast<size_t>(rows), 0),
      self_(SelfShape(config, weights, rows, most_steps, conditioning)),
      cross_(CrossShape(config, rows, conditioning)),
      whole_(MusicgenRows::Make(config, rows * MusicgenStepsAtOnce(rows))),
      step_(whole_.First(rows)),
      logits_(at::empty({rows, config.books * config.vocab_size}, at::kFloat)) {}

int64_t MusicgenState::Bytes(const MusicgenConfig& config, Precision weights, int64_t rows, int64_t most_steps,
                             int64_t conditioning) {
  return KeyValueCache::Bytes(SelfShape(config, weights, rows, most_steps, conditioning)) +
         KeyValueCache::Bytes(CrossShape(config, rows, conditioning)) +
         MusicgenRows::Bytes(config, rows * MusicgenStepsAtOnce(rows)) +
         AllocatedBytes(rows * config.books * config.vocab_size * 4);
}

}  // namespace grym
