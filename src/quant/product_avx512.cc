// Sixteen output rows a vector, with AVX-512 and its sums of whole products (VNNI).
#include "quant/product.h"

#if defined(__GNUC__) && defined(__x86_64__)
#include <immintrin.h>

#include <algorithm>

#define GRYM_AVX512 __attribute__((target("avx512f,avx512bw,avx512vnni")))
#define GRYM_AVX512_INLINE inline __attribute__((always_inline, target("avx512f,avx512bw,avx512vnni")))

namespace grym {
namespace {

// Input rows that share one decoding of the weights.
constexpr int64_t kMostInputs512 = 4;
// How far ahead of its use a vector is asked for: a page boundary stops the hardware's own reading ahead.
constexpr int64_t kAhead512 = 4096;

GRYM_AVX512_INLINE __m512i Vector512(const uint8_t* from) {
  _mm_prefetch(reinterpret_cast<const char*>(from + kAhead512), _MM_HINT_T0);
  return _mm512_loadu_si512(from);
}

GRYM_AVX512_INLINE __m512i FourBytes512(const void* from) {
  return _mm512_set1_epi32(LoadedAs<int32_t>(static_cast<const uint8_t*>(from)));
}

template <int inputs>
struct Rows512 {
  PreparedRow row[inputs];
  __m512 totals[inputs];
};

// The even and the odd column of a pair.
template <WeightFormat format>
GRYM_AVX512_INLINE void TwoColumns512(const uint8_t* at, __m512& even, __m512& odd) {
  if constexpr (format == WeightFormat::kFloat32) {
    even = _mm512_castsi512_ps(Vector512(at));
    odd = _mm512_castsi512_ps(Vector512(at + 64));
  } else if constexpr (format == WeightFormat::kFloat16) {
    _mm_prefetch(reinterpret_cast<const char*>(at + kAhead512), _MM_HINT_T0);
    even = _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(at)));
    odd = _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(at + 32)));
  } else {
    const __m512i both = Vector512(at);
    even = _mm512_castsi512_ps(_mm512_slli_epi32(both, 16));
    odd = _mm512_castsi512_ps(_mm512_and_si512(both, _mm512_set1_epi32(static_cast<int>(0xffff0000u))));
  }
}

template <WeightFormat format, int inputs>
GRYM_AVX512_INLINE void FloatBlock512(const PackedLayout& layout, const uint8_t* block, Rows512<inputs>& rows) {
  constexpr int64_t pair_bytes = format == WeightFormat::kFloat32 ? 128 : 64;
  __m512 odd_totals[inputs], even, odd;
#pragma GCC unroll 4
  for (int r = 0; r < inputs; ++r) odd_totals[r] = _mm512_setzero_ps();
  const int64_t columns = layout.padded_in();
#pragma GCC unroll 4
  for (int64_t c = 0; c < columns; c += 2, block += pair_bytes) {
    TwoColumns512<format>(block, even, odd);
#pragma GCC unroll 4
    for (int r = 0; r < inputs; ++r) {
      const float* const x = rows.row[r].floats + c;
      rows.totals[r] = _mm512_fmadd_ps(even, _mm512_set1_ps(x[0]), rows.totals[r]);
      odd_totals[r] = _mm512_fmadd_ps(odd, _mm512_set1_ps(x[1]), odd_totals[r]);
    }
  }
#pragma GCC unroll 4
  for (int r = 0; r < inputs; ++r) rows.totals[r] = _mm512_add_ps(rows.totals[r], odd_totals[r]);
}

template <int inputs>
struct Sums512 {
  __m512i even[inputs], odd[inputs];
};

// Eight columns, counted from the matrix's first.
template <WeightFormat format, bool by_bytes, int inputs>
GRYM_AVX512_INLINE void EightColumns512(const uint8_t* at, int64_t column, const Rows512<inputs>& rows,
                                        Sums512<inputs>& sums) {
  if constexpr (by_bytes) {
    const __m512i pairs = Vector512(at), nibble = _mm512_set1_epi8(15);
    const __m512i low = _mm512_and_si512(pairs, nibble);
    const __m512i high = _mm512_and_si512(_mm512_srli_epi16(pairs, 4), nibble);
#pragma GCC unroll 4
    for (int r = 0; r < inputs; ++r) {
      const int8_t* const x = rows.row[r].bytes + column;
      sums.even[r] = _mm512_dpbusd_epi32(sums.even[r], low, FourBytes512(x));
      sums.odd[r] = _mm512_dpbusd_epi32(sums.odd[r], high, FourBytes512(x + 4));
    }
  } else {
    __m512i halves[4];  // of the words, columns (0, 2), (1, 3), (4, 6), (5, 7)
    if constexpr (format == WeightFormat::kInt8) {
#pragma GCC unroll 2
      for (int quad = 0; quad < 2; ++quad) {
        const __m512i codes = Vector512(at + 64 * quad);
        halves[2 * quad] = _mm512_and_si512(codes, _mm512_set1_epi16(255));
        halves[2 * quad + 1] = _mm512_srli_epi16(codes, 8);
      }
    } else {
      const __m512i pairs = Vector512(at), nibble = _mm512_set1_epi16(15);
      halves[0] = _mm512_and_si512(pairs, nibble);
      halves[1] = _mm512_and_si512(_mm512_srli_epi16(pairs, 8), nibble);
      halves[2] = _mm512_and_si512(_mm512_srli_epi16(pairs, 4), nibble);
      halves[3] = _mm512_srli_epi16(pairs, 12);
    }
#pragma GCC unroll 4
    for (int r = 0; r < inputs; ++r) {
      const int16_t* const x = rows.row[r].words + column;
      sums.even[r] = _mm512_dpwssd_epi32(sums.even[r], halves[0], FourBytes512(x));
      sums.odd[r] = _mm512_dpwssd_epi32(sums.odd[r], halves[1], FourBytes512(x + 2));
      sums.even[r] = _mm512_dpwssd_epi32(sums.even[r], halves[2], FourBytes512(x + 4));
      sums.odd[r] = _mm512_dpwssd_epi32(sums.odd[r], halves[3], FourBytes512(x + 6));
    }
  }
}

