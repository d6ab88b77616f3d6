// What may be a sample.
#pragma once
#include <cmath>

namespace grym {

// Neither NaN nor infinite, nor more than 180 dB above full scale: no recording holds that, and the power of a spectrum
// of it leaves the range of float32.
inline bool IsSample(float value) { return std::abs(value) <= 1e9f; }

}  // namespace grym
