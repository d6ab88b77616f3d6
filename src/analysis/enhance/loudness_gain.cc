#include "analysis/enhance/loudness_gain.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "analysis/enhance/limiter.h"
#include "analysis/k_weighting.h"
#include "analysis/loudness_rate.h"
#include "base/format.h"
#include "base/status.h"

namespace grym {
namespace {

constexpr int64_t kLoudnessBlockFrames = 1 << 14;
constexpr double kLoudnessTolerance = 0.1;
constexpr int kLoudnessPasses = 6;

void ApplyGain(AudioBuffer& audio, double gain_db) {
  const auto gain = static_cast<float>(std::pow(10.0, gain_db / 20));
  for (float& sample : audio.mutable_planar()) sample *= gain;
}

}  // namespace

absl::StatusOr<double> IntegratedLufs(const AudioBuffer& audio, const RunOptions& run) {
  const double silent = -std::numeric_limits<double>::infinity();
  if (audio.empty()) return silent;
  LoudnessRate rate(audio.channels(), audio.rate_hz());
  KWeightedSums sums(audio.channels(), rate.rate_hz());
  std::vector<const float*> channels(static_cast<size_t>(audio.channels()));
  const int64_t least = (audio.rate_hz() * int64_t{2} + 4) / 5 + 1;
  for (int64_t done = 0, total = std::max(audio.frames(), least); done < total;) {
    GRYM_RETURN_IF_ERROR(run.cancel.Check());
    const int64_t start = done % audio.frames();
    const int64_t count = std::min({kLoudnessBlockFrames, total - done, audio.frames() - start});
    for (int c = 0; c < audio.channels(); ++c) channels[static_cast<size_t>(c)] = audio.channel(c).data() + start;
    if (rate.changes()) {
      rate.Push(channels, count);
      sums.Push(rate.out(), rate.out_frames());
    } else {
      sums.Push(channels, count);
    }
    done += count;
  }
  if (rate.changes()) {
    rate.Finish();
    sums.Push(rate.out(), rate.out_frames());
  }
  return IntegratedLufsOf(sums);
}

absl::StatusOr<LoudnessGainReport> GainToLoudness(AudioBuffer& audio, double target_lufs, double ceiling_dbtp,
                                                  const RunOptions& run, double most_reduction_db) {
  LoudnessGainReport report;
  GRYM_ASSIGN_OR_RETURN(report.lufs_before, IntegratedLufs(audio, run));
  report.lufs_after = report.lufs_before;
  if (!std::isfinite(report.lufs_before)) {  // silence has no gain that leads anywhere, but the ceiling still holds
    GRYM_ASSIGN_OR_RETURN(const LimiterReport limited, LimitTruePeak(audio, ceiling_dbtp, run));
    report.max_reduction_db = limited.max_reduction_db;
    report.true_peak_before_dbtp = limited.true_peak_before_dbtp;
    report.true_peak_after_dbtp = limited.true_peak_after_dbtp;
    return report;
  }
  double gain_db = target_lufs - report.lufs_before;
  const AudioBuffer before = audio;
  double most_gain_db = std::numeric_limits<double>::infinity();
  for (int pass = 0; pass < kLoudnessPasses; ++pass) {
    if (pass > 0) audio = before;
    if (gain_db != 0) ApplyGain(audio, gain_db);
    GRYM_ASSIGN_OR_RETURN(const LimiterReport limited, LimitTruePeak(audio, ceiling_dbtp, run));
    GRYM_ASSIGN_OR_RETURN(report.lufs_after, IntegratedLufs(audio, run));
    report.gain_db = gain_db;
    report.max_reduction_db = limited.max_reduction_db;
    if (pass == 0) {
      report.true_peak_before_dbtp = limited.true_peak_before_dbtp - gain_db;
      most_gain_db = ceiling_dbtp - report.true_peak_before_dbtp + most_reduction_db;
    }
    report.true_peak_after_dbtp = limited.true_peak_after_dbtp;
    const double next_db = std::min(gain_db + target_lufs - report.lufs_after, most_gain_db);
    const bool met = std::abs(target_lufs - report.lufs_after) <= kLoudnessTolerance && gain_db <= most_gain_db;
    if (met || std::abs(next_db - gain_db) < 0.01) break;
    gain_db = next_db;
  }
  return report;
}

std::string LoudnessShortfall(const LoudnessGainReport& report, double target_lufs, double ceiling_dbtp) {
  // Silence reaches no loudness, and within this nobody hears a difference.
  constexpr double kHeardLu = 0.5;
  if (!std::isfinite(report.lufs_after) || report.lufs_after > target_lufs - kHeardLu) return "";
  return Formatted("loudness: wanted %.1f LUFS, reached %.1f: the peak limit of %.1f dBTP stands against it",
                   target_lufs, report.lufs_after, ceiling_dbtp);
}

}  // namespace grym
