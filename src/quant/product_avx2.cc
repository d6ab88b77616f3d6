// Sixteen output rows as two vectors of eight, with AVX2.
#include "quant/product.h"

#if defined(__GNUC__) && defined(__x86_64__)
#include <immintrin.h>

#include <algorithm>

#define GRYM_AVX2 __attribute__((target("avx2,fma,f16c")))
#define GRYM_AVX2_INLINE inline __attribute__((always_inline, target("avx2,fma,f16c")))

namespace grym {
namespace {

// Input rows that share one decoding of the weights: what the sixteen registers hold the sums of.
constexpr int64_t kMostInputs256 = 3;
// How far ahead of its use a vector is asked for: a page boundary stops the hardware's own reading ahead.
constexpr int64_t kAhead256 = 4096;

GRYM_AVX2_INLINE __m256i Vector256(const uint8_t* from) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
}

GRYM_AVX2_INLINE void AskFor256(const uint8_t* at) {
  _mm_prefetch(reinterpret_cast<const char*>(at + kAhead256), _MM_HINT_T0);
}

GRYM_AVX2_INLINE __m256i FourBytes256(const void* from) {
  return _mm256_set1_epi32(LoadedAs<int32_t>(static_cast<const uint8_t*>(from)));
}

template <int inputs>
struct Rows256 {
  PreparedRow row[inputs];
  __m256 totals[2][inputs];
};

// Rows 8 half and on of the even and the odd column of a pair.
template <WeightFormat format>
GRYM_AVX2_INLINE void TwoColumns256(const uint8_t* at, int half, __m256& even, __m256& odd) {
  if constexpr (format == WeightFormat::kFloat32) {
    even = _mm256_castsi256_ps(Vector256(at + 32 * half));
    odd = _mm256_castsi256_ps(Vector256(at + 64 + 32 * half));
  } else if constexpr (format == WeightFormat::kFloat16) {
    even = _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at + 16 * half)));
    odd = _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at + 32 + 16 * half)));
  } else {
    const __m256i both = Vector256(at + 32 * half);
    even = _mm256_castsi256_ps(_mm256_slli_epi32(both, 16));
    odd = _mm256_castsi256_ps(_mm256_and_si256(both, _mm256_set1_epi32(static_cast<int>(0xffff0000u))));
  }
}

template <WeightFormat format, int inputs>
GRYM_AVX2_INLINE void FloatBlock256(const PackedLayout& layout, const uint8_t* block, Rows256<inputs>& rows) {
  constexpr int64_t pair_bytes = format == WeightFormat::kFloat32 ? 128 : 64;
  __m256 odd_totals[2][inputs], even, odd;
#pragma GCC unroll 2
  for (int half = 0; half < 2; ++half) {
#pragma GCC unroll 3
    for (int r = 0; r < inputs; ++r) odd_totals[half][r] = _mm256_setzero_ps();
  }
  const int64_t columns = layout.padded_in();
  for (int64_t c = 0; c < columns; c += 2, block += pair_bytes) {
    AskFor256(block);
    if constexpr (format == WeightFormat::kFloat32) AskFor256(block + 64);
#pragma GCC unroll 2
    for (int half = 0; half < 2; ++half) {
      TwoColumns256<format>(block, half, even, odd);
#pragma GCC unroll 3
      for (int r = 0; r < inputs; ++r) {
        const float* const x = rows.row[r].floats + c;
        rows.totals[half][r] = _mm256_fmadd_ps(even, _mm256_broadcast_ss(x), rows.totals[half][r]);
        odd_totals[half][r] = _mm256_fmadd_ps(odd, _mm256_broadcast_ss(x + 1), odd_totals[half][r]);
      }
    }
  }
#pragma GCC unroll 2
  for (int half = 0; half < 2; ++half) {
#pragma GCC unroll 3
    for (int r = 0; r < inputs; ++r) {
      rows.totals[half][r] = _mm256_add_ps(rows.totals[half][r], odd_totals[half][r]);
    }
  }
}

template <int inputs>
struct Sums256 {
  __m256i whole[2][inputs];
};

