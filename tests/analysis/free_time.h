// Sound without a beat, which no listener may invent one for.
#pragma once
#include "analysis/signals.h"

namespace grym::testing {

// Vibrato is steadier than a drummer, and no stroke.
inline std::vector<float> VibratoTone(double vibrato_hz, double cents) {
  double phase = 0;
  return Samples(16, 44100, [=](double t) mutable {
    phase += 330 * std::exp2(cents / 1200 * std::sin(2 * std::numbers::pi * vibrato_hz * t)) / 44100;
    double value = 0;
    for (int h = 1; h <= 12; ++h) value += std::sin(2 * std::numbers::pi * h * phase) / h;
    return 0.2 * std::min(1.0, t / 0.05) * value;
  });
}

// Bowed notes after gaps of any length, each with vibrato.
inline std::vector<float> NotesInFreeTime(uint64_t seed) {
  Random random(seed, "rubato");
  std::vector<float> notes(20 * 44100);
  for (double at = 0.2; at < 18.5;) {
    const double length = random.Uniform(0.3, 1.9), hz = 220 * std::exp2(random.Uniform(0, 1.5));
    for (size_t n = 0; n < static_cast<size_t>(0.95 * length * 44100); ++n) {
      const double t = static_cast<double>(n) / 44100, swell = std::min({1.0, t / 0.05, (0.95 * length - t) / 0.04});
      const double bend = 3e-4 * std::sin(2 * std::numbers::pi * 5.2 * t);
      notes[static_cast<size_t>(at * 44100) + n] += static_cast<float>(0.3 * swell * Harmonics(hz, t + bend));
    }
    at += length;
  }
  return notes;
}

// Hands and drops: short bursts at random.
inline std::vector<float> Bursts(double bursts_per_s) {
  Random random(static_cast<uint64_t>(bursts_per_s), "bursts");
  std::vector<float> burst_noise(20 * 44100);
  for (double at = 0; at < 19.8; at -= std::log(1 - random.Uniform()) / bursts_per_s) {
    const double gain = std::min(0.4, 0.03 * std::exp(0.8 * random.Normal())), fall = random.Uniform(70, 300);
    for (size_t n = 0; n < 44100 / 20; ++n) {
      burst_noise[static_cast<size_t>(at * 44100) + n] +=
          static_cast<float>(gain * std::exp(-fall * static_cast<double>(n) / 44100) * random.Uniform(-1, 1));
    }
  }
  return burst_noise;
}

}  // namespace grym::testing
