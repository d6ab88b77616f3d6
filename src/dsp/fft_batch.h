// Spectra of eight frames at once: the short-time transform of whatever listens to a stream.
#pragma once
#include <cstddef>
#include <vector>

#include "dsp/lanes.h"

namespace grym {

// The same transform as RealFft, with one frame in each lane: no step of it moves anything between lanes. Radix 4 in
// place, decimation in frequency, depth first, so that all but the first steps stay in the first-level cache; the
// order that this leaves is undone where the packed halves are taken apart.
// Threads: one at a time, since scratch space is part of the object.
class RealFftBatch {
 public:
  static constexpr int kFrames = kLanes;
  // Requires a power of two in [16, 2^20].
  explicit RealFftBatch(int size);
  int size() const { return size_; }
  int bins() const { return size_ / 2 + 1; }
  // Frame f begins at in + f * hop and is multiplied by `window` [size] on the way in. `power` [bins][8], unscaled:
  // |sum_n window[n] in[f * hop + n] e^(-2 pi i k n / size)|^2.
  void Power(const float* in, int hop, const float* window, float* power);
  // The spectra themselves, `spectra` [bins][re, im][8].
  void Forward(const float* in, int hop, const float* window, float* spectra);
  // Undoes an unwindowed Forward, scaled by 1 / size: `out` [size][8]. The imaginary parts of bin 0 and of the last bin
  // are ignored.
  void Inverse(const float* spectra, float* out);

 private:
  void Transform(float* packed, int n, size_t level);
  int size_, half_;
  std::vector<std::vector<float>> twiddles_;  // per level: w, w^2, w^3 as re, im, for each point of a quarter
  std::vector<float> pack_;                   // e^(-2 pi i k / size) as re, im, k <= half / 2
  std::vector<int> place_;                    // where bin k of the packed transform comes to lie
  std::vector<float> packed_;                 // [half][re, im][8]
};

// Lane `lane` of `count` values [count][8].
void TakeLane(const float* lanes, int count, int lane, float* out);
// All eight: lane f begins at out + f * stride. Requires stride >= count.
void TakeLanes(const float* lanes, int count, float* out, std::ptrdiff_t stride);

}  // namespace grym
