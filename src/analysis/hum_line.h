// Mains hum in a mean power spectrum.
#pragma once
#include <span>

namespace grym {

struct Hum {
  double hz = 0;  // 50 or 60; 0 when there is none
  double db = 0;  // of its harmonics above the local floor, mean
};
// `power` by bins of `bin_hz` from 0.
Hum FindHumLine(std::span<const double> power, double bin_hz);

}  // namespace grym
