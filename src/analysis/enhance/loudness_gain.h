// Loudness as a number, and bringing a recording to one.
#pragma once
#include <string>

#include "absl/status/statusor.h"
#include "grymsynth/audio_buffer.h"
#include "grymsynth/job.h"

namespace grym {

// Integrated loudness (ITU-R BS.1770-5, gated); -infinity for silence or less than one gating block.
// Audio that is shorter than 400 ms is measured as if it were repeated to that length.
absl::StatusOr<double> IntegratedLufs(const AudioBuffer& audio, const RunOptions& run = {});

struct LoudnessGainReport {
  double lufs_before = 0;
  double lufs_after = 0;
  double gain_db = 0;              // put in front of the limiter
  double max_reduction_db = 0;     // by the limiter
  double true_peak_before_dbtp = 0;
  double true_peak_after_dbtp = 0;
};

// Gain and limiter, iterated until the limited result is within 0.1 LU of `target_lufs` and its true peak is at most
// `ceiling_dbtp`. The ceiling wins: where limiting by `most_reduction_db` is not enough the result stays softer than
// the target. Silence is left alone. Holds one copy of the audio.
absl::StatusOr<LoudnessGainReport> GainToLoudness(AudioBuffer& audio, double target_lufs, double ceiling_dbtp,
                                                  const RunOptions& run = {}, double most_reduction_db = 12);

// What to tell whoever asked for `target_lufs` and did not get it, since the ceiling stood against it; "" if he did.
std::string LoudnessShortfall(const LoudnessGainReport& report, double target_lufs, double ceiling_dbtp);

}  // namespace grym
