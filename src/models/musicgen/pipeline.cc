#include "models/musicgen/pipeline.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "base/format.h"
#include "base/number_text.h"
#include "base/status.h"
#include "models/musicgen/generator.h"

namespace grym {
namespace {

// The pattern needs as many frames as the last book is late; five are a tenth of a second.
constexpr double kLeast_s = 0.1, kMost_s = 600;
constexpr char kStride[] = "extend_stride_s", kFade[] = "crossfade_s", kPrompt[] = "prompt_s",
               kBudget[] = "token_budget", kUse[] = "reference_use";

double MusicgenParameter(const GenerateAudioRequest& request, const char* name, double fallback) {
  const auto found = request.parameters.find(name);
  return found == request.parameters.end() ? fallback : ParseNumber(found->second).value_or(fallback);
}

bool HasRecording(const GenerateAudioRequest& request) {
  return request.reference_buffer.has_value() || !request.reference_audio.empty();
}

ModelInfo MusicgenInfo(std::string id, const MusicgenShape& shape, const ModelContext& context,
                       const MusicgenDetails& details) {
  ModelInfo info;
  info.id = std::move(id);
  info.version = details.version;
  info.name = shape.melody ? "MusicGen Melody" : "MusicGen";
  info.description = shape.melody ? "Text and a melody, sung or as MIDI, to music; also a recording continued"
                                  : "Text to music; also a recording continued";
  info.licence = details.licence;
  info.capabilities = {Capability::kGenerate, Capability::kStream, Capability::kCode};
  info.request_fields = {"temperature", "top_k", "top_p", "guidance", "reference_audio"};
  if (shape.melody) info.request_fields.push_back("reference_midi");
  info.params = {
      {kStride, ParamType::kFloat, "s", 5, 28, {}, "18",
       "What is longer than 30 s is made in windows, each of which adds this much; the rest of it is what it hears"},
      {kFade, ParamType::kFloat, "s", 0, 2, {}, "0",
       "Windows cross over so long, around a beat where one is heard; 0: the codes simply go on"},
      {kPrompt, ParamType::kFloat, "s", 0.5, 25, {}, "12",
       "Of a recording that is continued, its end of at most so long is heard, and begins the result"},
      {kBudget, ParamType::kInt, "", 0, 200'000, {}, "0",
       "The most steps of the network, about 50 for a second; the music ends there. 0: as many as the duration takes"},
  };
  if (shape.melody) {
    info.params.push_back({kUse, ParamType::kChoice, "", 0, 0, {"melody", "continue"}, "melody",
                           "What a reference recording is for: its melody, or to go on from it"});
  }
  info.rate_hz = shape.rate_hz;
  info.channels = shape.pattern.channels;
  info.device = context.device.str();
  info.own_budget_bytes = context.options.budget_bytes;
  info.seconds_per_audio_second = details.seconds_per_audio_second;
  return info;
}

}  // namespace

std::shared_ptr<const MusicgenModel> MusicgenModel::Make(std::string id, std::shared_ptr<const MusicgenNets> nets,
                                                         const ModelContext& context,
                                                         const MusicgenDetails& details) {
  std::shared_ptr<MusicgenModel> model(new MusicgenModel);
  model->nets_ = std::move(nets);
  model->context_ = context;
  model->details_ = details;
  model->info_ = MusicgenInfo(std::move(id), model->nets_->shape(), context, details);
  model->info_.weights_bytes = model->PlanWith({}, true).weights_bytes();
  context.budget->AddReclaimer(model.get(), model->info_.id,
                               [raw = model->nets_.get()](bool let_go) { return raw->Idle(let_go); });
  return model;
}

MusicgenModel::~MusicgenModel() {
  if (context_.budget) context_.budget->RemoveReclaimer(this);
}

bool MusicgenModel::WantsMelody(const GenerateAudioRequest& request) const {
  if (!nets_->shape().melody) return false;
  return !request.reference_midi.empty() || (HasRecording(request) && !WantsContinuation(request));
}

bool MusicgenModel::WantsContinuation(const GenerateAudioRequest& request) const {
  if (!HasRecording(request)) return false;
  const auto use = request.parameters.find(kUse);
  return !nets_->shape().melody || (use != request.parameters.end() && use->second == "continue");
}

int64_t MusicgenModel::MostPromptSamples(const GenerateAudioRequest& request) const {
  const MusicgenShape& shape = nets_->shape();
  const auto frames = static_cast<int64_t>(MusicgenParameter(request, kPrompt, 12) * shape.frame_rate_hz());
  return std::max<int64_t>(1, std::min(frames, shape.window_frames - 1)) * shape.hop;
}

absl::StatusOr<PieceSettings> MusicgenModel::SettingsOf(const GenerateAudioRequest& request) const {
  const MusicgenShape& shape = nets_->shape();
  if (!(request.duration_s >= kLeast_s && request.duration_s <= kMost_s)) {
    return Error(absl::StatusCode::kInvalidArgument, "bad_duration",
                 Formatted("musicgen/duration_s: want %g to %g, got %g", kLeast_s, kMost_s, request.duration_s));
  }
  PieceSettings settings;
  settings.samples = std::llround(request.duration_s * shape.rate_hz);
  settings.frames = (settings.samples + shape.hop - 1) / shape.hop;
  settings.window = shape.window_frames;
  const auto in_frames = [&shape](double seconds) { return std::llround(seconds * shape.frame_rate_hz()); };
  settings.stride = std::clamp<int64_t>(in_frames(MusicgenParameter(request, kStride, 18)), 1, settings.window - 1);
  settings.fade_frames = in_frames(MusicgenParameter(request, kFade, 0));
  settings.most_steps = static_cast<int64_t>(MusicgenParameter(request, kBudget, 0));
  settings.seed = request.seed;
  settings.sampling = shape.defaults;
  settings.sampling.guidance = request.guidance.value_or(settings.sampling.guidance);
  settings.sampling.temperature = request.temperature.value_or(settings.sampling.temperature);
  if (request.top_k) settings.sampling.top_k = *request.top_k;
  settings.sampling.top_p = request.top_p.value_or(settings.sampling.top_p);
  // Told nothing, both halves of a guided row would be the same.
  if (request.prompt.empty() && !WantsMelody(request)) settings.sampling.guidance = 1;
  return settings;
}

absl::StatusOr<std::vector<int32_t>> MusicgenModel::TextOf(const GenerateAudioRequest& request,
                                                           int64_t* dropped) const {
  *dropped = 0;
  if (request.prompt.empty() && !WantsMelody(request)) return std::vector<int32_t>();
  GRYM_ASSIGN_OR_RETURN(std::vector<int32_t> ids, nets_->Tokens(request.prompt));
  if (static_cast<int64_t>(ids.size()) > kMostTextTokens) {
    *dropped = static_cast<int64_t>(ids.size()) - kMostTextTokens;
    ids[kMostTextTokens - 1] = ids.back();
    ids.resize(kMostTextTokens);
  }
  return ids;
}

absl::StatusOr<MusicgenWork> MusicgenModel::WorkOf(const GenerateAudioRequest& request) const {
  GRYM_ASSIGN_OR_RETURN(const PieceSettings settings, SettingsOf(request));
  int64_t dropped = 0;
  GRYM_ASSIGN_OR_RETURN(const std::vector<int32_t> ids, TextOf(request, &dropped));
  MusicgenWork work;
  work.rows = settings.sampling.guided() ? 2 : 1;
  work.steps = nets_->shape().pattern.Columns(std::min(settings.frames, settings.window));
  work.tokens = static_cast<int64_t>(ids.size());
  work.has_text = !ids.empty();
  work.prompt_samples = WantsContinuation(request) ? MostPromptSamples(request) : 0;
  return work;
}

MemoryPlan MusicgenModel::PlanWith(const MusicgenWork& work, bool keep_weights) const {
  const MusicgenBytes bytes = nets_->Bytes(work);
  const Precision text = context_.PrecisionOf("text_encoder"), decoder = context_.PrecisionOf("decoder");
  constexpr Precision codec = kMusicgenCodecPrecision;
  MemoryPlan plan;
  plan.device = context_.device.str();
  plan.enforced_by = context_.budget->enforced_by();
  plan.keep_weights = keep_weights;
  plan.ignored_fields = details_.ignored_fields;
  plan.unread_tensors = details_.unread_tensors;
  if (work.has_text) plan.phases.push_back({"text_encoder", text, bytes.text_weights, bytes.text_working, "whole"});
  if (work.prompt_samples > 0)
    plan.phases.push_back({"codec_encoder", codec, bytes.encoder_weights, bytes.encoder_working, "whole"});
  const std::string cache = Formatted("cache of %d bytes for %d rows of %d steps", bytes.cache, work.rows, work.steps);
  PhasePlan network{"decoder", decoder, bytes.decoder_weights, bytes.cache + bytes.decoder_working, cache};
  if (!bytes.rest_on_cpu) {
    // Codes become sound while the next ones are made, so the codec is there beside the decoder.
    network.working_bytes += bytes.codec_working;
    if (!keep_weights) {
      network.weights_bytes += bytes.codec_weights;
      network.tiling += ", the codec's weights beside it";
    }
  }
  plan.phases.push_back(std::move(network));
  if (keep_weights || bytes.rest_on_cpu)
    plan.phases.push_back({"codec", codec, bytes.codec_weights, bytes.codec_working, "a second at a time"});
  for (PhasePlan& phase : plan.phases) {
    if (bytes.rest_on_cpu && phase.component != "decoder") phase.device = "cpu";
  }
  if (!keep_weights) plan.levers.push_back("dropped the text encoder and the codec's encoder after their phase");
  for (PhasePlan& phase : plan.phases) {
    if (phase.component == "text_encoder" || phase.component == "decoder") phase.note = details_.stored;
    if (phase.component != "decoder" || decoder != Precision::kInt4) continue;
    phase.note += (phase.note.empty() ? "" : "; ") + std::string("values, what leaves attention and heads in int8");
  }
  return plan;
}

absl::StatusOr<MemoryPlan> MusicgenModel::PlanFor(const MusicgenWork& work, int64_t budget_bytes) const {
  std::optional<MemoryPlan> least;
  for (const bool keep : {true, false}) {
    MemoryPlan plan = PlanWith(work, keep);
    plan.budget_bytes = budget_bytes;
    if (plan.fits()) return plan;
    if (!least || plan.peak_bytes() < least->peak_bytes()) least = std::move(plan);
  }
  return OverBudget("musicgen", *least);
}

int MusicgenModel::PartsOf(const MusicgenWork& work) {
  return MusicgenNets::kNetwork | MusicgenNets::kSound | (work.has_text ? MusicgenNets::kText : 0) |
         (work.prompt_samples > 0 ? MusicgenNets::kEncoder : 0);
}

absl::StatusOr<MemoryLease> MusicgenModel::Lease(const MusicgenWork& work, const RunOptions& run,
                                                 MemoryPlan& plan) const {
  const auto ask = [&](int64_t budget_bytes) -> absl::StatusOr<LeaseAsk> {
    GRYM_ASSIGN_OR_RETURN(plan, PlanFor(work, budget_bytes));
    LeaseAsk wanted{info_.id, this, plan.peak_bytes(), {}, 0};
    if (plan.keep_weights) nets_->Claim(PartsOf(work), wanted);  // else the run loads its own
    return wanted;
  };
  GRYM_ASSIGN_OR_RETURN(MemoryLease lease, context_.Lease(ask, run));
  PutBefore(lease.evicted(), plan);
  return lease;
}

ResourceNeed MusicgenModel::Need(const GenerateAudioRequest& request) const {
  const double seconds = request.duration_s * info_.seconds_per_audio_second;
  const auto work = WorkOf(request);
  if (!work.ok()) return NeedOf({}, seconds);  // the session says what is wrong
  const auto plan = PlanFor(*work, context_.budget->limit_bytes());
  return NeedOf(plan.ok() ? *plan : PlanWith(*work, false), seconds);
}

absl::StatusOr<std::string> MusicgenModel::Plan(const GenerateAudioRequest& request) const {
  GRYM_ASSIGN_OR_RETURN(const MusicgenWork work, WorkOf(request));
  GRYM_ASSIGN_OR_RETURN(const MemoryPlan plan, PlanFor(work, context_.budget->limit_bytes()));
  return plan.ToJson().Dump(2);
}

absl::Status MusicgenNets::SaveCopy(const std::filesystem::path&, const RunOptions&) const {
  return Error(absl::StatusCode::kUnimplemented, "no_copy", "musicgen: want networks of a checkpoint, got none");
}

absl::Status MusicgenModel::SaveCopy(const std::filesystem::path& out, const RunOptions& run) const {
  return Annotate(nets_->SaveCopy(out, run), info_.id);
}

absl::StatusOr<std::unique_ptr<Generator>> MusicgenModel::NewGenerator() const {
  return std::make_unique<MusicgenGenerator>(shared_from_this());
}

absl::StatusOr<std::unique_ptr<AudioCodec>> MusicgenModel::NewCodec() const {
  return nets_->NewCodec(info_.id, shared_from_this());
}

}  // namespace grym
