#include "nn/panel_kernels_avx2.h"

#if defined(__x86_64__) && defined(__GNUC__)

#include <immintrin.h>

#include <algorithm>

#define GRYM_AVX2 __attribute__((target("avx2,fma")))
#define GRYM_AVX2_INLINE inline __attribute__((target("avx2,fma"), always_inline))

namespace grym {
namespace {

constexpr int kTileRows = 6;  // 6 x 16 sums fill 12 of the 16 registers
// Of the inputs at a time: a panel's weights for them, 16 KB, stay in the first cache while all rows go by.
constexpr int64_t kDepth = 256;
// Rows whose inputs stay in the second cache meanwhile.
constexpr int64_t kRowBlock = 96;

// exp(x) for x <= 0, relative error below 2e-7: 2^n times the exponential of a rest within +-ln(2) / 2 as a polynomial
// of degree 6 (coefficients 1 / k!, whose error there is 1.2e-7).
GRYM_AVX2_INLINE __m256 ExpOfNegative(__m256 x) {
  x = _mm256_max_ps(x, _mm256_set1_ps(-87.0f));
  const __m256 n = _mm256_round_ps(_mm256_mul_ps(x, _mm256_set1_ps(1.44269504f)), _MM_FROUND_TO_NEAREST_INT | 8);
  __m256 r = _mm256_fnmadd_ps(n, _mm256_set1_ps(0.693359375f), x);
  r = _mm256_fnmadd_ps(n, _mm256_set1_ps(-2.12194440e-4f), r);
  __m256 p = _mm256_set1_ps(1.0f / 720);
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0f / 120));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0f / 24));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0f / 6));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(0.5f));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0f));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0f));
  const __m256i scale = _mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23);
  return _mm256_mul_ps(p, _mm256_castsi256_ps(scale));
}

// NaN stays NaN: the comparison is false for it and the blend keeps x.
GRYM_AVX2_INLINE __m256 Elu(__m256 x) {
  const __m256 below = _mm256_cmp_ps(x, _mm256_setzero_ps(), _CMP_LT_OQ);
  const __m256 grown = _mm256_sub_ps(ExpOfNegative(_mm256_min_ps(x, _mm256_setzero_ps())), _mm256_set1_ps(1.0f));
  return _mm256_blendv_ps(x, grown, below);
}

// Both by e = exp(-|x|), which never overflows.
GRYM_AVX2_INLINE __m256 Sigmoid(__m256 x) {
  const __m256 sign = _mm256_set1_ps(-0.0f), one = _mm256_set1_ps(1.0f);
  const __m256 e = ExpOfNegative(_mm256_or_ps(x, sign));
  const __m256 part = _mm256_div_ps(_mm256_blendv_ps(one, e, x), _mm256_add_ps(one, e));
  return _mm256_blendv_ps(part, x, _mm256_cmp_ps(x, x, _CMP_UNORD_Q));
}
GRYM_AVX2_INLINE __m256 Tanh(__m256 x) {
  const __m256 sign = _mm256_set1_ps(-0.0f), one = _mm256_set1_ps(1.0f);
  const __m256 size = _mm256_andnot_ps(sign, x);
  const __m256 e = ExpOfNegative(_mm256_mul_ps(size, _mm256_set1_ps(-2.0f)));
  __m256 y = _mm256_div_ps(_mm256_sub_ps(one, e), _mm256_add_ps(one, e));
  // Below 0.05 the difference above has few digits left, and two terms of the series are as good as all.
  const __m256 square = _mm256_mul_ps(size, size);
  __m256 series = _mm256_fmadd_ps(square, _mm256_set1_ps(2.0f / 15), _mm256_set1_ps(-1.0f / 3));
  series = _mm256_fmadd_ps(_mm256_mul_ps(series, square), size, size);
  y = _mm256_blendv_ps(y, series, _mm256_cmp_ps(size, _mm256_set1_ps(0.05f), _CMP_LT_OQ));
  y = _mm256_or_ps(y, _mm256_and_ps(sign, x));
  return _mm256_blendv_ps(y, x, _mm256_cmp_ps(x, x, _CMP_UNORD_Q));
}

