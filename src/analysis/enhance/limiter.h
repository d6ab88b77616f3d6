// A true-peak limiter that looks ahead.
#pragma once
#include "absl/status/statusor.h"
#include "grymsynth/audio_buffer.h"
#include "grymsynth/job.h"

namespace grym {

struct LimiterReport {
  double true_peak_before_dbtp = 0;  // -infinity for silence
  double true_peak_after_dbtp = 0;   // never above the ceiling
  double max_reduction_db = 0;       // >= 0
  double limited_share = 0;          // share of frames that were turned down by more than 0.1 dB
};

// Turns `audio` down, all channels alike, where its true peak would pass `ceiling_dbtp`; elsewhere it is left alone
// (bit for bit when nothing passes). Gain: smallest need within 4 ms on either side, released over 80 ms, smoothed by
// a window as long as the look-ahead, so the gain is down before the peak comes and never jumps. Delay-free: the whole
// buffer is at hand. Linear cost. Cancelled leaves `audio` partly limited.
absl::StatusOr<LimiterReport> LimitTruePeak(AudioBuffer& audio, double ceiling_dbtp, const RunOptions& run = {});

}  // namespace grym
