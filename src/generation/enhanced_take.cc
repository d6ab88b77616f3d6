#include "generation/enhanced_take.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <set>

#include "base/format.h"
#include "analysis/analyze.h"
#include "analysis/enhance/balance.h"
#include "analysis/enhance/enhance.h"
#include "analysis/enhance/loudness_gain.h"
#include "audio/block_source.h"
#include "base/hash.h"
#include "base/number_text.h"
#include "base/progress.h"
#include "base/status.h"
#include "generation/accompaniment.h"
#include "generation/oversample.h"
#include "generation/part_levels.h"
#include "generation/render.h"
#include "grymsynth/audio_file.h"

namespace grym {
namespace {

constexpr int kTakeRateHz = 44100;
constexpr double kMostTakeTemperature = 2;
constexpr double kTakeLufs = -16;  // unless the request names another
// Where they play, the added parts together lie this far below the recording by loudness, at level 1 and just above 0.
constexpr double kPartsNearLu = 5, kPartsFarLu = 15;
// And this far below it in every octave band where its balance is to be kept. At 2 dB they lift a band by 2.1 dB,
// which leaves the repairs some of kKeptBandDb; at 6 by 1.
constexpr double kUnderNearDb = 2, kUnderFarDb = 6;
constexpr double kWorkingLufs = -23, kPercussionLu = -7,
                 kFiguresLu = -4;                            // of parts; figures and percussion under the pad
constexpr double kUsualLimitingDb = 4, kMostLimitingDb = 9;  // the latter where loudness itself was found wanting
constexpr double kRepairLevel = 0.5;        // full depth; half a repair is still a fault
constexpr double kBalanceShareDb = 2.3;     // of kKeptBandDb, for a correction of the balance

using TakeClock = std::chrono::steady_clock;

double TakeSeconds(TakeClock::time_point from) {
  return std::chrono::duration<double>(TakeClock::now() - from).count();
}

absl::StatusOr<AudioBuffer> LoadReference(const GenerateAudioRequest& request, const CancelToken& cancel) {
  AudioBuffer audio;
  if (request.reference_buffer) {
    audio = *request.reference_buffer;
  } else {
    GRYM_ASSIGN_OR_RETURN(audio, LoadAudio(request.reference_audio, {}, RunOptions{cancel, {}}));
  }
  if (audio.empty())
    return Error(absl::StatusCode::kInvalidArgument, "no_frames", "composer: reference_audio: no frames in it");
  return audio;
}

// Stereo at the rate of takes. Repairs come before: resampling rounds the flat tops that tell of clipping.
absl::StatusOr<AudioBuffer> InTakeFormat(AudioBuffer audio, const CancelToken& cancel) {
  if (audio.channels() != 2) {
    GRYM_ASSIGN_OR_RETURN(audio, MixChannels(audio, 2));
  }
  if (audio.rate_hz() != kTakeRateHz) {
    GRYM_ASSIGN_OR_RETURN(audio, Resample(audio, kTakeRateHz, ResampleQuality::kBest, RunOptions{cancel, {}}));
  }
  return audio;
}

// What the focus areas of a request change: the repairs they name work at a higher level, and the parts step back.
struct Focus {
  std::set<std::string> areas;
  bool repairs() const {
    return areas.contains("noise") || areas.contains("clipping") || areas.contains("spectral balance") ||
           areas.contains("dynamics") || areas.contains("stereo");
  }
  double parts_db() const { return areas.empty() ? 0 : repairs() ? -4 : -2; }
};

EnhanceParams ParamsFor(const GenerateAudioRequest& request, const Focus& focus) {
  EnhanceParams params;
  params.level = std::min(1.0, std::max(kRepairLevel, request.enhancement_level) + (focus.repairs() ? 0.25 : 0.0));
  const bool shape = request.enhancement_level > 0 && !request.preserve_original_characteristics;
  params.balance = shape;
  params.dynamics = shape || focus.areas.contains("dynamics");
  params.stereo = shape || focus.areas.contains("stereo");
  return params;
}

class TakeMaker {
 public:
  TakeMaker(const GenerateAudioRequest& request, const RunOptions& run) : request_(request), run_(run) {
    focus_.areas.insert(request.focus_areas.begin(), request.focus_areas.end());
  }

