#include "dsp/biquad.h"

#include <algorithm>
#include <complex>
#include <numbers>

namespace grym {
namespace {

struct CookbookAngles {
  double cosine, sine;
};

CookbookAngles AnglesOf(double rate_hz, double frequency_hz) {
  const double w = 2 * std::numbers::pi * std::clamp(frequency_hz / rate_hz, 1e-5, 0.499);
  return {std::cos(w), std::sin(w)};
}

BiquadCoefficients Normalised(double b0, double b1, double b2, double a0, double a1, double a2) {
  return {b0 / a0, b1 / a0, b2 / a0, a1 / a0, a2 / a0};
}

}  // namespace

BiquadCoefficients BiquadCoefficients::LowPass(double rate_hz, double frequency_hz, double q) {
  const auto [c, s] = AnglesOf(rate_hz, frequency_hz);
  const double alpha = s / (2 * q);
  return Normalised((1 - c) / 2, 1 - c, (1 - c) / 2, 1 + alpha, -2 * c, 1 - alpha);
}

BiquadCoefficients BiquadCoefficients::HighPass(double rate_hz, double frequency_hz, double q) {
  const auto [c, s] = AnglesOf(rate_hz, frequency_hz);
  const double alpha = s / (2 * q);
  return Normalised((1 + c) / 2, -(1 + c), (1 + c) / 2, 1 + alpha, -2 * c, 1 - alpha);
}

BiquadCoefficients BiquadCoefficients::BandPass(double rate_hz, double frequency_hz, double q) {
  const auto [c, s] = AnglesOf(rate_hz, frequency_hz);
  const double alpha = s / (2 * q);
  return Normalised(alpha, 0, -alpha, 1 + alpha, -2 * c, 1 - alpha);
}

BiquadCoefficients BiquadCoefficients::Notch(double rate_hz, double frequency_hz, double q) {
  const auto [c, s] = AnglesOf(rate_hz, frequency_hz);
  const double alpha = s / (2 * q);
  return Normalised(1, -2 * c, 1, 1 + alpha, -2 * c, 1 - alpha);
}

BiquadCoefficients BiquadCoefficients::AllPass(double rate_hz, double frequency_hz, double q) {
  const auto [c, s] = AnglesOf(rate_hz, frequency_hz);
  const double alpha = s / (2 * q);
  return Normalised(1 - alpha, -2 * c, 1 + alpha, 1 + alpha, -2 * c, 1 - alpha);
}

BiquadCoefficients BiquadCoefficients::Peaking(double rate_hz, double frequency_hz, double q, double gain_db) {
  const auto [c, s] = AnglesOf(rate_hz, frequency_hz);
  const double alpha = s / (2 * q), a = std::pow(10, gain_db / 40);
  return Normalised(1 + alpha * a, -2 * c, 1 - alpha * a, 1 + alpha / a, -2 * c, 1 - alpha / a);
}

BiquadCoefficients BiquadCoefficients::LowShelf(double rate_hz, double frequency_hz, double gain_db, double slope) {
  const auto [c, s] = AnglesOf(rate_hz, frequency_hz);
  const double a = std::pow(10, gain_db / 40);
  const double alpha = s / 2 * std::sqrt((a + 1 / a) * (1 / slope - 1) + 2), root = 2 * std::sqrt(a) * alpha;
  return Normalised(a * ((a + 1) - (a - 1) * c + root), 2 * a * ((a - 1) - (a + 1) * c),
                    a * ((a + 1) - (a - 1) * c - root), (a + 1) + (a - 1) * c + root, -2 * ((a - 1) + (a + 1) * c),
                    (a + 1) + (a - 1) * c - root);
}

BiquadCoefficients BiquadCoefficients::HighShelf(double rate_hz, double frequency_hz, double gain_db, double slope) {
  const auto [c, s] = AnglesOf(rate_hz, frequency_hz);
  const double a = std::pow(10, gain_db / 40);
  const double alpha = s / 2 * std::sqrt((a + 1 / a) * (1 / slope - 1) + 2), root = 2 * std::sqrt(a) * alpha;
  return Normalised(a * ((a + 1) + (a - 1) * c + root), -2 * a * ((a - 1) + (a + 1) * c),
                    a * ((a + 1) + (a - 1) * c - root), (a + 1) - (a - 1) * c + root, 2 * ((a - 1) - (a + 1) * c),
                    (a + 1) - (a - 1) * c - root);
}

double BiquadCoefficients::GainAt(double rate_hz, double frequency_hz) const {
  const std::complex<double> z = std::polar(1.0, -2 * std::numbers::pi * frequency_hz / rate_hz);
  return std::abs((b0 + b1 * z + b2 * z * z) / (1.0 + a1 * z + a2 * z * z));
}

void Biquad::Process(std::span<float> samples) {
  for (float& sample : samples) sample = static_cast<float>(Next(sample));
  if (std::abs(s1_) < 1e-30) s1_ = 0;
  if (std::abs(s2_) < 1e-30) s2_ = 0;
}

}  // namespace grym
