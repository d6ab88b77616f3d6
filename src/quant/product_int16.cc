// int8 and int4 weights with AVX2's products of 16-bit integers: inputs are rounded to 16 bits (quant/product.h).
#include "quant/product.h"

#if defined(__GNUC__) && defined(__x86_64__)
#include <immintrin.h>

#include <algorithm>

#define GRYM_INT16 __attribute__((target("avx2,fma")))
#define GRYM_INT16_INLINE inline __attribute__((always_inline, target("avx2,fma")))

namespace grym {
namespace {

// Input rows that share one decoding of the weights: 12 sums stay in registers.
constexpr int kMostRounded = 3;
// How far ahead of its use a tile is asked for: a page boundary stops the hardware's own reading ahead.
constexpr int64_t kRoundedAheadBytes = 2048;

GRYM_INT16_INLINE __m256i CodeWords(const uint8_t* from) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
}

// Sixteen codes, counted from 0, of columns 16 n and on of a tile. n is a constant after unrolling.
template <WeightFormat format>
GRYM_INT16_INLINE __m256i SixteenCodes(const uint8_t* tile, int n) {
  if constexpr (format == WeightFormat::kInt8) {
    const __m256i words = CodeWords(tile + 32 * (n / 2));
    return n % 2 ? _mm256_srli_epi16(words, 8) : _mm256_and_si256(words, _mm256_set1_epi16(255));
  } else {
    const __m256i words = CodeWords(tile);
    const __m256i low = _mm256_set1_epi16(15);
    if (n == 0) return _mm256_and_si256(words, low);
    if (n == 3) return _mm256_srli_epi16(words, 12);
    return _mm256_and_si256(_mm256_srli_epi16(words, 4 * n), low);
  }
}

// acc[lane][r] += the products over `steps` sixteens of columns. Whole numbers: 128 products of 255 and 32767 fit.
template <WeightFormat format, int inputs, int first, int steps>
GRYM_INT16_INLINE void AddSteps(const uint8_t* tile, const int16_t* x, int64_t stride,
                                __m256i (&acc)[kPackedRows][inputs]) {
  constexpr int64_t tile_bytes = format == WeightFormat::kInt8 ? kTileColumns : kTileColumns / 2;
#pragma GCC unroll 4
  for (int n = first; n < first + steps; ++n) {
    __m256i sixteen[inputs];
#pragma GCC unroll 3
    for (int r = 0; r < inputs; ++r) {
      sixteen[r] = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(x + r * stride + 16 * n));
    }
#pragma GCC unroll 4
    for (int lane = 0; lane < kPackedRows; ++lane) {
      const __m256i codes = SixteenCodes<format>(tile + lane * tile_bytes, n);
#pragma GCC unroll 3
      for (int r = 0; r < inputs; ++r) {
        acc[lane][r] = _mm256_add_epi32(acc[lane][r], _mm256_madd_epi16(codes, sixteen[r]));
      }
    }
  }
}

template <int inputs>
GRYM_INT16_INLINE void ClearSums(__m256i (&acc)[kPackedRows][inputs]) {
#pragma GCC unroll 4
  for (int lane = 0; lane < kPackedRows; ++lane) {
#pragma GCC unroll 3
    for (int r = 0; r < inputs; ++r) acc[lane][r] = _mm256_setzero_si256();
  }
}

// Four sums of eight lanes each, as two lanes for each of the four: r0 r1 r2 r3 r0 r1 r2 r3.
GRYM_INT16_INLINE __m256i FourSums(__m256i a, __m256i b, __m256i c, __m256i d) {
  const __m256i ab = _mm256_add_epi32(_mm256_unpacklo_epi32(a, b), _mm256_unpackhi_epi32(a, b));
  const __m256i cd = _mm256_add_epi32(_mm256_unpacklo_epi32(c, d), _mm256_unpackhi_epi32(c, d));
  return _mm256_add_epi32(_mm256_unpacklo_epi64(ab, cd), _mm256_unpackhi_epi64(ab, cd));
}

template <int inputs>
struct RoundedTotals {
  __m256 by_code[inputs];    // two partial sums of each of the four weight rows
  __m128 by_offset[inputs];  // of the four weight rows
};

// `numbers`: the group's scale of each input row and, `groups` further on, its sum.
template <int inputs>
GRYM_INT16_INLINE void FoldGroup(const uint8_t* meta, float centre, const __m256i (&acc)[kPackedRows][inputs],
                                 const float* numbers, int64_t groups, int64_t stride,
                                 RoundedTotals<inputs>& totals) {
  const __m256 both = _mm256_castsi256_ps(_mm256_slli_epi32(
      _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(meta))), 16));
  const __m256 scales = _mm256_permute2f128_ps(both, both, 0);
  const __m128 offsets =
      _mm_fnmadd_ps(_mm_set1_ps(centre), _mm256_castps256_ps128(both), _mm256_extractf128_ps(both, 1));
