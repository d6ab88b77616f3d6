#include <algorithm>
#include <cmath>
#include <complex>
#include <numbers>
#include <utility>

#include "analysis/rhythm.h"
#include "dsp/fft.h"
#include "dsp/statistics.h"

namespace grym {
namespace {

constexpr double kSlowest_bpm = 40, kFastest_bpm = 240;
constexpr double kPreferred_bpm = 115, kPreferredSpread = 0.4;  // octaves
constexpr int kTempoWindow = 1024;  // frames, 12 s: a few bars of anything
constexpr double kGrid = 1.005;     // half a per cent

// Mean over windows of the autocorrelation, each divided by its energy and corrected for the shrinking overlap.
struct Periodicity {
  std::vector<double> correlation;  // by lag in frames
  std::vector<double> power;        // squared magnitude of the spectrum
  int size = 0;                     // of the transform
};

Periodicity MeasurePeriodicity(const Activation& activation) {
  Periodicity result;
  result.size = 4 * kTempoWindow;
  RealFft fft(result.size);
  result.correlation.assign(kTempoWindow, 0);
  result.power.assign(fft.bins(), 0);
  std::vector<float> frame(result.size), back(result.size);
  std::vector<std::complex<float>> bins(fft.bins());
  // Squared: the activation is a root, and the beat is told by its strong strokes.
  std::vector<float> strength = activation.values;
  for (float& value : strength) value *= value;
  const int64_t count = static_cast<int64_t>(strength.size());
  double weight = 0;
  for (int64_t start = 0; start == 0 || start + kTempoWindow / 2 < count; start += kTempoWindow / 2) {
    const int64_t length = std::min<int64_t>(kTempoWindow, count - start);
    std::fill(frame.begin(), frame.end(), 0.0f);
    const double mean = Mean(std::span<const float>(strength).subspan(start, length));
    double energy = 0;
    for (int64_t n = 0; n < length; ++n) {
      frame[n] = strength[start + n] - static_cast<float>(mean);
      energy += static_cast<double>(frame[n]) * frame[n];
    }
    if (energy <= 0) continue;
    fft.Forward(frame.data(), bins.data());
    for (int k = 0; k < fft.bins(); ++k) {
      const float power = std::norm(bins[k]);
      result.power[k] += power / energy;
      bins[k] = power;
    }
    fft.Inverse(bins.data(), back.data());
    for (int lag = 0; lag < std::min<int64_t>(kTempoWindow, length * 3 / 4); ++lag) {
      result.correlation[lag] += back[lag] / energy * static_cast<double>(length) / static_cast<double>(length - lag);
    }
    weight += 1;
  }
  for (double& value : result.correlation) value /= std::max(1.0, weight);
  for (double& value : result.power) value /= std::max(1.0, weight);
  return result;
}

double At(const std::vector<double>& values, double index) {
  const int64_t low = static_cast<int64_t>(index);
  if (low < 0 || low + 1 >= static_cast<int64_t>(values.size())) return 0;
  const double share = index - static_cast<double>(low);
  return values[low] * (1 - share) + values[low + 1] * share;
}

}  // namespace

Activation BeatActivation(const OnsetSeries& onsets) {
  Activation activation;
  activation.rate_hz = onsets.rate_hz / 2;
  std::vector<float> halved(onsets.whole.size() / 2);
  for (size_t i = 0; i < halved.size(); ++i) {
    const auto weigh = [&](size_t j) {
      return onsets.whole[j] + 1.0f * onsets.registers[0][j];  // kick and bass count double: they carry the beat
    };
    halved[i] = 0.5f * (weigh(2 * i) + weigh(2 * i + 1));
  }
  const auto frames_of = [&](double seconds) { return static_cast<int>(std::lround(seconds * activation.rate_hz)); };
  const std::vector<float> mean = MovingMean(halved, frames_of(0.4), frames_of(0.4));
  for (size_t i = 0; i < halved.size(); ++i) halved[i] = std::max(0.0f, halved[i] - mean[i]);
  // Loudness of the last and next 4 s becomes one; a pause stays a pause.
  const std::vector<float> largest = MovingMaximum(halved, frames_of(4), frames_of(4));
  const double strong = Percentile(halved, 0.98);
  for (size_t i = 0; i < halved.size(); ++i) {
    const double scale = std::max<double>(0.8 * largest[i], 0.5 * strong);
    halved[i] = scale > 0.3 ? static_cast<float>(std::min(1.0, std::sqrt(halved[i] / scale))) : 0.0f;
  }
  activation.values = std::move(halved);
  return activation;
}

// Peaks of the autocorrelation at the beat and its multiples, times the Fourier tempogram at the beat, whose octave
// errors go the other way (Peeters 2007), times how people tap (log-normal; van Noorden and Moelants 1999, McKinney and
// Moelants 2006).
TempoEstimate EstimateTempo(const Activation& activation) {
  TempoEstimate estimate;
  if (activation.values.size() < 2 * activation.rate_hz) return estimate;
  const Periodicity periodicity = MeasurePeriodicity(activation);
  double best = 0;
  for (double bpm = kSlowest_bpm; bpm <= kFastest_bpm; bpm *= kGrid) {
    const double lag = 60 * activation.rate_hz / bpm;
    double comb = 0, weight = 0;
    for (int k = 1; k <= 4; ++k) {
      if (k * lag >= kTempoWindow - 1) break;
      comb += At(periodicity.correlation, k * lag);
      weight += 1;
    }
    comb = std::max(0.0, comb / weight);
    // A level that only every other stroke confirms is half a beat.
    const double once = At(periodicity.correlation, lag), twice = At(periodicity.correlation, 2 * lag);
    const double confirmed = twice > 0 ? std::clamp(once / twice, 0.0, 1.0) : once > 0 ? 1.0 : 0.0;
    double spectrum = 0;
    // A level without a line of its own has strong strokes on every half of it alike: nothing marks the beat.
    const auto line = [&](double factor) {
      return std::sqrt(At(periodicity.power, factor * bpm / 60 / activation.rate_hz * periodicity.size));
    };
    const double marked = std::min(1.0, 0.6 + 2 * line(1) / (line(2) + 1e-9));
    for (const auto& [level, share] : kBeatLevels) spectrum += share * line(level);
    const double octaves = std::log2(bpm / kPreferred_bpm) / kPreferredSpread;
    const double score = comb * (0.35 + 0.65 * confirmed) * marked * spectrum * std::exp(-0.5 * octaves * octaves);
    if (score > best) {
      best = score;
      estimate.bpm = bpm;
    }
  }
  return estimate;
}

}  // namespace grym
