// The grid of codes that leaves the least squared error of some weights that share a scale.
#pragma once
#include <cstddef>
#include <cstdint>

namespace grym {

// What scale and offset are kept as; the codes are those for the numbers kept.
enum class GridNumbers { kFloat32, kFloat16, kBFloat16 };

struct GridRule {
  float low = -127, high = 127;  // the range of the codes, whole numbers in [-128, 255]
  bool with_offset = false;      // weight ~ scale * code + offset, else scale * code
  GridNumbers numbers = GridNumbers::kFloat32;
  float narrowest = 0.8f;        // the narrowest grid tried first, as a part of the weights' range
};

struct FittedGrid {
  float scale = 0, offset = 0;
};

// Of eight widths of the grid, from the weights' range (or largest size) down to `narrowest` of it, each followed by
// two rounds of least squares over scale and offset for the codes in force (Lloyd's method with evenly spaced levels),
// the one with the least squared error. Weights that are far from zero and close together also try a grid through
// zero, since the offset is rounded. Equal weights are kept to the precision of offset and scale together. The eight
// widths go side by side through vector registers. Weights that are not finite give a grid of no use, never undefined
// behaviour.
FittedGrid FitGrid(const float* weights, size_t count, const GridRule& rule);

// codes[i] = the nearest code for weights[i], ties to even; 0 (or the code next to it) where the scale is 0.
void EncodeOnGrid(const float* weights, size_t count, const FittedGrid& grid, const GridRule& rule, int8_t* codes);
void EncodeOnGrid(const float* weights, size_t count, const FittedGrid& grid, const GridRule& rule, uint8_t* codes);

}  // namespace grym