// Inputs [from, from + depth) of kRows rows and one panel. `sums` [kRows][16] are taken from there and put back: y
// itself where the panel is whole.
template <int kRows>
GRYM_AVX2_INLINE void Tile(const float* x, int64_t x_stride, const float* weights, int64_t depth, float* sums,
                           int64_t stride, bool start) {
  // Every loop over the rows is unrolled by name: by a loop that is left, GCC 12 keeps the sums in memory, at half the
  // speed.
  __m256 low[kRows], high[kRows];
#pragma GCC unroll 6
  for (int i = 0; i < kRows; ++i) {
    low[i] = start ? _mm256_setzero_ps() : _mm256_loadu_ps(sums + i * stride);
    high[i] = start ? _mm256_setzero_ps() : _mm256_loadu_ps(sums + i * stride + 8);
  }
  for (int64_t k = 0; k < depth; ++k, weights += kPanelWidth) {
    const __m256 a = _mm256_loadu_ps(weights), b = _mm256_loadu_ps(weights + 8);
#pragma GCC unroll 6
    for (int i = 0; i < kRows; ++i) {
      const __m256 value = _mm256_broadcast_ss(x + i * x_stride + k);
      low[i] = _mm256_fmadd_ps(value, a, low[i]);
      high[i] = _mm256_fmadd_ps(value, b, high[i]);
    }
  }
#pragma GCC unroll 6
  for (int i = 0; i < kRows; ++i) {
    _mm256_storeu_ps(sums + i * stride, low[i]);
    _mm256_storeu_ps(sums + i * stride + 8, high[i]);
  }
}

// A function of its own: beside other loops, whose constants take registers, one of the sums is kept in memory.
GRYM_AVX2 __attribute__((noinline)) void TileOf(int rows, const float* x, int64_t x_stride, const float* weights,
                                                int64_t depth, float* sums, int64_t stride, bool start) {
  switch (rows) {
    case 6: return Tile<6>(x, x_stride, weights, depth, sums, stride, start);
    case 5: return Tile<5>(x, x_stride, weights, depth, sums, stride, start);
    case 4: return Tile<4>(x, x_stride, weights, depth, sums, stride, start);
    case 3: return Tile<3>(x, x_stride, weights, depth, sums, stride, start);
    case 2: return Tile<2>(x, x_stride, weights, depth, sums, stride, start);
    default: return Tile<1>(x, x_stride, weights, depth, sums, stride, start);
  }
}

// What follows the sums, over whole panels in y.
GRYM_AVX2_INLINE void FinishRow(const PanelWork& work, int64_t row, int64_t column) {
  float* const y = work.y + row * work.y_stride + column;
  const float* const added = work.added ? work.added + row * work.added_stride + column : nullptr;
  for (int half = 0; half < kPanelWidth; half += 8) {
    __m256 sum = _mm256_add_ps(_mm256_loadu_ps(y + half), _mm256_loadu_ps(work.bias + column + half));
    if (added) sum = _mm256_add_ps(sum, _mm256_loadu_ps(added + half));
    if (work.elu) sum = Elu(sum);
    _mm256_storeu_ps(y + half, sum);
  }
}

GRYM_AVX2 void EluLoop(const float* x, float* y, int64_t count) {
  int64_t i = 0;
  for (; i + 8 <= count; i += 8) _mm256_storeu_ps(y + i, Elu(_mm256_loadu_ps(x + i)));
  if (i == count) return;
  float rest[8] = {};
  std::copy(x + i, x + count, rest);
  _mm256_storeu_ps(rest, Elu(_mm256_loadu_ps(rest)));
  std::copy(rest, rest + (count - i), y + i);
}

