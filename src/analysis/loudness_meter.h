// Loudness of a stream after ITU-R BS.1770-5 and EBU R128, in one pass.
#pragma once
#include <cstdint>
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
  Loudness Finish();

 private:
  LoudnessRate rate_;
  KWeightedSums sums_;
  TruePeakMeter peak_;  // at the recording's own rate, where its samples are
  std::vector<const float*> channels_;
};

}  // namespace grym
