#include "quant/product.h"

#if defined(__GNUC__) && defined(__x86_64__)
#include <immintrin.h>

#include <algorithm>

#define GRYM_AVX2 __attribute__((target("avx2,fma,f16c")))
#define GRYM_AVX2_INLINE inline __attribute__((always_inline, target("avx2,fma,f16c")))

namespace grym {
namespace {

// Input rows that share one decoding of the weights: 3 x 4 sums, three inputs and a weight fill the 16 registers.
constexpr int kMostInputs = 3;
// How far ahead of its use a tile is asked for: a page boundary stops the hardware's own reading ahead.
constexpr int64_t kAheadBytes = 2048;

GRYM_AVX2_INLINE __m256i Words(const uint8_t* from) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
}

// Eight weights, or codes at their place in the word, of step k of a tile. k is a constant after unrolling.
template <WeightFormat format>
GRYM_AVX2_INLINE __m256 EightWeights(const uint8_t* tile, int k) {
  if constexpr (format == WeightFormat::kFloat32) {
    return _mm256_loadu_ps(reinterpret_cast<const float*>(tile + 32 * k));
  } else if constexpr (format == WeightFormat::kFloat16) {
    return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(tile + 16 * k)));
  } else if constexpr (format == WeightFormat::kBFloat16) {
    const __m256i words = Words(tile + 32 * (k / 2));
    return _mm256_castsi256_ps(k % 2 ? _mm256_and_si256(words, _mm256_set1_epi32(static_cast<int>(0xffff0000u)))
                                     : _mm256_slli_epi32(words, 16));
  } else if constexpr (format == WeightFormat::kInt8) {
    const __m256i words = Words(tile + 32 * (k / 4));
    return _mm256_cvtepi32_ps(k % 4 == 3 ? _mm256_srli_epi32(words, 24)
                                         : _mm256_and_si256(words, _mm256_set1_epi32(255 << 8 * (k % 4))));
  } else {
    const __m256i words = Words(tile);
    return _mm256_cvtepi32_ps(k == 7 ? _mm256_srli_epi32(words, 28)
                                     : _mm256_and_si256(words, _mm256_set1_epi32(15 << 4 * k)));
  }
}

// The eights of a tile in the order of their use: for int4 the first four are those of columns 0 to 31.
template <WeightFormat format>
constexpr int StepInOrder(int i) {
  return format == WeightFormat::kInt4 ? i / 4 * 2 + i % 2 + i % 4 / 2 * 4 : i;
}

// acc[lane][r] = the sum over `steps` eights of columns, of the four weight rows and `inputs` input rows.
template <WeightFormat format, int inputs, int first, int steps>
GRYM_AVX2_INLINE void SumsOfSteps(const uint8_t* tile, int64_t tile_bytes, const float* x, int64_t stride,
                                  __m256 (&acc)[kPackedRows][inputs]) {
#pragma GCC unroll 4
  for (int lane = 0; lane < kPackedRows; ++lane) {
#pragma GCC unroll 3
    for (int r = 0; r < inputs; ++r) acc[lane][r] = _mm256_setzero_ps();
  }
#pragma GCC unroll 8
  for (int i = first; i < first + steps; ++i) {
    const int k = StepInOrder<format>(i);
    __m256 eight[inputs];
#pragma GCC unroll 3
    for (int r = 0; r < inputs; ++r) eight[r] = _mm256_loadu_ps(x + r * stride + 8 * k);
#pragma GCC unroll 4
    for (int lane = 0; lane < kPackedRows; ++lane) {
      const __m256 weights = EightWeights<format>(tile + lane * tile_bytes, k);
#pragma GCC unroll 3
      for (int r = 0; r < inputs; ++r) acc[lane][r] = _mm256_fmadd_ps(weights, eight[r], acc[lane][r]);
    }
  }
}

template <int inputs>
struct BlockTotals {
  __m256 by_code[kPackedRows][inputs];  // eight partial sums each
  __m128 by_offset[inputs];            // of the four weight rows
};

// total += scale * acc, for the group whose scales and offsets are at `meta`.
template <int inputs>
GRYM_AVX2_INLINE void AddGroup(const uint8_t* meta, __m256 (&acc)[kPackedRows][inputs], BlockTotals<inputs>& totals,
                               __m256& numbers) {
  numbers = _mm256_castsi256_ps(_mm256_slli_epi32(
      _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(meta))), 16));
  alignas(32) float scales[8];
  _mm256_store_ps(scales, numbers);
#pragma GCC unroll 4
  for (int lane = 0; lane < kPackedRows; ++lane) {
    const __m256 scale = _mm256_broadcast_ss(scales + lane);
#pragma GCC unroll 3
    for (int r = 0; r < inputs; ++r) {
      totals.by_code[lane][r] = _mm256_fmadd_ps(scale, acc[lane][r], totals.by_code[lane][r]);
    }
  }
}

// Codes are counted from 0 in the words: what the centre adds is taken off with the offsets.
template <int inputs>
GRYM_AVX2_INLINE void AddOffsets(__m256 numbers, float centre, const float* group_sum, int64_t stride,
                                 BlockTotals<inputs>& totals) {
  const __m128 offsets =
      _mm_fnmadd_ps(_mm_set1_ps(centre), _mm256_castps256_ps128(numbers), _mm256_extractf128_ps(numbers, 1));
#pragma GCC unroll 3
  for (int r = 0; r < inputs; ++r) {
    totals.by_offset[r] = _mm_fmadd_ps(offsets, _mm_broadcast_ss(group_sum + r * stride), totals.by_offset[r]);
  }
}

