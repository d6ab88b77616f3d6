#include "models/wav2vec2/model.h"

#include <algorithm>
#include <optional>

#include "base/format.h"
#include "base/status.h"
#include "checkpoint/config_reader.h"
#include "checkpoint/fingerprint.h"
#include "runtime/torch_guard.h"

namespace grym {
namespace {

constexpr char kComponent[] = "wav2vec2";
// Of two cores with AVX2 at some 75 GFLOP/s each, for 100 million weights; a first guess until runs are measured.
constexpr double kSecondsPerAudioSecond = 0.12;

ModelInfo InfoOf(const ModelFolder& folder, const ModelContext& context, const Wav2Vec2Config& config,
                 const std::string& fingerprint) {
  ModelInfo info;
  info.id = context.options.id.empty() ? ModelIdOf(kComponent, folder.folder()) : context.options.id;
  info.version = "1-" + fingerprint;
  info.name = "wav2vec2";
  info.description = Formatted("speech representations, %d layers of %d%s", config.layers, config.hidden,
                               config.ctc_head ? ", with letters (CTC)" : "");
  info.licence = "of the checkpoint";
  info.capabilities = {Capability::kEmbedAudio};
  info.rate_hz = config.rate_hz;
  info.channels = 1;
  info.device = context.device.str();
  info.own_budget_bytes = context.options.budget_bytes;
  const double size = static_cast<double>(config.layers * config.hidden * config.hidden) / (12.0 * 768 * 768);
  info.seconds_per_audio_second = kSecondsPerAudioSecond * size;
  return info;
}

}  // namespace

void Wav2Vec2Model::MakeComponents(std::shared_ptr<const TensorSet> set) {
  // Each load holds what it needs by value: the model may be gone while a session still ends.
  const auto options = [precision = precision_, device = context_.device](const CancelToken& cancel) {
    return WeightOptions{precision, device, cancel};
  };
  net_ = std::make_unique<const Component<Wav2Vec2Net>>(
      [set, config = config_, options](const CancelToken& cancel) {
        return TorchGuard("wav2vec2: loading", [&]() { return Wav2Vec2Net::Load(*set, config, options(cancel)); });
      },
      Wav2Vec2Net::WeightBytes(config_, precision_, context_.device));
  streamed_ = std::make_unique<const Component<Wav2Vec2Net>>(
      [set, config = config_, options](const CancelToken& cancel) {
        return TorchGuard("wav2vec2: loading", [&]() { return Wav2Vec2Net::LoadStreamed(set, config, options(cancel)); });
      },
      Wav2Vec2Net::StreamedWeightBytes(config_, precision_, context_.device));
}

absl::StatusOr<std::shared_ptr<const Wav2Vec2Model>> Wav2Vec2Model::Open(const ModelFolder& folder,
                                                                         const ModelContext& context) {
  std::shared_ptr<Wav2Vec2Model> model(new Wav2Vec2Model);
  GRYM_ASSIGN_OR_RETURN(model->config_, ReadWav2Vec2Config(folder.config(), "config.json"));
  std::string configs = folder.config().Dump();
  if (folder.preprocessor()) {
    GRYM_ASSIGN_OR_RETURN(const Json json, ReadConfig(*folder.preprocessor()));
    GRYM_RETURN_IF_ERROR(ReadWav2Vec2Preprocessor(json, "preprocessor_config.json", model->config_));
    configs += json.Dump();
  }
  GRYM_ASSIGN_OR_RETURN(TensorSet opened, TensorSet::Open(folder.weights()));
  const auto set = std::make_shared<const TensorSet>(std::move(opened));
  model->context_ = context;
  model->precision_ = context.PrecisionOf(kComponent);
  model->info_ = InfoOf(folder, context, model->config_, ShortFingerprint(configs, *set));

  // A damaged vocabulary is in the way of nobody who wants no letters.
  if (model->config_.ctc_head) {
    model->letters_ = std::make_unique<const Wav2Vec2Session::Letters>(OpenTokenizer(folder.folder()));
  }

  // One frame is the least that a request can be.
  const Precision asked = model->precision_;
  if (context.options.may_lower_precision) {
    std::optional<Precision> lowered;
    LowerUntilItFits(lowered, [&](bool may_stream) {
      model->precision_ = std::max(asked, lowered.value_or(asked));
      return may_stream ? model->PlanForFrames(1).fits() : model->PlanWith(1, {}, false).fits();
    });
  }
  if (model->precision_ != asked) {
    model->levers_ = {std::string("lowered precision to ") + PrecisionName(model->precision_)};
  }
  const MemoryPlan least = model->PlanForFrames(1);
  if (!least.fits()) return OverBudget("wav2vec2", least);
  model->info_.weights_bytes = least.weights_bytes();
  model->MakeComponents(set);
  context.budget->AddReclaimer(model.get(), model->info_.id, [raw = model.get()](bool let_go) {
    return raw->net_->Idle(let_go) + raw->streamed_->Idle(let_go);
  });
  return std::shared_ptr<const Wav2Vec2Model>(std::move(model));
}

Wav2Vec2Model::~Wav2Vec2Model() {
  if (context_.budget) context_.budget->RemoveReclaimer(this);
}

void Wav2Vec2Model::Unload() const {
  net_->Drop();
  streamed_->Drop();
}

MemoryPlan Wav2Vec2Model::PlanToHear(double audio_s, const Wav2Vec2Wants& wants) const {
  const int64_t longest = FramesOfWindows(config_, {}).longest;
  // Longer recordings than a day take no more either, and their samples need not be counted.
  const auto samples = static_cast<int64_t>(std::clamp(audio_s, 0.0, 86'400.0) * config_.rate_hz);
  const int64_t frames = std::clamp<int64_t>(config_.FramesOf(samples), 1, longest);
  MemoryPlan plan = PlanForFrames(frames, wants);
  if (config_.FramesOf(samples) > longest) {
    plan.phases[0].tiling = Formatted("windows of %d frames, %d of context at either side", longest,
                                      FramesOfWindows(config_, {}).context);
  }
  return plan;
}

MemoryPlan Wav2Vec2Model::PlanForFrames(int64_t frames, const Wav2Vec2Wants& wants) const {
  return PlanWithin(context_.budget->limit_bytes(), frames, wants);
}

MemoryPlan Wav2Vec2Model::PlanWithin(int64_t budget_bytes, int64_t frames, const Wav2Vec2Wants& wants) const {
  MemoryPlan plan = PlanWith(frames, wants, false);
  plan.budget_bytes = budget_bytes;
  if (plan.fits() || !Wav2Vec2Net::CanStream(precision_) || config_.layers < 3) return plan;
  plan = PlanWith(frames, wants, true);
  plan.budget_bytes = budget_bytes;
  return plan;
}

MemoryPlan Wav2Vec2Model::PlanWith(int64_t frames, const Wav2Vec2Wants& wants, bool streamed) const {
  MemoryPlan plan;
  plan.device = context_.device.str();
  plan.budget_bytes = context_.budget->limit_bytes();
  plan.enforced_by = context_.budget->enforced_by();
  PhasePlan phase;
  phase.component = kComponent;
  phase.precision = precision_;
  phase.streamed = streamed;
  phase.weights_bytes = streamed ? Wav2Vec2Net::StreamedWeightBytes(config_, precision_, context_.device) +
                                       Wav2Vec2Net::StreamedLayerBytes(config_, precision_, context_.device)
                                 : Wav2Vec2Net::WeightBytes(config_, precision_, context_.device);
  phase.working_bytes = Wav2Vec2Net::WorkingBytes(config_, precision_, context_.device, frames, wants, streamed);
  plan.phases = {std::move(phase)};
  plan.levers = levers_;
  if (streamed) plan.levers.push_back("streamed weights by layer");
  plan.ignored_fields = config_.unknown_fields;
  return plan;
}

ResourceNeed Wav2Vec2Model::NeedToHear(Capability, double audio_s) const {
  const MemoryPlan plan = PlanToHear(audio_s, {.hidden_states = true});
  return NeedOf(plan, audio_s * info_.seconds_per_audio_second);
}

ResourceNeed Wav2Vec2Model::Need(const GenerateAudioRequest& request) const {
  return NeedToHear(Capability::kEmbedAudio, request.duration_s);
}

absl::StatusOr<std::string> Wav2Vec2Model::Plan(const GenerateAudioRequest& request) const {
  const MemoryPlan plan = PlanToHear(request.duration_s);
  if (!plan.fits()) return OverBudget("wav2vec2", plan);
  return plan.ToJson().Dump(2);
}

absl::StatusOr<Wav2Vec2Session::Run> Wav2Vec2Model::Start(int64_t frames, const Wav2Vec2Wants& wants,
                                                          const RunOptions& run) const {
  const Component<Wav2Vec2Net>* net = nullptr;
  const auto ask = [&](int64_t budget_bytes) -> absl::StatusOr<LeaseAsk> {
    const MemoryPlan plan = PlanWithin(budget_bytes, frames, wants);
    if (!plan.fits()) return OverBudget("wav2vec2", plan);
    net = plan.phases[0].streamed ? streamed_.get() : net_.get();
    LeaseAsk wanted{info_.id, this, plan.peak_bytes(), {}, 0};
    net->Claim(wanted);
    return wanted;
  };
  Wav2Vec2Session::Run started;
  GRYM_ASSIGN_OR_RETURN(started.lease, context_.Lease(ask, run));
  const BudgetScope scope(started.lease);
  GRYM_ASSIGN_OR_RETURN(started.net, net->Get(run.cancel));
  return started;
}

std::unique_ptr<Wav2Vec2Session> Wav2Vec2Model::NewSession(const Wav2Vec2Windows& windows) const {
  return std::make_unique<Wav2Vec2Session>(
      config_,
      [this](int64_t frames, const Wav2Vec2Wants& wants, const RunOptions& run) {
        return Start(frames, wants, run);
      },
      windows, letters_.get());
}

absl::StatusOr<std::unique_ptr<Embedder>> Wav2Vec2Model::NewEmbedder() const { return NewSession(); }

absl::StatusOr<std::shared_ptr<const Model>> OpenWav2Vec2(const ModelFolder& folder, const ModelContext& context) {
  GRYM_ASSIGN_OR_RETURN(std::shared_ptr<const Wav2Vec2Model> model, Wav2Vec2Model::Open(folder, context));
  return std::shared_ptr<const Model>(std::move(model));
}

}  // namespace grym
