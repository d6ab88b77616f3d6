#include "nn/tile_product.h"

#include <ATen/Context.h>
#include <ATen/native/CPUBlas.h>

#include <algorithm>

namespace grym {

bool HasTileProducts() {
#if defined(CPUBLAS_BRGEMM_F32F32F32) && defined(__x86_64__) && defined(__GNUC__)
  static const bool has = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                          at::globalContext().hasMKLDNN() && at::globalContext().userEnabledMkldnn();
  return has;
#else
  return false;
#endif
}

void MultiplyTile(int64_t rows, int64_t in, int64_t columns, Tile a, Tile b, bool add, float* sums, int64_t stride) {
#ifdef CPUBLAS_BRGEMM_F32F32F32
  at::native::cpublas::brgemm(rows, columns, in, a.stride, b.stride, stride, add, a.data, b.data, sums);
#else
  for (int64_t row = 0; row < rows; ++row, a.data += a.stride, sums += stride) {  // right, and not offered
    if (!add) std::fill(sums, sums + columns, 0.0f);
    for (int64_t k = 0; k < in; ++k) {
      for (int64_t j = 0; j < columns; ++j) sums[j] += a.data[k] * b.data[k * b.stride + j];
    }
  }
#endif
}

}  // namespace grym
