// Windows for spectra and filters.
#pragma once
#include <vector>

namespace grym {

enum class WindowKind { kHann, kHamming, kBlackman, kBlackmanHarris, kRectangular };

// Periodic (DFT-even), as spectra want: w[n] = w(n / size). Source: Harris 1978.
std::vector<float> MakeWindow(WindowKind kind, int size);
// Symmetric Kaiser window, as filters want. Source: Kaiser 1974; `beta` sets the side lobes (8.6 is about -90 dB).
std::vector<double> KaiserWindow(int size, double beta);
// Modified Bessel function of the first kind, order 0, by its power series.
double BesselI0(double x);

}  // namespace grym
