#include "analysis/tonal_stream.h"

#include <algorithm>
#include <cmath>

#include "dsp/decibels.h"
#include "dsp/logarithm.h"

namespace grym {
namespace {
constexpr double kTonalBinHz = static_cast<double>(kTonalRateHz) / TonalStream::kSize;
constexpr double kLowestPeakHz = 40, kHighestPeakHz = 5000;
constexpr float kPeakRange_db = 60;      // below the frame's largest
constexpr float kQuietestPeak_db = -85;  // below full scale
constexpr int kHumBins = 372;            // 1 kHz
float PeakDb(float power) { return VectorDbOfPower(power + 1e-20f); }
}  // namespace

double TonalPeak::hz() const { return kLowestHz * std::exp2(cents / 1200.0); }
double TonalPeak::gain() const { return GainOfDb(centibels / 100.0 - 200); }

TonalStream::TonalStream(int at_once, TonalListener* listener)
    : listener_(listener),
      framer_(kSize, kHop, -1, at_once),
      fft_(kSize),
      window_(MakeWindow(WindowKind::kBlackmanHarris, kSize)),
      power_(kSize / 2 + 1),
      power_lanes_(power_.size() * kLanes) {
  // Amplitude of a full-scale sine comes out as 1.
  double sum = 0;
  for (const float w : window_) sum += w;
  for (float& w : window_) w *= static_cast<float>(2 / sum);
  frames_.rate_hz = static_cast<double>(kTonalRateHz) / kHop;
  frames_.mean_power.resize(kHumBins);
  candidates_.reserve(power_.size());
  found_.reserve(kMostPeaks);
}

void TonalStream::Reserve(int64_t samples) {
  most_frames_ = samples > 0 ? 1 + samples / kHop : 0;
  frames_.first.reserve(static_cast<size_t>(most_frames_ + 1));
  frames_.level.reserve(static_cast<size_t>(most_frames_));
  frames_.peaks.reserve(static_cast<size_t>(most_frames_ * kMostPeaks));
}

void TonalStream::Push(std::span<const float> mono) {
  framer_.Push(mono, [this](const float* first, int frames) { Take(first, frames); });
}

void TonalStream::Take(const float* first, int frames) {
  fft_.Power(first, kHop, window_.data(), power_lanes_.data());
  for (int f = 0; f < frames; ++f) {
    TakeLane(power_lanes_.data(), kSize / 2 + 1, f, power_.data());
    TakePeaks();
  }
}

// Local maxima, placed by a parabola through the logarithms of three bins. Source: Smith and Serra 1987 (PARSHL).
void TonalStream::TakePeaks() {
  const bool kept = frames_.frames() < most_frames_;
  for (int k = 0; kept && k < kHumBins; ++k) frames_.mean_power[k] += power_[k];
  const int first = static_cast<int>(kLowestPeakHz / kTonalBinHz),
            last = static_cast<int>(kHighestPeakHz / kTonalBinHz);
  const float largest = *std::max_element(power_.begin() + first, power_.begin() + last);
  const float threshold = std::max(largest * static_cast<float>(PowerOfDb(-kPeakRange_db)),
                                   static_cast<float>(PowerOfDb(kQuietestPeak_db)));
  candidates_.clear();
  for (int k = first; k < last; ++k) {
    if (power_[k] < threshold || power_[k] <= power_[k - 1] || power_[k] < power_[k + 1]) continue;
    const float a = PeakDb(power_[k - 1]), b = PeakDb(power_[k]), c = PeakDb(power_[k + 1]);
    const float shift = 0.5f * (a - c) / std::min(-1e-6f, a - 2 * b + c);
    candidates_.push_back({b - 0.25f * (a - c) * shift, (k + shift) * kTonalBinHz});
  }
  if (candidates_.size() > kMostPeaks) {
    std::nth_element(candidates_.begin(), candidates_.begin() + kMostPeaks, candidates_.end(),
                     [](const Candidate& x, const Candidate& y) {
                       return x.level_db != y.level_db ? x.level_db > y.level_db : x.hz < y.hz;
                     });
    candidates_.resize(kMostPeaks);
    std::sort(candidates_.begin(), candidates_.end(),
              [](const Candidate& x, const Candidate& y) { return x.hz < y.hz; });
  }
  double level = 0;
  found_.clear();
  for (const Candidate& candidate : candidates_) {
    TonalPeak peak;
    peak.cents = static_cast<uint16_t>(
        std::clamp(std::lround(1200 * std::log2(candidate.hz / TonalPeak::kLowestHz)), 0L, 65535L));
    peak.centibels = static_cast<uint16_t>(std::clamp(std::lround((candidate.level_db + 200) * 100), 0L, 65535L));
    level += PowerOfDb(candidate.level_db);
    found_.push_back(peak);
  }
  if (listener_) listener_->HearPeaks(found_);
  if (!kept) return;
  frames_.peaks.insert(frames_.peaks.end(), found_.begin(), found_.end());
  frames_.first.push_back(static_cast<int64_t>(frames_.peaks.size()));
  frames_.level.push_back(static_cast<float>(level));
}

TonalFrames TonalStream::Finish() {
  framer_.Finish([this](const float* first, int frames) { Take(first, frames); });
  for (double& power : frames_.mean_power) power /= static_cast<double>(std::max<int64_t>(1, frames_.frames()));
  return std::move(frames_);
}

}  // namespace grym
