// Recordings and the damage that tests do to them.
#pragma once
#include <algorithm>
#include <cmath>

#include "base/random.h"
#include "grymsynth/audio_buffer.h"
#include "grymsynth/audio_file.h"
#include "support/shared_audio.h"

namespace grym::testing {

inline AudioBuffer Recording(std::string_view name, double most_s = 8) {
  const AudioBuffer whole = LoadAudio(SharedAudio(name)).value();
  return whole.Slice(0, static_cast<int64_t>(most_s * whole.rate_hz()));
}

inline double MeanPower(const AudioBuffer& audio) {
  double sum = 0;
  for (const float sample : audio.planar()) sum += static_cast<double>(sample) * sample;
  return sum / static_cast<double>(audio.planar().size());
}

// White noise `snr_db` below the recording.
inline AudioBuffer WithNoise(AudioBuffer audio, double snr_db) {
  Random random(3);
  const double gain = std::sqrt(MeanPower(audio) / std::pow(10, snr_db / 10));
  for (float& sample : audio.mutable_planar()) sample += static_cast<float>(gain * random.Normal());
  return audio;
}

// Cut off flat `db` below the peak, then brought back to the recording's own power.
inline AudioBuffer WithClipping(AudioBuffer audio, double db, bool match_level = true) {
  const double power = MeanPower(audio);
  float peak = 0;
  for (const float sample : audio.planar()) peak = std::max(peak, std::abs(sample));
  const auto level = static_cast<float>(peak * std::pow(10, -db / 20));
  for (float& sample : audio.mutable_planar()) sample = std::clamp(sample, -level, level);
  const auto gain = static_cast<float>(match_level ? std::sqrt(power / MeanPower(audio)) : 1.0);
  for (float& sample : audio.mutable_planar()) sample *= gain;
  return audio;
}

// Mains with eight multiples falling as 1/k, its frequency wandering by 0.03 Hz, `below_db` below the recording.
inline AudioBuffer WithHum(AudioBuffer audio, double hz, double below_db) {
  const double gain = std::sqrt(2 * MeanPower(audio) / std::pow(10, below_db / 10) / 1.53);
  double phase = 0;
  for (int64_t n = 0; n < audio.frames(); ++n) {
    const double t = static_cast<double>(n) / audio.rate_hz();
    phase += 2 * M_PI * (hz + 0.03 * std::sin(2 * M_PI * t / 20)) / audio.rate_hz();
    double sum = 0;
    for (int k = 1; k <= 8; ++k) sum += std::sin(k * phase + k) / k;
    for (int c = 0; c < audio.channels(); ++c)
      audio.mutable_channel(c)[static_cast<size_t>(n)] += static_cast<float>(gain * sum);
  }
  return audio;
}

// Scale-invariant signal-to-distortion ratio in dB (Le Roux and others 2019).
inline double SiSdrDb(const AudioBuffer& clean, const AudioBuffer& estimate) {
  double dot = 0, power = 0;
  for (size_t i = 0; i < clean.planar().size(); ++i) {
    dot += static_cast<double>(clean.planar()[i]) * estimate.planar()[i];
    power += static_cast<double>(clean.planar()[i]) * clean.planar()[i];
  }
  const double scale = dot / power;
  double error = 1e-12;
  for (size_t i = 0; i < clean.planar().size(); ++i) {
    error += std::pow(estimate.planar()[i] - scale * clean.planar()[i], 2);
  }
  return 10 * std::log10(scale * scale * power / error);
}

}  // namespace grym::testing
