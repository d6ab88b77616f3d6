// The product of bfloat_kernels.h by oneDNN's kernel for matrices in the cache, which LibTorch offers to its callers:
// with AMX its tiles do eight times the work of float32's vectors. A kernel is made for each size when it first
// comes, and kept by each thread; no budget counts it.
#include <ATen/Context.h>
#include <ATen/native/CPUBlas.h>

#include <algorithm>
#include <array>

#include "nn/bfloat_kernels.h"

namespace grym {

#if defined(CPUBLAS_BRGEMM_BF16BF16F32) && defined(__x86_64__)

namespace {

constexpr int64_t kMostRows = kMostBFloatRows;  // four tiles high

// How many of the rows from `rows` on, at most kMostRows, lie equally far apart.
int64_t EvenRows(const int64_t* rows, int64_t count) {
  const int64_t most = std::min(count, kMostRows);
  int64_t even = std::min<int64_t>(2, most);
  while (even < most && rows[even] - rows[even - 1] == rows[1] - rows[0]) ++even;
  return even;
}

void Finish(const BFloatProductWork& work, const float* sums, int64_t count, float* y) {
  for (int64_t i = 0; i < count; ++i, sums += kBFloatPanel, y += work.y_stride) {
    for (int64_t j = 0; j < work.outputs; ++j) {
      float sum = work.scales ? sums[j] * work.scales[j] : sums[j];
      if (work.bias) sum += work.bias[j];
      if (work.add) sum += y[j];
      y[j] = sum < 0 ? sum * work.slope : sum;
    }
  }
}

void Product(const BFloatProductWork& work, int64_t count) {
  alignas(64) std::array<float, kMostRows * kBFloatPanel> sums;
  const int64_t depth = 2 * work.pairs;
  const auto* const x = reinterpret_cast<const at::BFloat16*>(work.x);
  const auto* const panel = reinterpret_cast<const at::BFloat16*>(work.panel);
  for (int64_t row = 0; row < count;) {
    const int64_t rows = EvenRows(work.rows + row, count - row);
    const int64_t step = rows > 1 ? work.rows[row + 1] - work.rows[row] : depth;
    for (int64_t segment = 0; segment < work.segments; ++segment) {
      at::native::cpublas::brgemm(rows, kBFloatPanel, depth, step, kBFloatPanel, kBFloatPanel, /*add_C=*/segment > 0,
                                  x + work.rows[row] + work.offsets[segment], panel + segment * depth * kBFloatPanel,
                                  sums.data());
    }
    Finish(work, sums.data(), rows, work.y + row * work.y_stride);
    row += rows;
  }
  at::native::cpublas::brgemm_release();  // the tiles, which other code may set up otherwise
}

}  // namespace

const BFloatKernels* LibraryBFloatKernels() {
  if (!Avx512BFloatKernels()) return nullptr;
  static const BFloatKernels kernels = {"onednn", kMostRows, Avx512BFloatKernels()->round,
                                        Avx512BFloatKernels()->split, Avx512BFloatKernels()->pack, &Product};
  return at::globalContext().hasMKLDNN() ? &kernels : nullptr;
}

// oneDNN's own answer, which knows what it was told to use and what the system lets it use.
bool HasAmx() {
  static const bool has = at::native::cpublas::could_pack(at::kBFloat16);
  return has;
}

#else

const BFloatKernels* LibraryBFloatKernels() { return nullptr; }
bool HasAmx() { return false; }

#endif

}  // namespace grym
