#include "generation/enhanced_take.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <set>

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
#include "generation/render.h"
#include "grymsynth/audio_file.h"

namespace grym {
namespace {

constexpr int kTakeRateHz = 44100;
constexpr double kTakeLufs = -16;  // unless the request names another
// Added parts lie this far below the recording, by loudness, at level 1 and level 0.
constexpr double kPartsNearDb = 10, kPartsFarDb = 16;

using TakeClock = std::chrono::steady_clock;

double TakeSeconds(TakeClock::time_point from) { return std::chrono::duration<double>(TakeClock::now() - from).count(); }

absl::StatusOr<AudioBuffer> LoadReference(const GenerateAudioRequest& request) {
  AudioBuffer audio;
  if (request.reference_buffer) {
    audio = *request.reference_buffer;
  } else {
    GRYM_ASSIGN_OR_RETURN(audio, LoadAudio(request.reference_audio));
  }
  if (audio.empty()) return Error(absl::StatusCode::kInvalidArgument, "no_frames", "composer: reference_audio: no frames in it");
  if (audio.rate_hz() != kTakeRateHz) {
    GRYM_ASSIGN_OR_RETURN(audio, Resample(audio, kTakeRateHz));
  }
  if (audio.channels() != 2) {
    GRYM_ASSIGN_OR_RETURN(audio, MixChannels(audio, 2));
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

EnhanceParams ParamsFor(const GenerateAudioRequest& request, const Focus& focus, bool balance) {
  EnhanceParams params;
  params.level = std::min(1.0, request.enhancement_level + (focus.repairs() ? 0.25 : 0.0));
  params.balance = balance;
  params.dynamics = !request.preserve_original_characteristics || focus.areas.contains("dynamics");
  params.stereo = !request.preserve_original_characteristics || focus.areas.contains("stereo");
  return params;
}

// The largest change of an octave band that holds something (see kHeardBandDb).
double WorstBandDb(const LongTermSpectrum& before, const LongTermSpectrum& after) {
  const double strongest = *std::max_element(before.octave_db.begin(), before.octave_db.end());
  double worst = 0;
  for (size_t band = 0; band < before.octave_db.size(); ++band) {
    if (before.octave_db[band] < strongest - kHeardBandDb) continue;
    worst = std::max(worst, std::abs(after.octave_db[band] - before.octave_db[band]));
  }
  return worst;
}

double MeanSquareDb(const AudioBuffer& audio) {
  double sum = 1e-12;
  for (const float sample : audio.planar()) sum += static_cast<double>(sample) * sample;
  return 10 * std::log10(sum / static_cast<double>(std::max<size_t>(1, audio.planar().size())));
}

// The gain at which a part stays 4 dB below the original in every octave band (which lifts it by at most 1.5 dB), or as
// far below its strongest band as is still heard where the original holds less than that.
double GainWithinBands(const LongTermSpectrum& original, double original_db, const LongTermSpectrum& part, double part_db) {
  const double strongest = *std::max_element(original.octave_db.begin(), original.octave_db.end());
  double gain_db = 60;
  for (size_t band = 0; band < original.octave_db.size(); ++band) {
    if (part.octave_db[band] < -60) continue;
    const double most = std::max(original.octave_db[band] - 4, strongest - kHeardBandDb) + original_db;
    gain_db = std::min(gain_db, most - part.octave_db[band] - part_db);
  }
  return gain_db;
}

void AddScaled(const AudioBuffer& from, const std::vector<float>& gain, AudioBuffer* to) {
  for (int c = 0; c < to->channels(); ++c) {
    const auto in = from.channel(c);
    const auto out = to->mutable_channel(c);
    for (size_t i = 0; i < out.size() && i < in.size(); ++i) out[i] += in[i] * gain[i];
  }
}

void ScaleBy(const std::vector<float>& gain, AudioBuffer* audio) {
  for (int c = 0; c < audio->channels(); ++c) {
    const auto samples = audio->mutable_channel(c);
    for (size_t i = 0; i < samples.size(); ++i) samples[i] *= gain[i];
  }
}

// The parts' gain over time: `base_db` where the recording is as loud as on the whole, less where it is softer, so that
// its pauses stay pauses. Follows the momentary loudness, smoothed over a second.
std::vector<float> FollowGain(const AudioFeatures& features, double base_db, int64_t frames) {
  const FrameSeries& momentary = features.loudness.momentary;
  std::vector<double> points(static_cast<size_t>(std::max<int64_t>(1, momentary.frames())), base_db);
  for (size_t i = 0; i < points.size() && momentary.frames() > 0; ++i) {
    const double relative = momentary.values[i] - features.loudness.integrated_lufs;
    points[i] = base_db + std::clamp(std::isfinite(relative) ? relative + 3 : -60.0, -60.0, 0.0);
  }
  std::vector<double> smooth(points.size());
  for (size_t i = 0; i < points.size(); ++i) {
    double sum = 0;
    int count = 0;
    for (int k = -4; k <= 4; ++k) {
      const auto at = static_cast<std::ptrdiff_t>(i) + k;
      if (at < 0 || at >= std::ssize(points)) continue;
      sum += points[static_cast<size_t>(at)];
      ++count;
    }
    smooth[i] = sum / count;
  }
  std::vector<float> gain(static_cast<size_t>(frames));
  const double rate = momentary.rate_hz > 0 ? momentary.rate_hz : 10;
  for (int64_t i = 0; i < frames; ++i) {
    const double at = std::clamp((static_cast<double>(i) / kTakeRateHz - momentary.start_s) * rate, 0.0,
                                 static_cast<double>(smooth.size() - 1));
    const size_t low = static_cast<size_t>(at), high = std::min(low + 1, smooth.size() - 1);
    const double db = smooth[low] + (at - static_cast<double>(low)) * (smooth[high] - smooth[low]);
    gain[static_cast<size_t>(i)] = static_cast<float>(std::pow(10, db / 20));
  }
  return gain;
}

class TakeMaker {
 public:
  TakeMaker(const GenerateAudioRequest& request, const RunOptions& run) : request_(request), run_(run) {
    focus_.areas.insert(request.focus_areas.begin(), request.focus_areas.end());
  }

  absl::StatusOr<GenerateAudioResult> Make() {
    TakeClock::time_point started = TakeClock::now();
    GRYM_ASSIGN_OR_RETURN(original_, LoadReference(request_));
    HashReference();
    if (request_.enhancement_level <= 0 && !request_.target_lufs) {
      result_.audio = original_;
      result_.facts["basis"] = "untouched";
      return Finish(original_);
    }
    const RunOptions analyse_run = PartOf(run_, 0.0, 0.35);
    GRYM_ASSIGN_OR_RETURN(const std::unique_ptr<BlockSource> source, OpenInput(original_));
    GRYM_ASSIGN_OR_RETURN(features_, AnalyzeSource(*source, analyse_run));
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
    const RunOptions master_run = PartOf(run_, 0.85, 1.0);
    GRYM_RETURN_IF_ERROR(GainToLoudness(result_.audio, request_.target_lufs.value_or(kTakeLufs), -1.0, master_run, 4).status());
    return Finish(std::move(mix));
  }

 private:
  void HashReference() {
    Sha256 digest;
    digest.Update(original_.planar().data(), original_.planar().size_bytes());
    result_.provenance.reference_sha256 = digest.Hex();
  }

  // The recording has its own tempo, key, metre and form; asking for others cannot be honoured.
  absl::Status CheckWishes() {
    std::vector<std::string> problems;
    if (request_.tempo_bpm && std::abs(*request_.tempo_bpm - features_.tempo_bpm) > 0.005 * *request_.tempo_bpm) problems.push_back("tempo_bpm");
    if (request_.key && *request_.key != features_.key.value_or("")) problems.push_back("key");
    if (request_.meter && *request_.meter != features_.meter) problems.push_back("meter");
    if (!request_.structure.empty()) problems.push_back("structure");
    if (!request_.reference_midi.empty()) problems.push_back("reference_midi");
    for (const std::string& field : problems) {
      const std::string text = "composer: " + field + ": a take of a recording keeps the recording's own";
      if (!request_.allow_unsupported) return Error(absl::StatusCode::kInvalidArgument, "unsupported_field", text);
      result_.warnings.push_back(text);
    }
    return absl::OkStatus();
  }

  absl::Status Clean(AudioBuffer* mix) {
    GRYM_ASSIGN_OR_RETURN(before_, MeasureLongTermSpectrum(original_, PartOf(run_, 0.35, 0.36)));
    const bool preserve = request_.preserve_original_characteristics;
    const bool balance = !preserve || focus_.areas.contains("spectral balance");
    const RunOptions clean_run = PartOf(run_, 0.36, 0.6);
    GRYM_ASSIGN_OR_RETURN(EnhancedAudio cleaned, EnhanceAudio(original_, ParamsFor(request_, focus_, balance), clean_run));
    if (preserve && balance) {
      GRYM_ASSIGN_OR_RETURN(const LongTermSpectrum after, MeasureLongTermSpectrum(cleaned.audio));
      if (WorstBandDb(before_, after) > kKeptBandDb) {
        result_.warnings.push_back("composer: spectral balance was left alone, since correcting it would change an octave band by "
                                   "more than 3 dB and the original's characteristics are to be kept");
        GRYM_ASSIGN_OR_RETURN(cleaned, EnhanceAudio(original_, ParamsFor(request_, focus_, false), clean_run));
      }
    }
    result_.stages = std::move(cleaned.stages);
    *mix = std::move(cleaned.audio);
    if (request_.want_stems) result_.stems.push_back({"original", *mix});
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
    result_.warnings.insert(result_.warnings.end(), made.warnings.begin(), made.warnings.end());
    if (made.score.parts.empty()) return absl::OkStatus();
    made.score.duration_s = mix->duration_s();
    const RunOptions render_run = PartOf(run_, 0.6, 0.85);
    GRYM_ASSIGN_OR_RETURN(Rendered parts, RenderScore(made.score, render_run));
    GRYM_ASSIGN_OR_RETURN(const double parts_lufs, IntegratedLufs(parts.mix));
    if (!std::isfinite(parts_lufs)) return absl::OkStatus();
    const double distance = kPartsFarDb + (kPartsNearDb - kPartsFarDb) * request_.enhancement_level;
    const double wanted_db = features_.loudness.integrated_lufs - distance + focus_.parts_db() - parts_lufs;
    GRYM_RETURN_IF_ERROR(LevelParts(wanted_db, &parts, mix));
    result_.midi = ScoreToMidi(made.score);
    result_.peak_bytes += parts.peak_bytes;
    return absl::OkStatus();
  }

  // Gives every part its gain over time and adds it to the mix. Where the original's balance is to be kept, no part may
  // lift an octave band by more than about 1.5 dB, and the sum is measured.
  absl::Status LevelParts(double wanted_db, Rendered* parts, AudioBuffer* mix) {
    const bool preserve = request_.preserve_original_characteristics;
    std::vector<double> stem_db(parts->stems.size(), wanted_db);
    for (size_t i = 0; preserve && i < parts->stems.size(); ++i) {
      GRYM_ASSIGN_OR_RETURN(const LongTermSpectrum spectrum, MeasureLongTermSpectrum(parts->stems[i].audio));
      stem_db[i] = std::min(wanted_db, GainWithinBands(before_, MeanSquareDb(original_), spectrum, MeanSquareDb(parts->stems[i].audio)));
    }
    const std::vector<float> follow = FollowGain(features_, 0, mix->frames());
    AudioBuffer sum;
    double less_db = 0;
    std::vector<float> gain(follow.size());
    const auto gain_of = [&](size_t stem) {
      const float level = static_cast<float>(std::pow(10, (stem_db[stem] - less_db) / 20));
      for (size_t i = 0; i < follow.size(); ++i) gain[i] = follow[i] * level;
    };
    for (int tries = 0; tries < 5; ++tries, less_db += 2) {
      sum = *mix;
      for (size_t i = 0; i < parts->stems.size(); ++i) {
        gain_of(i);
        AddScaled(parts->stems[i].audio, gain, &sum);
      }
      if (!preserve) break;
      GRYM_ASSIGN_OR_RETURN(const LongTermSpectrum after, MeasureLongTermSpectrum(sum));
      if (WorstBandDb(before_, after) <= kKeptBandDb) break;
      if (tries == 4) result_.warnings.push_back("composer: an octave band changed by more than 3 dB, which the repair of the recording needs");
      else if (tries == 3) less_db += 4;
    }
    for (size_t i = 0; i < parts->stems.size() && request_.want_stems; ++i) {
      gain_of(i);
      ScaleBy(gain, &parts->stems[i].audio);
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
  AudioBuffer original_;
  AudioFeatures features_;
  LongTermSpectrum before_;
  GenerateAudioResult result_;
};

}  // namespace

absl::StatusOr<GenerateAudioResult> MakeEnhancedTake(const GenerateAudioRequest& request, const RunOptions& run) {
  return TakeMaker(request, run).Make();
}

}  // namespace grym
