#include "analysis/enhance/loudness_gain.h"

#include <ebur128.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <vector>

#include "analysis/enhance/limiter.h"
#include "analysis/loudness_rate.h"
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

absl::Status AddFrames(ebur128_state& meter, const std::vector<float>& interleaved, unsigned channels) {
  if (ebur128_add_frames_float(&meter, interleaved.data(), interleaved.size() / channels) == EBUR128_SUCCESS) {
    return absl::OkStatus();
  }
  return Error(absl::StatusCode::kResourceExhausted, "out_of_memory", "loudness: the meter ran out of memory");
}

}  // namespace

absl::StatusOr<double> IntegratedLufs(const AudioBuffer& audio, const RunOptions& run) {
  const double silent = -std::numeric_limits<double>::infinity();
  if (audio.empty()) return silent;
  const auto channels = static_cast<unsigned>(audio.channels());
  struct Destroy {
    void operator()(ebur128_state* state) const { ebur128_destroy(&state); }
  };
  LoudnessRate rate(audio.channels(), audio.rate_hz());
  const std::unique_ptr<ebur128_state, Destroy> state(
      ebur128_init(channels, static_cast<unsigned long>(rate.rate_hz()), EBUR128_MODE_I));
  if (!state) return Error(absl::StatusCode::kResourceExhausted, "out_of_memory", "loudness: want a meter, got none");
  const int64_t least = (audio.rate_hz() * int64_t{2} + 4) / 5 + 1;
  const int64_t total = std::max(audio.frames(), least);
  std::vector<float> block;
  for (int64_t start = 0; start < total; start += kLoudnessBlockFrames) {
    GRYM_RETURN_IF_ERROR(run.cancel.Check());
    const int64_t count = std::min(kLoudnessBlockFrames, total - start);
    block.resize(static_cast<size_t>(count) * channels);
    for (unsigned c = 0; c < channels; ++c) {
      const std::span<const float> samples = audio.channel(static_cast<int>(c));
      for (int64_t n = 0; n < count; ++n) {
        block[static_cast<size_t>(n) * channels + c] = samples[static_cast<size_t>((start + n) % audio.frames())];
      }
    }
    rate.Convert(block);
    GRYM_RETURN_IF_ERROR(AddFrames(*state, block, channels));
  }
  rate.Finish(block);
  GRYM_RETURN_IF_ERROR(AddFrames(*state, block, channels));
  double lufs = silent;
  if (ebur128_loudness_global(state.get(), &lufs) != EBUR128_SUCCESS || !std::isfinite(lufs)) return silent;
  return lufs;
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

}  // namespace grym
