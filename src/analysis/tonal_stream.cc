#include "analysis/tonal_stream.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "dsp/decibels.h"
#include "dsp/dispatch.h"
#include "dsp/logarithm.h"

namespace grym {
namespace {
constexpr double kTonalBinHz = static_cast<double>(kTonalRateHz) / TonalStream::kSize;
constexpr double kLowestPeakHz = 40, kHighestPeakHz = 5000;
constexpr float kPeakRange_db = 60;      // below the frame's largest
constexpr float kQuietestPeak_db = -85;  // below full scale
constexpr int kHumBins = 372;            // 1 kHz
constexpr int kTonalBins = TonalStream::kSize / 2 + 1;

GRYM_HOT void AddPower(const float* GRYM_RESTRICT power, int count, double* GRYM_RESTRICT sums) {
  for (int k = 0; k < count; ++k) sums[k] += power[k];
}

// `count` a multiple of 8.
GRYM_HOT float LargestOf(const float* values, int count) {
  float most[kLanes] = {};
  for (int k = 0; k < count; k += kLanes) {
    for (int lane = 0; lane < kLanes; ++lane) {
      most[lane] = values[k + lane] > most[lane] ? values[k + lane] : most[lane];
    }
  }
  return *std::max_element(most, most + kLanes);
}

GRYM_HOT void MarkMaxima(const float* GRYM_RESTRICT power, int count, float threshold,
                         unsigned char* GRYM_RESTRICT marks) {
  for (int k = 0; k < count; ++k) {
    marks[k] = static_cast<unsigned char>((power[k] >= threshold) & (power[k] > power[k - 1]) &
                                          (power[k] >= power[k + 1]));
  }
}

// Level of a parabola's top through the decibels of three bins each, and where it lies between them.
GRYM_HOT void ParabolasThrough(const float* GRYM_RESTRICT before, const float* GRYM_RESTRICT at,
                               const float* GRYM_RESTRICT after, int count, float* GRYM_RESTRICT level_db,
                               float* GRYM_RESTRICT shift) {
  for (int i = 0; i < count; ++i) {
    const float a = VectorDbOfPower(before[i] + 1e-20f), b = VectorDbOfPower(at[i] + 1e-20f),
                c = VectorDbOfPower(after[i] + 1e-20f), curve = a - 2 * b + c;
    shift[i] = 0.5f * (a - c) / (curve < -1e-6f ? curve : -1e-6f);
    level_db[i] = b - 0.25f * (a - c) * shift[i];
  }
}

// 10^(centibels / 2000 - 10) as a product of two: within 1e-15 of it, at a tenth of the cost.
struct GainTable {
  std::array<double, 256> coarse, fine;
  GainTable() {
    for (int i = 0; i < 256; ++i) {
      coarse[static_cast<size_t>(i)] = GainOfDb(256 * i / 100.0 - 200);
      fine[static_cast<size_t>(i)] = GainOfDb(i / 100.0);
    }
  }
};
}  // namespace

double TonalPeak::hz() const { return kLowestHz * std::exp2(cents / 1200.0); }
double TonalPeak::gain() const {
  static const GainTable table;
  return table.coarse[centibels >> 8] * table.fine[centibels & 255];
}

TonalStream::TonalStream(int at_once, TonalListener* listener)
    : listener_(listener),
      framer_(kSize, kHop, -1, at_once),
      fft_(kSize),
      window_(MakeWindow(WindowKind::kBlackmanHarris, kSize)),
      power_(size_t{kTonalBins} * kLanes),
      power_lanes_(power_.size()) {
  // Amplitude of a full-scale sine comes out as 1.
  double sum = 0;
  for (const float w : window_) sum += w;
  for (float& w : window_) w *= static_cast<float>(2 / sum);
  frames_.rate_hz = static_cast<double>(kTonalRateHz) / kHop;
  frames_.mean_power.resize(kHumBins);
  // A maximum has a lower neighbour on either side.
  candidates_.reserve(kTonalBins / 2 + 1);
  maxima_.reserve(kTonalBins / 2 + 1);
  for (std::vector<float>& of_maxima : of_maxima_) of_maxima.resize(kTonalBins / 2 + 1);
  marks_.resize(kTonalBins + 7);
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
  TakeLanes(power_lanes_.data(), kTonalBins, power_.data(), kTonalBins);
  for (int f = 0; f < frames; ++f) TakePeaks(power_.data() + static_cast<std::ptrdiff_t>(f) * kTonalBins);
}

// Local maxima, placed by a parabola through the logarithms of three bins. Source: Smith and Serra 1987 (PARSHL).
void TonalStream::FindCandidates(const float* power) {
  constexpr int kFirst = static_cast<int>(kLowestPeakHz / kTonalBinHz),
                kLast = static_cast<int>(kHighestPeakHz / kTonalBinHz), kCount = kLast - kFirst;
  float largest = LargestOf(power + kFirst, kCount / kLanes * kLanes);
  for (int k = kFirst + kCount / kLanes * kLanes; k < kLast; ++k) largest = std::max(largest, power[k]);
  const float threshold = std::max(largest * static_cast<float>(PowerOfDb(-kPeakRange_db)),
                                   static_cast<float>(PowerOfDb(kQuietestPeak_db)));
  MarkMaxima(power + kFirst, kCount, threshold, marks_.data());
  maxima_.clear();
  for (int k = 0; k < kCount; k += 8) {
    uint64_t eight = 0;
    std::memcpy(&eight, marks_.data() + k, sizeof(eight));
    for (int i = k; eight != 0 && i < std::min(k + 8, kCount); ++i) {
      if (marks_[static_cast<size_t>(i)]) maxima_.push_back(kFirst + i);
    }
  }
  auto& [before, at, after, level_db, shift] = of_maxima_;
  for (size_t i = 0; i < maxima_.size(); ++i) {
    before[i] = power[maxima_[i] - 1];
    at[i] = power[maxima_[i]];
    after[i] = power[maxima_[i] + 1];
  }
  ParabolasThrough(before.data(), at.data(), after.data(), static_cast<int>(maxima_.size()), level_db.data(),
                   shift.data());
  candidates_.clear();
  for (size_t i = 0; i < maxima_.size(); ++i) {
    candidates_.push_back({level_db[i], (static_cast<float>(maxima_[i]) + shift[i]) * kTonalBinHz});
  }
}

void TonalStream::TakePeaks(const float* power) {
  const bool kept = frames_.frames() < most_frames_;
  if (kept) AddPower(power, kHumBins, frames_.mean_power.data());
  FindCandidates(power);
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
