// Measures of agreement between what was heard and what is true, as mir_eval computes them.
#pragma once
#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "grymsynth/audio_features.h"

namespace grym::testing {

struct FMeasure {
  double f = 0, precision = 0, recall = 0;
  double mean_offset_s = 0;  // estimate minus truth over matches
};

// One-to-one matching within `window_s`; greedy in time order, which is optimal for sorted events and one window.
inline FMeasure MatchEvents(std::vector<double> truth, std::vector<double> heard, double window_s) {
  std::sort(truth.begin(), truth.end());
  std::sort(heard.begin(), heard.end());
  size_t i = 0, j = 0, hits = 0;
  FMeasure m;
  while (i < truth.size() && j < heard.size()) {
    if (std::abs(truth[i] - heard[j]) <= window_s) {
      m.mean_offset_s += heard[j] - truth[i];
      ++hits, ++i, ++j;
    } else if (truth[i] < heard[j]) {
      ++i;
    } else {
      ++j;
    }
  }
  if (hits > 0) m.mean_offset_s /= static_cast<double>(hits);
  m.precision = heard.empty() ? 0 : static_cast<double>(hits) / static_cast<double>(heard.size());
  m.recall = truth.empty() ? 0 : static_cast<double>(hits) / static_cast<double>(truth.size());
  m.f = m.precision + m.recall > 0 ? 2 * m.precision * m.recall / (m.precision + m.recall) : 0;
  return m;
}

inline bool TempoWithin(double heard_bpm, double true_bpm, double tolerance) {
  return std::abs(heard_bpm - true_bpm) <= tolerance * true_bpm;
}
inline bool TempoUpToOctave(double heard_bpm, double true_bpm, double tolerance) {
  for (const double factor : {1.0, 2.0, 3.0, 0.5, 1.0 / 3}) {
    if (TempoWithin(heard_bpm, true_bpm * factor, tolerance)) return true;
  }
  return false;
}

inline double CentsApart(double a_hz, double b_hz) { return 1200 * std::abs(std::log2(a_hz / b_hz)); }

// Value of a pitch track at a time: its nearest frame; 0 where unvoiced or outside.
inline double PitchAt(const Pitch& pitch, double time_s) {
  const auto after = std::lower_bound(pitch.times_s.begin(), pitch.times_s.end(), time_s);
  if (after == pitch.times_s.end()) return pitch.f0_hz.empty() ? 0 : pitch.f0_hz.back();
  size_t i = static_cast<size_t>(after - pitch.times_s.begin());
  if (i > 0 && time_s - pitch.times_s[i - 1] < pitch.times_s[i] - time_s) --i;
  return pitch.f0_hz[i];
}

// "Am7" -> "Am", "Gmaj7" -> "G", "Bdim" as it is: chords are judged as triads.
inline std::string Triad(const std::string& label) {
  if (label.empty() || label == "N") return "N";
  size_t at = label.size() > 1 && (label[1] == '#' || label[1] == 'b') ? 2 : 1;
  const std::string kind = label.substr(at);
  if (kind == "dim") return label;
  const bool minor = kind.rfind("m", 0) == 0 && kind.rfind("maj", 0) != 0;
  return label.substr(0, at) + (minor ? "m" : "");
}

}  // namespace grym::testing