#pragma GCC unroll 3
  for (int r = 0; r < inputs; ++r) {
    const __m256 sums = _mm256_cvtepi32_ps(FourSums(acc[0][r], acc[1][r], acc[2][r], acc[3][r]));
    const __m256 factors = _mm256_mul_ps(scales, _mm256_broadcast_ss(numbers + r * stride));
    totals.by_code[r] = _mm256_fmadd_ps(factors, sums, totals.by_code[r]);
    totals.by_offset[r] =
        _mm_fmadd_ps(offsets, _mm_broadcast_ss(numbers + groups + r * stride), totals.by_offset[r]);
  }
}

// The block for `inputs` prepared rows, `stride` floats apart.
template <WeightFormat format, int inputs>
GRYM_INT16 void RoundedInputs(const PackedLayout& layout, const uint8_t* block, const float* prepared, int64_t stride,
                              float* sums) {
  constexpr int64_t block_tile_bytes = kPackedRows * (format == WeightFormat::kInt8 ? kTileColumns : kTileColumns / 2);
  constexpr float centre = format == WeightFormat::kInt8 ? 128.0f : 8.0f;
  const int64_t groups = layout.groups(), tiles = layout.tiles(), per_group = std::max<int64_t>(layout.group / 64, 1);
  const bool halves = layout.group < kTileColumns;
  const uint8_t* meta = block + layout.meta_begin();
  const auto* const x = reinterpret_cast<const int16_t*>(prepared);
  const float* numbers = prepared + layout.padded_in() / 2;
  RoundedTotals<inputs> totals;
#pragma GCC unroll 3
  for (int r = 0; r < inputs; ++r) totals.by_code[r] = _mm256_setzero_ps(), totals.by_offset[r] = _mm_setzero_ps();
  __m256i acc[kPackedRows][inputs];
  for (int64_t from = 0; from < tiles; from += per_group) {
    ClearSums<inputs>(acc);
    for (int64_t tile = from; tile < std::min(from + per_group, tiles); ++tile) {
      const uint8_t* const here = block + tile * block_tile_bytes;
      for (int64_t at = 0; at < block_tile_bytes; at += 64) {
        _mm_prefetch(reinterpret_cast<const char*>(here + kRoundedAheadBytes + at), _MM_HINT_T0);
      }
      AddSteps<format, inputs, 0, 2>(here, x + tile * kTileColumns, 2 * stride, acc);
      if (halves) {
        FoldGroup<inputs>(meta, centre, acc, numbers, groups, stride, totals);
        meta += kGroupMetaBytes, ++numbers;
        if (2 * tile + 1 == groups) break;  // the last half is padding
        ClearSums<inputs>(acc);
      }
      AddSteps<format, inputs, 2, 2>(here, x + tile * kTileColumns, 2 * stride, acc);
    }
    if (halves && 2 * from + 1 == groups) break;
    FoldGroup<inputs>(meta, centre, acc, numbers, groups, stride, totals);
    meta += kGroupMetaBytes, ++numbers;
  }
#pragma GCC unroll 3
  for (int r = 0; r < inputs; ++r) {
    const __m128 four =
        _mm_add_ps(_mm256_castps256_ps128(totals.by_code[r]), _mm256_extractf128_ps(totals.by_code[r], 1));
    _mm_storeu_ps(sums + r * kPackedRows, _mm_add_ps(four, totals.by_offset[r]));
  }
}

template <WeightFormat format>
void RoundedBlock(const PackedLayout& layout, const uint8_t* block, const float* prepared, int64_t rows, float* sums) {
  const int64_t stride = PreparedRowFloats(layout);
  for (int64_t r = 0; r < rows;) {
    const float* const x = prepared + r * stride;
    float* const to = sums + r * kPackedRows;
    const int64_t left = rows - r, taken = left == 4 ? 2 : std::min<int64_t>(left, kMostRounded);
    if (taken == 3) RoundedInputs<format, 3>(layout, block, x, stride, to);
    if (taken == 2) RoundedInputs<format, 2>(layout, block, x, stride, to);
    if (taken == 1) RoundedInputs<format, 1>(layout, block, x, stride, to);
    r += taken;
  }
}

}  // namespace

BlockProduct Int16BlockProduct(WeightFormat format) {
  if (format == WeightFormat::kInt8) return RoundedBlock<WeightFormat::kInt8>;
  return format == WeightFormat::kInt4 ? RoundedBlock<WeightFormat::kInt4> : Avx2BlockProduct(format);
}

}  // namespace grym

#else

namespace grym {
BlockProduct Int16BlockProduct(WeightFormat) { return nullptr; }
}  // namespace grym
#endif
