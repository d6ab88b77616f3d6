// Keys and values of what was attended to, for all layers, rows and heads, allocated whole at once.
#pragma once
#include <cstdint>

#include "models/musicgen/cache_kernels.h"
#include "runtime/tensor.h"

namespace grym {

struct CacheShape {
  int64_t layers = 0, rows = 0, heads = 0, dim = 0;  // dim: of a head
  int64_t capacity = 0;                              // positions
  int64_t bits = 16;                                 // that a number is kept in: 16 or 8
};

// Each key and each value is kept as whole numbers with a float32 scale of its own, the largest magnitude over 32767 or
// 127. In 16 bits the error is at most 2^-16 of that, twenty times below that of the half floats that would take the
// same memory, and with no cost to speak of, since a whole number converts to float in one instruction and the scale
// goes into the score or the weight of its position. 8 bits take half of the memory, and of the time to read it.
//
// How the numbers lie, and what reads them: cache_kernels.h. A position's score and the sum over a number of positions
// have the same bits whatever else is computed with them.
// Threads: heads are apart from each other; one head belongs to one thread at a time.
class KeyValueCache {
 public:
  KeyValueCache() = default;
  explicit KeyValueCache(const CacheShape& shape, CachePath path = BestCachePath());
  static int64_t Bytes(const CacheShape& shape);  // as the allocator counts them

  const CacheShape& shape() const { return shape_; }
  // key and value [dim]. Requires 0 <= position < capacity. What is not finite makes all sums over it NaN.
  void Write(int64_t layer, int64_t row, int64_t head, int64_t position, const float* key, const float* value);
  // out [dim] = softmax(query key' / sqrt(dim)) value over the first `count` positions, 0 < count <= capacity.
  void Attend(int64_t layer, int64_t row, int64_t head, int64_t count, const float* query, float* out);

 private:
  void AttendWords(int64_t lane, int64_t count, const float* query, float* scores, float* out) const;
  void AttendBytes(int64_t lane, int64_t count, const float* query, float* scores, float* out) const;

  CacheShape shape_;
  const CacheKernels* kernels_ = nullptr;
  int64_t positions_ = 0, key_dim_ = 0, value_dim_ = 0;  // rounded up to what the kernels take at once
  at::Tensor keys_, values_;  // int16 or int8 [lanes, positions * key dim], [lanes, positions * value dim]
  at::Tensor fine_values_;    // int16 [lanes, 64 * value dim]: of the first positions, where `values_` are the others'
  at::Tensor scales_;         // float32 [lanes, 2, positions], of keys and of values
  at::Tensor scores_;         // float32 [rows * heads, positions + value dim]: of the step in work
};

}  // namespace grym
