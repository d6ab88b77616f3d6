// The rate at which loudness is measured.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "dsp/polyphase.h"

namespace grym {

// The K weighting of ITU-R BS.1770 is given for 48 kHz. Moved to another rate by the bilinear transform its shelf at
// 1.7 kHz bends: by 0.1 dB at 22 kHz, 0.4 dB at 8 kHz, 1.6 dB at 4 kHz, and below 3.4 kHz the filter is unstable. A
// stream of less than 22.05 kHz is therefore brought to the least multiple of its rate that is 44.1 kHz or more.
// Threads: one at a time.
class LoudnessRate {
 public:
  LoudnessRate(int channels, int rate_hz);
  int rate_hz() const { return rate_hz_; }  // what comes out
  bool changes() const { return !lanes_.empty(); }
  // One pointer per channel, to `frames` samples. What follows from them is in out() until the next call; requires
  // changes().
  void Push(std::span<const float* const> channels, int64_t frames);
  // Push allocates nothing from now on for up to `most_frames` at a time.
  void Reserve(size_t most_frames);
  // The rest, once, after the last frame.
  void Finish();
  std::span<const float* const> out() const { return out_; }
  int64_t out_frames() const { return out_frames_; }

 private:
  void Point();
  int rate_hz_;
  std::vector<PolyphaseResampler> lanes_;  // one per channel, none at an unchanged rate
  std::vector<std::vector<float>> made_;
  std::vector<const float*> out_;
  int64_t out_frames_ = 0;
};

}  // namespace grym
