// Keys and values of what was attended to, for all layers, rows and heads, allocated whole at once.
#pragma once
#include <cstdint>

#include "runtime/tensor.h"

namespace grym {

struct CacheShape {
  int64_t layers = 0, rows = 0, heads = 0, dim = 0;  // dim: of a head
  int64_t capacity = 0;                              // positions
};

// Each key and each value is kept as 16 bit whole numbers with a float32 scale of its own, the largest magnitude over
// 32767: an error of at most 2^-16 of that, twenty times below that of the half floats that would take the same
// memory, and with no cost to speak of, since a whole number converts to float in one instruction and the scale goes
// into the score or the weight of its position. Half of float32's memory, and of the time to read it.
//
// Keys lie in blocks of sixteen positions, [block][dim][16], so that sixteen scores are summed side by side; values as
// [position][dim], padded to a multiple of sixteen. A position's score and the sum over a number of positions have the
// same bits whatever else is computed with them.
// Threads: heads are apart from each other; one head belongs to one thread at a time.
class KeyValueCache {
 public:
  KeyValueCache() = default;
  explicit KeyValueCache(const CacheShape& shape);
  static int64_t Bytes(const CacheShape& shape);  // as the allocator counts them

  const CacheShape& shape() const { return shape_; }
  // key and value [dim]. Requires 0 <= position < capacity. What is not finite makes all sums over it NaN.
  void Write(int64_t layer, int64_t row, int64_t head, int64_t position, const float* key, const float* value);
  // out [dim] = softmax(query key' / sqrt(dim)) value over the first `count` positions, 0 < count <= capacity.
  void Attend(int64_t layer, int64_t row, int64_t head, int64_t count, const float* query, float* out);

 private:
  int64_t Lane(int64_t layer, int64_t row, int64_t head) const {
    return (layer * shape_.rows + row) * shape_.heads + head;
  }
  CacheShape shape_;
  int64_t positions_ = 0, padded_dim_ = 0;  // both rounded up to sixteen
  at::Tensor keys_, values_;                // int16 [lanes, positions * dim], [lanes, positions, padded dim]
  at::Tensor scales_;                       // float32 [lanes, 2, positions], of keys and of values
  at::Tensor scores_;                       // float32 [rows * heads, positions + dim]: of the step in work
};

}  // namespace grym
