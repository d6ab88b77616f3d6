// Second-order filters. Source: Bristow-Johnson, "Cookbook formulae for audio EQ biquad filter coefficients".
#pragma once
#include <cmath>
#include <span>

namespace grym {

// y[n] = b0 x[n] + b1 x[n-1] + b2 x[n-2] - a1 y[n-1] - a2 y[n-2]. The default passes everything.
struct BiquadCoefficients {
  double b0 = 1, b1 = 0, b2 = 0, a1 = 0, a2 = 0;

  // Frequencies are clamped to [1e-5, 0.499] of the rate, so that no request can make a filter unstable.
  // `q` 0.7071 is Butterworth; for shelves `slope` 1 is the steepest without a bump.
  static BiquadCoefficients LowPass(double rate_hz, double frequency_hz, double q = 0.70710678118654752);
  static BiquadCoefficients HighPass(double rate_hz, double frequency_hz, double q = 0.70710678118654752);
  static BiquadCoefficients BandPass(double rate_hz, double frequency_hz, double q);  // peak gain 0 dB
  static BiquadCoefficients Notch(double rate_hz, double frequency_hz, double q);
  static BiquadCoefficients AllPass(double rate_hz, double frequency_hz, double q);
  static BiquadCoefficients Peaking(double rate_hz, double frequency_hz, double q, double gain_db);
  static BiquadCoefficients LowShelf(double rate_hz, double frequency_hz, double gain_db, double slope = 1);
  static BiquadCoefficients HighShelf(double rate_hz, double frequency_hz, double gain_db, double slope = 1);

  double GainAt(double rate_hz, double frequency_hz) const;  // magnitude of the response
};

// Transposed direct form II with double state. Threads: one at a time.
class Biquad {
 public:
  Biquad() = default;
  explicit Biquad(const BiquadCoefficients& c) : c_(c) {}
  void Set(const BiquadCoefficients& c) { c_ = c; }  // keeps the state: coefficients may move while it runs
  void Reset() { s1_ = s2_ = 0; }
  double Next(double x) {
    const double y = c_.b0 * x + s1_;
    s1_ = c_.b1 * x - c_.a1 * y + s2_;
    s2_ = c_.b2 * x - c_.a2 * y;
    return y;
  }
  // In place. State below 1e-30 is set to 0 after each span, so a decaying tail never runs on denormals.
  void Process(std::span<float> samples);

 private:
  BiquadCoefficients c_;
  double s1_ = 0, s2_ = 0;
};

}  // namespace grym
