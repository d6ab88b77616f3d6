#include "analysis/pitch_tracker.h"

#include <algorithm>
#include <cmath>

#include "dsp/dispatch.h"
#include "dsp/lanes.h"

namespace grym {
namespace {
constexpr int kShortestLag = static_cast<int>(kPitchRateHz / PitchTracker::kHighestHz);
constexpr int kLongestLag = static_cast<int>(kPitchRateHz / PitchTracker::kLowestHz);
constexpr int kThresholds = 100;
constexpr double kSwitchCost = 4.6;            // -log(0.01): voiced to unvoiced or back
constexpr double kJumpCost = 1.2;              // per semitone and frame, up to an octave
constexpr double kLargestJumpCost = 8;
constexpr float kVoicelessEnergy = 1e-7f;      // mean square, -70 dBFS: below it nothing is pitched

// b = conj(a) b of spectra [bins][re, im][8]: their correlation.
GRYM_HOT void MultiplyByConjugate(const float* a, float* b, int bins) {
  const EightLanes* x = reinterpret_cast<const EightLanes*>(a);
  EightLanes* y = reinterpret_cast<EightLanes*>(b);
  for (int k = 0; k < bins; ++k) {
    const EightLanes re = x[2 * k] * y[2 * k] + x[2 * k + 1] * y[2 * k + 1];
    y[2 * k + 1] = x[2 * k] * y[2 * k + 1] - x[2 * k + 1] * y[2 * k];
    y[2 * k] = re;
  }
}

}  // namespace

PitchTracker::PitchTracker(int at_once)
    : framer_(2 * kWindow, kHop, kLead, at_once),
      fft_(2 * kWindow),
      head_(2 * kWindow),
      whole_(2 * kWindow, 1.0f),
      head_spectra_(static_cast<size_t>(kWindow + 1) * 2 * kLanes),
      spectra_(head_spectra_.size()),
      correlation_(static_cast<size_t>(2 * kWindow) * kLanes),
      normalised_(kLongestLag + 2),
      threshold_weight_(kThresholds + 1) {
  std::fill_n(head_.begin(), kWindow, 1.0f);
  double total = 0;
  std::vector<double> density(kThresholds);
  for (int i = 0; i < kThresholds; ++i) {
    const double x = (i + 0.5) / kThresholds;
    density[i] = x * std::pow(1 - x, 17);
    total += density[i];
  }
  for (int i = kThresholds - 1; i >= 0; --i) {
    threshold_weight_[i] = threshold_weight_[i + 1] + static_cast<float>(density[i] / total);
  }
  minima_.reserve(kLongestLag);
  found_.reserve(kLongestLag);
}

void PitchTracker::Reserve(int64_t samples) {
  most_frames_ = samples > 0 ? 1 + samples / kHop : 0;
  frames_.reserve(static_cast<size_t>(most_frames_));
  candidates_.reserve(static_cast<size_t>(most_frames_) * kMostCandidates);
}

void PitchTracker::Push(std::span<const float> mono) {
  framer_.Push(mono, [this](const float* first, int frames) { Take(first, frames); });
}

void PitchTracker::Take(const float* first, int frames) {
  fft_.Forward(first, kHop, head_.data(), head_spectra_.data());
  fft_.Forward(first, kHop, whole_.data(), spectra_.data());
  MultiplyByConjugate(head_spectra_.data(), spectra_.data(), kWindow + 1);
  fft_.Inverse(spectra_.data(), correlation_.data());
  for (int f = 0; f < frames; ++f) {
    const float* frame = first + static_cast<std::ptrdiff_t>(f) * kHop;
    found_.clear();
    double energy = 0;
    for (int n = 0; n < kWindow; ++n) energy += static_cast<double>(frame[n]) * frame[n];
    if (energy / kWindow >= kVoicelessEnergy) {
      Difference(frame, f);
      Collect();
    }
    Advance();
  }
}

// d'(t) of YIN, equation 8, with d(t) = e(0) + e(t) - 2 r(t).
void PitchTracker::Difference(const float* frame, int lane) {
  double head_energy = 0;
  for (int n = 0; n < kWindow; ++n) head_energy += static_cast<double>(frame[n]) * frame[n];
  double energy = head_energy, running = 0;
  normalised_[0] = 1;
  for (int lag = 1; lag <= kLongestLag + 1; ++lag) {
    energy += static_cast<double>(frame[lag + kWindow - 1]) * frame[lag + kWindow - 1] -
              static_cast<double>(frame[lag - 1]) * frame[lag - 1];
    const double difference = std::max(0.0, head_energy + energy - 2.0 * correlation_[lag * kLanes + lane]);
    running += difference;
    normalised_[lag] = running > 0 ? static_cast<float>(difference * lag / running) : 1;
  }
}

// pYIN, equation 4: every threshold votes for the first minimum below it; thresholds below all minima vote for the
// smallest with weight 0.01.
void PitchTracker::Collect() {
  minima_.clear();
  float lowest = 1;
  for (int lag = kShortestLag; lag <= kLongestLag; ++lag) {
    const float value = normalised_[lag];
    if (value < normalised_[lag - 1] && value <= normalised_[lag + 1] && value < lowest) {
      minima_.push_back(lag);  // only a new low can be the first below some threshold
      lowest = value;
    }
  }
  float ceiling = 1;
  for (const int lag : minima_) {
    const auto weight_above = [&](float level) {  // of thresholds above `level`
      return threshold_weight_[std::clamp(static_cast<int>(std::ceil(level * kThresholds - 0.5f)), 0, kThresholds)];
    };
    const float a = normalised_[lag - 1], b = normalised_[lag], c = normalised_[lag + 1];
    float probability = weight_above(b) - weight_above(ceiling);
    if (lag == minima_.back()) probability += 0.01f * (1 - weight_above(b));
    ceiling = b;
    const float curve = a - 2 * b + c, shift = curve > 1e-9f ? 0.5f * (a - c) / curve : 0;
    found_.push_back({static_cast<float>(kPitchRateHz) / (static_cast<float>(lag) + shift), probability});
  }
  std::sort(found_.begin(), found_.end(), [](const Candidate& a, const Candidate& b) {
    return a.probability != b.probability ? a.probability > b.probability : a.hz > b.hz;
  });
  if (found_.size() > kMostCandidates) found_.resize(kMostCandidates);
}

// One step of the Viterbi path over the frame's candidates.
void PitchTracker::Advance() {
  Frame frame{static_cast<int64_t>(candidates_.size()), static_cast<int>(found_.size()), {}};
  std::array<double, kStates> next{}, semitones{};
  double voiced = 0;
  for (int k = 0; k < frame.count; ++k) {
    voiced += found_[k].probability;
    semitones[k] = 12 * std::log2(found_[k].hz);
  }
  for (int k = 0; k < kStates; ++k) {
    const bool unvoiced = k == kMostCandidates;
    if (!unvoiced && k >= frame.count) {
      next[k] = -1e300;
      continue;
    }
    const double seen = unvoiced ? std::max(1e-3, (1 - voiced)) : std::max(1e-6f, found_[k].probability);
    double best = -1e301;
    int best_from = kMostCandidates;
    for (int j = 0; now_.frames > 0 && j < kStates; ++j) {
      if (j != kMostCandidates && j >= states_before_) continue;
      double cost = 0;
      if ((j == kMostCandidates) != unvoiced) cost = kSwitchCost;
      else if (!unvoiced) cost = std::min(kLargestJumpCost, kJumpCost * std::abs(semitones[k] - semitones_[j]));
      if (path_[j] - cost > best) {
        best = path_[j] - cost;
        best_from = j;
      }
    }
    frame.from[k] = static_cast<signed char>(best_from);
    next[k] = (now_.frames > 0 ? best : 0) + std::log(seen);
  }
  const auto likeliest = std::max_element(next.begin(), next.end()) - next.begin();
  now_ = {now_.frames + 1, likeliest == kMostCandidates ? 0 : found_[static_cast<size_t>(likeliest)].hz,
          std::min(1.0f, static_cast<float>(voiced))};
  states_before_ = frame.count;
  semitones_ = semitones;
  if (std::ssize(frames_) >= most_frames_) {
    path_ = next;
    return;
  }
  kept_path_ = path_ = next;
  frames_.push_back(frame);
  candidates_.insert(candidates_.end(), found_.begin(), found_.end());
}

Pitch PitchTracker::Finish() {
  framer_.Finish([this](const float* first, int frames) { Take(first, frames); });
  Pitch pitch;
  pitch.times_s.resize(frames_.size());
  pitch.f0_hz.resize(frames_.size());
  pitch.confidence.resize(frames_.size());
  int state = static_cast<int>(std::max_element(kept_path_.begin(), kept_path_.end()) - kept_path_.begin());
  for (size_t i = frames_.size(); i-- > 0;) {
    const Frame& frame = frames_[i];
    const auto candidate = [&](int k) { return candidates_[static_cast<size_t>(frame.first + k)]; };
    pitch.times_s[i] = static_cast<double>(i) * kHop / kPitchRateHz;
    float voiced = 0;
    for (int k = 0; k < frame.count; ++k) voiced += candidate(k).probability;
    pitch.confidence[i] = std::min(1.0f, voiced);
    if (state != kMostCandidates) pitch.f0_hz[i] = candidate(state).hz;
    state = frame.from[state];
  }
  return pitch;
}

}  // namespace grym
