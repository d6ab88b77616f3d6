// Everything that changes while codes are made: the caches and the room that a step works in.
#pragma once
#include <cstdint>
#include <vector>

#include "models/musicgen/config.h"
#include "models/musicgen/key_value_cache.h"
#include "runtime/device.h"
#include "runtime/tensor.h"

namespace grym {

// Rows of numbers between the matrix products, float32, for `count` rows.
struct MusicgenRows {
  at::Tensor x, normed, qkv, mixed, added, wide;
  static MusicgenRows Make(const MusicgenConfig& config, int64_t count);
  static int64_t Bytes(const MusicgenConfig& config, int64_t count);
  MusicgenRows First(int64_t count) const;  // views
};

// Of `rows` sequences that are decoded side by side. Made by MusicgenDecoder::NewState, whole at once. Movable; belongs
// to one thread at a time. What was done to it before does not show: after the same codes, the next logits have the
// same bits however they were handed over and whoever stood beside.
class MusicgenState {
 public:
  // `weights` is what the decoder's matrices are kept in, which the cache's numbers follow.
  MusicgenState(const MusicgenConfig& config, Precision weights, int64_t rows, int64_t most_steps,
                int64_t conditioning);
  MusicgenState(MusicgenState&&) = default;
  MusicgenState& operator=(MusicgenState&&) = default;
  static int64_t Bytes(const MusicgenConfig& config, Precision weights, int64_t rows, int64_t most_steps,
                       int64_t conditioning);

  int64_t rows() const { return rows_; }
  int64_t most_steps() const { return most_steps_; }
  int64_t steps_done() const { return position_ - prefix_; }
  int64_t steps_left() const { return most_steps_ - steps_done(); }

 private:
  friend class MusicgenDecoder;
  int64_t rows_, most_steps_, prefix_ = 0;  // prefix: positions of conditioning before the first code
  int64_t position_ = 0;
  std::vector<int64_t> lengths_;  // of the conditioning that is cross-attended, for each row
  bool any_conditioning_ = false;
  KeyValueCache self_, cross_;
  MusicgenRows whole_, step_;
  at::Tensor logits_;  // [rows, books * vocab]
};

// So many rows are computed at once at most: several steps of each sequence.
int64_t MusicgenStepsAtOnce(int64_t rows);

}  // namespace grym
