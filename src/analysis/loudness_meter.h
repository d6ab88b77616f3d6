// Loudness of a stream after ITU-R BS.1770-5 and EBU R128, in one pass.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "analysis/k_weighting.h"
#include "analysis/loudness_rate.h"
#include "analysis/true_peak.h"
#include "grymsynth/audio_buffer.h"
#include "grymsynth/audio_features.h"

namespace grym {

// Threads: one at a time.
class LoudnessMeter {
 public:
  LoudnessMeter(int channels, int rate_hz);
  void Push(const AudioBuffer& block);
  // One pointer per channel, to `frames` samples, at most kMostFrames.
  static constexpr int64_t kMostFrames = 1024;
  void Push(std::span<const float* const> channels, int64_t frames);
  // Allocates nothing from now on, but for Finish, which tells the loudness of the first `most_steps` tenths of a
  // second.
  void Reserve(int64_t most_steps);
  const KWeightedSums& sums() const { return sums_; }
  double true_peak() const { return peak_.so_far(); }  // linear
  Loudness Finish();

 private:
  LoudnessRate rate_;
  KWeightedSums sums_;
  TruePeakMeter peak_;  // at the recording's own rate, where its samples are
  std::vector<const float*> channels_;
};

}  // namespace grym
