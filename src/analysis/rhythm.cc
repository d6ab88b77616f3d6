#include "analysis/rhythm.h"

#include <algorithm>
#include <cmath>

#include "dsp/statistics.h"

namespace grym {
namespace {

// Beats a minute of the steady grid through the beats: the median interval, then the least-squares line through all
// beats that lie on its grid. Where tempo drifts the median stays.
double TempoOfBeats(const std::vector<double>& beats) {
  std::vector<double> intervals;
  for (size_t i = 1; i < beats.size(); ++i) intervals.push_back(beats[i] - beats[i - 1]);
  const double median = Median(intervals);
  if (median <= 0) return 0;
  double n = 0, sx = 0, sy = 0, sxx = 0, sxy = 0, index = 0, period = median;
  for (size_t i = 0; i < beats.size(); ++i) {
    if (i > 0) index += std::max(1.0, std::round((beats[i] - beats[i - 1]) / median));
    n += 1;
    sx += index;
    sy += beats[i];
    sxx += index * index;
    sxy += index * beats[i];
  }
  const double spread = n * sxx - sx * sx;
  if (spread > 0) period = (n * sxy - sx * sy) / spread;
  const double offset = (sy - period * sx) / n;
  double error = 0;
  index = 0;
  for (size_t i = 0; i < beats.size(); ++i) {
    if (i > 0) index += std::max(1.0, std::round((beats[i] - beats[i - 1]) / median));
    error += std::abs(beats[i] - offset - period * index);
  }
  const bool steady = error / n < 0.08 * median;
  return 60 / (steady ? period : median);
}

double PulseContrast(const Activation& activation, const std::vector<double>& beats) {
  double on = 0, all = 0;
  for (const double beat : beats) {
    const int64_t centre = std::lround(beat * activation.rate_hz - 0.25);
    float peak = 0;
    for (int64_t i = centre - 3; i <= centre + 2; ++i) {
      if (i >= 0 && i < static_cast<int64_t>(activation.values.size())) peak = std::max(peak, activation.values[i]);
    }
    on += peak;
  }
  for (const float value : activation.values) all += value;
  on /= static_cast<double>(std::max<size_t>(1, beats.size()));
  all /= static_cast<double>(std::max<size_t>(1, activation.values.size()));
  return std::clamp(on - all, 0.0, 1.0);
}

}  // namespace

Rhythm FindRhythm(const OnsetSeries& onsets, std::span<const double> onsets_s, const ChromaFrames& chroma, double duration_s) {
  Rhythm rhythm;
  const Activation activation = BeatActivation(onsets);
  const TempoEstimate tempo = EstimateTempo(activation);
  if (tempo.bpm <= 0) return rhythm;
  std::vector<double> beats = TrackBeats(activation, tempo.bpm, onsets_s);
  while (!beats.empty() && beats.back() >= duration_s) beats.pop_back();
  if (beats.size() < 4) return rhythm;
  const double contrast = PulseContrast(activation, beats);
  rhythm.tempo_confidence = std::clamp(tempo.clarity * (0.4 + contrast), 0.0, 1.0);
  if (rhythm.tempo_confidence < 0.1) return rhythm;
  rhythm.tempo_bpm = TempoOfBeats(beats);
  rhythm.beats_s = std::move(beats);
  FindBars(onsets, chroma, rhythm);
  return rhythm;
}

}  // namespace grym
