#include "dsp/window.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace grym {

std::vector<float> MakeWindow(WindowKind kind, int size) {
  std::vector<float> window(size);
  for (int n = 0; n < size; ++n) {
    const double x = 2 * std::numbers::pi * n / size;
    double value = 1;
    switch (kind) {
      case WindowKind::kHann: value = 0.5 - 0.5 * std::cos(x); break;
      case WindowKind::kHamming: value = 0.54 - 0.46 * std::cos(x); break;
      case WindowKind::kBlackman: value = 0.42 - 0.5 * std::cos(x) + 0.08 * std::cos(2 * x); break;
      case WindowKind::kBlackmanHarris:
        value = 0.35875 - 0.48829 * std::cos(x) + 0.14128 * std::cos(2 * x) - 0.01168 * std::cos(3 * x);
        break;
      case WindowKind::kRectangular: break;
    }
    window[n] = static_cast<float>(value);
  }
  return window;
}

double BesselI0(double x) {
  double sum = 1, term = 1;
  for (int k = 1; k < 200 && term > sum * 1e-17; ++k) {
    term *= (x / (2 * k)) * (x / (2 * k));
    sum += term;
  }
  return sum;
}

std::vector<double> KaiserWindow(int size, double beta) {
  std::vector<double> window(size, 1.0);
  if (size < 2) return window;
  for (int n = 0; n < size; ++n) {
    const double r = 2.0 * n / (size - 1) - 1;
    window[n] = BesselI0(beta * std::sqrt(std::max(0.0, 1 - r * r))) / BesselI0(beta);
  }
  return window;
}

}  // namespace grym
