#include <algorithm>
#include <cmath>

#include "analysis/rhythm.h"
#include "analysis/tempo_meter.h"
#include "dsp/statistics.h"

namespace grym {

BeatCurve BeatActivation(const OnsetSeries& onsets, float floor) {
  BeatCurve activation;
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
  for (size_t i = 0; i < halved.size(); ++i) halved[i] = std::max(0.0f, halved[i] - mean[i] - floor);
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

TempoEstimate EstimateTempo(const BeatCurve& activation) {
  TempoEstimate estimate;
  if (activation.values.size() < 2 * activation.rate_hz) return estimate;
  constexpr int64_t kWindow = TempoMeter::kWindow;
  TempoMeter meter(activation.rate_hz);
  const std::span<const float> values = activation.values;
  for (int64_t start = 0; start == 0 || start + kWindow / 2 < std::ssize(values); start += kWindow / 2) {
    const int64_t length = std::min<int64_t>(kWindow, std::ssize(values) - start);
    meter.Add(values.subspan(static_cast<size_t>(start), static_cast<size_t>(length)));
  }
  meter.Score();
  estimate.bpm = meter.best_bpm();
  if (estimate.bpm <= 0) return estimate;
  const double best = meter.best_near(estimate.bpm, 0.03);
  for (const double level : {1 / 3.0, 0.5, 2 / 3.0, 1.5, 2.0, 3.0}) {
    estimate.rivalry = std::max(estimate.rivalry, meter.best_near(level * estimate.bpm, 0.03) / best);
  }
  return estimate;
}

}  // namespace grym
