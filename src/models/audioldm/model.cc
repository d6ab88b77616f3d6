#include "models/audioldm/model.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "base/format.h"
#include "base/number_text.h"
#include "base/status.h"
#include "models/audioldm/session.h"
#include "runtime/torch_guard.h"

namespace grym {
namespace {

// Of two cores with AVX2 and the small checkpoint at 10 steps; a first guess until runs are measured.
constexpr double kAudioLdmSecondsPerAudioSecond = 3;
constexpr double kMostSeconds = 60;
constexpr int64_t kCountedFrames = 1 << 16;

// Length of the recording to start from, 0 without one.
absl::StatusOr<double> SoundSeconds(const GenerateAudioRequest& request) {
  if (request.reference_buffer) return request.reference_buffer->duration_s();
  if (request.reference_audio.empty()) return 0.0;
  GRYM_ASSIGN_OR_RETURN(const AudioFileInfo file, ProbeAudioFile(request.reference_audio));
  if (file.frames >= 0) return static_cast<double>(file.frames) / file.rate_hz;
  // Only decoding can tell; a recording that is longer than may be worked on need not be read to its end.
  GRYM_ASSIGN_OR_RETURN(AudioReader reader, AudioReader::Open(request.reference_audio));
  const auto enough = static_cast<int64_t>((kMostSeconds + 1) * file.rate_hz);
  while (reader.position() < enough) {
    GRYM_ASSIGN_OR_RETURN(const AudioBuffer block, reader.Read(kCountedFrames));
    if (block.empty()) break;
  }
  return static_cast<double>(reader.position()) / file.rate_hz;
}

ModelInfo AudioLdmInfo(const ModelFolder& folder, const ModelContext& context, const AudioLdmParts& parts) {
  ModelInfo info;
  info.id = context.options.id.empty() ? ModelIdOf("audioldm", folder.folder()) : context.options.id;
  info.version = "1";
  info.name = "AudioLDM";
  info.description = "Text to sound by latent diffusion; from a recording at a strength, or a span of it made anew";
  info.licence = "that of the checkpoint";
  info.capabilities = {Capability::kGenerate};
  info.request_fields = {"negative_prompt", "guidance", "steps", "reference_audio", "reference_strength"};
  info.params = {
      {"solver", ParamType::kChoice, "", 0, 0, {"checkpoint", "dpmsolver++"}, "checkpoint",
       "The folder's own schedule, or DPM-Solver++(2M), which wants fewer steps"},
      {"window_s", ParamType::kFloat, "s", 0, 60, {}, "10.24",
       "What is longer is made in windows of this length that overlap by a quarter; 0: at once whatever its length"},
      {"mask_start_s", ParamType::kFloat, "s", 0, 60, {}, "0", "With a recording: where the span begins that is made anew"},
      {"mask_end_s", ParamType::kFloat, "s", 0, 60, {}, "0", "Where it ends; 0: no span, all of it changes"},
  };
  info.rate_hz = static_cast<int>(parts.geometry.rate_hz);
  info.channels = 1;
  info.device = context.device.str();
  info.own_budget_bytes = context.options.budget_bytes;
  info.seconds_per_audio_second = kAudioLdmSecondsPerAudioSecond;
  return info;
}

}  // namespace

void AudioLdmModel::MakeComponents() {
  const auto options = [this](const char* component) {
    return WeightOptions{PrecisionOf(component), context_.device, {}};
  };
  // Each load holds what it needs by value: the model may be gone while a session still ends.
  const auto with = [](WeightOptions given, const CancelToken& cancel) {
    given.cancel = cancel;
    return given;
  };
  const auto bytes = [plan = PlanWith({.duration_s = 1, .from_sound = true}, {})](std::string_view component) {
    for (const PhasePlan& phase : plan.memory.phases) {
      if (phase.component == component) return phase.weights_bytes;
    }
    return int64_t{0};
  };
  text_ = std::make_unique<const Component<ClapTextNet>>(
      [set = parts_.text_set, config = parts_.text, given = options("text_encoder"),
       with](const CancelToken& cancel) {
        return ClapTextNet::Load(*set, "text_encoder", with(given, cancel), config);
      },
      bytes("text_encoder"));
  unet_ = std::make_unique<const Component<Unet>>(
      [set = parts_.unet_set, config = parts_.unet, given = options("unet"), with](const CancelToken& cancel) {
        return Unet::Load(*set, config, with(given, cancel));
      },
      bytes("unet"));
  streamed_text_ = std::make_unique<const Component<ClapTextNet>>(
      [set = parts_.text_set, config = parts_.text, given = options("text_encoder"),
       with](const CancelToken& cancel) {
        return ClapTextNet::LoadStreamed(set, "text_encoder", with(given, cancel), config);
      },
      0);
  streamed_unet_ = std::make_unique<const Component<Unet>>(
      [set = parts_.unet_set, config = parts_.unet, given = options("unet"), with](const CancelToken& cancel) {
        return Unet::LoadStreamed(set, config, with(given, cancel));
      },
      0);
  decoder_ = std::make_unique<const Component<VaeDecoder>>(
      [set = parts_.vae_set, config = parts_.vae, given = options("vae"), with](const CancelToken& cancel) {
        return VaeDecoder::Load(*set, config, with(given, cancel));
      },
      bytes("vae"));
  encoder_ = std::make_unique<const Component<VaeEncoder>>(
      [set = parts_.vae_set, config = parts_.vae, given = options("vae"), with](const CancelToken& cancel) {
        return VaeEncoder::Load(*set, config, with(given, cancel));
      },
      bytes("vae_encoder"));
  vocoder_ = std::make_unique<const Component<HifiGan>>(
      [set = parts_.vocoder_set, config = parts_.vocoder, given = options("vocoder"), with](const CancelToken& cancel) {
        return HifiGan::Load(*set, config, with(given, cancel));
      },
      bytes("vocoder"));
}

absl::StatusOr<std::shared_ptr<const AudioLdmModel>> AudioLdmModel::Open(const ModelFolder& folder,
                                                                         const ModelContext& context) {
  std::shared_ptr<AudioLdmModel> model(new AudioLdmModel);
  model->context_ = context;
  GRYM_ASSIGN_OR_RETURN(model->parts_, AudioLdmParts::Read(folder));
  GRYM_RETURN_IF_ERROR(context.CheckComponents({"text_encoder", "unet", "vae", "vocoder"}));
  model->LowerPrecision();
  model->MakeComponents();
  model->info_ = AudioLdmInfo(folder, context, model->parts_);
  for (const PhasePlan& phase : model->PlanWith({.duration_s = 1}, {}).memory.phases)
    model->info_.weights_bytes += phase.weights_bytes;
  context.budget->AddReclaimer(model.get(), model->info_.id, [raw = model.get()](bool let_go) {
    return raw->text_->Idle(let_go) + raw->unet_->Idle(let_go) + raw->decoder_->Idle(let_go) +
           raw->encoder_->Idle(let_go) + raw->vocoder_->Idle(let_go);
  });
  return std::shared_ptr<const AudioLdmModel>(std::move(model));
}

AudioLdmModel::~AudioLdmModel() {
  if (context_.budget) context_.budget->RemoveReclaimer(this);
}

void AudioLdmModel::DropAll() const {
  text_->Drop();
  unet_->Drop();
  decoder_->Drop();
  encoder_->Drop();
  vocoder_->Drop();
}

absl::StatusOr<MemoryLease> AudioLdmModel::Lease(const AudioLdmWork& work, const RunOptions& run,
                                                 AudioLdmPlan& plan) const {
  const auto ask = [&](int64_t budget_bytes) -> absl::StatusOr<LeaseAsk> {
    GRYM_ASSIGN_OR_RETURN(plan, PlanFor(work, budget_bytes));
    LeaseAsk wanted{info_.id, this, plan.memory.peak_bytes(), {}, 0};
    if (!plan.memory.keep_weights) return wanted;  // each phase loads its own
    text_->Claim(wanted);
    unet_->Claim(wanted);
    decoder_->Claim(wanted);
    if (work.from_sound) encoder_->Claim(wanted);
    vocoder_->Claim(wanted);
    return wanted;
  };
  GRYM_ASSIGN_OR_RETURN(MemoryLease lease, context_.Lease(ask, run));
  PutBefore(lease.evicted(), plan.memory);
  return lease;
}

absl::StatusOr<AudioLdmWork> AudioLdmModel::WorkOf(const GenerateAudioRequest& request, double sound_s) const {
  AudioLdmWork work;
  work.from_sound = sound_s > 0;
  work.duration_s = work.from_sound ? sound_s : request.duration_s;
  if (!(work.duration_s >= 0.05 && work.duration_s <= kMostSeconds)) {
    return Error(absl::StatusCode::kInvalidArgument, "bad_duration",
                 Formatted("audioldm/duration_s: want 0.05 to %g, got %g", kMostSeconds, work.duration_s));
  }
  work.steps = request.steps.value_or(10);
  const auto solver = request.parameters.find("solver");
  const bool dpm = solver != request.parameters.end() && solver->second == "dpmsolver++";
  GRYM_RETURN_IF_ERROR(Scheduler::Create(dpm ? parts_.dpm_solver : parts_.schedule, work.steps).status());
  work.guidance = request.guidance.value_or(2.5);
  GRYM_ASSIGN_OR_RETURN(const ClapTokens prompt, Tokens(request.prompt));
  GRYM_ASSIGN_OR_RETURN(const ClapTokens negative, Tokens(request.negative_prompt));
  work.tokens = static_cast<int64_t>(std::max(prompt.ids.size(), work.guidance > 1 ? negative.ids.size() : 0));
  const auto window = request.parameters.find("window_s");
  const double window_s = window == request.parameters.end() ? 10.24 : ParseNumber(window->second).value_or(10.24);
  if (window_s > 0) work.window = std::max<int64_t>(8, parts_.geometry.LatentFrames(window_s));
  return work;
}

ResourceNeed AudioLdmModel::Need(const GenerateAudioRequest& request) const {
  const double seconds = request.duration_s * info_.seconds_per_audio_second;
  const auto sound_s = SoundSeconds(request);
  if (!sound_s.ok()) return NeedOf({}, seconds);  // the session says what is wrong
  const auto work = WorkOf(request, *sound_s);
  if (!work.ok()) return NeedOf({}, seconds);
  return NeedOf(FirstThatFits(*work, context_.budget->limit_bytes(), /*may_stream=*/true).memory, seconds);
}

absl::StatusOr<std::string> AudioLdmModel::Plan(const GenerateAudioRequest& request) const {
  GRYM_ASSIGN_OR_RETURN(const double sound_s, SoundSeconds(request));
  GRYM_ASSIGN_OR_RETURN(const AudioLdmWork work, WorkOf(request, sound_s));
  GRYM_ASSIGN_OR_RETURN(const AudioLdmPlan plan, PlanFor(work, context_.budget->limit_bytes()));
  return plan.memory.ToJson().Dump(2);
}

absl::StatusOr<std::unique_ptr<Generator>> AudioLdmModel::NewGenerator() const {
  return std::make_unique<AudioLdmGenerator>(shared_from_this());
}

absl::StatusOr<std::shared_ptr<const Model>> OpenAudioLdm(const ModelFolder& folder, const ModelContext& context) {
  GRYM_ASSIGN_OR_RETURN(std::shared_ptr<const AudioLdmModel> model, AudioLdmModel::Open(folder, context));
  return std::shared_ptr<const Model>(std::move(model));
}

}  // namespace grym