GRYM_AVX2_INLINE __m256 EightHalves(const uint16_t* halves) {
  const __m128i bits = _mm_loadu_si128(reinterpret_cast<const __m128i*>(halves));
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(bits), 16));
}

// A panel's weights for the inputs [from, from + depth), depth at most kDepth: as they lie, or widened into `room`.
GRYM_AVX2 const float* WeightsOf(const PanelWork& work, int64_t panel, int64_t from, int64_t depth, float* room) {
  const int64_t begin = (panel * work.in + from) * kPanelWidth;
  if (!work.halves) return work.panels + begin;
  for (int64_t i = 0; i < depth * kPanelWidth; i += 8) _mm256_storeu_ps(room + i, EightHalves(work.halves + begin + i));
  return room;
}

// The last panel where `out` is no multiple of its width: through memory of our own.
GRYM_AVX2 void PartOfPanel(const PanelWork& work, int64_t row, int rows, int64_t panel) {
  float sums[kTileRows * kPanelWidth], room[kDepth * kPanelWidth];
  const int64_t column = panel * kPanelWidth, count = work.out - column;
  for (int64_t from = 0; from < work.in; from += kDepth) {
    const int64_t depth = std::min(kDepth, work.in - from);
    TileOf(rows, work.x + row * work.x_stride + from, work.x_stride, WeightsOf(work, panel, from, depth, room), depth,
           sums, kPanelWidth, from == 0);
  }
  for (int i = 0; i < rows; ++i) {
    float* const own = sums + i * kPanelWidth;
    for (int64_t j = 0; j < count; ++j) {
      own[j] += work.bias[column + j];
      if (work.added) own[j] += work.added[(row + i) * work.added_stride + column + j];
    }
    if (work.elu) EluLoop(own, own, count);
    std::copy(own, own + count, work.y + (row + i) * work.y_stride + column);
  }
}

GRYM_AVX2 void ProductOfPanel(const PanelWork& work, int64_t begin, int64_t end, int64_t panel) {
  const int64_t column = panel * kPanelWidth;
  if (column + kPanelWidth > work.out) {
    for (int64_t row = begin; row < end; row += kTileRows) {
      PartOfPanel(work, row, static_cast<int>(std::min<int64_t>(kTileRows, end - row)), panel);
    }
    return;
  }
  float room[kDepth * kPanelWidth];
  for (int64_t from = 0; from < work.in; from += kDepth) {
    const int64_t depth = std::min(kDepth, work.in - from);
    const float* const weights = WeightsOf(work, panel, from, depth, room);
    for (int64_t row = begin; row < end; row += kTileRows) {
      const auto rows = static_cast<int>(std::min<int64_t>(kTileRows, end - row));
      TileOf(rows, work.x + row * work.x_stride + from, work.x_stride, weights, depth,
             work.y + row * work.y_stride + column, work.y_stride, from == 0);
      if (from + depth < work.in) continue;
      for (int i = 0; i < rows; ++i) FinishRow(work, row + i, column);
    }
  }
}

GRYM_AVX2 void Product(const PanelWork& work, int64_t begin, int64_t end, int64_t first, int64_t last) {
  for (int64_t row = begin; row < end; row += kRowBlock) {
    for (int64_t panel = first; panel < last; ++panel) ProductOfPanel(work, row, std::min(end, row + kRowBlock), panel);
  }
}

GRYM_AVX2_INLINE float SumOf(__m256 x) {
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps(two, two, 1)));
}

