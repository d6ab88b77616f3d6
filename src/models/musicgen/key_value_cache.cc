#include "models/musicgen/key_value_cache.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "dsp/dispatch.h"
#include "models/musicgen/vector_math.h"
#include "runtime/memory_budget.h"

namespace grym {
namespace {

constexpr int64_t kPair = 2 * kLanes;  // numbers that are taken at once
constexpr int64_t RoundedUp(int64_t count) { return (count + kPair - 1) / kPair * kPair; }
// Where the number `i` of sixteen lies among them: those of the first eight and of the second take turns, so that each
// 32 bits hold one of both, which two shifts take apart. Widening eight neighbours takes four instructions.
constexpr int64_t Interleaved(int64_t i) { return i / kPair * kPair + i % kLanes * 2 + i / kLanes % 2; }

#if defined(__GNUC__) && !defined(GRYM_PORTABLE_LANES)
typedef int32_t EightWholes __attribute__((vector_size(32), may_alias, aligned(2)));
// By reference: how a register of this width is returned depends on the machine.
GRYM_INLINE void FromPairs(const int16_t* from, EightLanes& first, EightLanes& second) {
  const EightWholes both = *reinterpret_cast<const EightWholes*>(from);
  const EightWholes low = (both << 16) >> 16, high = both >> 16;
  first = __builtin_convertvector(low, EightLanes);
  second = __builtin_convertvector(high, EightLanes);
}
#else
GRYM_INLINE void FromPairs(const int16_t* from, EightLanes& first, EightLanes& second) {
  for (int i = 0; i < kLanes; ++i) {
    first.v[i] = static_cast<float>(from[2 * i]);
    second.v[i] = static_cast<float>(from[2 * i + 1]);
  }
}
#endif
GRYM_INLINE void Fill(const float* from, EightLanes& to) { to = *reinterpret_cast<const EightLanes*>(from); }
GRYM_INLINE void Keep(const EightLanes& from, float* to) { *reinterpret_cast<EightLanes*>(to) = from; }
constexpr float kNoLanes[kLanes] = {};

// scores [blocks * 16] of blocks of keys. Two sums for each lane: one would wait for itself at every addition.
GRYM_HOT void ScoreBlocks(const int16_t* keys, const float* scales, const float* query, int64_t dim, int64_t blocks,
                          float* scores) {
  for (int64_t block = 0; block < blocks; ++block, keys += dim * kPair, scales += kPair, scores += kPair) {
    EightLanes a, b, c, d, first, second;
    Fill(kNoLanes, a);
    b = c = d = a;
    int64_t i = 0;
    for (; i + 2 <= dim; i += 2) {
      FromPairs(keys + i * kPair, first, second);
      a = a + query[i] * first;
      b = b + query[i] * second;
      FromPairs(keys + (i + 1) * kPair, first, second);
      c = c + query[i + 1] * first;
      d = d + query[i + 1] * second;
    }
    if (i < dim) {
      FromPairs(keys + i * kPair, first, second);
      a = a + query[i] * first;
      b = b + query[i] * second;
    }
    Fill(scales, first);
    Fill(scales + kLanes, second);
    Keep((a + c) * first, scores);
    Keep((b + d) * second, scores + kLanes);
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

// out [kWide * 16] = the weighed sum of columns that lie `stride` apart.
template <int kWide>
GRYM_INLINE void SumValues(const int16_t* values, int64_t stride, const float* weights, int64_t count, float* out) {
  EightLanes sums[2 * kWide], first, second;
  for (int i = 0; i < 2 * kWide; ++i) Fill(kNoLanes, sums[i]);
  for (int64_t position = 0; position < count; ++position, values += stride) {
    for (int i = 0; i < kWide; ++i) {
      FromPairs(values + i * kPair, first, second);
      sums[2 * i] = sums[2 * i] + weights[position] * first;
      sums[2 * i + 1] = sums[2 * i + 1] + weights[position] * second;
    }
  }
  for (int i = 0; i < 2 * kWide; ++i) Keep(sums[i], out + i * kLanes);
}

GRYM_HOT void MixValues(const int16_t* values, int64_t padded_dim, const float* weights, int64_t count, float* out) {
  int64_t i = 0;
  for (; i + 4 * kPair <= padded_dim; i += 4 * kPair) {
    SumValues<4>(values + i, padded_dim, weights, count, out + i);
  }
  for (; i + 2 * kPair <= padded_dim; i += 2 * kPair) {
    SumValues<2>(values + i, padded_dim, weights, count, out + i);
  }
  for (; i < padded_dim; i += kPair) SumValues<1>(values + i, padded_dim, weights, count, out + i);
}

// The scale of a vector's codes: its largest magnitude over 32767, NaN where anything is not finite.
float ScaleOf(const float* numbers, int64_t dim) {
  float largest = 0, finite = 0;
  for (int64_t i = 0; i < dim; ++i) {
    const float magnitude = std::fabs(numbers[i]);
    largest = magnitude > largest ? magnitude : largest;
    finite += magnitude * 0;
  }
  return finite == 0 ? largest / 32767 : std::numeric_limits<float>::quiet_NaN();
}

// 1 / scale, or 0 for a vector that has no codes but zeros. Denormal scales are among them: their inverse is infinite.
float InverseOf(float scale) { return scale >= std::numeric_limits<float>::min() ? 1 / scale : 0; }

int16_t CodeOf(float number, float inverse) {
  const float code = inverse > 0 ? number * inverse : 0;
  const auto whole = static_cast<int32_t>(code + (code < 0 ? -0.5f : 0.5f));
  return static_cast<int16_t>(std::clamp(whole, -32767, 32767));
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
  const int64_t lane = Lane(layer, row, head), dim = shape_.dim, block = position / kPair * kPair;
  int16_t* const keys = keys_.mutable_data_ptr<int16_t>() + (lane * positions_ + block) * dim;
  int16_t* const values = values_.mutable_data_ptr<int16_t>() + (lane * positions_ + position) * padded_dim_;
  float* const scales = scales_.mutable_data_ptr<float>() + lane * 2 * positions_ + position;
  scales[0] = ScaleOf(key, dim);
  scales[positions_] = ScaleOf(value, dim);
  const float of_key = InverseOf(scales[0]), of_value = InverseOf(scales[positions_]);
  const int64_t place = Interleaved(position % kPair);
  std::fill_n(values, padded_dim_, int16_t{0});
  for (int64_t i = 0; i < dim; ++i) {
    keys[i * kPair + place] = CodeOf(key[i], of_key);
    values[Interleaved(i)] = CodeOf(value[i], of_value);
  }
}

void KeyValueCache::Attend(int64_t layer, int64_t row, int64_t head, int64_t count, const float* query, float* out) {
  const int64_t lane = Lane(layer, row, head), dim = shape_.dim, padded = RoundedUp(count);
  float* const scores = scores_.mutable_data_ptr<float>() + (row * shape_.heads + head) * (positions_ + padded_dim_);
  float* const mixed = scores + positions_;
  const float* const scales = scales_.const_data_ptr<float>() + lane * 2 * positions_;
  const float scale = 1.0f / std::sqrt(static_cast<float>(dim));
  for (int64_t i = 0; i < dim; ++i) mixed[i] = query[i] * scale;
  ScoreBlocks(keys_.const_data_ptr<int16_t>() + lane * positions_ * dim, scales, mixed, dim, padded / kPair, scores);
  const float sum = WeighScores(scales + positions_, count, padded, scores);
  MixValues(values_.const_data_ptr<int16_t>() + lane * positions_ * padded_dim_, padded_dim_, scores, count, mixed);
  for (int64_t i = 0; i < dim; ++i) out[i] = mixed[i] / sum;
}

}  // namespace grym
