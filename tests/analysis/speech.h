// A voice that talks or sings, by formants: rendered truth for what tells speech from music.
#pragma once
#include <array>

#include "analysis/signals.h"

namespace grym::testing {

// Two-pole resonators one after another (Klatt 1980), whose frequencies move from sample to sample.
class VocalTract {
 public:
  float Next(double source, const std::array<double, 4>& formants_hz) {
    static constexpr std::array<double, 4> kBandwidth_hz = {70, 100, 150, 220};
    double value = source;
    for (size_t i = 0; i < formants_hz.size(); ++i) {
      const double r = std::exp(-std::numbers::pi * kBandwidth_hz[i] / 44100);
      const double c = -r * r, b = 2 * r * std::cos(2 * std::numbers::pi * formants_hz[i] / 44100), a = 1 - b - c;
      const double out = a * value + b * last_[i] + c * before_[i];
      before_[i] = last_[i];
      last_[i] = value = out;
    }
    return static_cast<float>(value);
  }

 private:
  std::array<double, 4> last_{}, before_{};
};

struct Voice {
  double pitch_hz = 120, syllables_per_s = 4.8, liveliness = 1;  // how far the pitch moves; 0 is a monotone
};

// Phrases of random syllables: a consonant (stop, fricative, nasal or glide), then a vowel; pitch falls over a phrase,
// rises on accents, and never rests; between phrases a breath. In a quiet room, 50 dB below the voice.
inline std::vector<float> Speech(uint64_t seed, double seconds, const Voice& voice) {
  static constexpr std::array<std::array<double, 4>, 7> kVowels = {{{270, 2290, 3010, 3700}, {390, 1990, 2550, 3600},
      {530, 1840, 2480, 3500}, {660, 1720, 2410, 3500}, {730, 1090, 2440, 3400}, {570, 840, 2410, 3400},
      {300, 870, 2240, 3300}}};  // Peterson and Barney 1952
  Random random(seed, "speech");
  VocalTract tract;
  std::vector<float> samples(static_cast<size_t>(seconds * 44100));
  std::array<double, 4> formants = kVowels[3], target = formants;
  double phase = 0, tilt = 0, hiss = 0, voiced = 0, noisy = 0, accent = 0, accent_to = 0, bright = 0;
  size_t n = 0, syllables_left = 0;
  double phrase_began_s = 0, phrase_s = 2;
  const auto play = [&](double length_s, double want_voiced, double want_noisy) {
    for (const size_t end = n + static_cast<size_t>(length_s * 44100); n < std::min(end, samples.size()); ++n) {
      const double along = std::min(1.0, (static_cast<double>(n) / 44100 - phrase_began_s) / phrase_s);
      accent += (accent_to - accent) / (0.06 * 44100);
      voiced += (want_voiced - voiced) / (0.012 * 44100);
      noisy += (want_noisy - noisy) / (0.010 * 44100);
      for (size_t i = 0; i < 4; ++i) formants[i] += (target[i] - formants[i]) / (0.035 * 44100);
      const double semitones = voice.liveliness * (3 - 6 * along + accent) + 0.15 * random.Normal();
      phase += voice.pitch_hz * std::exp2(semitones / 12) / 44100;
      double pulse = 0;
      if (phase >= 1) phase -= 1, pulse = 1 + 0.1 * random.Normal();
      tilt += 0.08 * (pulse * 12 - tilt);  // -12 dB an octave, as of the glottis
      const double noise = random.Uniform(-1, 1);
      hiss += bright * (noise - hiss);
      samples[n] = 0.5f * tract.Next(voiced * tilt + 0.02 * voiced * noise, formants) +
                   static_cast<float>((0.05 * noisy + 0.0015) * (noise - hiss));
    }
  };
  while (n < samples.size()) {
    if (syllables_left == 0) {
      play(random.Uniform(0.2, 0.7), 0, 0);
      syllables_left = 4 + random.Below(10);
      phrase_began_s = static_cast<double>(n) / 44100;
      phrase_s = static_cast<double>(syllables_left) / voice.syllables_per_s;
    }
    --syllables_left;
    const double length_s = random.Uniform(0.6, 1.4) / voice.syllables_per_s;
    target = kVowels[random.Below(kVowels.size())];
    accent_to = random.Chance(0.35) ? random.Uniform(2, 6) : random.Uniform(-1.5, 1);
    switch (random.Below(5)) {
      case 0:  // stop
        play(random.Uniform(0.03, 0.08), 0, 0);
        bright = random.Uniform(0.1, 0.5);
        play(0.012, 0, 1.5);
        break;
      case 1:  // fricative
        bright = random.Uniform(0.2, 0.7);
        play(random.Uniform(0.06, 0.13), random.Chance(0.4) ? 0.3 : 0, 1);
        break;
      case 2:  // nasal
        std::swap(target[0], formants[0]);
        play(random.Uniform(0.04, 0.08), 0.35, 0);
        break;
      default: break;  // the vowel alone, or a glide into it
    }
    play(0.75 * length_s, random.Uniform(0.6, 1), 0);
  }
  return samples;
}

// The same tract on the notes of a scale, each held with vibrato.
inline std::vector<float> Song(uint64_t seed, double seconds, double pitch_hz, double note_s) {
  static constexpr int kScale[] = {0, 2, 4, 5, 7, 9, 11, 12};
  Random random(seed, "song");
  VocalTract tract;
  std::vector<float> samples(static_cast<size_t>(seconds * 44100));
  std::array<double, 4> formants = {660, 1720, 2410, 3500}, target = formants;
  double phase = 0, tilt = 0, loud = 0, midi = 0;
  int place = 3;
  size_t until = 0;
  for (size_t n = 0; n < samples.size(); ++n) {
    const double t = static_cast<double>(n) / 44100;
    if (n >= until) {
      until = n + static_cast<size_t>(note_s * (1 + static_cast<double>(random.Below(3))) * 44100);
      place = std::clamp(place + static_cast<int>(random.Below(5)) - 2, 0, 7);
      target = {random.Uniform(300, 750), random.Uniform(850, 2200), 2450, 3500};
    }
    const bool rests = until - n < 44100 / 20;
    loud += ((rests ? 0.05 : 1) - loud) / (0.02 * 44100);
    midi += (kScale[place] - midi) / (0.03 * 44100);
    for (size_t i = 0; i < 4; ++i) formants[i] += (target[i] - formants[i]) / (0.04 * 44100);
    phase += pitch_hz * std::exp2((midi + 0.4 * std::sin(2 * std::numbers::pi * 5.5 * t)) / 12) / 44100;
    double pulse = 0;
    if (phase >= 1) phase -= 1, pulse = 1;
    tilt += 0.08 * (pulse * 12 - tilt);
    samples[n] = 0.5f * tract.Next(loud * tilt, formants);
  }
  return samples;
}

}  // namespace grym::testing