GRYM_AVX2 void NarrowProduct(const PanelWork& work, int64_t begin, int64_t end) {
  for (int64_t row = begin; row < end; ++row) {
    const float* const x = work.x + row * work.x_stride;
    for (int64_t column = 0; column < work.out; ++column) {
      const float* const weights = work.panels + column * work.in;
      __m256 a = _mm256_setzero_ps(), b = a, c = a, d = a;
      int64_t k = 0;
      for (; k + 32 <= work.in; k += 32) {
        a = _mm256_fmadd_ps(_mm256_loadu_ps(x + k), _mm256_loadu_ps(weights + k), a);
        b = _mm256_fmadd_ps(_mm256_loadu_ps(x + k + 8), _mm256_loadu_ps(weights + k + 8), b);
        c = _mm256_fmadd_ps(_mm256_loadu_ps(x + k + 16), _mm256_loadu_ps(weights + k + 16), c);
        d = _mm256_fmadd_ps(_mm256_loadu_ps(x + k + 24), _mm256_loadu_ps(weights + k + 24), d);
      }
      float sum = SumOf(_mm256_add_ps(_mm256_add_ps(a, b), _mm256_add_ps(c, d))) + work.bias[column];
      for (; k < work.in; ++k) sum += x[k] * weights[k];
      if (work.added) sum += work.added[row * work.added_stride + column];
      float* const y = work.y + row * work.y_stride + column;
      *y = sum;
      if (work.elu) EluLoop(y, y, 1);
    }
  }
}

GRYM_AVX2_INLINE __m256 EightWeights(const float* weights) { return _mm256_loadu_ps(weights); }
GRYM_AVX2_INLINE __m256 EightWeights(const uint16_t* halves) { return EightHalves(halves); }

template <class Number>
GRYM_AVX2_INLINE void LstmSteps(const LstmWork& work, const Number* recurrent, int64_t first, int64_t last) {
  constexpr int64_t kGates = 4 * kUnitBlock;
  for (int64_t block = first; block < last; ++block) {
    const float* const gates = work.gates + block * kGates;
    __m256 even[4], odd[4];
    for (int g = 0; g < 4; ++g) {
      even[g] = _mm256_loadu_ps(gates + g * 8);
      odd[g] = _mm256_setzero_ps();
    }
    const Number* weights = recurrent + block * work.units * kGates;
    // Two units of the step before at a time, so that eight sums hide the latency of the additions.
    for (int64_t k = 0; k < work.units; k += 2, weights += 2 * kGates) {
      const __m256 a = _mm256_broadcast_ss(work.before + k), b = _mm256_broadcast_ss(work.before + k + 1);
#pragma GCC unroll 4
      for (int g = 0; g < 4; ++g) {
        even[g] = _mm256_fmadd_ps(a, EightWeights(weights + g * 8), even[g]);
        odd[g] = _mm256_fmadd_ps(b, EightWeights(weights + kGates + g * 8), odd[g]);
      }
    }
    for (int g = 0; g < 4; ++g) even[g] = _mm256_add_ps(even[g], odd[g]);
    float* const cell = work.cell + block * kUnitBlock;
    const __m256 kept = _mm256_mul_ps(Sigmoid(even[1]), _mm256_loadu_ps(cell));
    const __m256 now = _mm256_fmadd_ps(Sigmoid(even[0]), Tanh(even[2]), kept);
    _mm256_storeu_ps(cell, now);
    _mm256_storeu_ps(work.output + block * kUnitBlock, _mm256_mul_ps(Sigmoid(even[3]), Tanh(now)));
  }
}

GRYM_AVX2 void LstmStep(const LstmWork& work, int64_t first, int64_t last) {
  if (work.halves) return LstmSteps(work, work.halves, first, last);
  LstmSteps(work, work.recurrent, first, last);
}

}  // namespace

bool HasAvx2PanelKernels() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }

const PanelKernels& Avx2PanelKernels() {
  static constexpr PanelKernels kernels = {"avx2", &Product, &NarrowProduct, &EluLoop, &LstmStep};
  return kernels;
}

}  // namespace grym

#else

namespace grym {

bool HasAvx2PanelKernels() { return false; }
const PanelKernels& Avx2PanelKernels() { return PortablePanelKernels(); }

}  // namespace grym

#endif
