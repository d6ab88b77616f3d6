// Seeded music of known tempo, key and condition, for tests that need no recordings.
#pragma once
#include <cmath>

#include "base/random.h"
#include "grymsynth/audio_buffer.h"

namespace grym::testing {

struct TestMusicOptions {
  double seconds = 12;
  double tempo_bpm = 120;
  double noise_db = -90;  // level of added white noise, dBFS
  double hum_db = -120;   // level of a 50 Hz series
  double gain = 0.5;      // above 1 clips
  uint64_t seed = 1;
};

// Kick on every beat, hats between, and the chords Am F C G, a bar each, at 44.1 kHz stereo.
inline AudioBuffer MakeTestMusic(const TestMusicOptions& options = {}) {
  constexpr int kRateHz = 44100;
  constexpr double kChords[4][3] = {
      {220.0, 261.63, 329.63}, {174.61, 220.0, 261.63}, {261.63, 329.63, 392.0}, {196.0, 246.94, 293.66}};
  AudioBuffer audio = AudioBuffer::Create(2, static_cast<int64_t>(options.seconds * kRateHz), kRateHz).value();
  Random random(options.seed);
  const double beat_s = 60 / options.tempo_bpm, noise = std::pow(10, options.noise_db / 20),
               hum = std::pow(10, options.hum_db / 20);
  for (int64_t i = 0; i < audio.frames(); ++i) {
    const double t = static_cast<double>(i) / kRateHz, in_beat = std::fmod(t, beat_s),
                 in_half = std::fmod(t + beat_s / 2, beat_s);
    double value = 0.8 * std::exp(-in_beat * 14) * std::fmin(1, (beat_s - in_beat) * 200) *
                   std::sin(2 * M_PI * (50 * in_beat + 3 * (1 - std::exp(-in_beat * 30))));
    value += 0.12 * std::exp(-in_half * 70) * random.Normal();
    const int bar = static_cast<int>(t / (4 * beat_s));
    const double in_bar = std::fmod(t, 4 * beat_s), left = 4 * beat_s - in_bar,
                 swell = std::fmin(1, std::fmin(in_bar, left) * 40) * std::exp(-in_bar * 0.5);
    for (const double hz : kChords[bar % 4]) {
      for (int k = 1; k <= 4; ++k) value += 0.1 * swell / k * std::sin(2 * M_PI * hz * k * t);
    }
    value = std::fmax(-1, std::fmin(1, options.gain * value + noise * random.Normal()));
    for (int k = 1; k <= 5; ++k) value += hum / k * std::sin(2 * M_PI * 50 * k * t);
    audio.mutable_channel(0)[static_cast<size_t>(i)] = static_cast<float>(value);
    audio.mutable_channel(1)[static_cast<size_t>(i)] = static_cast<float>(0.9 * value);
  }
  return audio;
}

}  // namespace grym::testing
