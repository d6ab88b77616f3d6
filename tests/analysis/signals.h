// Signals of known truth, made on the spot.
#pragma once
#include <cmath>
#include <functional>
#include <numbers>
#include <vector>

#include "analysis/analyze.h"
#include "audio/block_source.h"
#include "base/random.h"

namespace grym::testing {

inline AudioBuffer Mono(std::vector<float> samples, int rate_hz = 44100) {
  return AudioBuffer::FromPlanar(std::move(samples), 1, rate_hz).value();
}

inline std::vector<float> Samples(double seconds, int rate_hz, const std::function<double(double)>& at) {
  std::vector<float> samples(static_cast<size_t>(std::llround(seconds * rate_hz)));
  for (size_t n = 0; n < samples.size(); ++n) samples[n] = static_cast<float>(at(static_cast<double>(n) / rate_hz));
  return samples;
}

inline std::vector<float> Tone(double hz, double seconds, int rate_hz = 44100, double gain = 0.5) {
  return Samples(seconds, rate_hz, [=](double t) { return gain * std::sin(2 * std::numbers::pi * hz * t); });
}

// A string-like tone: eight falling harmonics.
inline double Harmonics(double hz, double t) {
  double sum = 0;
  for (int h = 1; h <= 8; ++h) sum += std::sin(2 * std::numbers::pi * hz * h * t) / (h * h);
  return sum;
}

inline std::vector<float> WhiteNoise(double seconds, double gain, int rate_hz = 44100, uint64_t seed = 1) {
  Random random(seed, "noise");
  return Samples(seconds, rate_hz, [&](double) { return gain * random.Uniform(-1, 1); });
}

// Decaying bursts: a low one on the first of `meter` beats, a brighter one on the others.
inline std::vector<float> Clicks(const std::vector<double>& times_s, double seconds, int meter = 4,
                                 int rate_hz = 44100) {
  std::vector<float> samples(static_cast<size_t>(seconds * rate_hz));
  for (size_t i = 0; i < times_s.size(); ++i) {
    const double hz = i % static_cast<size_t>(meter) == 0 ? 80 : 900;
    const size_t start = static_cast<size_t>(std::llround(times_s[i] * rate_hz));
    for (size_t n = 0; n < static_cast<size_t>(rate_hz / 5) && start + n < samples.size(); ++n) {
      const double t = static_cast<double>(n) / rate_hz;
      samples[start + n] += static_cast<float>(0.7 * std::exp(-30 * t) * std::cos(2 * std::numbers::pi * hz * t));
    }
  }
  return samples;
}

inline std::vector<double> SteadyBeats(double bpm, double first_s, double seconds) {
  std::vector<double> times;
  for (double t = first_s; t < seconds - 0.2; t += 60 / bpm) times.push_back(t);
  return times;
}

inline absl::StatusOr<AudioFeatures> Analyzed(const AudioBuffer& audio, const RunOptions& run = {}) {
  auto source = OpenInput(audio);
  if (!source.ok()) return source.status();
  return AnalyzeSource(**source, run);
}

}  // namespace grym::testing
