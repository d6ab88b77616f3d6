#include "memory/dot.h"

#if defined(__x86_64__) && defined(__GNUC__)
#define GRYM_HAVE_AVX2_KERNELS 1
#include <immintrin.h>
#endif

namespace grym {
namespace {

void PortableCodesByQuery(const int8_t* codes, size_t count, const int16_t* query, int32_t* out) {
  for (size_t i = 0; i < count; ++i, codes += kVectorDims) {
    int32_t sum = 0;
    for (size_t d = 0; d < kVectorDims; ++d) sum += int32_t{codes[d]} * query[d];
    out[i] = sum;
  }
}

int32_t PortableCodesByCodes(const int8_t* a, const int8_t* b) {
  int32_t sum = 0;
  for (size_t d = 0; d < kVectorDims; ++d) sum += int32_t{a[d]} * b[d];
  return sum;
}

float PortableFloats(const float* a, const float* b) {
  float lanes[8] = {};
  for (size_t d = 0; d < kVectorDims; d += 8) {
    for (size_t lane = 0; lane < 8; ++lane) lanes[lane] += a[d + lane] * b[d + lane];
  }
  return ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) + ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]));
}

constexpr DotKernels kPortable = {"portable", &PortableCodesByQuery, &PortableCodesByCodes, &PortableFloats};

#ifdef GRYM_HAVE_AVX2_KERNELS
#define GRYM_AVX2 __attribute__((target("avx2,fma")))

GRYM_AVX2 inline int32_t SumOfLanes(__m256i lanes) {
  __m128i sum = _mm_add_epi32(_mm256_castsi256_si128(lanes), _mm256_extracti128_si256(lanes, 1));
  sum = _mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0x4e));
  sum = _mm_add_epi32(sum, _mm_shuffle_epi32(sum, 0xb1));
  return _mm_cvtsi128_si32(sum);
}

GRYM_AVX2 inline __m256i SixteenCodes(const int8_t* codes) {
  return _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(codes)));
}

GRYM_AVX2 void Avx2CodesByQuery(const int8_t* codes, size_t count, const int16_t* query, int32_t* out) {
  __m256i q[8];
  for (int i = 0; i < 8; ++i) q[i] = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(query + 16 * i));
  for (size_t i = 0; i < count; ++i, codes += kVectorDims) {
    __m256i even = _mm256_madd_epi16(SixteenCodes(codes), q[0]);
    __m256i odd = _mm256_madd_epi16(SixteenCodes(codes + 16), q[1]);
    for (int part = 2; part < 8; part += 2) {
      even = _mm256_add_epi32(even, _mm256_madd_epi16(SixteenCodes(codes + 16 * part), q[part]));
      odd = _mm256_add_epi32(odd, _mm256_madd_epi16(SixteenCodes(codes + 16 * part + 16), q[part + 1]));
    }
    out[i] = SumOfLanes(_mm256_add_epi32(even, odd));
  }
}

GRYM_AVX2 int32_t Avx2CodesByCodes(const int8_t* a, const int8_t* b) {
  __m256i even = _mm256_setzero_si256(), odd = _mm256_setzero_si256();
  for (int part = 0; part < 128; part += 32) {
    even = _mm256_add_epi32(even, _mm256_madd_epi16(SixteenCodes(a + part), SixteenCodes(b + part)));
    odd = _mm256_add_epi32(odd, _mm256_madd_epi16(SixteenCodes(a + part + 16), SixteenCodes(b + part + 16)));
  }
  return SumOfLanes(_mm256_add_epi32(even, odd));
}

GRYM_AVX2 float Avx2Floats(const float* a, const float* b) {
  __m256 sums[4] = {_mm256_setzero_ps(), _mm256_setzero_ps(), _mm256_setzero_ps(), _mm256_setzero_ps()};
  for (int d = 0; d < 128; d += 32) {
    for (int i = 0; i < 4; ++i)
      sums[i] = _mm256_fmadd_ps(_mm256_loadu_ps(a + d + 8 * i), _mm256_loadu_ps(b + d + 8 * i), sums[i]);
  }
  const __m256 sum = _mm256_add_ps(_mm256_add_ps(sums[0], sums[1]), _mm256_add_ps(sums[2], sums[3]));
  __m128 four = _mm_add_ps(_mm256_castps256_ps128(sum), _mm256_extractf128_ps(sum, 1));
  four = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(four, _mm_shuffle_ps(four, four, 1)));
}

constexpr DotKernels kAvx2 = {"avx2", &Avx2CodesByQuery, &Avx2CodesByCodes, &Avx2Floats};
#endif

}  // namespace

const DotKernels& PortableDotKernels() { return kPortable; }

const DotKernels& BestDotKernels() {
#ifdef GRYM_HAVE_AVX2_KERNELS
  static const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (avx2) return kAvx2;
#endif
  return kPortable;
}

}  // namespace grym