template <int inputs>
GRYM_AVX2_INLINE void StoreTotals(const BlockTotals<inputs>& totals, float* sums) {
#pragma GCC unroll 3
  for (int r = 0; r < inputs; ++r) {
    const __m256 first = _mm256_hadd_ps(totals.by_code[0][r], totals.by_code[1][r]);
    const __m256 second = _mm256_hadd_ps(totals.by_code[2][r], totals.by_code[3][r]);
    const __m256 both = _mm256_hadd_ps(first, second);
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(both), _mm256_extractf128_ps(both, 1));
    _mm_storeu_ps(sums + r * kPackedRows, _mm_add_ps(four, totals.by_offset[r]));
  }
}

GRYM_AVX2_INLINE void AskFor(const uint8_t* from, int64_t bytes) {
  for (int64_t at = 0; at < bytes; at += 64) {
    _mm_prefetch(reinterpret_cast<const char*>(from + kAheadBytes + at), _MM_HINT_T0);
  }
}

template <WeightFormat format>
constexpr int64_t BytesOfTile() {
  if (format == WeightFormat::kFloat32) return 4 * kTileColumns;
  if (HasGroups(format)) return format == WeightFormat::kInt8 ? kTileColumns : kTileColumns / 2;
  return 2 * kTileColumns;
}

// The block for `inputs` input rows, their inputs `stride` apart.
template <WeightFormat format, int inputs>
GRYM_AVX2 void BlockOfInputs(const PackedLayout& layout, const uint8_t* block, const float* x, int64_t stride,
                             float* sums) {
  constexpr int64_t tile_bytes = BytesOfTile<format>();
  constexpr float centre = format == WeightFormat::kInt8 ? 128.0f : 8.0f;
  const int64_t tiles = layout.tiles(), groups = layout.groups(), group = layout.group;
  const uint8_t* const meta = block + layout.meta_begin();
  const float* const group_sums = x + layout.padded_in();
  BlockTotals<inputs> totals;
  for (int r = 0; r < inputs; ++r) {
    totals.by_offset[r] = _mm_setzero_ps();
    for (int lane = 0; lane < kPackedRows; ++lane) totals.by_code[lane][r] = _mm256_setzero_ps();
  }
  __m256 acc[kPackedRows][inputs], numbers;
  for (int64_t tile = 0; tile < tiles; ++tile) {
    const uint8_t* const here = block + tile * kPackedRows * tile_bytes;
    const float* const columns = x + tile * kTileColumns;
    AskFor(here, kPackedRows * tile_bytes);
    if constexpr (!HasGroups(format)) {
      SumsOfSteps<format, inputs, 0, 8>(here, tile_bytes, columns, stride, acc);
#pragma GCC unroll 4
      for (int lane = 0; lane < kPackedRows; ++lane) {
#pragma GCC unroll 3
        for (int r = 0; r < inputs; ++r) totals.by_code[lane][r] = _mm256_add_ps(totals.by_code[lane][r], acc[lane][r]);
      }
    } else if (group != 32) {
      const int64_t g = group == 64 ? tile : tile / 2;
      SumsOfSteps<format, inputs, 0, 8>(here, tile_bytes, columns, stride, acc);
      AddGroup<inputs>(meta + g * kGroupMetaBytes, acc, totals, numbers);
      if (group == 64 || tile % 2 == 0) AddOffsets<inputs>(numbers, centre, group_sums + g, stride, totals);
    } else {
      const int64_t g = 2 * tile;
      SumsOfSteps<format, inputs, 0, 4>(here, tile_bytes, columns, stride, acc);
      AddGroup<inputs>(meta + g * kGroupMetaBytes, acc, totals, numbers);
      AddOffsets<inputs>(numbers, centre, group_sums + g, stride, totals);
      if (g + 1 == groups) break;
      SumsOfSteps<format, inputs, 4, 4>(here, tile_bytes, columns, stride, acc);
      AddGroup<inputs>(meta + (g + 1) * kGroupMetaBytes, acc, totals, numbers);
      AddOffsets<inputs>(numbers, centre, group_sums + g + 1, stride, totals);
    }
  }
  StoreTotals<inputs>(totals, sums);
}

template <WeightFormat format>
void Avx2Block(const PackedLayout& layout, const uint8_t* block, const float* prepared, int64_t rows, float* sums) {
  const int64_t stride = PreparedRowFloats(layout);
  int64_t r = 0;
  while (r < rows) {
    const float* const x = prepared + r * stride;
    float* const to = sums + r * kPackedRows;
    const int64_t left = rows - r;
    // Four are two pairs: a three and a one would decode as often, and the one waits for its sums.
    if (left >= kMostInputs && left != 4) {
      BlockOfInputs<format, 3>(layout, block, x, stride, to);
      r += 3;
    } else if (left >= 2) {
      BlockOfInputs<format, 2>(layout, block, x, stride, to);
      r += 2;
    } else {
      BlockOfInputs<format, 1>(layout, block, x, stride, to);
      r += 1;
    }
  }
}

}  // namespace

BlockProduct Avx2BlockProduct(WeightFormat format) {
  switch (format) {
    case WeightFormat::kFloat32: return Avx2Block<WeightFormat::kFloat32>;
    case WeightFormat::kFloat16: return Avx2Block<WeightFormat::kFloat16>;
    case WeightFormat::kBFloat16: return Avx2Block<WeightFormat::kBFloat16>;
    case WeightFormat::kInt8: return Avx2Block<WeightFormat::kInt8>;
    case WeightFormat::kInt4: return Avx2Block<WeightFormat::kInt4>;
  }
  return nullptr;
}

}  // namespace grym

#else

namespace grym {
BlockProduct Avx2BlockProduct(WeightFormat) { return nullptr; }
}  // namespace grym
#endif
