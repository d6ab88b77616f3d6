// The recording that the benchmarks of hearing hear: a seeded beat with bass, chords and noise, stereo at 44.1 kHz.
#pragma once
#include <cmath>

#include "base/random.h"
#include "grymsynth/audio_buffer.h"

inline grym::AudioBuffer TestMusic(int seconds) {
  constexpr int kRateHz = 44100;
  grym::AudioBuffer audio = grym::AudioBuffer::Create(2, int64_t{seconds} * kRateHz, kRateHz).value();
  grym::Random random(1);
  constexpr double kRoots[] = {110.0, 87.31, 130.81, 98.0};
  for (int64_t i = 0; i < audio.frames(); ++i) {
    const double t = static_cast<double>(i) / kRateHz, beat = std::fmod(t, 0.5),
                 root = kRoots[static_cast<int>(t / 2) % 4];
    double value = 0.5 * std::exp(-beat * 18) * std::sin(2 * M_PI * (50 + 60 * std::exp(-beat * 30)) * beat);
    for (const double ratio : {1.0, 2.0, 2.52, 3.0, 4.0}) value += 0.06 * std::sin(2 * M_PI * root * ratio * t);
    value += 0.15 * std::exp(-std::fmod(t, 0.25) * 60) * random.Normal();
    audio.mutable_channel(0)[static_cast<size_t>(i)] = static_cast<float>(0.7 * value);
    audio.mutable_channel(1)[static_cast<size_t>(i)] = static_cast<float>(0.6 * value);
  }
  return audio;
}