  absl::StatusOr<GenerateAudioResult> Make() {
    TakeClock::time_point started = TakeClock::now();
    GRYM_ASSIGN_OR_RETURN(recorded_, LoadReference(request_, run_.cancel));
    GRYM_RETURN_IF_ERROR(HashReference());
    const RunOptions analyse_run = PartOf(run_, 0.0, 0.35);
    GRYM_ASSIGN_OR_RETURN(const std::unique_ptr<BlockSource> source, OpenInput(recorded_));
    GRYM_ASSIGN_OR_RETURN(features_, AnalyzeSource(*source, analyse_run));
    GRYM_RETURN_IF_ERROR(run_.cancel.Check());
    GRYM_ASSIGN_OR_RETURN(original_, InTakeFormat(recorded_, run_.cancel));
    result_.timings_s["analyse"] = TakeSeconds(started);
    GRYM_RETURN_IF_ERROR(CheckWishes());
    started = TakeClock::now();
    AudioBuffer mix;
    GRYM_RETURN_IF_ERROR(Clean(&mix));
    result_.timings_s["enhance"] = TakeSeconds(started);
    started = TakeClock::now();
    if (request_.enhancement_level > 0) GRYM_RETURN_IF_ERROR(AddParts(&mix));
    result_.timings_s["render"] = TakeSeconds(started);
    result_.audio = mix;
    if (request_.enhancement_level > 0 || request_.target_lufs) {
      const RunOptions master_run = PartOf(run_, 0.9, 1.0);
      const double most_db = focus_.areas.contains("loudness") ? kMostLimitingDb : kUsualLimitingDb;
      constexpr double kCeilingDbtp = -1;
      const double target = request_.target_lufs.value_or(kTakeLufs);
      GRYM_ASSIGN_OR_RETURN(const LoudnessGainReport report,
                            GainToLoudness(result_.audio, target, kCeilingDbtp, master_run, most_db));
      const std::string shortfall = request_.target_lufs ? LoudnessShortfall(report, target, kCeilingDbtp) : "";
      if (!shortfall.empty()) result_.warnings.push_back("composer: " + shortfall);
    }
    return Finish(std::move(mix));
  }

 private:
  absl::Status HashReference() {
    constexpr size_t kHashedAtOnce = 1 << 16;
    Sha256 digest;
    const std::span<const float> samples = recorded_.planar();
    for (size_t start = 0; start < samples.size(); start += kHashedAtOnce) {
      GRYM_RETURN_IF_ERROR(run_.cancel.Check());
      const auto block = samples.subspan(start, std::min(kHashedAtOnce, samples.size() - start));
      digest.Update(block.data(), block.size_bytes());
    }
    result_.provenance.reference_sha256 = digest.Hex();
    return absl::OkStatus();
  }

  static bool SameKey(const std::string& one, const std::string& other) {
    const absl::StatusOr<int> a = ParseKey(one), b = ParseKey(other);
    return a.ok() && b.ok() && *a == *b;
  }

  // The recording has its own tempo, key, metre and form; asking for others cannot be honoured.
  absl::Status CheckWishes() {
    std::vector<std::string> problems;
    if (request_.tempo_bpm && std::abs(*request_.tempo_bpm - features_.tempo_bpm) > 0.005 * *request_.tempo_bpm)
      problems.push_back("tempo_bpm");
    if (request_.key && !SameKey(*request_.key, features_.key.value_or(""))) problems.push_back("key");
    if (request_.meter && *request_.meter != features_.meter) problems.push_back("meter");
    if (request_.temperature.value_or(0) > kMostTakeTemperature) problems.push_back("temperature above 2");
    if (!request_.structure.empty()) problems.push_back("structure");
    if (!request_.mood.empty()) problems.push_back("mood");
    if (request_.reference_strength != GenerateAudioRequest().reference_strength)
      problems.push_back("reference_strength");
    for (const char* own : {"genre", "swing", "energy"}) {
      if (request_.parameters.contains(own)) problems.push_back("parameters." + std::string(own));
    }
    if (!request_.reference_midi.empty()) problems.push_back("reference_midi");
    for (const std::string& field : problems) {
      const std::string text =
          "composer: " + field + ": not for a take of a recording, which keeps its own tempo, key and form";
      if (!request_.allow_unsupported) return Error(absl::StatusCode::kInvalidArgument, "unsupported_field", text);
      result_.warnings.push_back(text);
    }
    return absl::OkStatus();
  }

