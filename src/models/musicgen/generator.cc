#include "models/musicgen/generator.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <utility>

#include "audio/block_source.h"
#include "base/format.h"
#include "base/progress.h"
#include "base/status.h"
#include "model/provenance.h"
#include "runtime/host_scope.h"
#include "runtime/memory_budget.h"
#include "runtime/torch_guard.h"

namespace grym {
namespace {

using RunClock = std::chrono::steady_clock;
constexpr size_t kMostRowsAtOnce = 16;
constexpr double kTextPart = 0.02;  // of the progress

double RunSeconds(RunClock::time_point start) {
  return std::chrono::duration<double>(RunClock::now() - start).count();
}

AudioInput RecordingOf(const GenerateAudioRequest& request) {
  if (request.reference_buffer) return AudioInput(*request.reference_buffer);
  return AudioInput(request.reference_audio);
}

// The last `most` samples of each channel at the codec's rate, [channels, samples]; the file is read in blocks.
absl::StatusOr<AudioBuffer> TailOf(const AudioInput& input, const MusicgenShape& shape, int64_t most,
                                   const CancelToken& cancel) {
  GRYM_ASSIGN_OR_RETURN(std::unique_ptr<BlockSource> source, OpenInput(input));
  GRYM_ASSIGN_OR_RETURN(source, ResampledSource(std::move(source), shape.rate_hz, ResampleQuality::kBest));
  GRYM_ASSIGN_OR_RETURN(AudioBuffer tail, AudioBuffer::Create(shape.pattern.channels, 0, shape.rate_hz));
  while (true) {
    GRYM_RETURN_IF_ERROR(cancel.Check());
    GRYM_ASSIGN_OR_RETURN(AudioBuffer block, source->Read(1 << 16));
    if (block.empty()) break;
    if (block.channels() != tail.channels()) {
      GRYM_ASSIGN_OR_RETURN(block, MixChannels(block, tail.channels()));
    }
    GRYM_RETURN_IF_ERROR(tail.Append(block));
    if (tail.frames() > 2 * most) tail = tail.Slice(tail.frames() - most, most);
  }
  return tail.Slice(std::max<int64_t>(0, tail.frames() - most), most);
}

}  // namespace

MusicgenRun::MusicgenRun(std::shared_ptr<const MusicgenModel> model, std::vector<GenerateAudioRequest> requests)
    : model_(std::move(model)), requests_(std::move(requests)), sides_(requests_.size()) {}

absl::Status MusicgenRun::Guarded(const RunOptions& run, const std::function<absl::Status()>& work) {
  GRYM_RETURN_IF_ERROR(Plan(run));
  const BudgetScope scope(lease_);
  return TorchGuard("musicgen", work);
}

void MusicgenRun::LetGo() {
  if (maker_) maker_->LetGo();
  peak_bytes_ = std::max(peak_bytes_, lease_.peak_bytes());
  if (plan_ && !plan_->keep_weights) nets_->Drop(MusicgenNets::kAll);
  lease_.Release();
}

// Once for all of the run.
absl::Status MusicgenRun::Plan(const RunOptions& run) {
  if (plan_) return absl::OkStatus();
  work_ = {};
  work_.rows = work_.pieces = 0;
  work_.has_text = false;
  for (const GenerateAudioRequest& request : requests_) {
    GRYM_ASSIGN_OR_RETURN(const MusicgenWork one, model_->WorkOf(request));
    work_.rows += one.rows;
    work_.pieces += one.pieces;
    work_.steps = std::max(work_.steps, one.steps);
    work_.tokens = std::max(work_.tokens, one.tokens);
    work_.prompt_samples = std::max(work_.prompt_samples, one.prompt_samples);
    work_.has_text |= one.has_text;
  }
  MemoryPlan plan;
  GRYM_ASSIGN_OR_RETURN(lease_, model_->Lease(work_, run, plan));
  nets_ = plan.keep_weights ? std::shared_ptr<const MusicgenNets>(model_, &model_->nets()) : model_->nets().Alone();
  plan_ = std::move(plan);
  return absl::OkStatus();
}

// Where the plan keeps weights, nobody lets go of them before the run ends.
absl::Status MusicgenRun::HoldNets(int parts, const CancelToken& cancel) {
  if (!plan_->keep_weights) return absl::OkStatus();
  return nets_->Hold(MusicgenModel::PartsOf(work_) & parts, lease_, cancel);
}

absl::Status MusicgenRun::ReadText(size_t i, const CancelToken& cancel) {
  const RunClock::time_point start = RunClock::now();
  int64_t dropped = 0;
  GRYM_ASSIGN_OR_RETURN(const std::vector<int32_t> ids, model_->TextOf(requests_[i], &dropped));
  if (dropped > 0)
    sides_[i].warnings.push_back(Formatted("prompt: cut to %d tokens, %d were dropped", ids.size(), dropped));
  if (ids.empty()) {
    if (requests_[i].guidance.value_or(1) > 1)
      sides_[i].warnings.push_back("guidance: there is no prompt to be guided by, it was left out");
    return absl::OkStatus();
  }
  GRYM_ASSIGN_OR_RETURN(TextStates states, nets_->EncodeText(ids, cancel));
  settings_[i].text = std::make_shared<const TextStates>(std::move(states));
  sides_[i].timings_s["text_encoder"] = RunSeconds(start);
  return absl::OkStatus();
}

// Codes of a recording's end, which the piece begins with.
absl::Status MusicgenRun::ReadPrompt(size_t i, const CancelToken& cancel) {
  const MusicgenShape& shape = model_->nets().shape();
  PieceSettings& settings = settings_[i];
  const int64_t most = model_->MostPromptSamples(requests_[i]);
  GRYM_ASSIGN_OR_RETURN(const AudioBuffer tail, TailOf(RecordingOf(requests_[i]), shape, most, cancel));
  const int64_t frames = tail.frames() / shape.hop;
  if (frames < 1)
    return Error(absl::StatusCode::kInvalidArgument, "no_frames",
                 Formatted("musicgen/reference_audio: want %d samples at %d Hz at least, got %d", shape.hop, shape.rate_hz,
                           tail.frames()));
  if (frames >= settings.frames) {
    return Error(absl::StatusCode::kInvalidArgument, "prompt_too_long",
                 Formatted("musicgen/duration_s: want more than the %g s that are continued, got %g; prompt_s shortens "
                           "them", tail.duration_s(), requests_[i].duration_s));
  }
  const AudioBuffer whole = tail.Slice(tail.frames() - frames * shape.hop, frames * shape.hop);
  GRYM_ASSIGN_OR_RETURN(settings.prompt, nets_->EncodeSound(whole.planar(), whole.frames(), cancel));
  settings.prompt_frames = static_cast<int64_t>(settings.prompt.size()) / shape.pattern.books;
  if (settings.prompt_frames == frames) return absl::OkStatus();
  return Error(absl::StatusCode::kInternal, "bad_prompt",
               Formatted("musicgen: want %d frames of codes from the codec, got %d", frames, settings.prompt_frames));
}

absl::Status MusicgenRun::ReadReference(size_t i, const CancelToken& cancel) {
  const RunClock::time_point start = RunClock::now();
  const GenerateAudioRequest& request = requests_[i];
  if (model_->WantsMelody(request)) {
    const ChromaOptions& chroma = model_->nets().shape().chroma;
    absl::StatusOr<Melody> melody = absl::InvalidArgumentError("");
    if (!request.reference_midi.empty()) {
      GRYM_ASSIGN_OR_RETURN(const Midi midi, LoadMidi(request.reference_midi));
      melody = MelodyOf(midi, request.duration_s, chroma);
      if (request.reference_buffer || !request.reference_audio.empty())
        sides_[i].warnings.push_back("reference_audio: the MIDI file's melody was taken, the recording was not heard");
    } else {
      melody = MelodyOf(RecordingOf(request), request.duration_s, chroma, cancel);
    }
    if (!melody.ok()) return melody.status();
    for (const std::string& warning : melody->warnings) sides_[i].warnings.push_back(warning);
    settings_[i].melody = *std::move(melody);
  } else if (model_->WantsContinuation(request)) {
    GRYM_RETURN_IF_ERROR(ReadPrompt(i, cancel));
  } else {
    return absl::OkStatus();
  }
  sides_[i].timings_s["reference"] = RunSeconds(start);
  return absl::OkStatus();
}

absl::Status MusicgenRun::Prepare(const RunOptions& run) {
  ProgressReporter(run).Report(0, "text");
  settings_.clear();
  sides_.assign(requests_.size(), {});
  GRYM_RETURN_IF_ERROR(HoldNets(MusicgenNets::kAll, run.cancel));
  for (size_t i = 0; i < requests_.size(); ++i) {
    GRYM_ASSIGN_OR_RETURN(PieceSettings settings, model_->SettingsOf(requests_[i]));
    settings_.push_back(std::move(settings));
    GRYM_RETURN_IF_ERROR(ReadText(i, run.cancel));
  }
  if (!plan_->keep_weights) nets_->Drop(MusicgenNets::kText);
  for (size_t i = 0; i < requests_.size(); ++i) GRYM_RETURN_IF_ERROR(ReadReference(i, run.cancel));
  if (!plan_->keep_weights) nets_->Drop(MusicgenNets::kEncoder);
  maker_.emplace(*nets_, std::move(settings_));
  prepared_ = true;
  return absl::OkStatus();
}

absl::Status MusicgenRun::PrepareFrom(const SavedPiece& saved, const RunOptions& run) {
  settings_.clear();
  sides_.assign(1, {});
  GRYM_RETURN_IF_ERROR(HoldNets(MusicgenNets::kAll & ~MusicgenNets::kEncoder, run.cancel));
  GRYM_ASSIGN_OR_RETURN(PieceSettings settings, model_->SettingsOf(requests_[0]));
  const int64_t most = std::min(settings.frames, settings.window);
  if (saved.prompt_frames >= most) {
    return Error(absl::StatusCode::kDataLoss, "bad_state",
                 Formatted("musicgen/state: want a prompt below %d frames, got %d", most, saved.prompt_frames));
  }
  settings.prompt = saved.prompt;
  settings.prompt_frames = saved.prompt_frames;
  settings.melody = saved.melody;
  settings_.push_back(std::move(settings));
  GRYM_RETURN_IF_ERROR(ReadText(0, run.cancel));
  sides_[0].warnings = saved.warnings;
  if (!plan_->keep_weights) nets_->Drop(MusicgenNets::kText | MusicgenNets::kEncoder);
  maker_.emplace(*nets_, std::move(settings_));
  GRYM_RETURN_IF_ERROR(maker_->Restore(saved.state, saved.sound, run.cancel));
  // What is remembered was given, all of it; what is made again is given from there on.
  if (saved.sound && saved.given != maker_->taken(0)) {
    return Error(absl::StatusCode::kDataLoss, "bad_state",
                 Formatted("musicgen/state: want %d samples given, got %d", maker_->taken(0), saved.given));
  }
  if (saved.given > maker_->released(0)) {
    return Error(absl::StatusCode::kDataLoss, "bad_state",
                 Formatted("musicgen/state: want up to %d samples given, got %d", maker_->released(0), saved.given));
  }
  prepared_ = true;
  return absl::OkStatus();
}

GenerateAudioResult MusicgenRun::ResultOf(size_t i) {
  PieceMaker& made = maker();
  const PieceSettings& settings = made.settings(i);
  const MusicgenShape& shape = model_->nets().shape();
  GenerateAudioResult result;
  result.warnings = sides_[i].warnings;
  result.timings_s = sides_[i].timings_s;
  result.timings_s["decoder"] = made.network_s();
  result.timings_s["codec"] = made.sound_s();
  result.peak_bytes = std::max(peak_bytes_, lease_.peak_bytes());
  if (settings.samples < std::llround(requests_[i].duration_s * shape.rate_hz)) {
    result.warnings.push_back(Formatted("token_budget: %d steps end the music after %.2f s", settings.most_steps,
                                        static_cast<double>(settings.samples) / shape.rate_hz));
  }
  result.facts["frames"] = Formatted("%d", settings.frames);
  result.facts["windows"] = Formatted("%d", made.state(i).windows.size());
  if (made.seams(i).seams() > 0) result.facts["seam_ratio"] = Formatted("%.3f", made.seams(i).ratio());
  const double worked_s = made.network_s() + made.sound_s();
  if (made.network_s() > 0)
    result.facts["tokens_per_second"] = Formatted("%.1f", static_cast<double>(made.steps()) / made.network_s());
  if (worked_s > 0) {
    result.facts["times_real_time"] =
        Formatted("%.3f", static_cast<double>(made.steps()) / shape.frame_rate_hz() / worked_s);
  }
  if (plan_) result.facts["plan"] = plan_->ToJson().Dump();
  GenerateAudioRequest resolved = requests_[i];
  resolved.model = model_->info().id;
  resolved.guidance = settings.sampling.guidance;
  resolved.temperature = settings.sampling.temperature;
  resolved.top_k = static_cast<int>(settings.sampling.top_k);
  resolved.top_p = settings.sampling.top_p;
  result.provenance.request_json = RequestToJson(resolved);
  SignResult(model_->info(), requests_[i], result.provenance);
  return result;
}

SavedPiece MusicgenRun::Saved(int64_t given) {
  SavedPiece saved;
  saved.fingerprint = model_->nets().fingerprint();
  saved.request = requests_[0];
  // What was heard of it is saved; that something was heard is told by the name.
  if (saved.request.reference_buffer && saved.request.reference_audio.empty()) saved.request.reference_audio = "buffer";
  saved.given = given;
  PieceMaker& made = maker();
  saved.prompt = made.settings(0).prompt;
  saved.prompt_frames = made.settings(0).prompt_frames;
  saved.melody = made.settings(0).melody;
  saved.state = made.state(0);
  if (given == made.released(0)) saved.sound = made.sound(0);
  saved.warnings = sides_[0].warnings;
  return saved;
}

absl::StatusOr<GenerateAudioResult> MusicgenGenerator::Generate(const GenerateAudioRequest& request,
                                                                const RunOptions& run) {
  GRYM_ASSIGN_OR_RETURN(std::vector<GenerateAudioResult> results, GenerateBatch(std::span(&request, 1), run));
  return std::move(results.front());
}

absl::Status MusicgenGenerator::MakeGroup(std::span<const GenerateAudioRequest> requests,
                                          std::span<const size_t> group, const RunOptions& run,
                                          std::vector<GenerateAudioResult>& results) {
  std::vector<GenerateAudioRequest> chosen;
  for (const size_t i : group) chosen.push_back(requests[i]);
  MusicgenRun made(model_, std::move(chosen));
  ProgressReporter progress(run);
  std::vector<std::vector<std::vector<float>>> sounds(group.size());
  const auto make = [&]() -> absl::Status {
    GRYM_RETURN_IF_ERROR(made.Prepare(PartOf(run, 0, kTextPart)));
    PieceMaker& maker = made.maker();
    while (!maker.done()) {
      GRYM_RETURN_IF_ERROR(maker.Step(run.cancel));
      progress.Report(kTextPart + (1 - kTextPart) * maker.fraction(), "tokens");
      for (size_t i = 0; i < group.size(); ++i) {
        const std::vector<std::vector<float>> more = maker.TakeSamples(i);
        sounds[i].resize(more.size());
        for (size_t c = 0; c < more.size(); ++c)
          sounds[i][c].insert(sounds[i][c].end(), more[c].begin(), more[c].end());
      }
    }
    return absl::OkStatus();
  };
  GRYM_RETURN_IF_ERROR(made.Guarded(run, make));
  for (size_t i = 0; i < group.size(); ++i) {
    std::vector<float> planar;
    for (const std::vector<float>& channel : sounds[i]) planar.insert(planar.end(), channel.begin(), channel.end());
    const auto channels = static_cast<int>(sounds[i].size());
    GenerateAudioResult result = made.ResultOf(i);
    if (std::any_of(planar.begin(), planar.end(), [](float x) { return !std::isfinite(x); }))
      return Error(absl::StatusCode::kInternal, "non_finite_result",
                   "musicgen: want finite samples, the codec gave others");
    GRYM_ASSIGN_OR_RETURN(result.audio, AudioBuffer::FromPlanar(std::move(planar), channels, model_->info().rate_hz));
    results[group[i]] = std::move(result);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<GenerateAudioResult>> MusicgenGenerator::GenerateBatch(
    std::span<const GenerateAudioRequest> requests, const RunOptions& given) {
  const RunOptions run = ForHost(given);
  // What can stand side by side is told by the requests alone: lengths of prompts and texts are read with them.
  std::map<std::string, std::vector<size_t>> groups;
  for (size_t i = 0; i < requests.size(); ++i) {
    GRYM_ASSIGN_OR_RETURN(const PieceSettings settings, model_->SettingsOf(requests[i]));
    int64_t dropped = 0;
    GRYM_ASSIGN_OR_RETURN(const std::vector<int32_t> ids, model_->TextOf(requests[i], &dropped));
    const bool alone = settings.fade_frames > 0 || model_->WantsContinuation(requests[i]);
    // A melody model hears its text before the codes: those of other lengths lie elsewhere.
    const size_t tokens = model_->nets().shape().melody ? ids.size() : 0;
    groups[alone ? Formatted("alone %d", i)
                 : Formatted("stride %d tokens %d melody %d", settings.stride, tokens,
                             static_cast<int>(model_->WantsMelody(requests[i])))]
        .push_back(i);
  }
  std::vector<GenerateAudioResult> results(requests.size());
  double done = 0;
  for (const auto& [name, members] : groups) {
    for (size_t first = 0; first < members.size();) {
      size_t count = std::min(kMostRowsAtOnce, members.size() - first);
      // As many as the budget allows; one alone says what is missing.
      for (; count > 1; count = (count + 1) / 2) {
        MusicgenWork work;
        work.rows = work.pieces = 0;
        for (size_t i = first; i < first + count; ++i) {
          GRYM_ASSIGN_OR_RETURN(const MusicgenWork one, model_->WorkOf(requests[members[i]]));
          work.rows += one.rows;
          work.pieces += one.pieces;
          work.steps = std::max(work.steps, one.steps);
          work.tokens = std::max(work.tokens, one.tokens);
        }
        if (model_->PlanFor(work, model_->context().budget->limit_bytes()).ok()) break;
      }
      const double share = static_cast<double>(count) / static_cast<double>(requests.size());
      const RunOptions part = PartOf(run, done, done + share);
      GRYM_RETURN_IF_ERROR(MakeGroup(requests, std::span(members).subspan(first, count), part, results));
      done += share;
      first += count;
    }
  }
  return results;
}

absl::StatusOr<std::unique_ptr<GenerationStream>> MusicgenGenerator::Stream(const GenerateAudioRequest& request) {
  GRYM_RETURN_IF_ERROR(model_->SettingsOf(request).status());
  return std::make_unique<MusicgenStream>(model_, request);
}

absl::StatusOr<std::unique_ptr<GenerationStream>> MusicgenGenerator::Resume(const std::filesystem::path& saved) {
  GRYM_ASSIGN_OR_RETURN(SavedPiece piece, LoadPiece(saved, model_->nets().fingerprint(), model_->nets().shape()));
  absl::Status sound = CheckRequestForModel(model_->info(), piece.request, nullptr);
  if (sound.ok()) sound = model_->SettingsOf(piece.request).status();
  if (!sound.ok()) return Error(absl::StatusCode::kDataLoss, "bad_state", std::string(sound.message()));
  return std::make_unique<MusicgenStream>(model_, std::move(piece));
}

}  // namespace grym
