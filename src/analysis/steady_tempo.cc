#include <algorithm>
#include <array>
#include <cmath>
#include <complex>
#include <numbers>

#include "analysis/rhythm.h"
#include "dsp/dispatch.h"
#include "dsp/lanes.h"
#include "dsp/statistics.h"

namespace grym {
namespace {

constexpr double kWindow_s = 60;       // a clock that strays by 0.1 % is heard as one within this time
constexpr double kSearch = 0.015;      // the coarse tempo's grid is 0.5 % wide
constexpr double kAgreement = 0.004;   // windows of one steady tempo differ by less

// Onset strength of one window, whose sum `total` and effective count of pulses stay the same for every frequency.
struct Pulses {
  std::span<const float> strength;
  double rate_hz = 0, total = 0, count = 0;
};

Pulses PulsesOf(std::span<const float> strength, double rate_hz) {
  Pulses pulses{strength, rate_hz};
  double squares = 0;
  for (const float value : strength) {
    pulses.total += value;
    squares += static_cast<double>(value) * value;
  }
  if (squares > 0) pulses.count = pulses.total * pulses.total / squares;
  return pulses;
}

// The pulses' sums on the circles that eight frequencies go round, which turn by `turn_re`, `turn_im` a frame: one
// alone would wait for each of its multiplications.
constexpr size_t kAtOnce = 8;

GRYM_HOT void SumOnCircles(const float* strength, size_t count, const double* turn_re, const double* turn_im,
                           double* sum_re, double* sum_im) {
  FourDoubles re[2], im[2], all_re[2] = {}, all_im[2] = {}, by_re[2], by_im[2];
  for (int half = 0; half < 2; ++half) {
    by_re[half] = reinterpret_cast<const FourDoubles*>(turn_re)[half];
    by_im[half] = reinterpret_cast<const FourDoubles*>(turn_im)[half];
    im[half] = 0.0 * by_re[half];
    re[half] = 1.0 + im[half];
  }
  for (size_t n = 0; n < count; ++n) {
    const double value = strength[n];
    for (int half = 0; half < 2; ++half) {
      all_re[half] = all_re[half] + value * re[half];
      all_im[half] = all_im[half] + value * im[half];
      const FourDoubles turned = re[half] * by_re[half] - im[half] * by_im[half];
      im[half] = re[half] * by_im[half] + im[half] * by_re[half];
      re[half] = turned;
    }
  }
  for (int half = 0; half < 2; ++half) {
    reinterpret_cast<FourDoubles*>(sum_re)[half] = all_re[half];
    reinterpret_cast<FourDoubles*>(sum_im)[half] = all_im[half];
  }
}

// Length of the mean of the pulses on the circle that each of `hz` goes round: 1 when all lie on one grid.
std::vector<double> Resultants(const Pulses& pulses, const std::vector<double>& hz) {
  std::vector<double> lengths;
  for (size_t first = 0; first < hz.size(); first += kAtOnce) {
    std::array<double, kAtOnce> turn_re{}, turn_im{}, sum_re, sum_im;
    const size_t count = std::min(kAtOnce, hz.size() - first);
    for (size_t k = 0; k < count; ++k) {
      const std::complex<double> turn = std::polar(1.0, -2 * std::numbers::pi * hz[first + k] / pulses.rate_hz);
      turn_re[k] = turn.real();
      turn_im[k] = turn.imag();
    }
    SumOnCircles(pulses.strength.data(), pulses.strength.size(), turn_re.data(), turn_im.data(), sum_re.data(),
                 sum_im.data());
    for (size_t k = 0; k < count; ++k) lengths.push_back(std::hypot(sum_re[k], sum_im[k]) / pulses.total);
  }
  return lengths;
}

struct Grid {
  double beat_hz = 0, strength = 0;
};

Grid BestGrid(const Pulses& pulses, double near_hz) {
  // Eight steps to the width of the highest line's peak, then a parabola through the best three.
  const double length_s = static_cast<double>(pulses.strength.size()) / pulses.rate_hz;
  const double step = 1 / (16 * length_s);
  const int reach = static_cast<int>(std::ceil(kSearch * near_hz / step));
  std::vector<double> hz;
  for (const auto& [factor, share] : kBeatLevels) {
    for (int i = -reach; i <= reach; ++i) hz.push_back(factor * (near_hz + i * step));
  }
  const std::vector<double> lengths = Resultants(pulses, hz);
  std::vector<double> strength(static_cast<size_t>(2 * reach + 1));
  for (size_t at = 0; const auto& [factor, share] : kBeatLevels) {
    for (double& sum : strength) sum += share * lengths[at++];
  }
  const auto best = std::max_element(strength.begin(), strength.end()) - strength.begin();
  double shift = 0;
  if (best > 0 && best + 1 < std::ssize(strength)) {
    const double a = strength[best - 1], b = strength[best], c = strength[best + 1], curve = a - 2 * b + c;
    if (curve < -1e-12) shift = std::clamp(0.5 * (a - c) / curve, -0.5, 0.5);
  }
  return {near_hz + (static_cast<double>(best - reach) + shift) * step, strength[best]};
}

}  // namespace

// The Fourier tempogram (Grosche and Müller 2011) over whole minutes, read at the beat, its halves and its quarters at
// once; its significance is Rayleigh's: pulses strewn at random give a resultant of 1 / sqrt(count).
SteadyTempo MeasureSteadyTempo(const BeatCurve& activation, double bpm) {
  SteadyTempo steady;
  if (bpm <= 0) return steady;
  // Squared: the activation is a root, and the beat is told by its strong strokes.
  std::vector<float> strength = activation.values;
  for (float& value : strength) value *= value;
  const int64_t count = std::ssize(strength);
  const int64_t windows = std::max<int64_t>(1, std::llround(count / (kWindow_s * activation.rate_hz)));
  std::vector<double> tempi, significance;
  for (int64_t w = 0; w < windows; ++w) {
    const int64_t from = count * w / windows, to = count * (w + 1) / windows;
    const Pulses pulses = PulsesOf(std::span(strength).subspan(from, static_cast<size_t>(to - from)),
                                   activation.rate_hz);
    if (pulses.count <= 0) continue;
    const Grid grid = BestGrid(pulses, bpm / 60);
    tempi.push_back(60 * grid.beat_hz);
    significance.push_back(grid.strength * std::sqrt(pulses.count));
  }
  if (tempi.empty()) return steady;
  steady.significance = Median(significance);
  steady.bpm = Median(tempi);
  // A quarter of the windows may lie in breaks and fades.
  const auto agree = std::count_if(tempi.begin(), tempi.end(), [&](double tempo) {
    return std::abs(tempo / steady.bpm - 1) < kAgreement;
  });
  steady.agreed = 4 * agree >= 3 * std::ssize(tempi);
  return steady;
}

}  // namespace grym
