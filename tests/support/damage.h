// Recordings and the damage that tests do to them.
#pragma once
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "base/random.h"
#include "grymsynth/audio_buffer.h"
#include "grymsynth/audio_file.h"
#include "support/shared_audio.h"

namespace grym::testing {

inline constexpr const char* kRecordings[] = {
    "real/hiphop.mp3",
    "real/drumtrack.mp3",
    "real/147793__setuniman__sweet-waltz-0i-22mi.ogg",
    "real/Kevin_MacLeod_-_P_I_Tchaikovsky_Dance_of_the_Sugar_Plum_Fairy.ogg",
    "real/359628__mtg__sax-tenor-d-minor.flac",
    "real/admiralbob77_-_Choice_-_Drum-bass.ogg",
    "real/acoustic-drums.flac",
    "real/loop_mika.flac",
    "rendered/FMP_C1_F12_Bach_BWV846_Sibelius-Tracks.flac"};

inline AudioBuffer Recording(std::string_view name, double most_s = 7) {
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

// Reads the recording at `time_of(t)` by cubic interpolation (Catmull-Rom), until it ends.
template <class TimeOf>
AudioBuffer Warped(const AudioBuffer& audio, TimeOf time_of) {
  std::vector<float> planar;
  for (int c = 0; c < audio.channels(); ++c) {
    const std::span<const float> x = audio.channel(c);
    for (int64_t n = 0;; ++n) {
      const double place = time_of(static_cast<double>(n) / audio.rate_hz()) * audio.rate_hz();
      const auto i = static_cast<size_t>(place);
      if (i + 3 >= x.size()) break;
      const double a = place - static_cast<double>(i);
      const double y0 = i > 0 ? x[i - 1] : 0, y1 = x[i], y2 = x[i + 1], y3 = x[i + 2];
      planar.push_back(static_cast<float>(
          y1 + 0.5 * a * (y2 - y0 + a * (2 * y0 - 5 * y1 + 4 * y2 - y3 + a * (3 * (y1 - y2) + y3 - y0)))));
    }
  }
  return AudioBuffer::FromPlanar(std::move(planar), audio.channels(), audio.rate_hz()).value();
}

// Faster and higher, as a tape does.
inline AudioBuffer Detuned(const AudioBuffer& audio, double cents) {
  return Warped(audio, [&](double t) { return t * std::exp2(cents / 1200); });
}

// Faster by `strength` at the start, slower by as much at the end; the length stays.
inline AudioBuffer Drifting(const AudioBuffer& audio, double strength) {
  const double duration_s = audio.duration_s();
  return Warped(audio, [&](double t) { return t + strength * t * (duration_s - t) / duration_s; });
}

inline AudioBuffer WithGain(AudioBuffer audio, double db) {
  for (float& sample : audio.mutable_planar()) sample *= static_cast<float>(std::pow(10, db / 20));
  return audio;
}

// What a codec at a low rate leaves: nothing above `hz` (a sinc of 97 taps under a Hann window).
inline AudioBuffer WithLowPass(const AudioBuffer& audio, double hz) {
  constexpr int kReach = 48;
  std::vector<float> taps;
  for (int k = -kReach; k <= kReach; ++k) {
    const double x = 2 * M_PI * hz / audio.rate_hz() * k;
    const double sinc = k == 0 ? 1 : std::sin(x) / x;
    const double hann = 0.5 + 0.5 * std::cos(M_PI * k / (kReach + 1));
    taps.push_back(static_cast<float>(2 * hz / audio.rate_hz() * sinc * hann));
  }
  AudioBuffer passed = audio;
  for (int c = 0; c < audio.channels(); ++c) {
    const std::span<const float> x = audio.channel(c);
    const std::span<float> y = passed.mutable_channel(c);
    for (int64_t n = kReach; n + kReach < audio.frames(); ++n) {
      float sum = 0;
      for (int k = 0; k <= 2 * kReach; ++k)
        sum += taps[static_cast<size_t>(k)] * x[static_cast<size_t>(n + k - kReach)];
      y[static_cast<size_t>(n)] = sum;
    }
  }
  return passed;
}

inline AudioBuffer AtRate(const AudioBuffer& audio, int rate_hz) {
  return Resample(audio, rate_hz, ResampleQuality::kFast).value();
}

// Through OGG Vorbis and back.
inline AudioBuffer OnceCoded(const AudioBuffer& audio, const std::filesystem::path& folder) {
  SaveOptions options;
  options.ogg_quality = 0.4;
  EXPECT_TRUE(SaveAudio(folder / "coded.ogg", audio, options).ok());
  return LoadAudio(folder / "coded.ogg").value();
}

// `other`, repeated, `below_db` below the recording's power.
inline AudioBuffer MixedWith(AudioBuffer audio, const AudioBuffer& other, double below_db) {
  const double gain = std::sqrt(MeanPower(audio) / MeanPower(other) / std::pow(10, below_db / 10));
  for (int c = 0; c < audio.channels(); ++c) {
    const std::span<const float> added = other.channel(c % other.channels());
    for (size_t n = 0; n < audio.channel(c).size(); ++n)
      audio.mutable_channel(c)[n] += static_cast<float>(gain * added[n % added.size()]);
  }
  return audio;
}

}  // namespace grym::testing
