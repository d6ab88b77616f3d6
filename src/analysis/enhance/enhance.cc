#include "analysis/enhance/enhance.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "analysis/enhance/balance.h"
#include "analysis/enhance/declip.h"
#include "analysis/enhance/dynamics.h"
#include "analysis/enhance/hum.h"
#include "analysis/enhance/loudness_gain.h"
#include "analysis/enhance/noise.h"
#include "base/format.h"
#include "base/progress.h"
#include "base/status.h"

namespace grym {
namespace {

constexpr const char* kEnhanceStages[] = {"declip",   "dehum",  "denoise",  "balance",
                                          "dynamics", "stereo", "loudness", "limiter"};
constexpr double kKeptReductionDb = 3;     // limiting that keeping the loudness may cost before some of it is given up
constexpr double kTargetReductionDb = 12;  // a target that was asked for is worth more

absl::Status BadParam(const char* field, const char* wanted, double value) {
  return Error(absl::StatusCode::kInvalidArgument, "bad_parameter",
               Formatted("enhance: %s: want %s, got %g", field, wanted, value));
}

absl::Status ValidateEnhance(const AudioBuffer& audio, const EnhanceParams& params) {
  if (audio.empty())
    return Error(absl::StatusCode::kInvalidArgument, "no_frames", "enhance: want audio, got no frames");
  if (!(params.level >= 0 && params.level <= 1)) return BadParam("level", "[0, 1]", params.level);
  if (!(params.true_peak_dbtp >= -20 && params.true_peak_dbtp <= 0))
    return BadParam("true_peak_dbtp", "[-20, 0]", params.true_peak_dbtp);
  if (!(params.tilt_db_per_octave >= -24 && params.tilt_db_per_octave <= 24))
    return BadParam("tilt_db_per_octave", "[-24, 24]", params.tilt_db_per_octave);
  if (params.target_lufs && !(*params.target_lufs >= -70 && *params.target_lufs <= 0))
    return BadParam("target_lufs", "[-70, 0]", *params.target_lufs);
  if (params.match_band_energy_db) {
    for (const double band : *params.match_band_energy_db) {
      if (std::isnan(band)) return BadParam("match_band_energy_db", "numbers", band);
    }
  }
  return absl::OkStatus();
}

EnhanceStage NotApplied(const char* name, const char* text) {
  EnhanceStage stage;
  stage.name = name;
  stage.text = text;
  return stage;
}

// Loudness and limiter are one calculation, told as two stages.
absl::Status Finish(EnhancedAudio& enhanced, const EnhanceParams& params, double lufs_before, const RunOptions& run) {
  const double most_db = params.target_lufs ? kTargetReductionDb : kKeptReductionDb;
  const double target = params.target_lufs.value_or(lufs_before);
  GRYM_ASSIGN_OR_RETURN(const LoudnessGainReport report,
                        GainToLoudness(enhanced.audio, target, params.true_peak_dbtp, run, most_db));
  if (params.target_lufs) {
    std::string shortfall = LoudnessShortfall(report, target, params.true_peak_dbtp);
    if (!shortfall.empty()) enhanced.warnings.push_back(std::move(shortfall));
  }
  EnhanceStage loudness = NotApplied("loudness", "silence");
  if (std::isfinite(report.lufs_before)) {
    loudness.applied = std::abs(report.gain_db) > 1e-9;
    loudness.change_db = report.gain_db;
    loudness.text = Formatted("%.1f -> %.1f LUFS (%s %.1f)", lufs_before, report.lufs_after,
                                    params.target_lufs ? "target" : "kept at", target);
    if (!enhanced.warnings.empty()) loudness.text += "; " + enhanced.warnings.back();
  }
  EnhanceStage limiter = NotApplied("limiter", "nothing passes the ceiling");
  if (report.max_reduction_db > 0) {
    limiter.applied = true;
    limiter.change_db = -report.max_reduction_db;
    limiter.text = Formatted("true peak %.1f -> %.1f dBTP", report.true_peak_before_dbtp + report.gain_db,
                                   report.true_peak_after_dbtp);
  }
  enhanced.stages.push_back(std::move(loudness));
  enhanced.stages.push_back(std::move(limiter));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<EnhancedAudio> EnhanceAudio(AudioBuffer audio, const EnhanceParams& params, const RunOptions& run) {
  GRYM_RETURN_IF_ERROR(ValidateEnhance(audio, params));
  EnhancedAudio enhanced;
  enhanced.audio = std::move(audio);
  if (params.level == 0) {
    for (const char* name : kEnhanceStages) enhanced.stages.push_back(NotApplied(name, "level 0"));
    return enhanced;
  }
  AudioBuffer& out = enhanced.audio;
  out.ReplaceNonFinite();
  ProgressReporter progress(run);
  RunOptions inner;  // the stages poll the token; the fractions are told here
  inner.cancel = run.cancel;
  GRYM_ASSIGN_OR_RETURN(const double lufs_before, IntegratedLufs(out, inner));
  const double repair = std::min(1.0, 2 * params.level), level = params.level;
  struct Step {
    const char* name;
    bool wanted;
    double until;  // share of the whole when it is done, measured on a minute of noisy stereo
    std::function<absl::StatusOr<EnhanceStage>()> run;
  };
  const Step steps[] = {
      {"declip", params.declip, 0.20, [&] { return Declip(out, repair, inner); }},
      {"dehum", params.dehum, 0.35, [&] { return RemoveHum(out, repair, inner); }},
      {"denoise", params.denoise, 0.65, [&] { return Denoise(out, level, inner); }},
      {"balance", params.balance, 0.75,
       [&] { return Balance(out, params.tilt_db_per_octave, params.match_band_energy_db, level, inner); }},
      {"dynamics", params.dynamics, 0.78, [&] { return TameOutliers(out, level, inner); }},
      {"stereo", params.stereo, 0.80, [&] { return ShapeStereo(out, level, inner); }},
  };
  double done = 0.02;
  for (const Step& step : steps) {
    progress.Report(done, step.name);
    GRYM_RETURN_IF_ERROR(run.cancel.Check());
    if (step.wanted) {
      GRYM_ASSIGN_OR_RETURN(EnhanceStage stage, step.run());
      enhanced.stages.push_back(std::move(stage));
    } else {
      enhanced.stages.push_back(NotApplied(step.name, "not wanted"));
    }
    done = step.until;
  }
  progress.Report(done, "loudness");
  GRYM_RETURN_IF_ERROR(Finish(enhanced, params, lufs_before, inner));
  progress.Report(1, "done");
  return enhanced;
}

}  // namespace grym
