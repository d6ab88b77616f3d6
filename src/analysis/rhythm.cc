#include "analysis/rhythm.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "dsp/statistics.h"

namespace grym {
namespace {

constexpr double kSteady = 7.3, kNoise = 4.2;  // of SteadyTempo::significance
constexpr double kSteadyRange = 1.06;          // how far beats of a steady clock may stray from it

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

// How far onset strength on the beats stands above its mean.
double PulseContrast(const BeatCurve& activation, const std::vector<double>& beats) {
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

// How alike the onset patterns of neighbouring beats are: each beat's activation in twelve parts, correlated with the
// beats one, two and four later, the best of the three. Follows the beats, so a changing tempo costs nothing.
double BeatLikeness(const BeatCurve& activation, const std::vector<double>& beats) {
  constexpr int kParts = 12;
  std::vector<std::array<double, kParts>> patterns;
  double total = 0;
  for (size_t b = 0; b + 1 < beats.size(); ++b) {
    std::array<double, kParts> pattern{};
    for (int part = 0; part < kParts; ++part) {
      const double length = beats[b + 1] - beats[b];
      // The first part is centred on the beat.
      const int64_t from = std::lround((beats[b] + length * (part - 0.5) / kParts) * activation.rate_hz);
      const int64_t to =
          std::max(from + 1,
                   static_cast<int64_t>(std::lround((beats[b] + length * (part + 0.5) / kParts) * activation.rate_hz)));
      for (int64_t i = from; i < to; ++i) {
        if (i >= 0 && i < static_cast<int64_t>(activation.values.size()))
          pattern[part] = std::max<double>(pattern[part], activation.values[i]);
      }
      total += pattern[part];
    }
    patterns.push_back(pattern);
  }
  const double mean = total / static_cast<double>(std::max<size_t>(1, patterns.size()) * kParts);
  double best = 0;
  for (const size_t lag : {size_t{1}, size_t{2}, size_t{4}}) {
    double product = 0, energy = 1e-9;
    for (size_t b = 0; b + lag < patterns.size(); ++b) {
      for (int part = 0; part < kParts; ++part) {
        const double x = patterns[b][part] - mean, y = patterns[b + lag][part] - mean;
        product += x * y;
        energy += 0.5 * (x * x + y * y);
      }
    }
    if (patterns.size() >= lag + 4) best = std::max(best, product / energy);
  }
  return best;
}

// How sure it is that the beats found are any, by the strokes alone: vibrato is as steady as a drummer.
double ThereIsABeat(const BeatCurve& strokes, double bpm, const std::vector<double>& beats) {
  // The tracker finds beats in anything and pulls them onto onsets, so random onsets already reach a likeness of about
  // 0.35 and a contrast of 0.15; what is above counts.
  double sure = std::clamp((BeatLikeness(strokes, beats) - 0.35) / 0.45, 0.0, 1.0) *
                std::clamp((PulseContrast(strokes, beats) - 0.15) / 0.3, 0.0, 1.0);
  // A clock that holds over the whole length speaks for a beat too, however the patterns on it change.
  const SteadyTempo steady = MeasureSteadyTempo(strokes, bpm);
  if (steady.agreed) sure += std::clamp((steady.significance - kSteady) / 5, 0.0, 1.0);
  if (steady.significance < kNoise) sure -= 0.2;
  return std::clamp(sure, 0.0, 1.0);
}

}  // namespace

Rhythm FindRhythm(const OnsetSeries& onsets, std::span<const double> onsets_s, const ChromaFrames& chroma,
                  double duration_s, const CancelToken& cancel) {
  Rhythm rhythm;
  const BeatCurve activation = BeatActivation(onsets);
  const TempoEstimate tempo = EstimateTempo(activation);
  if (tempo.bpm <= 0) return rhythm;
  const SteadyTempo steady = MeasureSteadyTempo(activation, tempo.bpm);
  const bool is_steady = steady.agreed && steady.significance >= kSteady;
  std::vector<double> beats = is_steady ? TrackBeats(activation, steady.bpm, onsets_s, kSteadyRange, cancel)
                                        : TrackBeats(activation, tempo.bpm, onsets_s, kChangingRange, cancel);
  while (!beats.empty() && beats.back() >= duration_s) beats.pop_back();
  if (beats.size() < 4) return rhythm;
  rhythm.tempo_confidence = ThereIsABeat(BeatActivation(onsets, kFaintRise), tempo.bpm, beats);
  if (rhythm.tempo_confidence < 0.25) return rhythm;
  // There is a beat; which of its levels is the tempo is another question. Of 80 composed pieces the 60 whose best rival
  // speaks less than half as loud were all right, of the rest 12.
  rhythm.tempo_confidence *= 1 - 0.5 * std::clamp((tempo.rivalry - 0.4) / 0.15, 0.0, 1.0);
  rhythm.tempo_bpm = is_steady ? steady.bpm : TempoOfBeats(beats);
  rhythm.beats_s = std::move(beats);
  FindBars(onsets, chroma, rhythm);
  return rhythm;
}

}  // namespace grym
