#include "quant/product.h"

#include <algorithm>
#include <array>

namespace grym {
namespace {

constexpr int64_t kRowsAtOnce = 64;  // of inputs, whose sums of a block stay on the stack

BlockProduct BlockProductOf(ProductPath path, const PackedLayout& layout) {
  if (path == ProductPath::kAvx512) return Avx512BlockProduct(layout);
  return path == ProductPath::kAvx2 ? Avx2BlockProduct(layout) : PortableBlockProduct(layout);
}

bool MachineRuns(ProductPath path) {
#if defined(__GNUC__) && defined(__x86_64__)
  if (path == ProductPath::kAvx2) {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
  }
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vnni");
#else
  return false;
#endif
}

}  // namespace

const char* ProductPathName(ProductPath path) {
  if (path == ProductPath::kAvx512) return "avx512";
  return path == ProductPath::kAvx2 ? "avx2" : "portable";
}

bool ProductPathRuns(ProductPath path) {
  if (path == ProductPath::kPortable) return true;
  return BlockProductOf(path, {.format = WeightFormat::kFloat32}) != nullptr && MachineRuns(path);
}

ProductPath BestProductPath() {
  static const ProductPath best = ProductPathRuns(ProductPath::kAvx512) ? ProductPath::kAvx512
                                  : ProductPathRuns(ProductPath::kAvx2) ? ProductPath::kAvx2
                                                                        : ProductPath::kPortable;
  return best;
}

void MultiplyBlocks(const PackedView& weights, const float* prepared, int64_t rows, int64_t begin_block,
                    int64_t end_block, const float* bias, float* y, ProductPath path, int64_t y_stride) {
  const PackedLayout& layout = weights.layout();
  const BlockProduct product = BlockProductOf(path, layout);
  const int64_t stride = PreparedRowFloats(layout), bytes = layout.block_bytes();
  const int64_t apart = y_stride == 0 ? layout.out : y_stride;
  alignas(64) std::array<float, kRowsAtOnce * kPackedRows> sums;
  const uint8_t* at = weights.block(begin_block);
  for (int64_t block = begin_block; block < end_block; ++block, at += bytes) {
    const int64_t first = block * kPackedRows, lanes = std::min(kPackedRows, layout.out - first);
    for (int64_t from = 0; from < rows; from += kRowsAtOnce) {
      const int64_t count = std::min(kRowsAtOnce, rows - from);
      product(layout, at, prepared + from * stride, count, sums.data());
      for (int64_t r = 0; r < count; ++r) {
        float* const to = y + (from + r) * apart + first;
        const float* const sum = sums.data() + r * kPackedRows;
        for (int64_t lane = 0; lane < lanes; ++lane) to[lane] = bias ? sum[lane] + bias[first + lane] : sum[lane];
      }
    }
  }
}

}  // namespace grym
