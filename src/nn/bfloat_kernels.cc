#include "nn/bfloat_kernels.h"

#include <algorithm>

namespace grym {
namespace {

void PlainRound(const float* from, int64_t count, uint16_t* to) {
  std::transform(from, from + count, to, FloatToBFloat16);
}

void PlainSplit(const float* from, int64_t count, uint16_t* high, uint16_t* low) {
  for (int64_t i = 0; i < count; ++i) SplitFloat(from[i], high + i, low + i);
}

void PlainPack(const BFloatPanelWork& work) {
  uint16_t* to = work.panel;
  const int64_t row = work.segments * work.depth;
  for (int64_t segment = 0; segment < work.segments; ++segment) {
    for (int64_t k = 0; k < work.depth; k += 2, to += 2 * kBFloatPanel) {
      for (int64_t j = 0; j < kBFloatPanel; ++j) {
        to[2 * j] = to[2 * j + 1] = 0;
        if (j >= work.outputs) continue;
        const uint16_t* const from = work.weights + j * row + segment * work.depth + k;
        to[2 * j] = from[0];
        if (k + 1 < work.depth) to[2 * j + 1] = from[1];
      }
    }
  }
}

void PlainProduct(const BFloatProductWork& work, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    float sums[kBFloatPanel] = {};
    const uint16_t* weights = work.panel;
    for (int64_t segment = 0; segment < work.segments; ++segment) {
      const uint16_t* const x = work.x + work.rows[i] + work.offsets[segment];
      for (int64_t k = 0; k < work.pairs; ++k, weights += 2 * kBFloatPanel) {
        const float even = BFloat16ToFloat(x[2 * k]), odd = BFloat16ToFloat(x[2 * k + 1]);
        for (int64_t j = 0; j < work.outputs; ++j) {
          sums[j] += even * BFloat16ToFloat(weights[2 * j]) + odd * BFloat16ToFloat(weights[2 * j + 1]);
        }
      }
    }
    float* const y = work.y + i * work.y_stride;
    for (int64_t j = 0; j < work.outputs; ++j) {
      float sum = work.scales ? sums[j] * work.scales[j] : sums[j];
      if (work.bias) sum += work.bias[j];
      if (work.add) sum += y[j];
      y[j] = sum < 0 ? sum * work.slope : sum;
    }
  }
}

}  // namespace

const BFloatKernels& PortableBFloatKernels() {
  static constexpr BFloatKernels kernels = {"portable", 56, &PlainRound, &PlainSplit, &PlainPack, &PlainProduct};
  return kernels;
}

const BFloatKernels& BestBFloatKernels() {
  static const BFloatKernels& best = [&]() -> const BFloatKernels& {
    if (HasAmx() && LibraryBFloatKernels()) return *LibraryBFloatKernels();
    return Avx512BFloatKernels() ? *Avx512BFloatKernels() : PortableBFloatKernels();
  }();
  return best;
}

}  // namespace grym
