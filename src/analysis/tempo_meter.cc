#include "analysis/tempo_meter.h"

#include <algorithm>
#include <cmath>

#include "analysis/rhythm.h"
#include "dsp/statistics.h"

namespace grym {
namespace {

constexpr double kSlowest_bpm = 40, kFastest_bpm = 240;
constexpr double kPreferred_bpm = 115, kPreferredSpread = 0.4;  // octaves
constexpr double kGrid = 1.005;                                 // half a per cent

double At(const std::vector<double>& values, double index) {
  const int64_t low = static_cast<int64_t>(index);
  if (low < 0 || low + 1 >= static_cast<int64_t>(values.size())) return 0;
  const double share = index - static_cast<double>(low);
  return values[low] * (1 - share) + values[low + 1] * share;
}

}  // namespace

TempoMeter::TempoMeter(double rate_hz)
    : rate_hz_(rate_hz),
      fft_(4 * kWindow),
      correlation_(kWindow),
      power_(fft_.bins()),
      frame_(fft_.size()),
      back_(fft_.size()),
      bins_(fft_.bins()) {
  for (double bpm = kSlowest_bpm; bpm <= kFastest_bpm; bpm *= kGrid) grid_bpm_.push_back(bpm);
  scores_.resize(grid_bpm_.size());
}

void TempoMeter::Clear() {
  std::fill(correlation_.begin(), correlation_.end(), 0.0);
  std::fill(power_.begin(), power_.end(), 0.0);
  windows_ = 0;
}

// The autocorrelation is corrected for the shrinking overlap.
void TempoMeter::Add(std::span<const float> activation) {
  const auto length = static_cast<int64_t>(activation.size());
  std::fill(frame_.begin(), frame_.end(), 0.0f);
  // Squared: the activation is a root, and the beat is told by its strong strokes.
  for (int64_t n = 0; n < length; ++n) frame_[n] = activation[n] * activation[n];
  const auto mean = static_cast<float>(Mean(std::span<const float>(frame_).first(activation.size())));
  double energy = 0;
  for (int64_t n = 0; n < length; ++n) {
    frame_[n] -= mean;
    energy += static_cast<double>(frame_[n]) * frame_[n];
  }
  if (energy <= 0) return;
  fft_.Forward(frame_.data(), bins_.data());
  for (int k = 0; k < fft_.bins(); ++k) {
    const float power = std::norm(bins_[k]);
    power_[k] += power / energy;
    bins_[k] = power;
  }
  fft_.Inverse(bins_.data(), back_.data());
  for (int lag = 0; lag < std::min<int64_t>(kWindow, length * 3 / 4); ++lag) {
    correlation_[lag] += back_[lag] / energy * static_cast<double>(length) / static_cast<double>(length - lag);
  }
  windows_ += 1;
}

double TempoMeter::ScoreOf(double bpm) const {
  const double lag = 60 * rate_hz_ / bpm;
  double comb = 0, weight = 0;
  for (int k = 1; k <= 4; ++k) {
    if (k * lag >= kWindow - 1) break;
    comb += At(correlation_, k * lag);
    weight += 1;
  }
  comb = std::max(0.0, comb / weight);
  // A level that only every other stroke confirms is half a beat.
  const double once = At(correlation_, lag), twice = At(correlation_, 2 * lag);
  const double confirmed = twice > 0 ? std::clamp(once / twice, 0.0, 1.0) : once > 0 ? 1.0 : 0.0;
  double spectrum = 0;
  // A level without a line of its own has strong strokes on every half of it alike: nothing marks the beat.
  const auto line = [&](double factor) {
    return std::sqrt(At(power_, factor * bpm / 60 / rate_hz_ * fft_.size()));
  };
  const double marked = std::min(1.0, 0.6 + 2 * line(1) / (line(2) + 1e-9));
  for (const auto& [level, share] : kBeatLevels) spectrum += share * line(level);
  const double octaves = std::log2(bpm / kPreferred_bpm) / kPreferredSpread;
  return comb * (0.35 + 0.65 * confirmed) * marked * spectrum * std::exp(-0.5 * octaves * octaves);
}

void TempoMeter::Score() {
  // The correlation enters once, the power by its root.
  const double windows = std::max(1.0, windows_), scale = windows * std::sqrt(windows);
  for (size_t i = 0; i < grid_bpm_.size(); ++i) scores_[i] = ScoreOf(grid_bpm_[i]) / scale;
}

double TempoMeter::best_near(double bpm, double within) const {
  double best = 0;
  for (size_t i = 0; i < scores_.size(); ++i) {
    if (std::abs(grid_bpm_[i] / bpm - 1) < within) best = std::max(best, scores_[i]);
  }
  return best;
}

double TempoMeter::best_bpm() const {
  const auto best = std::max_element(scores_.begin(), scores_.end());
  return *best > 0 ? grid_bpm_[static_cast<size_t>(best - scores_.begin())] : 0;
}

}  // namespace grym