GRYM_AVX512_INLINE __m512 BFloats512(const uint8_t* from) {
  return _mm512_castsi512_ps(_mm512_slli_epi32(
      _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from))), 16));
}

// Rounded product by product, as on every path.
template <int inputs>
GRYM_AVX512_INLINE void AddGroup512(const uint8_t* meta, int64_t g, const Sums512<inputs>& sums,
                                    Rows512<inputs>& rows) {
  const __m512 scales = BFloats512(meta), offsets = BFloats512(meta + 2 * kPackedRows);
#pragma GCC unroll 4
  for (int r = 0; r < inputs; ++r) {
    const PreparedRow& x = rows.row[r];
    const __m512i whole =
        _mm512_sub_epi32(_mm512_add_epi32(sums.even[r], sums.odd[r]), _mm512_set1_epi32(x.shifts[g]));
    const __m512 by_code =
        _mm512_mul_ps(_mm512_mul_ps(scales, _mm512_set1_ps(x.scales[g])), _mm512_cvtepi32_ps(whole));
    rows.totals[r] = _mm512_add_ps(_mm512_add_ps(rows.totals[r], by_code),
                                   _mm512_mul_ps(offsets, _mm512_set1_ps(x.sums[g])));
  }
}

template <WeightFormat format, bool by_bytes, int inputs>
GRYM_AVX512_INLINE void CodeBlock512(const PackedLayout& layout, const uint8_t* at, Rows512<inputs>& rows) {
  constexpr int64_t eight_bytes = format == WeightFormat::kInt8 ? 128 : 64;
  const int64_t columns = layout.padded_in(), group = layout.group;
  Sums512<inputs> sums;
  for (int64_t g = 0, from = 0; from < columns; ++g, from += group, at += kGroupMetaBytes) {
#pragma GCC unroll 4
    for (int r = 0; r < inputs; ++r) sums.even[r] = sums.odd[r] = _mm512_setzero_si512();
    const int64_t end = std::min(from + group, columns);
#pragma GCC unroll 4
    for (int64_t c = from; c < end; c += 8, at += eight_bytes) {
      EightColumns512<format, by_bytes, inputs>(at, c, rows, sums);
    }
    AddGroup512<inputs>(at, g, sums, rows);
  }
}

template <WeightFormat format, bool by_bytes, int inputs>
GRYM_AVX512 void BlockOfInputs512(const PackedLayout& layout, const uint8_t* block, const float* prepared,
                                  int64_t stride, float* sums) {
  Rows512<inputs> rows;
  for (int r = 0; r < inputs; ++r) {
    rows.row[r] = PreparedRow::At(layout, prepared + r * stride);
    rows.totals[r] = _mm512_setzero_ps();
  }
  if constexpr (HasGroups(format)) {
    CodeBlock512<format, by_bytes, inputs>(layout, block, rows);
  } else {
    FloatBlock512<format, inputs>(layout, block, rows);
  }
#pragma GCC unroll 4
  for (int r = 0; r < inputs; ++r) _mm512_storeu_ps(sums + r * kPackedRows, rows.totals[r]);
}

template <WeightFormat format, bool by_bytes = false>
void Block512(const PackedLayout& layout, const uint8_t* block, const float* prepared, int64_t rows, float* sums) {
  const int64_t stride = PreparedRowFloats(layout);
  for (int64_t r = 0; r < rows; r += kMostInputs512) {
    const float* const x = prepared + r * stride;
    float* const to = sums + r * kPackedRows;
    switch (std::min(rows - r, kMostInputs512)) {
      case 1: BlockOfInputs512<format, by_bytes, 1>(layout, block, x, stride, to); break;
      case 2: BlockOfInputs512<format, by_bytes, 2>(layout, block, x, stride, to); break;
      case 3: BlockOfInputs512<format, by_bytes, 3>(layout, block, x, stride, to); break;
      default: BlockOfInputs512<format, by_bytes, 4>(layout, block, x, stride, to);
    }
  }
}

}  // namespace

BlockProduct Avx512BlockProduct(const PackedLayout& layout) {
  switch (layout.format) {
    case WeightFormat::kFloat32: return Block512<WeightFormat::kFloat32>;
    case WeightFormat::kFloat16: return Block512<WeightFormat::kFloat16>;
    case WeightFormat::kBFloat16: return Block512<WeightFormat::kBFloat16>;
    case WeightFormat::kInt8: return Block512<WeightFormat::kInt8>;
    case WeightFormat::kInt4:
      return TakesByteInputs(layout) ? Block512<WeightFormat::kInt4, true> : Block512<WeightFormat::kInt4>;
  }
  return nullptr;
}

}  // namespace grym

#else

namespace grym {
BlockProduct Avx512BlockProduct(const PackedLayout&) { return nullptr; }
}  // namespace grym
#endif
