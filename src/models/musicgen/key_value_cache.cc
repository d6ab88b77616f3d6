#include "models/musicgen/key_value_cache.h"

#include <algorithm>
#include <bit>
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
GRYM_INLINE void TakeLarger(const EightLanes& x, EightLanes& most) { most = x > most ? x : most; }
#else
GRYM_INLINE void FromPairs(const int16_t* from, EightLanes& first, EightLanes& second) {
  for (int i = 0; i < kLanes; ++i) {
    first.v[i] = static_cast<float>(from[2 * i]);
    second.v[i] = static_cast<float>(from[2 * i + 1]);
  }
}
GRYM_INLINE void TakeLarger(const EightLanes& x, EightLanes& most) {
  for (int i = 0; i < kLanes; ++i) most.v[i] = x.v[i] > most.v[i] ? x.v[i] : most.v[i];
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
  float lanes[kLanes], total = 0;
  for (int i = 0; i < kLanes; ++i) lanes[i] = -std::numeric_limits<float>::infinity();
  for (int64_t i = count; i < padded; ++i) scores[i] = -std::numeric_limits<float>::infinity();
  EightLanes most, sum, x;
  Fill(lanes, most);
  for (int64_t i = 0; i < padded; i += kLanes) {
    Fill(scores + i, x);
    TakeLarger(x, most);
  }
  Keep(most, lanes);
  const float largest = *std::max_element(lanes, lanes + kLanes);
  for (int64_t i = 0; i < padded; ++i) scores[i] = VectorExp(scores[i] - largest);
  for (int64_t i = count; i < padded; ++i) scores[i] = 0;
  Fill(kNoLanes, sum);
  for (int64_t i = 0; i < padded; i += kLanes) {
    Fill(scores + i, x);
    sum = sum + x;
  }
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

// The largest magnitude, NaN where anything is not finite. As whole numbers, which magnitudes are ordered as: a maximum
// of floats is no vector code.
GRYM_HOT float LargestOf(const float* numbers, int64_t dim) {
  uint32_t largest = 0;
  for (int64_t i = 0; i < dim; ++i) {
    const uint32_t magnitude = std::bit_cast<uint32_t>(numbers[i]) & 0x7fffffffu;
    largest = magnitude > largest ? magnitude : largest;
  }
  return largest < 0x7f800000u ? std::bit_cast<float>(largest) : std::numeric_limits<float>::quiet_NaN();
}

// 1 / scale, or 0 where all codes are zeros: those of denormal scales are, whose inverse may be infinite.
float InverseOf(float scale) { return scale >= std::numeric_limits<float>::min() ? 1 / scale : 0; }

// The nearest whole numbers to number * inverse, by the low bits of a sum with 1.5 * 2^23. Requires those to be below
// 32767.5, or a scale that makes NaN of whatever comes out.
GRYM_HOT void CodesOf(const float* GRYM_RESTRICT numbers, int64_t count, float inverse, int16_t* GRYM_RESTRICT codes) {
  for (int64_t i = 0; i < count; ++i) {
    codes[i] = static_cast<int16_t>(std::bit_cast<int32_t>(numbers[i] * inverse + 12582912.0f));
  }
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
  scales[0] = LargestOf(key, dim) / 32767;
  scales[positions_] = LargestOf(value, dim) / 32767;
  const int64_t place = Interleaved(position % kPair);
  std::fill_n(values, padded_dim_, int16_t{0});
  constexpr int64_t kAtOnce = 64;
  int16_t codes[kAtOnce];
  for (int64_t begin = 0; begin < dim; begin += kAtOnce) {
    const int64_t count = std::min(kAtOnce, dim - begin);
    CodesOf(key + begin, count, InverseOf(scales[0]), codes);
    for (int64_t i = 0; i < count; ++i) keys[(begin + i) * kPair + place] = codes[i];
    CodesOf(value + begin, count, InverseOf(scales[positions_]), codes);
    for (int64_t i = 0; i < count; ++i) values[Interleaved(begin + i)] = codes[i];
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
