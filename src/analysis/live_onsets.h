// Onsets as they come.
#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include "analysis/attack.h"
#include "analysis/recent.h"
#include "dsp/running_percentile.h"

namespace grym {

// PickOnsets without the future: a frame is decided upon kLookahead frames later. Differs: the mean reaches as far into
// the past as it lacks in the future, and the thresholds that scale with the recording are those of what was heard so
// far, the last minutes counting most. Allocates when made, never after. Threads: one at a time.
class LiveOnsets {
 public:
  static constexpr int kLookahead = 5;  // frames of the flux, 29 ms: an onset is the largest within as much
  // From an onset to the centre of the frame that decides it, at most: the attack may lie before the flux's peak.
  static double LatestDecision_s();
  LiveOnsets();
  // At most a second ahead of the flux.
  void HearAttack(float attack_rms, float level_rms);
  // The time of the onset that this frame decides, if it is one; times rise by more than 30 ms.
  std::optional<double> HearFlux(float whole);

 private:
  bool Stands(int64_t frame);
  Recent flux_, attack_, level_;
  RunningPercentile strong_, loud_;
  std::vector<float> sorted_;
  int64_t heard_ = 0;  // values of the envelope that decisions may look at
  double restless_ = 0, last_s_ = -1;
};

}  // namespace grym
