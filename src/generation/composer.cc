#include "generation/composer.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "base/format.h"
#include "base/number_text.h"
#include "base/progress.h"
#include "base/status.h"
#include "base/utf8.h"
#include "generation/arrange.h"
#include "generation/enhanced_take.h"
#include "generation/master.h"
#include "generation/oversample.h"
#include "generation/piece_plan.h"
#include "generation/render.h"
#include "grymsynth/audio_features.h"
#include "model/provenance.h"

namespace grym {
namespace {

constexpr const char* kComposerVersion = "1";

ModelInfo ComposerInfo() {
  ModelInfo info;
  info.id = "composer";
  info.version = kComposerVersion;
  info.name = "Composer";
  info.description =
      "Writes a piece after a prompt or patterns and plays it on built-in instruments; makes an enhanced "
      "take of a recording. Quality tiers play the same notes: draft without room, echoes and glue; standard; "
      "best at twice the rate, filtered down, which takes about three times as long, with stems six times.";
  info.licence = "Apache-2.0";
  info.capabilities = {Capability::kGenerate, Capability::kEnhance};
  std::vector<std::string> genres;
  for (const Genre* genre : AllGenres()) genres.emplace_back(genre->name);
  info.params = {
      {"genre", ParamType::kChoice, "", 0, 0, genres, "", "unset: from the prompt, its mood, or the seed"},
      {"swing", ParamType::kFloat, "", 0.5, 0.75, {}, "", "share of the first of two steps; unset: the genre's"},
      {"energy", ParamType::kFloat, "", 0, 1, {}, "0.5", "how many parts play and how hard"},
      {"humanise", ParamType::kFloat, "", 0.1, 3, {}, "1", "scales the players' deviations in time and strength"}};
  info.request_fields = {"negative_prompt",
                         "temperature",
                         "tempo_bpm",
                         "key",
                         "meter",
                         "structure",
                         "instruments",
                         "mood",
                         "reference_audio",
                         "reference_midi",
                         "reference_strength",
                         "want_stems",
                         "quality",
                         "enhancement_level",
                         "preserve_original_characteristics",
                         "focus_areas",
                         "target_lufs",
                         "patterns"};
  info.seconds_per_audio_second = 0.03;
  return info;
}

// A draft leaves out what costs most and matters least for a first listen: the room and the echoes.
void MakeDraftQuality(Score* score) {
  for (InstrumentPart& part : score->parts) {
    part.reverb_db = part.delay_db = -60;
    std::erase_if(part.automation, [](const Automation& curve) { return curve.target == "reverb_db"; });
  }
  score->mastering.glue = 0;
  score->mastering.warmth = 0;
}

std::string StructureText(const PiecePlan& plan) { return Join(plan.names, " "); }

GenerateAudioRequest ResolvedRequest(const GenerateAudioRequest& request, const PiecePlan& plan) {
  GenerateAudioRequest resolved = request;
  resolved.model = "composer";
  resolved.tempo_bpm = plan.tempo_bpm;
  resolved.key = KeyName(plan.key.tonic + (plan.key.minor ? 12 : 0));
  resolved.meter = plan.meter;
  resolved.structure = StructureText(plan);
  resolved.temperature = plan.adventure;
  resolved.target_lufs = request.target_lufs.value_or(-16.0);
  resolved.parameters["genre"] = plan.genre.name;
  return resolved;
}

// More words than these say nothing new to it.
constexpr size_t kMostPromptBytes = size_t{16} << 10;

// Cuts behind a whole word, or a whole letter where there is none.
void CutPrompt(const char* name, std::string& text, std::vector<std::string>& warnings) {
  if (text.size() <= kMostPromptBytes) return;
  size_t kept = 0;
  for (size_t at = 0; at < kMostPromptBytes;) {
    const size_t length = std::max<size_t>(1, Utf8Length(text, at));
    if (at + length > kMostPromptBytes) break;
    at += length;
    kept = at;
  }
  if (const size_t space = text.find_last_of(" \n\t", kept); space != std::string::npos && space > 0) kept = space;
  warnings.push_back(Formatted("composer: %s: cut to %d bytes, %d were dropped", name, kept, text.size() - kept));
  text.resize(kept);
}

class ComposerGenerator : public Generator {
 public:
  explicit ComposerGenerator(const ModelInfo& info) : info_(info) {}

