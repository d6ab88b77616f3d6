// 8 bit numbers by AVX2's products of pairs. What is kept in 16 bits is left to the portable loops, which are compiled
// for AVX2 as they stand.
#include "models/musicgen/cache_kernels.h"

#if defined(__GNUC__) && defined(__x86_64__)
#include <immintrin.h>

#include <cstring>

#define GRYM_CACHE_AVX2 __attribute__((target("avx2")))
#define GRYM_CACHE_AVX2_INLINE inline __attribute__((always_inline, target("avx2")))

namespace grym {
namespace {

// How far ahead of its use a line is asked for: a page boundary stops the hardware's own reading ahead.
constexpr int64_t kAvx2Ahead = 2048;

GRYM_CACHE_AVX2_INLINE __m256i PairOf(const int16_t* numbers) {
  int32_t pair;
  std::memcpy(&pair, numbers, sizeof pair);
  return _mm256_set1_epi32(pair);
}

// Sums of eight pairs of 8 bit numbers, each times the pair `by`.
GRYM_CACHE_AVX2_INLINE __m256i PairProducts(const int8_t* from, __m256i by) {
  return _mm256_madd_epi16(_mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from))), by);
}

GRYM_CACHE_AVX2 void Avx2ScoreBytes(const int8_t* keys, const float* scales, const int16_t* query, float query_scale,
                                    int64_t pairs, int64_t blocks, float* scores) {
  const __m256 by = _mm256_set1_ps(query_scale);
  for (int64_t block = 0; block < blocks; ++block, scales += 16, scores += 16) {
    __m256i low = _mm256_setzero_si256(), high = low;
    for (int64_t i = 0; i < pairs; ++i, keys += 32) {
      const __m256i pair = PairOf(query + 2 * i);
      _mm_prefetch(reinterpret_cast<const char*>(keys + kAvx2Ahead), _MM_HINT_T0);
      low = _mm256_add_epi32(low, PairProducts(keys, pair));
      high = _mm256_add_epi32(high, PairProducts(keys + 16, pair));
    }
    _mm256_storeu_ps(scores, _mm256_mul_ps(_mm256_mul_ps(_mm256_cvtepi32_ps(low), by), _mm256_loadu_ps(scales)));
    _mm256_storeu_ps(scores + 8,
                     _mm256_mul_ps(_mm256_mul_ps(_mm256_cvtepi32_ps(high), by), _mm256_loadu_ps(scales + 8)));
  }
}

// Of wide * 8 columns, whose pairs lie `stride` bytes apart.
template <int wide>
GRYM_CACHE_AVX2_INLINE void Avx2SumBytes(const int8_t* values, int64_t stride, const int16_t* weights, float scale,
                                         int64_t pairs, float* out) {
  __m256i sums[wide];
#pragma GCC unroll 8
  for (int i = 0; i < wide; ++i) sums[i] = _mm256_setzero_si256();
  for (int64_t p = 0; p < pairs; ++p, values += stride) {
    const __m256i pair = PairOf(weights + 2 * p);
#pragma GCC unroll 8
    for (int i = 0; i < wide; ++i) {
      if (i % 4 == 0) _mm_prefetch(reinterpret_cast<const char*>(values + 16 * i + kAvx2Ahead), _MM_HINT_T0);
      sums[i] = _mm256_add_epi32(sums[i], PairProducts(values + 16 * i, pair));
    }
  }
  const __m256 by = _mm256_set1_ps(scale);
#pragma GCC unroll 8
  for (int i = 0; i < wide; ++i) {
    const __m256 sum = _mm256_mul_ps(by, _mm256_cvtepi32_ps(sums[i]));
    _mm256_storeu_ps(out + 8 * i, _mm256_add_ps(_mm256_loadu_ps(out + 8 * i), sum));
  }
}

GRYM_CACHE_AVX2 void Avx2MixBytes(const int8_t* values, int64_t dim, const int16_t* weights, float scale, int64_t pairs,
                                  float* out) {
  int64_t i = 0;
  for (; i + 64 <= dim; i += 64) Avx2SumBytes<8>(values + 2 * i, 2 * dim, weights, scale, pairs, out + i);
  for (; i < dim; i += 16) Avx2SumBytes<2>(values + 2 * i, 2 * dim, weights, scale, pairs, out + i);
}

}  // namespace

const CacheKernels* Avx2CacheKernels() {
  static const CacheKernels kernels = {PortableCacheKernels()->score_words, PortableCacheKernels()->mix_words,
                                       Avx2ScoreBytes, Avx2MixBytes};
  return &kernels;
}

}  // namespace grym

#else

namespace grym {
const CacheKernels* Avx2CacheKernels() { return nullptr; }
}  // namespace grym
#endif
