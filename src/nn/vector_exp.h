// Exponentials inside loops over floats that shall become vectors.
#pragma once
#include <bit>
#include <cstdint>

#include "dsp/lanes.h"

namespace grym {

// `condition ? yes : no` by bits: a comparison of floats that decides on a way keeps GCC from making vectors of a loop,
// since it may trap.
GRYM_INLINE float ValueIf(bool condition, float yes, float no) {
  const int32_t mask = -static_cast<int32_t>(condition);
  return std::bit_cast<float>((std::bit_cast<int32_t>(yes) & mask) | (std::bit_cast<int32_t>(no) & ~mask));
}

// e^x within 2 units in the last place, for x in [-87, 88]; values outside are taken for the nearer end.
// Source: the polynomial of Cephes' expf (Moshier 1992). The 2^23 * 1.5 rounds to whole numbers and leaves them in the
// low bits.
GRYM_INLINE float VectorExp(float x) {
  x = ValueIf(x < -87.0f, -87.0f, x);
  x = ValueIf(x > 88.0f, 88.0f, x);
  const float shifted = x * 1.44269504f + 12582912.0f;
  const float whole = shifted - 12582912.0f;
  const float f = (x - whole * 0.693359375f) - whole * -2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * f + 1.3981999507e-3f;
  p = p * f + 8.3334519073e-3f;
  p = p * f + 4.1665795894e-2f;
  p = p * f + 1.6666665459e-1f;
  p = p * f + 5.0000001201e-1f;
  p = p * f * f + f + 1.0f;
  const int32_t exponent = (std::bit_cast<int32_t>(shifted) - 0x4b400000) << 23;
  return std::bit_cast<float>(std::bit_cast<int32_t>(p) + exponent);
}

}  // namespace grym
