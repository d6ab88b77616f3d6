// The loops of bfloat_kernels.h for x86 with AVX-512 BF16, whose products of pairs do twice the work of float32's.
#include "nn/bfloat_kernels.h"

#if defined(__x86_64__) && defined(__GNUC__)

#include <immintrin.h>

#include <algorithm>

#include "runtime/device.h"

#define GRYM_AVX512_BF16 __attribute__((target("avx512f,avx512bw,avx512vl,avx512bf16")))
#define GRYM_AVX512_BF16_INLINE inline __attribute__((target("avx512f,avx512bw,avx512vl,avx512bf16"), always_inline))

namespace grym {
namespace {

static_assert(kMostBFloatRows >= 56);
constexpr int kTileRows = 14;  // 14 x 32 sums fill 28 of the 32 registers

// Of 32-bit numbers, in the lower halves. By whole numbers: the instruction for it takes what is below the smallest
// normal number for zero.
GRYM_AVX512_BF16_INLINE __m512i Rounded(__m512 value) {
  const __m512i bits = _mm512_castps_si512(value), high = _mm512_srli_epi32(bits, 16);
  const __m512i up = _mm512_add_epi32(_mm512_set1_epi32(0x7fff), _mm512_and_si512(high, _mm512_set1_epi32(1)));
  const __m512i nearest = _mm512_srli_epi32(_mm512_add_epi32(bits, up), 16);
  const __mmask16 nan = _mm512_cmp_ps_mask(value, value, _CMP_UNORD_Q);
  return _mm512_mask_or_epi32(nearest, nan, high, _mm512_set1_epi32(0x40));
}

GRYM_AVX512_BF16_INLINE void StoreLowerHalves(__m512i numbers, uint16_t* to) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), _mm512_cvtepi32_epi16(numbers));
}

GRYM_AVX512_BF16 void Round(const float* from, int64_t count, uint16_t* to) {
  int64_t i = 0;
  for (; i + 16 <= count; i += 16) StoreLowerHalves(Rounded(_mm512_loadu_ps(from + i)), to + i);
  for (; i < count; ++i) to[i] = FloatToBFloat16(from[i]);
}

GRYM_AVX512_BF16 void Split(const float* from, int64_t count, uint16_t* high, uint16_t* low) {
  const __m512i exponent = _mm512_set1_epi32(0x7f800000);
  int64_t i = 0;
  for (; i + 16 <= count; i += 16) {
    const __m512 value = _mm512_loadu_ps(from + i);
    const __m512i bits = _mm512_castps_si512(value), nearest = Rounded(value);
    const __mmask16 finite = _mm512_cmpneq_epi32_mask(_mm512_and_si512(bits, exponent), exponent);
    const __mmask16 beyond = _mm512_mask_cmpeq_epi32_mask(
        finite, _mm512_and_si512(nearest, _mm512_set1_epi32(0x7fff)), _mm512_set1_epi32(0x7f80));
    const __m512i rounded = _mm512_mask_srli_epi32(nearest, beyond, bits, 16);
    const __m512 rest =
        _mm512_maskz_sub_ps(finite, value, _mm512_castsi512_ps(_mm512_slli_epi32(rounded, 16)));
    StoreLowerHalves(rounded, high + i);
    StoreLowerHalves(Rounded(rest), low + i);
  }
  for (; i < count; ++i) SplitFloat(from[i], high + i, low + i);
}

