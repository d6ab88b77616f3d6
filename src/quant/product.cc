#include "quant/product.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "dsp/dispatch.h"

namespace grym {
namespace {

constexpr int64_t kRowsAtOnce = 64;  // of inputs, whose sums of a block stay on the stack

// What a code is multiplied with by its place in its 32-bit word: the top place is shifted down instead.
constexpr std::array<float, 8> kByteFactors = {1.0f, 0x1p-8f, 0x1p-16f, 1.0f, 1.0f, 0x1p-8f, 0x1p-16f, 1.0f};
constexpr std::array<float, 8> kNibbleFactors = {1.0f,     0x1p-4f,  0x1p-8f,  0x1p-12f,
                                                 0x1p-16f, 0x1p-20f, 0x1p-24f, 1.0f};

// A tile's inputs as steps of eight: those of the codes at one place of eight 32-bit words, times the place's factor.
GRYM_HOT void OrderByWords(const float* GRYM_RESTRICT x, bool bytes, const float* GRYM_RESTRICT factors,
                           float* GRYM_RESTRICT to) {
  for (int64_t k = 0; k < 8; ++k) {
    const int64_t first = bytes ? k / 4 * 32 + k % 2 * 16 + k % 4 / 2 : k % 4 * 16 + k / 4;
    for (int64_t lane = 0; lane < 8; ++lane) to[8 * k + lane] = x[first + 2 * lane] * factors[k];
  }
}

// Of `count` values, a multiple of eight, in eight partial sums.
GRYM_HOT float SumOfGroup(const float* GRYM_RESTRICT x, int64_t count) {
  float sums[8] = {};
  for (int64_t i = 0; i < count; i += 8) {
    for (int64_t lane = 0; lane < 8; ++lane) sums[lane] += x[i + lane];
  }
  return ((sums[0] + sums[4]) + (sums[2] + sums[6])) + ((sums[1] + sums[5]) + (sums[3] + sums[7]));
}

void PrepareExact(const PackedLayout& layout, const float* x, float* to) {
  const int64_t padded = layout.padded_in();
  std::memcpy(to, x, sizeof(float) * static_cast<size_t>(layout.in));
  std::fill(to + layout.in, to + padded, 0.0f);
  if (!HasGroups(layout.format)) return;
  float* const sums = to + padded;
  for (int64_t g = 0; g < layout.groups(); ++g) {
    const int64_t from = g * layout.group;
    sums[g] = SumOfGroup(to + from, std::min(layout.group, padded - from));
  }
  const bool bytes = layout.format == WeightFormat::kInt8;
  std::array<float, kTileColumns> tile;
  for (int64_t from = 0; from < padded; from += kTileColumns) {
    std::copy(to + from, to + from + kTileColumns, tile.begin());
    OrderByWords(tile.data(), bytes, (bytes ? kByteFactors : kNibbleFactors).data(), to + from);
  }
}

// The bits of the largest size: sizes are ordered as their bits are, and what is not finite comes above all.
GRYM_HOT uint32_t LargestSize(const float* GRYM_RESTRICT x, int64_t count) {
  uint32_t largest = 0;
  for (int64_t i = 0; i < count; ++i) {
    const uint32_t size = std::bit_cast<uint32_t>(x[i]) & 0x7fffffffu;
    largest = size > largest ? size : largest;
  }
  return largest;
}

// Answers the sum of what is written. |x * inverse| is at most 32767 but for rounding, and a NaN becomes 0.
GRYM_HOT int32_t RoundToInt16(const float* GRYM_RESTRICT x, int64_t count, float inverse, int16_t* GRYM_RESTRICT to) {
  constexpr float kRounder = 12582912.0f;  // 1.5 * 2^23: what is added to it becomes whole
  int32_t sum = 0;
  for (int64_t i = 0; i < count; ++i) {
    const float whole = (x[i] * inverse + kRounder) - kRounder;
    const float raised = whole > -32767.0f ? whole : -32767.0f;
    const auto number = static_cast<int32_t>(raised < 32767.0f ? raised : 32767.0f);
    to[i] = static_cast<int16_t>(number);
    sum += number;
  }
  return sum;
}

void PrepareRounded(const PackedLayout& layout, const float* x, float* to) {
  auto* const rounded = reinterpret_cast<int16_t*>(to);
  float* const scales = to + layout.padded_in() / 2;
  for (int64_t g = 0; g < layout.groups(); ++g) {
    const int64_t from = g * layout.group, count = std::min(layout.group, layout.in - from);
    const uint32_t largest = LargestSize(x + from, count);
    const bool finite = largest < 0x7f800000u;
    const float scale = std::bit_cast<float>(largest) / 32767.0f, inverse = 1 / scale;
    const bool usable = finite && std::isfinite(inverse);
    const int32_t sum = RoundToInt16(x + from, count, usable ? inverse : 0.0f, rounded + from);
    // What is not finite spoils the result, as it does with floats.
    scales[g] = usable ? scale : finite ? 0.0f : std::numeric_limits<float>::quiet_NaN();
    scales[layout.groups() + g] = scales[g] * static_cast<float>(sum);
  }
  std::fill(rounded + layout.in, rounded + layout.padded_in(), int16_t{0});
}

BlockProduct BlockProductOf(ProductPath path, WeightFormat format) {
  if (path == ProductPath::kInt16) return Int16BlockProduct(format);
  return path == ProductPath::kAvx2 ? Avx2BlockProduct(format) : PortableBlockProduct(format);
}

}  // namespace

const char* ProductPathName(ProductPath path) {
  if (path == ProductPath::kInt16) return "int16";
  return path == ProductPath::kAvx2 ? "avx2" : "portable";
}

bool ProductPathRuns(ProductPath path) {
  if (path == ProductPath::kPortable) return true;
#if defined(__GNUC__) && defined(__x86_64__)
  return Avx2BlockProduct(WeightFormat::kFloat32) != nullptr && __builtin_cpu_supports("avx2") &&
         __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
#else
  return false;
#endif
}

ProductPath BestProductPath() {
  static const ProductPath best = ProductPathRuns(ProductPath::kInt16) ? ProductPath::kInt16 : ProductPath::kPortable;
  return best;
}

void PrepareInputs(const PackedLayout& layout, const float* x, int64_t rows, float* prepared, ProductPath path) {
  const int64_t stride = PreparedRowFloats(layout);
  const bool rounded = path == ProductPath::kInt16 && HasGroups(layout.format);
  for (int64_t r = 0; r < rows; ++r) {
    (rounded ? PrepareRounded : PrepareExact)(layout, x + r * layout.in, prepared + r * stride);
  }
}

void MultiplyBlocks(const PackedView& weights, const float* prepared, int64_t rows, int64_t begin_block,
                    int64_t end_block, const float* bias, float* y, ProductPath path) {
  const PackedLayout& layout = weights.layout();
  const BlockProduct product = BlockProductOf(path, layout.format);
  const int64_t stride = PreparedRowFloats(layout);
  alignas(64) std::array<float, kRowsAtOnce * kPackedRows> sums;
  for (int64_t block = begin_block; block < end_block; ++block) {
    const int64_t first = block * kPackedRows, lanes = std::min(kPackedRows, layout.out - first);
    for (int64_t from = 0; from < rows; from += kRowsAtOnce) {
      const int64_t count = std::min(kRowsAtOnce, rows - from);
      product(layout, weights.block(block), prepared + from * stride, count, sums.data());
      for (int64_t r = 0; r < count; ++r) {
        float* const to = y + (from + r) * layout.out + first;
        const float* const sum = sums.data() + r * kPackedRows;
        for (int64_t lane = 0; lane < lanes; ++lane) to[lane] = bias ? sum[lane] + bias[first + lane] : sum[lane];
      }
    }
  }
}

}  // namespace grym