  absl::StatusOr<GenerateAudioResult> Generate(const GenerateAudioRequest& asked, const RunOptions& run) override {
    GRYM_RETURN_IF_ERROR(ValidateRequest(asked));
    std::vector<std::string> warnings;
    GRYM_RETURN_IF_ERROR(CheckRequestForModel(info_, asked, &warnings));
    GenerateAudioRequest request = asked;
    CutPrompt("prompt", request.prompt, warnings);
    CutPrompt("negative_prompt", request.negative_prompt, warnings);
    GRYM_RETURN_IF_ERROR(run.cancel.Check());
    absl::StatusOr<GenerateAudioResult> made = request.reference_buffer || !request.reference_audio.empty()
                                                   ? MakeEnhancedTake(request, run)
                                                   : Compose(request, run);
    if (!made.ok()) return made;
    made->warnings.insert(made->warnings.begin(), warnings.begin(), warnings.end());
    SignResult(info_, request, made->provenance);
    return made;
  }

 private:
  using Clock = std::chrono::steady_clock;

  static absl::StatusOr<GenerateAudioResult> Compose(const GenerateAudioRequest& request, const RunOptions& run) {
    const auto seconds_since = [](Clock::time_point from) {
      return std::chrono::duration<double>(Clock::now() - from).count();
    };
    GenerateAudioResult result;
    Clock::time_point started = Clock::now();
    GRYM_ASSIGN_OR_RETURN(const PiecePlan plan, PlanPiece(request));
    const ChordTrack chords = LayOutChords(plan);
    Score score = ArrangePiece(plan, chords);
    if (request.quality == QualityTier::kDraft) MakeDraftQuality(&score);
    if (request.target_lufs) score.mastering.target_lufs = *request.target_lufs;
    result.timings_s["compose"] = seconds_since(started);

    started = Clock::now();
    const RunOptions render_run = PartOf(run, 0.02, 0.85), master_run = PartOf(run, 0.85, 1.0);
    const auto render = request.quality == QualityTier::kBest ? &RenderOversampled : &RenderScore;
    GRYM_ASSIGN_OR_RETURN(Rendered rendered, render(score, render_run, request.want_stems));
    result.timings_s["render"] = seconds_since(started);
    started = Clock::now();
    GRYM_ASSIGN_OR_RETURN(result.audio, MasterMix(rendered.mix, score.mastering, master_run));
    result.timings_s["master"] = seconds_since(started);
    result.peak_bytes = rendered.peak_bytes + static_cast<int64_t>(result.audio.planar().size_bytes());
    if (request.want_stems) {
      result.stems = std::move(rendered.stems);
      result.mix = std::move(rendered.mix);
    }
    result.midi = ScoreToMidi(score);
    result.warnings = plan.warnings;
    result.provenance.request_json = RequestToJson(ResolvedRequest(request, plan));
    Describe(plan, chords, &result);
    return result;
  }

  static void Describe(const PiecePlan& plan, const ChordTrack& chords, GenerateAudioResult* result) {
    result->facts["tempo_bpm"] = ShortNumber(plan.tempo_bpm);
    result->facts["key"] = KeyName(plan.key.tonic + (plan.key.minor ? 12 : 0));
    result->facts["genre"] = plan.genre.name;
    result->facts["structure"] = StructureText(plan);
    result->facts["meter"] = std::to_string(plan.meter);
    result->facts["bars"] = std::to_string(plan.bars);
    std::string text;
    for (const ChordSpan& span : chords.spans()) {
      if (span.beat >= 16 * plan.meter) break;
      text += (text.empty() ? "" : " ") + span.chord.label;
    }
    result->facts["chords"] = text;  // of the first sixteen bars
  }

  const ModelInfo info_;
};

class Composer : public Model {
 public:
  Composer() : info_(ComposerInfo()) {}
  const ModelInfo& info() const override { return info_; }

  ResourceNeed Need(const GenerateAudioRequest& request) const override {
    ResourceNeed need;
    const int64_t buffer =
        static_cast<int64_t>(std::ceil(request.duration_s * 44100)) * 2 * static_cast<int64_t>(sizeof(float));
    // The mix, the master and its copy; with stems about eight more; a reference is held, cleaned and analysed.
    need.peak_bytes = buffer * (request.want_stems ? 12 : 4) * (request.quality == QualityTier::kBest ? 2 : 1);
    if (request.reference_buffer || !request.reference_audio.empty()) need.peak_bytes += buffer * 6;
    const double slower = request.quality != QualityTier::kBest ? 1 : request.want_stems ? 6 : 3;
    need.seconds = request.duration_s * info_.seconds_per_audio_second * slower;
    return need;
  }

  absl::StatusOr<std::unique_ptr<Generator>> NewGenerator() const override {
    return std::make_unique<ComposerGenerator>(info_);
  }

 private:
  const ModelInfo info_;
};

}  // namespace

std::shared_ptr<const Model> MakeComposer() { return std::make_shared<Composer>(); }

}  // namespace grym
