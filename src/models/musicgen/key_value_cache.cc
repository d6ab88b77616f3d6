#include "models/musicgen/key_value_cache.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>

#include "dsp/dispatch.h"
#include "models/musicgen/eight_lanes.h"
#include "models/musicgen/vector_math.h"
#include "runtime/memory_budget.h"

namespace grym {
namespace {

// So many values of a run's beginning are kept in 16 bits. Where few are averaged nothing of their rounding is, and to
// the first ones of a run much of the attention goes for good.
constexpr int64_t kFineValues = 64;
constexpr int64_t kAskedBytes = 2048;
constexpr int64_t RoundedUp(int64_t count, int64_t to) { return (count + to - 1) / to * to; }
constexpr int64_t LanesOf(const CacheShape& shape) { return shape.layers * shape.rows * shape.heads; }
// Keys in 8 bits go in pairs, values by sixteen.
constexpr int64_t KeyDim(const CacheShape& shape) { return shape.bits == 8 ? RoundedUp(shape.dim, 2) : shape.dim; }
constexpr int64_t ValueDim(const CacheShape& shape) { return RoundedUp(shape.dim, kCacheBlock); }
// Positions whose values are kept in 16 bits, and those in as many as the shape says.
constexpr int64_t FinePositions(const CacheShape& shape) {
  return shape.bits == 8 ? std::min(kFineValues, RoundedUp(shape.capacity, kCacheBlock)) : 0;
}
constexpr int64_t CoarsePositions(const CacheShape& shape) {
  return RoundedUp(shape.capacity, kCacheBlock) - FinePositions(shape);
}

// Scores into what each value counts for, its scale among it; answers the sum of the exponentials. Beyond `count` they
// count for nothing.
GRYM_HOT float WeighScores(const float* GRYM_RESTRICT scales, int64_t count, int64_t padded,
                           float* GRYM_RESTRICT scores) {
  float lanes[2 * kLanes], total = 0;
  for (float& lane : lanes) lane = -std::numeric_limits<float>::infinity();
  for (int64_t i = count; i < padded; ++i) scores[i] = -std::numeric_limits<float>::infinity();
  EightLanes a, b, x;
  FillLanes(lanes, a);
  b = a;
  for (int64_t i = 0; i < padded; i += 2 * kLanes) {
    FillLanes(scores + i, x);
    TakeLarger(x, a);
    FillLanes(scores + i + kLanes, x);
    TakeLarger(x, b);
  }
  TakeLarger(b, a);
  KeepLanes(a, lanes);
  const float largest = *std::max_element(lanes, lanes + kLanes);
  for (int64_t i = 0; i < padded; ++i) scores[i] = VectorExp(scores[i] - largest);
  for (int64_t i = count; i < padded; ++i) scores[i] = 0;
  FillLanes(kNoLanes, a);
  b = a;
  for (int64_t i = 0; i < padded; i += 2 * kLanes) {
    FillLanes(scores + i, x);
    a = a + x;
    FillLanes(scores + i + kLanes, x);
    b = b + x;
  }
  KeepLanes(a + b, lanes);
  for (int i = 0; i < kLanes; ++i) total += lanes[i];
  for (int64_t i = 0; i < count; ++i) scores[i] *= scales[i];
  return total;
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

// codes [dim] go where place(i) says; answers their scale.
template <class Number, class Place>
float WriteCodes(const float* numbers, int64_t dim, Number* to, Place place) {
  const float scale = LargestOf(numbers, dim) / static_cast<float>(std::numeric_limits<Number>::max());
  const float inverse = InverseOf(scale);
  std::array<int16_t, 64> codes;
  for (int64_t begin = 0; begin < dim; begin += 64) {
    const int64_t count = std::min<int64_t>(64, dim - begin);
    CodesOf(numbers + begin, count, inverse, codes.data());
    for (int64_t i = 0; i < count; ++i) to[place(begin + i)] = static_cast<Number>(codes[static_cast<size_t>(i)]);
  }
  return scale;
}

// Asks for the first lines of what is read next: a stream's beginning is what memory is slowest at.
void AskForBeginning(const void* from) {
#if defined(__GNUC__)
  for (int64_t at = 0; at < kAskedBytes; at += 64) __builtin_prefetch(static_cast<const char*>(from) + at);
#else
  (void)from;
#endif
}

at::ScalarType NumberType(const CacheShape& shape) { return shape.bits == 8 ? at::kChar : at::kShort; }

}  // namespace

KeyValueCache::KeyValueCache(const CacheShape& shape, CachePath path)
    : shape_(shape),
      kernels_(&CacheKernelsOf(path)),
      positions_(RoundedUp(shape.capacity, kCacheBlock)),
      key_dim_(KeyDim(shape)),
      value_dim_(ValueDim(shape)) {
  const int64_t lanes = LanesOf(shape);
  if (lanes == 0 || positions_ == 0) return;
  keys_ = at::empty({lanes, positions_ * key_dim_}, NumberType(shape));
  fine_values_ = at::empty({lanes, FinePositions(shape) * value_dim_}, at::kShort);
  values_ = at::empty({lanes, CoarsePositions(shape) * value_dim_}, NumberType(shape));
  scales_ = at::empty({lanes, 2, positions_}, at::kFloat);
  scores_ = at::empty({shape.rows * shape.heads, positions_ + value_dim_}, at::kFloat);
}

int64_t KeyValueCache::Bytes(const CacheShape& shape) {
  const int64_t lanes = LanesOf(shape), positions = RoundedUp(shape.capacity, kCacheBlock), each = shape.bits / 8;
  if (lanes == 0 || positions == 0) return 0;
  return AllocatedBytes(lanes * positions * KeyDim(shape) * each) +
         AllocatedBytes(lanes * FinePositions(shape) * ValueDim(shape) * 2) +
         AllocatedBytes(lanes * CoarsePositions(shape) * ValueDim(shape) * each) +
         AllocatedBytes(lanes * positions * 2 * 4) +
         AllocatedBytes(shape.rows * shape.heads * (positions + ValueDim(shape)) * 4);
}

void KeyValueCache::Write(int64_t layer, int64_t row, int64_t head, int64_t position, const float* key,
                          const float* value) {
  const int64_t lane = (layer * shape_.rows + row) * shape_.heads + head, dim = shape_.dim;
  const int64_t block = position / kCacheBlock * kCacheBlock, place = position - block;
  const int64_t key_at = (lane * positions_ + block) * key_dim_;
  float* const scales = scales_.mutable_data_ptr<float>() + lane * 2 * positions_ + position;
  if (shape_.bits == 16) {
    const int64_t value_at = (lane * positions_ + position) * value_dim_;
    scales[0] = WriteCodes(key, dim, keys_.mutable_data_ptr<int16_t>() + key_at,
                           [&](int64_t i) { return WordKeyPlace(place, i); });
    scales[positions_] = WriteCodes(value, dim, values_.mutable_data_ptr<int16_t>() + value_at, WordPlace);
    return;
  }
  int8_t* const keys = keys_.mutable_data_ptr<int8_t>() + key_at;
  if (dim < key_dim_) keys[ByteKeyPlace(place, dim)] = 0;
  scales[0] = WriteCodes(key, dim, keys, [&](int64_t i) { return ByteKeyPlace(place, i); });
  const int64_t fine = FinePositions(shape_), later = position - fine;
  if (later < 0) {
    int16_t* const to = fine_values_.mutable_data_ptr<int16_t>() + (lane * fine + position) * value_dim_;
    scales[positions_] = WriteCodes(value, dim, to, WordPlace);
    return;
  }
  int8_t* const pair = values_.mutable_data_ptr<int8_t>() +
                       (lane * CoarsePositions(shape_) + later / 2 * 2) * value_dim_ + later % 2;
  scales[positions_] = WriteCodes(value, dim, pair, [](int64_t i) { return 2 * i; });
}

void KeyValueCache::Attend(int64_t layer, int64_t row, int64_t head, int64_t count, const float* query, float* out) {
  const int64_t lane = (layer * shape_.rows + row) * shape_.heads + head;
  float* const scores = scores_.mutable_data_ptr<float>() + (row * shape_.heads + head) * (positions_ + value_dim_);
  if (shape_.bits == 8) return AttendBytes(lane, count, query, scores, out);
  AttendWords(lane, count, query, scores, out);
}

// Behind the scores there is room for a value: for the query first.
void KeyValueCache::AttendWords(int64_t lane, int64_t count, const float* query, float* scores, float* out) const {
  const int64_t dim = shape_.dim, padded = RoundedUp(count, kCacheBlock);
  float* const mixed = scores + positions_;
  const float* const scales = scales_.const_data_ptr<float>() + lane * 2 * positions_;
  const float scale = 1.0f / std::sqrt(static_cast<float>(dim));
  for (int64_t i = 0; i < dim; ++i) mixed[i] = query[i] * scale;
  const int16_t* const keys = keys_.const_data_ptr<int16_t>() + lane * positions_ * key_dim_;
  const int16_t* const values = values_.const_data_ptr<int16_t>() + lane * positions_ * value_dim_;
  kernels_->score_words(keys, scales, mixed, dim, padded / kCacheBlock, scores);
  AskForBeginning(values);
  const float sum = WeighScores(scales + positions_, count, padded, scores);
  AskForBeginning(keys + positions_ * key_dim_);
  kernels_->mix_words(values, value_dim_, scores, count, mixed);
  for (int64_t i = 0; i < dim; ++i) out[i] = mixed[i] / sum;
}

void KeyValueCache::AttendBytes(int64_t lane, int64_t count, const float* query, float* scores, float* out) const {
  const int64_t dim = shape_.dim, padded = RoundedUp(count, kCacheBlock);
  float* const mixed = scores + positions_;
  const float* const scales = scales_.const_data_ptr<float>() + lane * 2 * positions_;
  auto* const codes = reinterpret_cast<int16_t*>(mixed);
  // Sums of products with 127 must fit 32 bits.
  const auto most = static_cast<float>(std::min<int64_t>(32767, std::numeric_limits<int32_t>::max() / 127 / key_dim_));
  const float scale = LargestOf(query, dim) / most;
  CodesOf(query, dim, InverseOf(scale), codes);
  if (dim < key_dim_) codes[dim] = 0;
  const int8_t* const keys = keys_.const_data_ptr<int8_t>() + lane * positions_ * key_dim_;
  kernels_->score_bytes(keys, scales, codes, scale / std::sqrt(static_cast<float>(dim)), key_dim_ / 2,
                        padded / kCacheBlock, scores);
  const int64_t fine = FinePositions(shape_);
  const int16_t* const fine_values = fine_values_.const_data_ptr<int16_t>() + lane * fine * value_dim_;
  const int8_t* const values = values_.const_data_ptr<int8_t>() + lane * CoarsePositions(shape_) * value_dim_;
  AskForBeginning(fine_values);
  if (count > fine) AskForBeginning(values);
  const float sum = WeighScores(scales + positions_, count, padded, scores);
  AskForBeginning(keys + positions_ * key_dim_);
  kernels_->mix_words(fine_values, value_dim_, scores, std::min(fine, count), mixed);
  std::array<int16_t, kCacheChunk> weights;
  for (int64_t from = fine; from < count; from += kCacheChunk) {
    const int64_t part = std::min(kCacheChunk, padded - from);
    const float weight = LargestOf(scores + from, part) / 32767;
    CodesOf(scores + from, part, InverseOf(weight), weights.data());
    kernels_->mix_bytes(values + (from - fine) * value_dim_, value_dim_, weights.data(), weight,
                        (std::min(part, count - from) + 1) / 2, mixed);
  }
  for (int64_t i = 0; i < dim; ++i) out[i] = mixed[i] / sum;
}

}  // namespace grym
