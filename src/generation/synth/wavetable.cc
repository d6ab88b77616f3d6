#include "generation/synth/wavetable.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace grym::synth {
namespace {

constexpr int kMostHarmonics = 512;
constexpr double kTopOfBand = 0.45;  // of the rate: the highest harmonic a table may hold
constexpr double kLowestTop = kTopOfBand / kMostHarmonics;
constexpr int kMipsPerOctave = 3;
constexpr int kMipCount = 9 * kMipsPerOctave + 1;
constexpr double kTwoPi = 6.283185307179586;

// Amplitude of the sine of harmonic `k`, k >= 1.
double Harmonic(Wave wave, int k) {
  const bool odd = k % 2 == 1;
  switch (wave) {
    case Wave::kSine:
      return k == 1 ? 1 : 0;
    case Wave::kTriangle:
      return odd ? 8 / (kTwoPi / 2 * kTwoPi / 2) / (k * k) * ((k / 2) % 2 == 0 ? 1 : -1) : 0;
    case Wave::kSaw:
      return 4 / kTwoPi / k;
    case Wave::kSquare:
      return odd ? 8 / kTwoPi / k : 0;
    case Wave::kPulse:
      return 1.1 * 4 / kTwoPi / k * std::sin(kTwoPi / 2 * k * 0.25) * 1.2;
    case Wave::kOrgan: {
      // Drawbars 16' 5 1/3' 8' 4' 2 2/3' 2' 1 3/5' 1 1/3' 1' over a period of 16': registration 86 8530 002.
      static constexpr std::array<std::array<double, 2>, 9> kDrawbars{
          {{1, 0.5}, {3, 0.34}, {2, 0.66}, {4, 0.36}, {6, 0.20}, {8, 0.12}, {10, 0.03}, {12, 0.05}, {16, 0.06}}};
      for (const auto& bar : kDrawbars) {
        if (static_cast<int>(bar[0]) == k) return bar[1] * 0.8;
      }
      return 0;
    }
    case Wave::kReed:
      return (odd ? 1.0 : 0.55 + 0.3 * std::min(1.0, k / 8.0)) * 0.9 / std::pow(k, 1.15);
    case Wave::kFlute: {
      static constexpr std::array<double, 7> kPartials{1, 0.32, 0.12, 0.035, 0.02, 0.008, 0.004};
      return k <= 7 ? kPartials[static_cast<size_t>(k - 1)] * 0.8 : 0;
    }
  }
  return 0;
}

}  // namespace

WaveTable::WaveTable(Wave wave) : mips_(kMipCount) {
  std::vector<double> sine(kSize), sum(kSize, 0.0);
  for (int n = 0; n < kSize; ++n) sine[static_cast<size_t>(n)] = std::sin(kTwoPi * n / kSize);
  // From few harmonics to many, so that each table adds to the one before.
  int done = 0;
  for (int m = kMipCount - 1; m >= 0; --m) {
    const double top = kLowestTop * std::exp2(static_cast<double>(m) / kMipsPerOctave);
    const int harmonics = std::min(kMostHarmonics, static_cast<int>(kTopOfBand / top + 1e-9));
    for (int k = done + 1; k <= harmonics; ++k) {
      const double amplitude = Harmonic(wave, k);
      if (amplitude == 0) continue;
      for (int n = 0; n < kSize; ++n)
        sum[static_cast<size_t>(n)] += amplitude * sine[static_cast<size_t>((n * k) & (kSize - 1))];
    }
    done = std::max(done, harmonics);
    std::vector<float>& table = mips_[static_cast<size_t>(m)];
    table.resize(kSize + 1);
    for (int n = 0; n <= kSize; ++n)
      table[static_cast<size_t>(n)] = static_cast<float>(sum[static_cast<size_t>(n & (kSize - 1))]);
  }
}

const WaveTable& WaveTable::Of(Wave wave) {
  switch (wave) {
    case Wave::kTriangle: {
      static const WaveTable table(Wave::kTriangle);
      return table;
    }
    case Wave::kSaw: {
      static const WaveTable table(Wave::kSaw);
      return table;
    }
    case Wave::kSquare: {
      static const WaveTable table(Wave::kSquare);
      return table;
    }
    case Wave::kPulse: {
      static const WaveTable table(Wave::kPulse);
      return table;
    }
    case Wave::kOrgan: {
      static const WaveTable table(Wave::kOrgan);
      return table;
    }
    case Wave::kReed: {
      static const WaveTable table(Wave::kReed);
      return table;
    }
    case Wave::kFlute: {
      static const WaveTable table(Wave::kFlute);
      return table;
    }
    case Wave::kSine:
      break;
  }
  static const WaveTable sine(Wave::kSine);
  return sine;
}

const float* WaveTable::ForIncrement(double cycles_per_frame) const {
  const double ratio = std::max(cycles_per_frame, 1e-9) / kLowestTop;
  const int m = static_cast<int>(std::ceil(kMipsPerOctave * std::log2(ratio) - 1e-9));
  return mips_[static_cast<size_t>(std::clamp(m, 0, kMipCount - 1))].data();
}

}  // namespace grym::synth
