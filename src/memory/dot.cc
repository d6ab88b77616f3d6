#include "memory/dot.h"

#include <algorithm>

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

// Adds to the scores.
void PortableHalf(const uint8_t* signs, const uint8_t* table, uint16_t* scores) {
  for (size_t byte = 0; byte < kHalfSignBytes; ++byte) {
    const uint8_t* low = table + 32 * byte;
    for (size_t v = 0; v < kSignGroup; ++v) {
      const uint8_t both = signs[kSignGroup * byte + v];
      scores[v] = static_cast<uint16_t>(scores[v] + low[both & 15] + low[16 + (both >> 4)]);
    }
  }
}

void PortableBestScores(const uint8_t* signs, size_t groups, const uint8_t* table, uint16_t* best) {
  for (size_t group = 0; group < groups; ++group, signs += kSignGroup * kHalfSignBytes) {
    uint16_t scores[kSignGroup] = {};
    PortableHalf(signs, table, scores);
    best[group] = *std::max_element(scores, scores + kSignGroup);
  }
}

int PortableGroupScores(const uint8_t* first_signs, const uint8_t* second_signs, const uint8_t* tables,
                        uint16_t* first, uint16_t* whole) {
  std::fill_n(first, kSignGroup, uint16_t{0});
  PortableHalf(first_signs, tables, first);
  std::copy_n(first, kSignGroup, whole);
  PortableHalf(second_signs, tables + kHalfTableBytes, whole);
  return *std::max_element(whole, whole + kSignGroup);
}

float PortableFloats(const float* a, const float* b) {
  float lanes[8] = {};
  for (size_t d = 0; d < kVectorDims; d += 8) {
    for (size_t lane = 0; lane < 8; ++lane) lanes[lane] += a[d + lane] * b[d + lane];
  }
  return ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) + ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]));
}

constexpr DotKernels kPortable = {"portable", &PortableCodesByQuery, &PortableBestScores, &PortableGroupScores,
                                  &PortableFloats};

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

// A shuffle looks sixteen half bytes up at once in each half of a register. Sums of bytes are kept in 16 bits: one sum
// of whole lanes, whose high bytes spill over, and one of the high bytes alone, which takes the spilling out again.
struct GroupSums {
  __m256i even, odd;
};

GRYM_AVX2 inline void AddByte(__m256i signs, __m256i low_table, __m256i high_table, GroupSums& sums) {
  const __m256i half = _mm256_set1_epi8(15);
  const __m256i low = _mm256_shuffle_epi8(low_table, _mm256_and_si256(signs, half));
  const __m256i high = _mm256_shuffle_epi8(high_table, _mm256_and_si256(_mm256_srli_epi16(signs, 4), half));
  const __m256i both = _mm256_add_epi8(low, high);  // at most 248
  sums.even = _mm256_add_epi16(sums.even, both);
  sums.odd = _mm256_add_epi16(sums.odd, _mm256_srli_epi16(both, 8));
}

// The even vectors' sums without what spilled over.
GRYM_AVX2 inline __m256i EvenSums(const GroupSums& sums) {
  return _mm256_sub_epi16(sums.even, _mm256_slli_epi16(sums.odd, 8));
}

GRYM_AVX2 inline void StoreSums(__m256i even, __m256i odd, uint16_t* scores) {
  const __m256i low = _mm256_unpacklo_epi16(even, odd), high = _mm256_unpackhi_epi16(even, odd);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(scores), _mm256_permute2x128_si256(low, high, 0x20));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(scores + 16), _mm256_permute2x128_si256(low, high, 0x31));
}

GRYM_AVX2 inline uint16_t Highest(__m256i even, __m256i odd) {
  const __m256i most = _mm256_max_epu16(even, odd);
  const __m128i eight = _mm_max_epu16(_mm256_castsi256_si128(most), _mm256_extracti128_si256(most, 1));
  // The smallest of the complements.
  return static_cast<uint16_t>(~_mm_extract_epi16(_mm_minpos_epu16(_mm_xor_si128(eight, _mm_set1_epi16(-1))), 0));
}

GRYM_AVX2 inline __m256i Broadcast16(const uint8_t* table) {
  return _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(table)));
}

GRYM_AVX2 inline __m256i Load32(const uint8_t* signs) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(signs));
}

// Two groups at a time share the loads of the tables. The scan waits for memory, and processors look ahead within a
// page only: asking for what comes 4 KB later makes it a quarter quicker.
GRYM_AVX2 void Avx2BestScores(const uint8_t* signs, size_t groups, const uint8_t* table, uint16_t* best) {
  constexpr size_t kGroupBytes = kSignGroup * kHalfSignBytes;
  for (size_t group = 0; group < groups; group += 2) {
    const uint8_t* first = signs + group * kGroupBytes;
    const uint8_t* second = group + 1 < groups ? first + kGroupBytes : first;
    GroupSums one = {_mm256_setzero_si256(), _mm256_setzero_si256()}, two = one;
    for (size_t byte = 0; byte < kHalfSignBytes; ++byte) {
      _mm_prefetch(reinterpret_cast<const char*>(first + 4096 + 64 * byte), _MM_HINT_T0);
      const __m256i low = Broadcast16(table + 32 * byte), high = Broadcast16(table + 32 * byte + 16);
      AddByte(Load32(first + kSignGroup * byte), low, high, one);
      AddByte(Load32(second + kSignGroup * byte), low, high, two);
    }
    best[group] = Highest(EvenSums(one), one.odd);
    if (group + 1 < groups) best[group + 1] = Highest(EvenSums(two), two.odd);
  }
}

GRYM_AVX2 int Avx2GroupScores(const uint8_t* first_signs, const uint8_t* second_signs, const uint8_t* tables,
                              uint16_t* first, uint16_t* whole) {
  GroupSums one = {_mm256_setzero_si256(), _mm256_setzero_si256()}, two = one;
  for (size_t byte = 0; byte < kHalfSignBytes; ++byte) {
    const uint8_t* table = tables + 32 * byte;
    AddByte(Load32(first_signs + kSignGroup * byte), Broadcast16(table), Broadcast16(table + 16), one);
    table += kHalfTableBytes;
    AddByte(Load32(second_signs + kSignGroup * byte), Broadcast16(table), Broadcast16(table + 16), two);
  }
  const __m256i even = EvenSums(one);
  StoreSums(even, one.odd, first);
  const __m256i even_whole = _mm256_add_epi16(even, EvenSums(two)), odd_whole = _mm256_add_epi16(one.odd, two.odd);
  StoreSums(even_whole, odd_whole, whole);
  return Highest(even_whole, odd_whole);
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

constexpr DotKernels kAvx2 = {"avx2", &Avx2CodesByQuery, &Avx2BestScores, &Avx2GroupScores, &Avx2Floats};
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