// Sixteen rows of sixteen pairs -> sixteen columns. Source of the steps: rows of 32-bit words are interleaved four
// times, as for any transposition of a square of a power of two.
GRYM_AVX512_BF16_INLINE void Transpose(__m512i* rows) {
  __m512i t[16];
  for (int i = 0; i < 16; i += 2) {
    t[i] = _mm512_unpacklo_epi32(rows[i], rows[i + 1]);
    t[i + 1] = _mm512_unpackhi_epi32(rows[i], rows[i + 1]);
  }
  for (int i = 0; i < 16; i += 4) {
    rows[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
    rows[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
    rows[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
    rows[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
  }
  for (int i = 0; i < 4; ++i) {
    t[i] = _mm512_shuffle_i32x4(rows[i], rows[4 + i], 0x88);
    t[4 + i] = _mm512_shuffle_i32x4(rows[i], rows[4 + i], 0xdd);
    t[8 + i] = _mm512_shuffle_i32x4(rows[8 + i], rows[12 + i], 0x88);
    t[12 + i] = _mm512_shuffle_i32x4(rows[8 + i], rows[12 + i], 0xdd);
  }
  for (int i = 0; i < 8; ++i) {
    rows[i] = _mm512_shuffle_i32x4(t[i], t[8 + i], 0x88);
    rows[8 + i] = _mm512_shuffle_i32x4(t[i], t[8 + i], 0xdd);
  }
}

GRYM_AVX512_BF16 void Pack(const BFloatPanelWork& work) {
  const int64_t row = work.segments * work.depth, pairs = (work.depth + 1) / 2;
  for (int64_t segment = 0; segment < work.segments; ++segment) {
    for (int64_t k = 0; k < pairs; k += 16) {
      const int64_t columns = std::min<int64_t>(16, pairs - k);
      const int64_t numbers = std::min<int64_t>(32, work.depth - 2 * k);
      const auto part = static_cast<__mmask32>(numbers == 32 ? 0xffffffffu : (1u << numbers) - 1);
      uint16_t* const to = work.panel + (segment * pairs + k) * 2 * kBFloatPanel;
      for (int64_t first = 0; first < kBFloatPanel; first += 16) {
        __m512i rows[16];
        for (int64_t j = 0; j < 16; ++j) {
          rows[j] = _mm512_setzero_si512();
          if (first + j >= work.outputs) continue;
          rows[j] = _mm512_maskz_loadu_epi16(part, work.weights + (first + j) * row + segment * work.depth + 2 * k);
        }
        Transpose(rows);
        for (int64_t c = 0; c < columns; ++c) _mm512_storeu_si512(to + c * 2 * kBFloatPanel + 2 * first, rows[c]);
      }
    }
  }
}

GRYM_AVX512_BF16_INLINE __m512 Finished(const BFloatProductWork& work, __m512 sum, const float* y, int64_t first,
                                        __mmask16 there) {
  if (work.scales) sum = _mm512_mul_ps(sum, _mm512_maskz_loadu_ps(there, work.scales + first));
  if (work.bias) sum = _mm512_add_ps(sum, _mm512_maskz_loadu_ps(there, work.bias + first));
  if (work.add) sum = _mm512_add_ps(sum, _mm512_maskz_loadu_ps(there, y + first));
  const __mmask16 below = _mm512_cmp_ps_mask(sum, _mm512_setzero_ps(), _CMP_LT_OQ);
  return _mm512_mask_mul_ps(sum, below, sum, _mm512_set1_ps(work.slope));
}

template <int kRows>
GRYM_AVX512_BF16_INLINE void Tile(const BFloatProductWork& work, int64_t row) {
  __m512 low[kRows], high[kRows];
  for (int i = 0; i < kRows; ++i) low[i] = high[i] = _mm512_setzero_ps();
  const uint16_t* weights = work.panel;
  for (int64_t segment = 0; segment < work.segments; ++segment) {
    const uint16_t* x[kRows];
    for (int i = 0; i < kRows; ++i) x[i] = work.x + work.rows[row + i] + work.offsets[segment];
    for (int64_t k = 0; k < work.pairs; ++k, weights += 2 * kBFloatPanel) {
      const auto a = reinterpret_cast<__m512bh>(_mm512_loadu_si512(weights));
      const auto b = reinterpret_cast<__m512bh>(_mm512_loadu_si512(weights + kBFloatPanel));
#pragma GCC unroll 14
      for (int i = 0; i < kRows; ++i) {
        int32_t pair;
        __builtin_memcpy(&pair, x[i] + 2 * k, sizeof(pair));
        const auto value = reinterpret_cast<__m512bh>(_mm512_set1_epi32(pair));
        low[i] = _mm512_dpbf16_ps(low[i], value, a);
        high[i] = _mm512_dpbf16_ps(high[i], value, b);
      }
    }
  }
  const auto bits = static_cast<uint32_t>((uint64_t{1} << work.outputs) - 1);
  const auto first = static_cast<__mmask16>(bits & 0xffff), second = static_cast<__mmask16>(bits >> 16);
  for (int i = 0; i < kRows; ++i) {
    float* const y = work.y + (row + i) * work.y_stride;
    _mm512_mask_storeu_ps(y, first, Finished(work, low[i], y, 0, first));
    if (second) _mm512_mask_storeu_ps(y + 16, second, Finished(work, high[i], y, 16, second));
  }
}

template <int kRows>
GRYM_AVX512_BF16 void TileOf(const BFloatProductWork& work, int64_t row) {
  Tile<kRows>(work, row);
}

GRYM_AVX512_BF16 void Product(const BFloatProductWork& work, int64_t count) {
  using Of = void (*)(const BFloatProductWork&, int64_t);
  static constexpr Of kTiles[kTileRows] = {&TileOf<1>,  &TileOf<2>,  &TileOf<3>,  &TileOf<4>, &TileOf<5>,
                                           &TileOf<6>,  &TileOf<7>,  &TileOf<8>,  &TileOf<9>, &TileOf<10>,
                                           &TileOf<11>, &TileOf<12>, &TileOf<13>, &TileOf<14>};
  for (int64_t row = 0; row < count; row += kTileRows) {
    kTiles[std::min<int64_t>(kTileRows, count - row) - 1](work, row);
  }
}

}  // namespace

const BFloatKernels* Avx512BFloatKernels() {
  static constexpr BFloatKernels kernels = {"avx512_bf16", 4 * kTileRows, &Round, &Split, &Pack, &Product};
  return HasBFloatUnits() ? &kernels : nullptr;
}

}  // namespace grym

#else

namespace grym {

const BFloatKernels* Avx512BFloatKernels() { return nullptr; }

}  // namespace grym

#endif
