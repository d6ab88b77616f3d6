#include "quant/weight_codes.h"

#include <algorithm>
#include <array>

#include "dsp/dispatch.h"
#include "quant/grid_fit.h"
#include "quant/half.h"

namespace grym {
namespace {

constexpr GridRule kRowOfInt8{.low = -127, .high = 127, .narrowest = 0.8f};
constexpr GridRule kGroupOfInt4{
    .low = 0, .high = 15, .with_offset = true, .numbers = GridNumbers::kFloat16, .narrowest = 0.65f};

GRYM_HOT void CodesToFloat(const int8_t* GRYM_RESTRICT codes, size_t count, float scale,
                           float* GRYM_RESTRICT weights) {
  for (size_t i = 0; i < count; ++i) weights[i] = scale * static_cast<float>(codes[i]);
}

GRYM_HOT void NibblesToFloat(const uint8_t* GRYM_RESTRICT packed, size_t pairs, float scale, float offset,
                             float* GRYM_RESTRICT weights) {
  for (size_t i = 0; i < pairs; ++i) {
    weights[2 * i] = scale * static_cast<float>(packed[i] & 15) + offset;
    weights[2 * i + 1] = scale * static_cast<float>(packed[i] >> 4) + offset;
  }
}

GRYM_HOT void AddProducts(const float* GRYM_RESTRICT a, const float* GRYM_RESTRICT b, size_t whole,
                          float* GRYM_RESTRICT sums) {
  for (size_t i = 0; i < whole; i += 16) {
    for (size_t lane = 0; lane < 16; ++lane) sums[lane] += a[i + lane] * b[i + lane];
  }
}

}  // namespace

float EncodeInt8(const float* weights, size_t count, int8_t* codes) {
  const FittedGrid grid = FitGrid(weights, count, kRowOfInt8);
  EncodeOnGrid(weights, count, grid, kRowOfInt8, codes);
  return grid.scale;
}

void DecodeInt8(const int8_t* codes, size_t count, float scale, float* weights) {
  CodesToFloat(codes, count, scale, weights);
}

void EncodeInt4(const float* weights, size_t count, uint8_t* codes, uint16_t* scale_offset) {
  const FittedGrid grid = FitGrid(weights, count, kGroupOfInt4);
  EncodeOnGrid(weights, count, grid, kGroupOfInt4, codes);
  scale_offset[0] = FloatToHalf(grid.scale);
  scale_offset[1] = FloatToHalf(grid.offset);
}

void DecodeInt4(const uint8_t* packed, size_t count, size_t group, const uint16_t* scale_offset, float* weights) {
  for (size_t begin = 0; begin < count; begin += group, scale_offset += 2) {
    const size_t here = std::min(group, count - begin);
    const float scale = HalfToFloat(scale_offset[0]), offset = HalfToFloat(scale_offset[1]);
    NibblesToFloat(packed + begin / 2, here / 2, scale, offset, weights + begin);
    if (here % 2) weights[begin + here - 1] = scale * static_cast<float>(packed[(begin + here) / 2] & 15) + offset;
  }
}

float DotProduct(const float* a, const float* b, size_t count) {
  std::array<float, 16> sums{};
  const size_t whole = count / 16 * 16;
  AddProducts(a, b, whole, sums.data());
  for (size_t i = whole; i < count; ++i) sums[i - whole] += a[i] * b[i];
  for (size_t width = 8; width > 0; width /= 2) {
    for (size_t lane = 0; lane < width; ++lane) sums[lane] += sums[lane + width];
  }
  return sums[0];
}

}  // namespace grym