  absl::Status Clean(AudioBuffer* mix) {
    GRYM_ASSIGN_OR_RETURN(before_, MeasureLongTermSpectrum(original_, PartOf(run_, 0.35, 0.36)));
    const RunOptions clean_run = PartOf(run_, 0.36, 0.6);
    GRYM_ASSIGN_OR_RETURN(EnhancedAudio cleaned, EnhanceAudio(recorded_, ParamsFor(request_, focus_), clean_run));
    recorded_ = AudioBuffer();
    GRYM_ASSIGN_OR_RETURN(cleaned.audio, InTakeFormat(std::move(cleaned.audio), run_.cancel));
    if (request_.preserve_original_characteristics && focus_.areas.contains("spectral balance")) {
      GRYM_RETURN_IF_ERROR(BalanceWithin(&cleaned));
    }
    const bool mended = std::any_of(cleaned.stages.begin(), cleaned.stages.end(),
                                    [](const EnhanceStage& stage) { return stage.applied; });
    result_.facts["basis"] = mended ? "cleaned" : "untouched";
    result_.stages = std::move(cleaned.stages);
    *mix = std::move(cleaned.audio);
    if (request_.want_stems) result_.stems.push_back({"original", *mix});
    return absl::OkStatus();
  }

  // Each octave moves towards where usual mixes have it, as far as leaves the original's balance within its tolerance.
  absl::Status BalanceWithin(EnhancedAudio* cleaned) {
    GRYM_ASSIGN_OR_RETURN(const LongTermSpectrum now, MeasureLongTermSpectrum(cleaned->audio, Quiet()));
    const std::array<double, 10> away = AwayFromUsualDb(now);
    const bool repaired = WorstBandDb(before_, now) > kBalanceShareDb;  // noise that is gone is no balance to keep
    for (const double share_db : {kBalanceShareDb, 0.6 * kBalanceShareDb, 0.3 * kBalanceShareDb}) {
      std::vector<double> centre_hz, gain_db;
      for (size_t band = 0; band < away.size(); ++band) {
        centre_hz.push_back(31.25 * std::exp2(static_cast<double>(band)));
        gain_db.push_back(std::clamp(-0.5 * away[band], -share_db, share_db));
      }
      AudioBuffer balanced = cleaned->audio;
      GRYM_RETURN_IF_ERROR(FilterLinearPhase(balanced, centre_hz, gain_db, Quiet()));
      GRYM_ASSIGN_OR_RETURN(const LongTermSpectrum after, MeasureLongTermSpectrum(balanced, Quiet()));
      if (WorstBandDb(repaired ? now : before_, after) > kBalanceShareDb + 0.2) continue;
      cleaned->audio = std::move(balanced);
      cleaned->stages.push_back(
          {"balance", true, share_db, Formatted("octaves moved by up to %.1f dB towards a usual mix", share_db)});
      return absl::OkStatus();
    }
    result_.warnings.push_back(
        "composer: spectral balance was left alone, since correcting it would change an octave band by "
        "more than the original's characteristics allow");
    return absl::OkStatus();
  }

  absl::Status AddParts(AudioBuffer* mix) {
    if (!std::isfinite(features_.loudness.integrated_lufs) || features_.level.peak_dbfs < -60) {
      result_.facts["basis"] = "none";
      result_.warnings.push_back("composer: the reference is silent or too short to be heard; nothing was added");
      return absl::OkStatus();
    }
    Accompaniment made = Accompany(request_, features_);
    result_.facts["basis"] = made.basis;
    if (!made.material.empty()) result_.facts["material"] = Join(made.material, ", ");
    result_.warnings.insert(result_.warnings.end(), made.warnings.begin(), made.warnings.end());
    if (made.score.parts.empty()) return absl::OkStatus();
    made.score.duration_s = mix->duration_s();
    const RunOptions render_run = PartOf(run_, 0.6, 0.75);
    const auto render = request_.quality == QualityTier::kBest ? &RenderOversampled : &RenderScore;
    GRYM_ASSIGN_OR_RETURN(Rendered parts, render(made.score, render_run, true));
    result_.midi = ScoreToMidi(made.score);
    result_.peak_bytes += parts.peak_bytes;
    return LevelParts(&parts, mix);
  }

  // For what is too short to tell of.
  RunOptions Quiet() const { return {run_.cancel, {}}; }

  // Sets the parts against each other by loudness, whatever their patches and registers give, and sums them.
  absl::Status MixParts(Rendered* parts) const {
    for (float& sample : parts->mix.mutable_planar()) sample = 0;
    for (Stem& stem : parts->stems) {
      GRYM_ASSIGN_OR_RETURN(const double lufs, IntegratedLufs(stem.audio, Quiet()));
      const double wanted = stem.name == "percussion" ? kPercussionLu : stem.name == "pad" ? 0 : kFiguresLu;
      const auto gain =
          static_cast<float>(std::isfinite(lufs) ? std::pow(10, (kWorkingLufs + wanted - lufs) / 20) : 0.0);
      for (float& sample : stem.audio.mutable_planar()) sample *= gain;
      AddTimes(stem.audio, 1, &parts->mix);
    }
    return absl::OkStatus();
  }

