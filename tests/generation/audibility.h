// How well added parts are heard beside a recording, and whether they cover it: levels in third octaves, tenths of a
// second at a time, each against the other where it plays.
#pragma once
#include <algorithm>
#include <cmath>
#include <vector>

#include "dsp/fft.h"
#include "dsp/window.h"
#include "grymsynth/audio_buffer.h"

namespace grym::testing {

struct Tiles {
  static constexpr int kBands = 24;  // third octaves from 63 Hz to 12.5 kHz
  std::vector<std::array<double, kBands>> power;  // per frame of 100 ms
};

inline Tiles MeasureTiles(const AudioBuffer& audio) {
  const AudioBuffer mono = audio.ToMono();
  const int size = 4096, hop = mono.rate_hz() / 10;
  RealFft fft(size);
  const std::vector<float> window = MakeWindow(WindowKind::kHann, size);
  std::vector<float> framed(size), power(static_cast<size_t>(fft.bins()));
  Tiles tiles;
  for (int64_t start = 0; start + size <= mono.frames(); start += hop) {
    for (int n = 0; n < size; ++n)
      framed[static_cast<size_t>(n)] = mono.channel(0)[static_cast<size_t>(start + n)] * window[static_cast<size_t>(n)];
    fft.Power(framed.data(), power.data());
    auto& bands = tiles.power.emplace_back();
    for (int b = 0; b < Tiles::kBands; ++b) {
      const double centre = 63 * std::exp2(b / 3.0), bin_hz = static_cast<double>(mono.rate_hz()) / size;
      for (auto k = static_cast<size_t>(std::ceil(centre * std::exp2(-1.0 / 6) / bin_hz));
           k < power.size() && static_cast<double>(k) * bin_hz < centre * std::exp2(1.0 / 6); ++k) {
        bands[static_cast<size_t>(b)] += power[k];
      }
    }
  }
  return tiles;
}

struct Audibility {
  double playing = 0;      // share of the frames in which parts play
  double ratio_db = 0;     // of those frames: median of parts over recording in the band where the parts stand out most
  double heard =
      0;  // share in which that is above -6 dB: noise masks a tone up to about 5 dB below (Zwicker and Fastl 1999)
  double covered = 0;      // share of the recording's energy that lies where parts are less than 3 dB below it
  double below_lu = 0;     // filled by the caller
};

inline Audibility Compare(const AudioBuffer& recording, const AudioBuffer& parts) {
  const Tiles a = MeasureTiles(recording), b = MeasureTiles(parts);
  double loudest = 0, energy = 0;
  for (const auto& bands : b.power) loudest = std::max(loudest, *std::max_element(bands.begin(), bands.end()));
  Audibility found;
  std::vector<double> best;
  for (size_t t = 0; t < std::min(a.power.size(), b.power.size()); ++t) {
    for (size_t band = 0; band < Tiles::kBands; ++band) {
      energy += a.power[t][band];
      found.covered += b.power[t][band] > 0.5 * a.power[t][band] ? a.power[t][band] : 0;
    }
    const double most = *std::max_element(b.power[t].begin(), b.power[t].end());
    if (most < loudest * 1e-3) continue;
    double ratio = -90;
    for (size_t band = 0; band < Tiles::kBands; ++band) {
      const double db = 10 * std::log10((b.power[t][band] + 1e-12) / (a.power[t][band] + 1e-12));
      if (b.power[t][band] > most * 1e-2) ratio = std::max(ratio, db);
    }
    best.push_back(ratio);
    found.heard += ratio > -6;
  }
  if (best.empty()) return found;
  found.playing = static_cast<double>(best.size()) / static_cast<double>(a.power.size());
  found.heard /= static_cast<double>(best.size());
  std::sort(best.begin(), best.end());
  found.ratio_db = best[best.size() / 2];
  found.covered /= energy + 1e-12;
  return found;
}

}  // namespace grym::testing
