// Products of bfloat16 rows with bfloat16 weights, summed in float32, as plain loops: no tensors here.
#pragma once
#include <bit>
#include <cstdint>

#include "quant/half.h"

namespace grym {

inline constexpr int64_t kBFloatPanel = 32;     // outputs whose weights lie side by side
inline constexpr int64_t kMostBFloatRows = 64;  // that any of the kernels takes at once

// value = high + low to 2^-17 of it. Near the largest number the nearest one is infinite: its bits are cut off there,
// so that what is finite stays so. Of what is not, `high` tells it alone: infinity minus itself were no number.
inline void SplitFloat(float value, uint16_t* high, uint16_t* low) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const bool finite = (bits & 0x7f800000) != 0x7f800000;
  const uint16_t nearest = FloatToBFloat16(value);
  *high = finite && (nearest & 0x7fff) == 0x7f80 ? static_cast<uint16_t>(bits >> 16) : nearest;
  *low = finite ? FloatToBFloat16(value - BFloat16ToFloat(*high)) : uint16_t{0};
}

// The weights of up to kBFloatPanel outputs in the order in which the product reads them: for each two inputs of a
// segment 32 pairs, those of an output together. A segment of an odd length is filled up with a zero.
struct BFloatPanelWork {
  const uint16_t* weights = nullptr;  // row-major, a row every segments * depth numbers
  int64_t outputs = 0;                // 1 to kBFloatPanel; what is beyond them becomes zeros
  int64_t segments = 0, depth = 0;
  uint16_t* panel = nullptr;          // [segments][(depth + 1) / 2][kBFloatPanel][2]
};

// y_i = after(scales * sum over segments s of W_s x_(i, s) + bias), x_(i, s) at x + rows[i] + offsets[s].
struct BFloatProductWork {
  const uint16_t* x = nullptr;
  const int64_t* rows = nullptr;     // [count], in numbers from x
  const int64_t* offsets = nullptr;  // [segments]
  int64_t segments = 0;
  int64_t pairs = 0;                 // of a segment
  const uint16_t* panel = nullptr;
  const float* scales = nullptr;     // [outputs] that the sums are multiplied with, or null
  const float* bias = nullptr;       // [outputs], or null
  float* y = nullptr;                // row i at y + i * y_stride
  int64_t y_stride = 0, outputs = 0;
  bool add = false;                  // to what is in y
  float slope = 1;                   // of a leaky ReLU behind the sum; 1 is none
};

// How the loops are compiled. Sums of pairs are taken in other orders: the results agree to a few units in the last
// place of the largest sum.
struct BFloatKernels {
  const char* name;
  int64_t rows_at_once;  // of a product: a multiple of what its loops take
  void (*round)(const float* from, int64_t count, uint16_t* to);  // to the nearest, ties to even
  void (*split)(const float* from, int64_t count, uint16_t* high, uint16_t* low);  // each as SplitFloat
  void (*pack)(const BFloatPanelWork& work);
  void (*product)(const BFloatProductWork& work, int64_t count);
};

// For tests: where there are no units nothing goes by these products (nn/bfloat_conv.h).
const BFloatKernels& PortableBFloatKernels();
// Null where they are not built in or this machine has no AVX-512 BF16.
const BFloatKernels* Avx512BFloatKernels();
// Those, but products by oneDNN's kernels, as LibTorch offers them; null where it does not. They are for AMX, whose
// tiles they know: without it they are no faster than ours, and need rows that lie equally far apart.
const BFloatKernels* LibraryBFloatKernels();
bool HasAmx();  // and oneDNN may use it
// The fastest that this machine runs, chosen once.
const BFloatKernels& BestBFloatKernels();

}  // namespace grym