// Eight columns, counted from the matrix's first, of inputs of 16 bits.
template <WeightFormat format, int inputs>
GRYM_AVX2_INLINE void EightColumns256(const uint8_t* at, int64_t column, const Rows256<inputs>& rows,
                                      Sums256<inputs>& sums) {
#pragma GCC unroll 2
  for (int half = 0; half < 2; ++half) {
    __m256i halves[4];  // of the words, columns (0, 2), (1, 3), (4, 6), (5, 7)
    if constexpr (format == WeightFormat::kInt8) {
#pragma GCC unroll 2
      for (int quad = 0; quad < 2; ++quad) {
        const __m256i codes = Vector256(at + 64 * quad + 32 * half);
        halves[2 * quad] = _mm256_and_si256(codes, _mm256_set1_epi16(255));
        halves[2 * quad + 1] = _mm256_srli_epi16(codes, 8);
      }
    } else {
      const __m256i pairs = Vector256(at + 32 * half), nibble = _mm256_set1_epi16(15);
      halves[0] = _mm256_and_si256(pairs, nibble);
      halves[1] = _mm256_and_si256(_mm256_srli_epi16(pairs, 8), nibble);
      halves[2] = _mm256_and_si256(_mm256_srli_epi16(pairs, 4), nibble);
      halves[3] = _mm256_srli_epi16(pairs, 12);
    }
#pragma GCC unroll 3
    for (int r = 0; r < inputs; ++r) {
      const int16_t* const x = rows.row[r].words + column;
#pragma GCC unroll 4
      for (int pair = 0; pair < 4; ++pair) {
        sums.whole[half][r] =
            _mm256_add_epi32(sums.whole[half][r], _mm256_madd_epi16(halves[pair], FourBytes256(x + 2 * pair)));
      }
    }
  }
}

// `count` columns from `column` on, at most 32: four times two products of at most 2 * 15 * 127 still are 16 bits.
template <int inputs>
GRYM_AVX2_INLINE void ByteColumns256(const uint8_t* at, int64_t column, int64_t count, const Rows256<inputs>& rows,
                                     Sums256<inputs>& sums) {
  const __m256i nibble = _mm256_set1_epi8(15);
  __m256i made[2][inputs];
#pragma GCC unroll 2
  for (int half = 0; half < 2; ++half) {
#pragma GCC unroll 3
    for (int r = 0; r < inputs; ++r) made[half][r] = _mm256_setzero_si256();
  }
  for (int64_t c = 0; c < count; c += 8, at += 64) {
    AskFor256(at);
#pragma GCC unroll 2
    for (int half = 0; half < 2; ++half) {
      const __m256i pairs = Vector256(at + 32 * half);
      const __m256i low = _mm256_and_si256(pairs, nibble);
      const __m256i high = _mm256_and_si256(_mm256_srli_epi16(pairs, 4), nibble);
#pragma GCC unroll 3
      for (int r = 0; r < inputs; ++r) {
        const int8_t* const x = rows.row[r].bytes + column + c;
        const __m256i both = _mm256_add_epi16(_mm256_maddubs_epi16(low, FourBytes256(x)),
                                              _mm256_maddubs_epi16(high, FourBytes256(x + 4)));
        made[half][r] = _mm256_add_epi16(made[half][r], both);
      }
    }
  }
#pragma GCC unroll 2
  for (int half = 0; half < 2; ++half) {
#pragma GCC unroll 3
    for (int r = 0; r < inputs; ++r) {
      sums.whole[half][r] =
          _mm256_add_epi32(sums.whole[half][r], _mm256_madd_epi16(made[half][r], _mm256_set1_epi16(1)));
    }
  }
}

GRYM_AVX2_INLINE __m256 BFloats256(const uint8_t* from) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(
      _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from))), 16));
}

// Rounded product by product, as on every path.
template <int inputs>
GRYM_AVX2_INLINE void AddGroup256(const uint8_t* meta, int64_t g, const Sums256<inputs>& sums,
                                  Rows256<inputs>& rows) {
#pragma GCC unroll 2
  for (int half = 0; half < 2; ++half) {
    const __m256 scales = BFloats256(meta + 16 * half), offsets = BFloats256(meta + 2 * kPackedRows + 16 * half);
#pragma GCC unroll 3
    for (int r = 0; r < inputs; ++r) {
      const PreparedRow& x = rows.row[r];
      const __m256i whole = _mm256_sub_epi32(sums.whole[half][r], _mm256_set1_epi32(x.shifts[g]));
      const __m256 by_code =
          _mm256_mul_ps(_mm256_mul_ps(scales, _mm256_broadcast_ss(x.scales + g)), _mm256_cvtepi32_ps(whole));
      rows.totals[half][r] = _mm256_add_ps(_mm256_add_ps(rows.totals[half][r], by_code),
                                           _mm256_mul_ps(offsets, _mm256_broadcast_ss(x.sums + g)));
    }
  }
}

