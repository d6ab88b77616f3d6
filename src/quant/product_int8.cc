// int4 weights with AVX2's products of bytes: inputs are rounded to 8 bits (quant/product.h).
#include "quant/product.h"

#if defined(__GNUC__) && defined(__x86_64__)
#include <immintrin.h>

#include <algorithm>

#define GRYM_INT8 __attribute__((target("avx2,fma")))
#define GRYM_INT8_INLINE inline __attribute__((always_inline, target("avx2,fma")))

namespace grym {
namespace {

constexpr int kMostBytes = 3;  // input rows that share one decoding of the weights
constexpr int64_t kNibbleTile = kTileColumns / 2;
// How far ahead of its use a tile is asked for: a page boundary stops the hardware's own reading ahead.
constexpr int64_t kBytesAhead = 2048;

GRYM_INT8_INLINE __m256i ThirtyTwo(const void* from) {
  return _mm256_loadu_si256(static_cast<const __m256i*>(from));
}

// acc[lane][r] = sums of four products of one tile, in 16 bits: at most 4 * 15 * 127 = 7,620.
template <int inputs>
GRYM_INT8_INLINE void TileProducts(const uint8_t* tile, const int8_t* x, int64_t stride,
                                   __m256i (&acc)[kPackedRows][inputs]) {
  const __m256i low = _mm256_set1_epi8(15);
#pragma GCC unroll 4
  for (int lane = 0; lane < kPackedRows; ++lane) {
    const __m256i words = ThirtyTwo(tile + lane * kNibbleTile);
    const __m256i first = _mm256_and_si256(words, low), second = _mm256_and_si256(_mm256_srli_epi16(words, 4), low);
#pragma GCC unroll 3
    for (int r = 0; r < inputs; ++r) {
      acc[lane][r] = _mm256_add_epi16(_mm256_maddubs_epi16(first, ThirtyTwo(x + r * stride)),
                                      _mm256_maddubs_epi16(second, ThirtyTwo(x + r * stride + 32)));
    }
  }
}

// Sums of the four weight rows, two lanes for each: r0 r1 r2 r3 r0 r1 r2 r3. Four times 7,620 still are 16 bits.
template <int inputs>
GRYM_INT8_INLINE __m256i SumsOfLanes(const __m256i (&acc)[kPackedRows][inputs], int r) {
  const __m256i a = acc[0][r], b = acc[1][r], c = acc[2][r], d = acc[3][r];
  const __m256i ab = _mm256_add_epi16(_mm256_unpacklo_epi32(a, b), _mm256_unpackhi_epi32(a, b));
  const __m256i cd = _mm256_add_epi16(_mm256_unpacklo_epi32(c, d), _mm256_unpackhi_epi32(c, d));
  const __m256i all = _mm256_add_epi16(_mm256_unpacklo_epi64(ab, cd), _mm256_unpackhi_epi64(ab, cd));
  return _mm256_madd_epi16(all, _mm256_set1_epi16(1));
}

// The block for `inputs` prepared rows, `stride` floats apart. `tiles_each`: tiles of a group, 1 or 2.
template <int inputs, int tiles_each>
GRYM_INT8 void ByteInputs(const PackedLayout& layout, const uint8_t* block, const float* prepared, int64_t stride,
                          float* sums) {
  const int64_t tiles = layout.tiles(), groups = layout.groups();
  const uint8_t* meta = block + layout.meta_begin();
  const auto* x = reinterpret_cast<const int8_t*>(prepared);
  const float* numbers = prepared + layout.padded_in() / 4;
  __m256 by_code[inputs];
  __m128 by_offset[inputs];
#pragma GCC unroll 3
  for (int r = 0; r < inputs; ++r) by_code[r] = _mm256_setzero_ps(), by_offset[r] = _mm_setzero_ps();
  __m256i acc[kPackedRows][inputs], whole[inputs];
  for (int64_t tile = 0; tile < tiles; meta += kGroupMetaBytes, ++numbers) {
#pragma GCC unroll 2
    for (int part = 0; part < tiles_each; ++part) {
      if (part > 0 && tile == tiles) break;
      const uint8_t* const here = block + tile * kPackedRows * kNibbleTile;
      _mm_prefetch(reinterpret_cast<const char*>(here + kBytesAhead), _MM_HINT_T0);
      _mm_prefetch(reinterpret_cast<const char*>(here + kBytesAhead + 64), _MM_HINT_T0);
      TileProducts<inputs>(here, x + tile * kTileColumns, 4 * stride, acc);
#pragma GCC unroll 3
      for (int r = 0; r < inputs; ++r) {
        const __m256i made = SumsOfLanes<inputs>(acc, r);
        whole[r] = part == 0 ? made : _mm256_add_epi32(whole[r], made);
      }
      ++tile;
    }
    const __m256 both = _mm256_castsi256_ps(_mm256_slli_epi32(
        _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(meta))), 16));
    const __m256 scales = _mm256_permute2f128_ps(both, both, 0);
    // Codes are counted from 0: what the centre adds is taken off with the offsets.
    const __m128 offsets =
        _mm_fnmadd_ps(_mm_set1_ps(8.0f), _mm256_castps256_ps128(both), _mm256_extractf128_ps(both, 1));
#pragma GCC unroll 3
    for (int r = 0; r < inputs; ++r) {
      const __m256 factors = _mm256_mul_ps(scales, _mm256_broadcast_ss(numbers + r * stride));
      by_code[r] = _mm256_fmadd_ps(factors, _mm256_cvtepi32_ps(whole[r]), by_code[r]);
      by_offset[r] = _mm_fmadd_ps(offsets, _mm_broadcast_ss(numbers + groups + r * stride), by_offset[r]);
    }
  }
#pragma GCC unroll 3
  for (int r = 0; r < inputs; ++r) {
    const __m128 four = _mm_add_ps(_mm256_castps256_ps128(by_code[r]), _mm256_extractf128_ps(by_code[r], 1));
    _mm_storeu_ps(sums + r * kPackedRows, _mm_add_ps(four, by_offset[r]));
  }
}

template <int tiles_each>
void ByteBlock(const PackedLayout& layout, const uint8_t* block, const float* prepared, int64_t rows, float* sums) {
  const int64_t stride = PreparedRowFloats(layout);
  for (int64_t r = 0; r < rows;) {
    const float* const x = prepared + r * stride;
    float* const to = sums + r * kPackedRows;
    const int64_t left = rows - r, taken = left == 4 ? 2 : std::min<int64_t>(left, kMostBytes);
    if (taken == 3) ByteInputs<3, tiles_each>(layout, block, x, stride, to);
    if (taken == 2) ByteInputs<2, tiles_each>(layout, block, x, stride, to);
    if (taken == 1) ByteInputs<1, tiles_each>(layout, block, x, stride, to);
    r += taken;
  }
}

}  // namespace

BlockProduct Int8BlockProduct(const PackedLayout& layout) {
  if (!TakesByteInputs(layout)) return Int16BlockProduct(layout.format);
  return layout.group == kTileColumns ? ByteBlock<1> : ByteBlock<2>;
}

}  // namespace grym

#else

namespace grym {
BlockProduct Int8BlockProduct(const PackedLayout&) { return nullptr; }
}  // namespace grym
#endif
