// Sixteen lanes at once, and pairs of whole numbers multiplied and added in one instruction (VNNI). Nothing is asked
// for ahead of its use, unlike with AVX2: with so few instructions a line the machine reads ahead well by itself, and
// asking took a tenth more time.
#include "models/musicgen/cache_kernels.h"

#if defined(__GNUC__) && defined(__x86_64__)
#include <immintrin.h>

#include <cstring>

#define GRYM_AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512vnni")))
#define GRYM_AVX512_INLINE inline __attribute__((always_inline, target("avx512f,avx512bw,avx512vl,avx512vnni")))

namespace grym {
namespace {

// 32 words: the even ones and the odd ones.
GRYM_AVX512_INLINE void FromWords512(__m512i words, __m512& even, __m512& odd) {
  even = _mm512_cvtepi32_ps(_mm512_srai_epi32(_mm512_slli_epi32(words, 16), 16));
  odd = _mm512_cvtepi32_ps(_mm512_srai_epi32(words, 16));
}

// Two neighbours of the query, eight lanes each.
GRYM_AVX512_INLINE __m512 TwoOf(const float* query) {
  return _mm512_mask_broadcastss_ps(_mm512_broadcastss_ps(_mm_load_ss(query)), 0xff00, _mm_load_ss(query + 1));
}

GRYM_AVX512_INLINE __m256 LowHalf(__m512 x) { return _mm512_castps512_ps256(x); }
GRYM_AVX512_INLINE __m256 HighHalf(__m512 x) {
  return _mm256_castpd_ps(_mm512_extractf64x4_pd(_mm512_castps_pd(x), 1));
}

// The low halves sum what the even numbers of the query give, the high ones what the odd ones do.
GRYM_AVX512 void Avx512ScoreWords(const int16_t* keys, const float* scales, const float* query, int64_t dim,
                                  int64_t blocks, float* scores) {
  for (int64_t block = 0; block < blocks; ++block, scales += 16, scores += 16) {
    __m512 first = _mm512_setzero_ps(), second = first, a, b;
    int64_t i = 0;
    for (; i + 2 <= dim; i += 2, keys += 32) {
      FromWords512(_mm512_loadu_si512(keys), a, b);
      const __m512 by = TwoOf(query + i);
      first = _mm512_add_ps(first, _mm512_mul_ps(by, a));
      second = _mm512_add_ps(second, _mm512_mul_ps(by, b));
    }
    if (i < dim) {
      FromWords512(_mm512_zextsi256_si512(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(keys))), a, b);
      const __m512 by = _mm512_maskz_broadcastss_ps(0xff, _mm_load_ss(query + i));
      first = _mm512_add_ps(first, _mm512_mul_ps(by, a));
      second = _mm512_add_ps(second, _mm512_mul_ps(by, b));
      keys += 16;
    }
    _mm256_storeu_ps(scores, _mm256_mul_ps(_mm256_add_ps(LowHalf(first), HighHalf(first)), _mm256_loadu_ps(scales)));
    _mm256_storeu_ps(scores + 8,
                     _mm256_mul_ps(_mm256_add_ps(LowHalf(second), HighHalf(second)), _mm256_loadu_ps(scales + 8)));
  }
}

// Of wide * 32 columns.
template <int wide>
GRYM_AVX512_INLINE void Avx512SumWords(const int16_t* values, int64_t stride, const float* weights, int64_t count,
                                       float* out) {
  __m512 first[wide], second[wide], a, b;
#pragma GCC unroll 4
  for (int i = 0; i < wide; ++i) first[i] = second[i] = _mm512_setzero_ps();
  for (int64_t position = 0; position < count; ++position, values += stride) {
    const __m512 by = _mm512_set1_ps(weights[position]);
#pragma GCC unroll 4
    for (int i = 0; i < wide; ++i) {
      FromWords512(_mm512_loadu_si512(values + 32 * i), a, b);
      first[i] = _mm512_add_ps(first[i], _mm512_mul_ps(by, a));
      second[i] = _mm512_add_ps(second[i], _mm512_mul_ps(by, b));
    }
  }
#pragma GCC unroll 4
  for (int i = 0; i < wide; ++i) {
    _mm256_storeu_ps(out + 32 * i, LowHalf(first[i]));
    _mm256_storeu_ps(out + 32 * i + 8, LowHalf(second[i]));
    _mm256_storeu_ps(out + 32 * i + 16, HighHalf(first[i]));
    _mm256_storeu_ps(out + 32 * i + 24, HighHalf(second[i]));
  }
}

// Of the last 16 columns.
GRYM_AVX512_INLINE void SumLastWords(const int16_t* values, int64_t stride, const float* weights, int64_t count,
                                     float* out) {
  __m256 first = _mm256_setzero_ps(), second = first;
  for (int64_t position = 0; position < count; ++position, values += stride) {
    const __m256i words = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(values));
    const __m256 a = _mm256_cvtepi32_ps(_mm256_srai_epi32(_mm256_slli_epi32(words, 16), 16));
    const __m256 b = _mm256_cvtepi32_ps(_mm256_srai_epi32(words, 16));
    const __m256 by = _mm256_set1_ps(weights[position]);
    first = _mm256_add_ps(first, _mm256_mul_ps(by, a));
    second = _mm256_add_ps(second, _mm256_mul_ps(by, b));
  }
  _mm256_storeu_ps(out, first);
  _mm256_storeu_ps(out + 8, second);
}

