#include <algorithm>
#include <cmath>

#include "analysis/rhythm.h"
#include "dsp/statistics.h"

namespace grym {
namespace {

constexpr size_t kFewestBeats = 9;

// What tells the first beat of a bar, each as a series over beats with mean 0 and deviation 1: bass onsets (the kick),
// change of harmony (Goto 2001), and loudness of the onset.
std::vector<double> BarEvidence(const OnsetSeries& onsets, const ChromaFrames& chroma,
                                const std::vector<double>& beats) {
  const size_t count = beats.size();
  std::vector<double> bass(count), change(count), whole(count);
  const auto peak_near = [&](const std::vector<float>& series, double time) {
    const int64_t centre = std::lround(time * onsets.rate_hz), reach = std::lround(0.04 * onsets.rate_hz);
    float best = 0;
    for (int64_t i = std::max<int64_t>(0, centre - reach);
         i <= std::min<int64_t>(centre + reach, static_cast<int64_t>(series.size()) - 1); ++i) {
      best = std::max(best, series[i]);
    }
    return static_cast<double>(best);
  };
  const auto harmony = [&](double from_s, double to_s) {
    std::array<double, 12> sum{};
    const int64_t last = static_cast<int64_t>(chroma.treble.size()) - 1;
    const int64_t from = std::clamp<int64_t>(std::lround(from_s * chroma.rate_hz), 0, last);
    const int64_t to = std::clamp<int64_t>(std::lround(to_s * chroma.rate_hz), from, last);
    for (int64_t i = from; i <= to && last >= 0; ++i) {
      for (int p = 0; p < 12; ++p) sum[p] += chroma.treble[i][p] + chroma.bass[i][p];
    }
    double norm = 0;
    for (const double v : sum) norm += v * v;
    for (double& v : sum) v /= std::sqrt(norm) + 1e-9;
    return sum;
  };
  for (size_t i = 0; i < count; ++i) {
    bass[i] = std::sqrt(peak_near(onsets.registers[0], beats[i]));
    whole[i] = std::sqrt(peak_near(onsets.whole, beats[i]));
    const double before = i > 0 ? beats[i - 1] : std::max(0.0, 2 * beats[i] - beats[i + 1]);
    const double after = i + 1 < count ? beats[i + 1] : 2 * beats[i] - beats[i - 1];
    const auto a = harmony(before, beats[i]), b = harmony(beats[i], after);
    double dot = 0;
    for (int p = 0; p < 12; ++p) dot += a[p] * b[p];
    change[i] = i == 0 ? 0 : 1 - dot;
  }
  std::vector<double> evidence(count);
  for (const auto& [series, weight] : {std::pair{&bass, 1.0}, {&change, 1.2}, {&whole, 0.5}}) {
    const double mean = Mean(*series), deviation = StandardDeviation(*series);
    if (deviation < 1e-9) continue;
    for (size_t i = 0; i < count; ++i) evidence[i] += weight * std::clamp(((*series)[i] - mean) / deviation, -2.0, 2.0);
  }
  return evidence;
}

struct BarGuess {
  int meter = 0, phase = 0;
  double score = -1e9;
};

// How far the evidence on the bar's first beats stands above the rest, in standard errors.
BarGuess BestPhase(const std::vector<double>& evidence, int meter) {
  BarGuess best;
  const double deviation = StandardDeviation(evidence) + 1e-9;
  for (int phase = 0; phase < meter; ++phase) {
    double on = 0, off = 0;
    int64_t ons = 0, offs = 0;
    for (size_t i = 0; i < evidence.size(); ++i) {
      const bool first = static_cast<int>(i) % meter == phase;
      (first ? on : off) += evidence[i];
      ++(first ? ons : offs);
    }
    if (ons == 0 || offs == 0) continue;
    const double score =
        (on / static_cast<double>(ons) - off / static_cast<double>(offs)) / deviation *
        std::sqrt(static_cast<double>(ons) * static_cast<double>(offs) / static_cast<double>(ons + offs));
    if (score > best.score) best = {meter, phase, score};
  }
  return best;
}

}  // namespace

void FindBars(const OnsetSeries& onsets, const ChromaFrames& chroma, Rhythm& rhythm) {
  if (rhythm.beats_s.size() < kFewestBeats) return;
  const std::vector<double> evidence = BarEvidence(onsets, chroma, rhythm.beats_s);
  const BarGuess three = BestPhase(evidence, 3), four = BestPhase(evidence, 4);
  // Most music counts four; three must be clearly better, also than the two of kick and snare.
  const double even = std::max(four.score, BestPhase(evidence, 2).score);
  const BarGuess best = three.score > 1.15 * even + 0.5 ? three : four;
  const BarGuess& other = best.meter == 3 ? four : three;
  rhythm.meter_confidence = std::clamp((best.score - std::max(0.0, other.score)) / 6, 0.0, 1.0);
  if (best.score < 1.0) return;  // no beat stands out: no bars
  rhythm.meter = best.meter;
  for (size_t i = best.phase; i < rhythm.beats_s.size(); i += best.meter)
    rhythm.downbeats_s.push_back(rhythm.beats_s[i]);
}

}  // namespace grym