template <WeightFormat format, bool by_bytes, int inputs>
GRYM_AVX2_INLINE void CodeBlock256(const PackedLayout& layout, const uint8_t* at, Rows256<inputs>& rows) {
  constexpr int64_t eight_bytes = format == WeightFormat::kInt8 ? 128 : 64;
  const int64_t columns = layout.padded_in(), group = layout.group;
  Sums256<inputs> sums;
  for (int64_t g = 0, from = 0; from < columns; ++g, from += group, at += kGroupMetaBytes) {
#pragma GCC unroll 2
    for (int half = 0; half < 2; ++half) {
#pragma GCC unroll 3
      for (int r = 0; r < inputs; ++r) sums.whole[half][r] = _mm256_setzero_si256();
    }
    const int64_t end = std::min(from + group, columns);
    if constexpr (by_bytes) {
      for (int64_t c = from; c < end; c += 32) {
        const int64_t count = std::min<int64_t>(32, end - c);
        ByteColumns256<inputs>(at, c, count, rows, sums);
        at += count / 8 * eight_bytes;
      }
    } else {
      for (int64_t c = from; c < end; c += 8, at += eight_bytes) {
        AskFor256(at);
        if constexpr (format == WeightFormat::kInt8) AskFor256(at + 64);
        EightColumns256<format, inputs>(at, c, rows, sums);
      }
    }
    AddGroup256<inputs>(at, g, sums, rows);
  }
}

template <WeightFormat format, bool by_bytes, int inputs>
GRYM_AVX2 void BlockOfInputs256(const PackedLayout& layout, const uint8_t* block, const float* prepared,
                                int64_t stride, float* sums) {
  Rows256<inputs> rows;
  for (int r = 0; r < inputs; ++r) {
    rows.row[r] = PreparedRow::At(layout, prepared + r * stride);
    rows.totals[0][r] = rows.totals[1][r] = _mm256_setzero_ps();
  }
  if constexpr (HasGroups(format)) {
    CodeBlock256<format, by_bytes, inputs>(layout, block, rows);
  } else {
    FloatBlock256<format, inputs>(layout, block, rows);
  }
#pragma GCC unroll 3
  for (int r = 0; r < inputs; ++r) {
    _mm256_storeu_ps(sums + r * kPackedRows, rows.totals[0][r]);
    _mm256_storeu_ps(sums + r * kPackedRows + 8, rows.totals[1][r]);
  }
}

template <WeightFormat format, bool by_bytes = false>
void Block256(const PackedLayout& layout, const uint8_t* block, const float* prepared, int64_t rows, float* sums) {
  const int64_t stride = PreparedRowFloats(layout);
  for (int64_t r = 0; r < rows;) {
    const float* const x = prepared + r * stride;
    float* const to = sums + r * kPackedRows;
    // Four are two pairs: a three and a one would decode as often, and the one waits for its sums.
    const int64_t taken = rows - r == 4 ? 2 : std::min(rows - r, kMostInputs256);
    if (taken == 3) BlockOfInputs256<format, by_bytes, 3>(layout, block, x, stride, to);
    if (taken == 2) BlockOfInputs256<format, by_bytes, 2>(layout, block, x, stride, to);
    if (taken == 1) BlockOfInputs256<format, by_bytes, 1>(layout, block, x, stride, to);
    r += taken;
  }
}

}  // namespace

BlockProduct Avx2BlockProduct(const PackedLayout& layout) {
  switch (layout.format) {
    case WeightFormat::kFloat32: return Block256<WeightFormat::kFloat32>;
    case WeightFormat::kFloat16: return Block256<WeightFormat::kFloat16>;
    case WeightFormat::kBFloat16: return Block256<WeightFormat::kBFloat16>;
    case WeightFormat::kInt8: return Block256<WeightFormat::kInt8>;
    case WeightFormat::kInt4:
      return TakesByteInputs(layout) ? Block256<WeightFormat::kInt4, true> : Block256<WeightFormat::kInt4>;
  }
  return nullptr;
}

}  // namespace grym

#else

namespace grym {
BlockProduct Avx2BlockProduct(const PackedLayout&) { return nullptr; }
}  // namespace grym
#endif
