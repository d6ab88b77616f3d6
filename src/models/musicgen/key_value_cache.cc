#include "models/musicgen/key_value_cache.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "dsp/dispatch.h"
#include "models/musicgen/vector_math.h"
#include "runtime/memory_budget.h"

namespace grym {
namespace {

constexpr int64_t RoundedUp(int64_t count) { return (count + kLanes - 1) / kLanes * kLanes; }

#if defined(__GNUC__) && !defined(GRYM_PORTABLE_LANES)
typedef int16_t EightShorts __attribute__((vector_size(16), may_alias, aligned(2)));
typedef int32_t EightWholes __attribute__((vector_size(32)));
// By reference: how a register of this width is returned depends on the machine.
GRYM_INLINE void FromShorts(const int16_t* from, EightLanes& to) {
  const EightWholes wide = __builtin_convertvector(*reinterpret_cast<const EightShorts*>(from), EightWholes);
  to = __builtin_convertvector(wide, EightLanes);
}
#else
GRYM_INLINE void FromShorts(const int16_t* from, EightLanes& to) {
  for (int i = 0; i < kLanes; ++i) to.v[i] = static_cast<float>(from[i]);
}
#endif
GRYM_INLINE void Fill(const float* from, EightLanes& to) { to = *reinterpret_cast<const EightLanes*>(from); }
GRYM_INLINE void Keep(const EightLanes& from, float* to) { *reinterpret_cast<EightLanes*>(to) = from; }
constexpr float kNoLanes[kLanes] = {};

// scores [blocks * 8] of blocks of keys. Four sums for each lane: one would wait for itself at every addition.
GRYM_HOT void ScoreBlocks(const int16_t* keys, const float* scales, const float* query, int64_t dim, int64_t blocks,
                          float* scores) {
  for (int64_t block = 0; block < blocks; ++block, keys += dim * kLanes) {
    EightLanes a, b, c, d, k;
    Fill(kNoLanes, a);
    b = c = d = a;
    int64_t i = 0;
    for (; i + 4 <= dim; i += 4) {
      FromShorts(keys + i * kLanes, k);
      a = a + query[i] * k;
      FromShorts(keys + (i + 1) * kLanes, k);
      b = b + query[i + 1] * k;
      FromShorts(keys + (i + 2) * kLanes, k);
      c = c + query[i + 2] * k;
      FromShorts(keys + (i + 3) * kLanes, k);
      d = d + query[i + 3] * k;
    }
    for (; i < dim; ++i) {
      FromShorts(keys + i * kLanes, k);
      a = a + query[i] * k;
    }
    Fill(scales + block * kLanes, k);
    Keep(((a + b) + (c + d)) * k, scores + block * kLanes);
  }
}

// Scores into what each value counts for, its scale among it; answers the sum of the exponentials. Beyond `count` they
// count for nothing.
GRYM_HOT float WeighScores(const float* GRYM_RESTRICT scales, int64_t count, int64_t padded,
                           float* GRYM_RESTRICT scores) {
  float most[kLanes];
  for (int i = 0; i < kLanes; ++i) most[i] = -std::numeric_limits<float>::infinity();
  for (int64_t i = count; i < padded; ++i) scores[i] = -std::numeric_limits<float>::infinity();
  for (int64_t i = 0; i < padded; i += kLanes) {
    for (int lane = 0; lane < kLanes; ++lane) {
      const float score = scores[i + lane];
      most[lane] = score > most[lane] ? score : most[lane];
    }
  }
  const float largest = *std::max_element(most, most + kLanes);
  for (int64_t i = 0; i < padded; ++i) scores[i] = VectorExp(scores[i] - largest);
  for (int64_t i = count; i < padded; ++i) scores[i] = 0;
  EightLanes sum, x;
  Fill(kNoLanes, sum);
  for (int64_t i = 0; i < padded; i += kLanes) {
    Fill(scores + i, x);
    sum = sum + x;
  }
  float lanes[kLanes], total = 0;
  Keep(sum, lanes);
  for (const float lane : lanes) total += lane;
  for (int64_t i = 0; i < count; ++i) scores[i] *= scales[i];
  return total;
}

// out [lanes * 8] = the weighed sum of columns that lie `stride` apart.
template <int kWide>
GRYM_INLINE void SumValues(const int16_t* values, int64_t stride, const float* weights, int64_t count, float* out) {
  EightLanes sums[kWide], value;
  for (int i = 0; i < kWide; ++i) Fill(kNoLanes, sums[i]);
  for (int64_t position = 0; position < count; ++position, values += stride) {
    for (int i = 0; i < kWide; ++i) {
      FromShorts(values + i * kLanes, value);
      sums[i] = sums[i] + weights[position] * value;
    }
  }
  for (int i = 0; i < kWide; ++i) Keep(sums[i], out + i * kLanes);
}

GRYM_HOT void MixValues(const int16_t* values, int64_t padded_dim, const float* weights, int64_t count, float* out) {
  int64_t i = 0;
  for (; i + 8 * kLanes <= padded_dim; i += 8 * kLanes) {
    SumValues<8>(values + i, padded_dim, weights, count, out + i);
  }
  for (; i + 4 * kLanes <= padded_dim; i += 4 * kLanes) {
    SumValues<4>(values + i, padded_dim, weights, count, out + i);
  }
  for (; i < padded_dim; i += kLanes) SumValues<1>(values + i, padded_dim, weights, count, out + i);
}

// Codes of `dim` numbers, `stride` apart; answers the scale.
float WriteCodes(const float* numbers, int64_t dim, int64_t stride, int16_t* codes) {
  float largest = 0, finite = 0;
  for (int64_t i = 0; i < dim; ++i) {
    const float magnitude = std::fabs(numbers[i]);
    largest = magnitude > largest ? magnitude : largest;
    finite += magnitude * 0;  // NaN once anything is not finite
  }
  if (!(finite == 0)) largest = 0;
  const float inverse = largest > 0 ? 32767 / largest : 0;
  for (int64_t i = 0; i < dim; ++i) {
    const float code = inverse > 0 ? numbers[i] * inverse : 0;
    codes[i * stride] = static_cast<int16_t>(static_cast<int32_t>(code + (code < 0 ? -0.5f : 0.5f)));
  }
  return finite == 0 ? largest / 32767 : std::numeric_limits<float>::quiet_NaN();
}

}  // namespace

KeyValueCache::KeyValueCache(const CacheShape& shape)
    : shape_(shape), positions_(RoundedUp(shape.capacity)), padded_dim_(RoundedUp(shape.dim)) {
  const int64_t lanes = shape.layers * shape.rows * shape.heads;
  if (lanes == 0 || positions_ == 0) return;
  keys_ = at::empty({lanes, positions_ * shape.dim}, at::kShort);
  values_ = at::empty({lanes, positions_, padded_dim_}, at::kShort);
  scales_ = at::empty({lanes, 2, positions_}, at::kFloat);
  scores_ = at::empty({shape.rows * shape.heads, positions_ + padded_dim_}, at::kFloat);
}

int64_t KeyValueCache::Bytes(const CacheShape& shape) {
  const int64_t lanes = shape.layers * shape.rows * shape.heads, positions = RoundedUp(shape.capacity);
  return AllocatedBytes(lanes * positions * shape.dim * 2) +
         AllocatedBytes(lanes * positions * RoundedUp(shape.dim) * 2) +
         AllocatedBytes(lanes * positions * 2 * 4) +
         (lanes * positions > 0
              ? AllocatedBytes(shape.rows * shape.heads * (positions + RoundedUp(shape.dim)) * 4)
              : 0);
}

void KeyValueCache::Write(int64_t layer, int64_t row, int64_t head, int64_t position, const float* key,
                          const float* value) {
  const int64_t lane = Lane(layer, row, head), block = position / kLanes, dim = shape_.dim;
  int16_t* const keys = keys_.mutable_data_ptr<int16_t>() + (lane * positions_ + block * kLanes) * dim;
  int16_t* const values = values_.mutable_data_ptr<int16_t>() + (lane * positions_ + position) * padded_dim_;
  float* const scales = scales_.mutable_data_ptr<float>() + lane * 2 * positions_;
  scales[position] = WriteCodes(key, dim, kLanes, keys + position % kLanes);
  scales[positions_ + position] = WriteCodes(value, dim, 1, values);
  std::fill(values + dim, values + padded_dim_, int16_t{0});
}

void KeyValueCache::Attend(int64_t layer, int64_t row, int64_t head, int64_t count, const float* query, float* out) {
  const int64_t lane = Lane(layer, row, head), dim = shape_.dim, padded = RoundedUp(count);
  float* const scores = scores_.mutable_data_ptr<float>() + (row * shape_.heads + head) * (positions_ + padded_dim_);
  float* const mixed = scores + positions_;
  const float* const scales = scales_.const_data_ptr<float>() + lane * 2 * positions_;
  const float scale = 1.0f / std::sqrt(static_cast<float>(dim));
  for (int64_t i = 0; i < dim; ++i) mixed[i] = query[i] * scale;
  ScoreBlocks(keys_.const_data_ptr<int16_t>() + lane * positions_ * dim, scales, mixed, dim, padded / kLanes, scores);
  const float sum = WeighScores(scales + positions_, count, padded, scores);
  MixValues(values_.const_data_ptr<int16_t>() + lane * positions_ * padded_dim_, padded_dim_, scores, count, mixed);
  for (int64_t i = 0; i < dim; ++i) out[i] = mixed[i] / sum;
}

}  // namespace grym
