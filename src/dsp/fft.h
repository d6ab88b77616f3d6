// Fourier transform of real signals, float32, power-of-two sizes.
#pragma once
#include <complex>
#include <vector>

namespace grym {

// Stockham autosort of radix 4 on split real and imaginary arrays, over half the size (packed real transform).
// Twiddles are computed in double. Same input, same bits on every x86-64.
// Threads: one at a time, since scratch space is part of the object.
class RealFft {
 public:
  // Requires a power of two in [2, 2^26].
  explicit RealFft(int size);
  int size() const { return size_; }
  int bins() const { return size_ / 2 + 1; }
  // `in` [size], `out` [bins], unscaled: out[k] = sum_n in[n] e^(-2 pi i k n / size).
  void Forward(const float* in, std::complex<float>* out);
  // |out[k]|^2 alone, [bins]: saves a pass where phases are not wanted.
  void Power(const float* in, float* out);
  // Inverse of Forward, scaled by 1 / size. The imaginary parts of bin 0 and of the last bin are ignored.
  void Inverse(const std::complex<float>* in, float* out);

 private:
  void Transform();           // re_, im_ in place
  int size_, half_;
  std::vector<float> twiddle_re_, twiddle_im_;  // per stage: w1, w2, w3 [n / 4] each
  std::vector<float> pack_;                     // e^(-2 pi i k / size) as re, im, k <= half / 2
  std::vector<float> re_, im_, work_re_, work_im_;
  std::vector<std::complex<float>> bins_;
};

// The smallest power of two that is not below `value` (> 0).
int NextPowerOfTwo(int value);

}  // namespace grym
