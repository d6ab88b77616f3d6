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

constexpr float kRounder = 12582912.0f;  // 1.5 * 2^23: what is added to it becomes whole

// Answers the sum of what is written. |x * inverse| is at most 32767 but for rounding, and a NaN becomes 0.
GRYM_HOT int32_t RoundToInt16(const float* GRYM_RESTRICT x, int64_t count, float inverse, int16_t* GRYM_RESTRICT to) {
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

// The same in 8 bits.
GRYM_HOT int32_t RoundToInt8(const float* GRYM_RESTRICT x, int64_t count, float inverse, int8_t* GRYM_RESTRICT to) {
  int32_t sum = 0;
  for (int64_t i = 0; i < count; ++i) {
    const float whole = (x[i] * inverse + kRounder) - kRounder;
    const float raised = whole > -127.0f ? whole : -127.0f;
    const auto number = static_cast<int32_t>(raised < 127.0f ? raised : 127.0f);
    to[i] = static_cast<int8_t>(number);
    sum += number;
  }
  return sum;
}

// How one group of inputs is rounded. What is not finite spoils the result, as it does with floats.
struct GroupRounding {
  float scale = 0, inverse = 0;
};
GroupRounding RoundingOf(const float* x, int64_t count, float most) {
  const uint32_t largest = LargestSize(x, count);
  if (largest >= 0x7f800000u) return {std::numeric_limits<float>::quiet_NaN(), 0};
  const float scale = std::bit_cast<float>(largest) / most, inverse = 1 / scale;
  return std::isfinite(inverse) ? GroupRounding{scale, inverse} : GroupRounding{};
}

void PrepareRounded(const PackedLayout& layout, const float* x, float* to) {
  auto* const rounded = reinterpret_cast<int16_t*>(to);
  const int64_t groups = layout.groups();
  float* const scales = to + layout.padded_in() / 2;
  for (int64_t g = 0; g < groups; ++g) {
    const int64_t from = g * layout.group, count = std::min(layout.group, layout.in - from);
    const GroupRounding group = RoundingOf(x + from, count, 32767);
    const int32_t sum = RoundToInt16(x + from, count, group.inverse, rounded + from);
    scales[g] = group.scale;
    scales[groups + g] = group.scale * static_cast<float>(sum);
  }
  std::fill(rounded + layout.in, rounded + layout.padded_in(), int16_t{0});
}

// A tile's bytes stand as its codes do: the columns of the low halves of 32 bytes, then those of the high halves.
void OrderByBytes(const int8_t* GRYM_RESTRICT from, int8_t* GRYM_RESTRICT to) {
  for (int64_t i = 0; i < 16; ++i) {
    to[2 * i] = from[i];
    to[2 * i + 1] = from[32 + i];
    to[32 + 2 * i] = from[16 + i];
    to[33 + 2 * i] = from[48 + i];
  }
}

void PrepareBytes(const PackedLayout& layout, const float* x, float* to) {
  auto* const bytes = reinterpret_cast<int8_t*>(to);
  const int64_t groups = layout.groups(), padded = layout.padded_in();
  float* const scales = to + padded / 4;
  std::array<int8_t, 2 * kTileColumns> rounded;  // the widest group
  for (int64_t g = 0; g < groups; ++g) {
    const int64_t from = g * layout.group, count = std::min(layout.group, layout.in - from);
    const GroupRounding group = RoundingOf(x + from, count, 127);
    rounded.fill(0);
    const int32_t sum = RoundToInt8(x + from, count, group.inverse, rounded.data());
    scales[g] = group.scale;
    scales[groups + g] = group.scale * static_cast<float>(sum);
    const int64_t tiled = std::min(layout.group, padded - from);
    for (int64_t i = 0; i < tiled; i += kTileColumns) OrderByBytes(rounded.data() + i, bytes + from + i);
  }
}

BlockProduct BlockProductOf(ProductPath path, const PackedLayout& layout) {
  if (path == ProductPath::kInt8) return Int8BlockProduct(layout);
  if (path == ProductPath::kInt16) return Int16BlockProduct(layout.format);
  return path == ProductPath::kAvx2 ? Avx2BlockProduct(layout.format) : PortableBlockProduct(layout.format);
}

using PreparedRow = void (*)(const PackedLayout& layout, const float* x, float* to);
PreparedRow PreparedRowOf(ProductPath path, const PackedLayout& layout) {
  if (!HasGroups(layout.format) || path == ProductPath::kPortable || path == ProductPath::kAvx2) return PrepareExact;
  return path == ProductPath::kInt8 && TakesByteInputs(layout) ? PrepareBytes : PrepareRounded;
}

}  // namespace

const char* ProductPathName(ProductPath path) {
  if (path == ProductPath::kInt8) return "int8";
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
  static const ProductPath best = ProductPathRuns(ProductPath::kInt8) ? ProductPath::kInt8 : ProductPath::kPortable;
  return best;
}

void PrepareInputs(const PackedLayout& layout, const float* x, int64_t rows, float* prepared, ProductPath path) {
  const int64_t stride = PreparedRowFloats(layout);
  const PreparedRow prepare = PreparedRowOf(path, layout);
  for (int64_t r = 0; r < rows; ++r) prepare(layout, x + r * layout.in, prepared + r * stride);
}

void MultiplyBlocks(const PackedView& weights, const float* prepared, int64_t rows, int64_t begin_block,
                    int64_t end_block, const float* bias, float* y, ProductPath path) {
  const PackedLayout& layout = weights.layout();
  const BlockProduct product = BlockProductOf(path, layout);
  const int64_t stride = PreparedRowFloats(layout), bytes = layout.block_bytes();
  alignas(64) std::array<float, kRowsAtOnce * kPackedRows> sums;
  const uint8_t* at = weights.block(begin_block);
  for (int64_t block = begin_block; block < end_block; ++block, at += bytes) {
    const int64_t first = block * kPackedRows, lanes = std::min(kPackedRows, layout.out - first);
    for (int64_t from = 0; from < rows; from += kRowsAtOnce) {
      const int64_t count = std::min(kRowsAtOnce, rows - from);
      product(layout, at, prepared + from * stride, count, sums.data());
      for (int64_t r = 0; r < count; ++r) {
        float* const to = y + (from + r) * layout.out + first;
        const float* const sum = sums.data() + r * kPackedRows;
        for (int64_t lane = 0; lane < lanes; ++lane) to[lane] = bias ? sum[lane] + bias[first + lane] : sum[lane];
      }
    }
  }
}

}  // namespace grym
