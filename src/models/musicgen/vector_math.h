// Functions of one float that compilers turn into vector code: same bits in a loop's middle and at its end.
#pragma once
#include <bit>
#include <cmath>
#include <cstdint>

#include "dsp/lanes.h"

namespace grym {

// e^x within 2 units of the last place for x in [-87, 88]; what is below or above is taken as that bound; NaN for
// infinities and NaN. Source: range reduction by multiples of log 2 in two parts, and the Taylor series up to the
// seventh power on [-log(2) / 2, log(2) / 2], where what is left out is below 6e-9.
GRYM_INLINE float VectorExp(float given) {
  // The bounds by whole numbers, which positive floats are ordered as, and negative ones the other way round: comparing
  // floats would keep GCC from making vector code of it.
  const int32_t bits = std::bit_cast<int32_t>(given);
  const uint32_t low = static_cast<uint32_t>(bits < 0x42b00000 ? bits : 0x42b00000);
  const float x = std::bit_cast<float>(low < 0xc2ae0000u ? low : 0xc2ae0000u);
  // Adding 1.5 * 2^23 leaves the nearest whole number in the low bits: rounding without an instruction of its own.
  const float shifted = x * 1.44269504f + 12582912.0f;
  const float n = shifted - 12582912.0f;
  const float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  float p = 1.98412698e-4f;
  p = p * r + 1.38888889e-3f;
  p = p * r + 8.33333333e-3f;
  p = p * r + 4.16666667e-2f;
  p = p * r + 1.66666667e-1f;
  p = p * r + 0.5f;
  const float e = (p * r) * r + r + 1.0f;
  const uint32_t exponent = (std::bit_cast<uint32_t>(shifted) + 127u) << 23;
  return e * std::bit_cast<float>(exponent) + (given - given);
}

// x / 2 (1 + erf(x / sqrt 2)), within 4e-7 of max(1, |x|). erfc(z) = t exp(P(t) - z^2), t = 1 / (1 + z / 2); P of the
// ninth degree is a Chebyshev fit of log(erfc(z) exp(z^2) / t) over z in [0, 9], made for this file and within 5e-8.
// Source of the function: Hendrycks and Gimpel, "Gaussian Error Linear Units", 2016.
GRYM_INLINE float VectorGelu(float x) {
  const float magnitude = std::fabs(x);
  const float z = magnitude * 0.707106781f;
  const float t = 1.0f / (1.0f + 0.5f * z);
  float p = 0.135424719f;
  p = p * t - 0.628631684f;
  p = p * t + 1.03276993f;
  p = p * t - 0.529553268f;
  p = p * t - 0.219760443f;
  p = p * t + 0.0763455195f;
  p = p * t + 0.00868708444f;
  p = p * t + 0.39215495f;
  p = p * t + 0.997978302f;
  p = p * t - 1.26541507f;
  const float half_erfc = 0.5f * t * VectorExp(p - z * z);
  return 0.5f * (x + magnitude) - magnitude * half_erfc;  // the first of the two is max(x, 0)
}

}  // namespace grym