GRYM_AVX512 void Avx512MixWords(const int16_t* values, int64_t dim, const float* weights, int64_t count, float* out) {
  int64_t i = 0;
  for (; i + 64 <= dim; i += 64) Avx512SumWords<2>(values + i, dim, weights, count, out + i);
  for (; i + 32 <= dim; i += 32) Avx512SumWords<1>(values + i, dim, weights, count, out + i);
  if (i < dim) SumLastWords(values + i, dim, weights, count, out + i);
}

GRYM_AVX512_INLINE __m512i Pairs512(const int8_t* from) {
  return _mm512_cvtepi8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
}

GRYM_AVX512_INLINE __m512i PairBy512(const int16_t* numbers) {
  int32_t pair;
  std::memcpy(&pair, numbers, sizeof pair);
  return _mm512_set1_epi32(pair);
}

// Four sums: one would wait for itself at every addition.
GRYM_AVX512 void Avx512ScoreBytes(const int8_t* keys, const float* scales, const int16_t* query, float query_scale,
                                  int64_t pairs, int64_t blocks, float* scores) {
  const __m512 by = _mm512_set1_ps(query_scale);
  for (int64_t block = 0; block < blocks; ++block, scales += 16, scores += 16) {
    __m512i a = _mm512_setzero_si512(), b = a, c = a, d = a;
    int64_t i = 0;
    for (; i + 4 <= pairs; i += 4, keys += 128) {
      a = _mm512_dpwssd_epi32(a, Pairs512(keys), PairBy512(query + 2 * i));
      b = _mm512_dpwssd_epi32(b, Pairs512(keys + 32), PairBy512(query + 2 * i + 2));
      c = _mm512_dpwssd_epi32(c, Pairs512(keys + 64), PairBy512(query + 2 * i + 4));
      d = _mm512_dpwssd_epi32(d, Pairs512(keys + 96), PairBy512(query + 2 * i + 6));
    }
    for (; i < pairs; ++i, keys += 32) a = _mm512_dpwssd_epi32(a, Pairs512(keys), PairBy512(query + 2 * i));
    const __m512i sum = _mm512_add_epi32(_mm512_add_epi32(a, b), _mm512_add_epi32(c, d));
    _mm512_storeu_ps(scores, _mm512_mul_ps(_mm512_mul_ps(_mm512_cvtepi32_ps(sum), by), _mm512_loadu_ps(scales)));
  }
}

// Of wide * 16 columns, whose pairs lie `stride` bytes apart.
template <int wide>
GRYM_AVX512_INLINE void Avx512SumBytes(const int8_t* values, int64_t stride, const int16_t* weights, float scale,
                                       int64_t pairs, float* out) {
  __m512i sums[wide];
#pragma GCC unroll 4
  for (int i = 0; i < wide; ++i) sums[i] = _mm512_setzero_si512();
  for (int64_t p = 0; p < pairs; ++p, values += stride) {
    const __m512i pair = PairBy512(weights + 2 * p);
#pragma GCC unroll 4
    for (int i = 0; i < wide; ++i) {
      sums[i] = _mm512_dpwssd_epi32(sums[i], Pairs512(values + 32 * i), pair);
    }
  }
  const __m512 by = _mm512_set1_ps(scale);
#pragma GCC unroll 4
  for (int i = 0; i < wide; ++i) {
    const __m512 sum = _mm512_mul_ps(by, _mm512_cvtepi32_ps(sums[i]));
    _mm512_storeu_ps(out + 16 * i, _mm512_add_ps(_mm512_loadu_ps(out + 16 * i), sum));
  }
}

GRYM_AVX512 void Avx512MixBytes(const int8_t* values, int64_t dim, const int16_t* weights, float scale, int64_t pairs,
                                float* out) {
  int64_t i = 0;
  for (; i + 64 <= dim; i += 64) Avx512SumBytes<4>(values + 2 * i, 2 * dim, weights, scale, pairs, out + i);
  for (; i < dim; i += 16) Avx512SumBytes<1>(values + 2 * i, 2 * dim, weights, scale, pairs, out + i);
}

}  // namespace

const CacheKernels* Avx512CacheKernels() {
  static constexpr CacheKernels kKernels = {Avx512ScoreWords, Avx512MixWords, Avx512ScoreBytes, Avx512MixBytes};
  return &kKernels;
}

}  // namespace grym

#else

namespace grym {
const CacheKernels* Avx512CacheKernels() { return nullptr; }
}  // namespace grym
#endif