  // Lets the parts follow the recording, fits them under it, and adds them. Where the original's balance is to be kept
  // the sum is measured, and the parts step back until it is.
  absl::Status LevelParts(Rendered* parts, AudioBuffer* mix) {
    const bool preserve = request_.preserve_original_characteristics;
    const double level = request_.enhancement_level;
    const std::vector<float> follow = FollowGain(features_, mix->frames(), kTakeRateHz);
    for (Stem& stem : parts->stems) ScaleBy(follow, &stem.audio);
    GRYM_RETURN_IF_ERROR(MixParts(parts));
    GRYM_ASSIGN_OR_RETURN(const double parts_lufs, IntegratedLufs(parts->mix, Quiet()));
    if (!std::isfinite(parts_lufs)) return absl::OkStatus();
    GRYM_ASSIGN_OR_RETURN(const LongTermSpectrum cleaned, MeasureLongTermSpectrum(*mix, Quiet()));
    PartFit fit;
    fit.gain_db = features_.loudness.integrated_lufs - std::lerp(kPartsFarLu, kPartsNearLu, level) + focus_.parts_db() -
                  parts_lufs;
    if (preserve) {
      GRYM_ASSIGN_OR_RETURN(const LongTermSpectrum spectrum, MeasureLongTermSpectrum(parts->mix, Quiet()));
      fit = FitUnder(cleaned, MeanSquareDb(*mix), spectrum, MeanSquareDb(parts->mix), fit.gain_db,
                     std::lerp(kUnderFarDb, kUnderNearDb, level));
      for (Stem& stem : parts->stems) GRYM_RETURN_IF_ERROR(CutBands(fit, &stem.audio, Quiet()));
    }
    // A repair may itself have changed a band by more; then the parts must not add to that.
    const double kept_db = std::max(kKeptBandDb, WorstBandDb(before_, cleaned) + 0.5);
    AudioBuffer sum;
    float gain = 0;
    ProgressReporter progress(run_);
    for (int tries = 0; tries < 6; ++tries) {
      progress.Report(0.8 + 0.1 * tries / 6, "balance parts");
      GRYM_RETURN_IF_ERROR(progress.Check());
      gain = static_cast<float>(std::pow(10, (fit.gain_db - 2 * tries) / 20));
      sum = *mix;
      for (const Stem& stem : parts->stems) AddTimes(stem.audio, gain, &sum);
      if (!preserve) break;
      GRYM_ASSIGN_OR_RETURN(const LongTermSpectrum after, MeasureLongTermSpectrum(sum, Quiet()));
      if (WorstBandDb(before_, after) <= kept_db) break;
    }
    if (preserve && kept_db > kKeptBandDb) {
      result_.warnings.push_back(
          "composer: an octave band changed by more than 3 dB, which the repair of the recording needs");
    }
    for (size_t i = 0; i < parts->stems.size() && request_.want_stems; ++i) {
      for (float& sample : parts->stems[i].audio.mutable_planar()) sample *= gain;
      result_.stems.push_back(std::move(parts->stems[i]));
    }
    *mix = std::move(sum);
    return absl::OkStatus();
  }

  absl::StatusOr<GenerateAudioResult> Finish(AudioBuffer mix) {
    result_.peak_bytes += 5 * static_cast<int64_t>(original_.planar().size_bytes());
    result_.facts["tempo_bpm"] = ShortNumber(features_.tempo_bpm);
    result_.facts["key"] = features_.key.value_or("");
    GenerateAudioRequest resolved = request_;
    resolved.model = "composer";
    resolved.duration_s = std::min(600.0, original_.duration_s());
    resolved.temperature = std::clamp(request_.temperature.value_or(1.0), 0.0, 2.0);
    if (request_.enhancement_level > 0) resolved.target_lufs = request_.target_lufs.value_or(kTakeLufs);
    result_.provenance.request_json = RequestToJson(resolved);
    if (request_.want_stems) {
      if (result_.stems.empty()) result_.stems.push_back({"original", mix});
      result_.mix = std::move(mix);
    }
    return std::move(result_);
  }

  const GenerateAudioRequest& request_;
  const RunOptions& run_;
  Focus focus_;
  AudioBuffer recorded_;  // as it came, until it is cleaned
  AudioBuffer original_;  // the same in the take's format
  AudioFeatures features_;
  LongTermSpectrum before_;
  GenerateAudioResult result_;
};

}  // namespace

absl::StatusOr<GenerateAudioResult> MakeEnhancedTake(const GenerateAudioRequest& request, const RunOptions& run) {
  return TakeMaker(request, run).Make();
}

}  // namespace grym
