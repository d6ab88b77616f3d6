// Points of the unit circle, as the transforms take their real spectra apart with.
#pragma once
#include <cmath>
#include <numbers>
#include <vector>

namespace grym {

// e^(-2 pi i k / size) as re, im, for k < count.
inline std::vector<float> Turns(int count, int size) {
  std::vector<float> turns;
  turns.reserve(static_cast<size_t>(count) * 2);
  for (int k = 0; k < count; ++k) {
    const double angle = -2 * std::numbers::pi * k / size;
    turns.push_back(static_cast<float>(std::cos(angle)));
    turns.push_back(static_cast<float>(std::sin(angle)));
  }
  return turns;
}

}  // namespace grym
