#include "models/clap/model.h"

#include <algorithm>
#include <cmath>

#include "base/format.h"
#include "base/status.h"
#include "checkpoint/config_reader.h"
#include "checkpoint/fingerprint.h"
#include "models/clap/packed.h"
#include "models/clap/session.h"
#include "models/clap/style_prompts.h"
#include "runtime/packed.h"
#include "runtime/torch_guard.h"

namespace grym {
namespace {

constexpr char kAudioTower[] = "audio", kTextTower[] = "text";
// Of two cores with AVX2, for the published audio tower; a first guess until runs are measured.
constexpr double kClapSecondsPerAudioSecond = 0.02;
// An estimate: the 41 style prompts have 379 words and signs, some of more than one token, and two tokens each around
// them.
constexpr int64_t kStyleTokens = 700;

ModelInfo ClapInfo(const ModelFolder& folder, const ModelContext& context, const ClapConfig& config,
                   const ClapFeatureConfig& features, const std::string& fingerprint) {
  ModelInfo info;
  info.id = context.options.id.empty() ? ModelIdOf("clap", folder.folder()) : context.options.id;
  info.version = "1-" + fingerprint;
  info.name = "CLAP";
  info.description = Formatted("audio and text in one space of %d numbers%s", config.audio.projection_dim,
                               config.audio.enable_fusion ? ", long recordings fused" : "");
  info.licence = "of the checkpoint";
  info.capabilities = {Capability::kEmbedAudio, Capability::kClassifyStyle, Capability::kEmbedText};
  info.rate_hz = static_cast<int>(features.rate_hz);
  info.channels = 1;
  info.device = context.device.str();
  info.own_budget_bytes = context.options.budget_bytes;
  info.seconds_per_audio_second = kClapSecondsPerAudioSecond;
  return info;
}

// Under the guard, when it is first wanted; the lease of who wants it counts.
template <class Net>
std::unique_ptr<const Component<Net>> LazyTower(const std::string& where, int64_t bytes,
                                                typename Component<Net>::Load load) {
  return std::make_unique<const Component<Net>>(
      [=](const CancelToken& cancel) { return TorchGuard(where, [&] { return load(cancel); }); }, bytes);
}

}  // namespace

absl::StatusOr<std::shared_ptr<const ClapModel>> ClapModel::Open(const ModelFolder& folder,
                                                                 const ModelContext& context) {
  std::shared_ptr<ClapModel> model(new ClapModel);
  model->context_ = context;
  GRYM_ASSIGN_OR_RETURN(model->config_, ParseClapConfig(folder.config(), "config.json"));
  std::string configs = folder.config().Dump();
  if (folder.preprocessor()) {
    GRYM_ASSIGN_OR_RETURN(const Json json, ReadConfig(*folder.preprocessor()));
    GRYM_ASSIGN_OR_RETURN(model->features_, ParseClapFeatureConfig(json, "preprocessor_config.json"));
    configs += json.Dump();
  } else if (!model->config_.audio.enable_fusion) {
    model->features_.truncation = ClapTruncation::kRandTrunc;
  }
  GRYM_RETURN_IF_ERROR(CheckClapFeatures(model->features_, model->config_.audio));
  GRYM_RETURN_IF_ERROR(context.CheckComponents({kAudioTower, kTextTower}));
  GRYM_ASSIGN_OR_RETURN(model->tokenizer_, OpenTokenizer(folder.folder()));
  if (model->tokenizer_->vocabulary_size() > model->config_.text.vocab_size) {
    return Error(absl::StatusCode::kInvalidArgument, "bad_config",
                 Formatted("config.json/text_config: \"vocab_size\": want the tokenizer's %d at least, got %d",
                           model->tokenizer_->vocabulary_size(), model->config_.text.vocab_size));
  }
  GRYM_ASSIGN_OR_RETURN(TensorSet opened, TensorSet::Open(folder.weights()));
  const auto set = std::make_shared<const TensorSet>(std::move(opened));
  GRYM_RETURN_IF_ERROR(model->ReadLogitScale(*set));
  model->LowerPrecision();
  model->MakeTowers(set);
  model->info_ = ClapInfo(folder, context, model->config_, model->features_, ShortFingerprint(configs, *set));
  model->info_.weights_bytes = model->AudioPhase(0).weights_bytes + model->TextPhase(0).weights_bytes;
  context.budget->AddReclaimer(model.get(), model->info_.id, [raw = model.get()](bool let_go) {
    return raw->audio_->Idle(let_go) + raw->text_->Idle(let_go) + raw->streamed_text_->Idle(let_go);
  });
  return std::shared_ptr<const ClapModel>(std::move(model));
}

void ClapModel::MakeTowers(const std::shared_ptr<const TensorSet>& set) {
  const WeightOptions audio{PrecisionOf(kAudioTower), context_.device, {}};
  const WeightOptions text{PrecisionOf(kTextTower), context_.device, {}};
  audio_ = LazyTower<ClapAudioNet>(
      "clap/audio", AudioPhase(0).weights_bytes,
      [=, config = config_.audio](const CancelToken& cancel) -> absl::StatusOr<std::shared_ptr<const ClapAudioNet>> {
        WeightReader weights(*set, "clap/audio", {audio.precision, audio.device, cancel});
        auto net = std::make_shared<const ClapAudioNet>(ClapAudioNet::Read(weights, config));
        GRYM_RETURN_IF_ERROR(weights.status());
        return net;
      });
  text_ = LazyTower<ClapTextNet>(
      "clap/text", TextPhase(0).weights_bytes, [=, config = config_.text](const CancelToken& cancel) {
        return ClapTextNet::Load(*set, "clap/text", {text.precision, text.device, cancel}, config);
      });
  streamed_text_ = LazyTower<ClapTextNet>(
      "clap/text", ClapTextNet::StreamedWeightBytes(config_.text, text.precision, text.device),
      [=, config = config_.text](const CancelToken& cancel) {
        return ClapTextNet::LoadStreamed(set, "clap/text", {text.precision, text.device, cancel}, config);
      });
}

ClapModel::~ClapModel() {
  if (context_.budget) context_.budget->RemoveReclaimer(this);
}

absl::Status ClapModel::ReadLogitScale(const TensorSet& set) {
  return TorchGuard("clap", [&]() -> absl::Status {
    WeightReader weights(set, "clap", {});
    const at::Tensor scale = weights.Exact("logit_scale_a", {});
    GRYM_RETURN_IF_ERROR(weights.status());
    logit_scale_ = std::exp(scale.item<double>());
    return absl::OkStatus();
  });
}

Precision ClapModel::PrecisionOf(const char* tower) const {
  const Precision asked = context_.PrecisionOf(tower);
  return lowered_ ? std::max(asked, *lowered_) : asked;
}

// By tiers, until each tower alone can do the least that it may be asked for. What is packed cannot be streamed, so
// that where not even int4 fits two bytes a weight, streamed, may.
void ClapModel::LowerPrecision() {
  if (!context_.options.may_lower_precision) return;
  const auto fits = [&](bool may_stream) {
    const int64_t limit = context_.budget->limit_bytes();
    return PlanWithin(limit, {.audio_s = 0.1}, may_stream).fits() &&
           PlanWithin(limit, {.tokens = 2}, may_stream).fits();
  };
  LowerUntilItFits(lowered_, fits);
}

PhasePlan ClapModel::AudioPhase(double audio_s) const {
  PhasePlan phase;
  phase.component = kAudioTower;
  phase.precision = PrecisionOf(kAudioTower);
  phase.weights_bytes = ClapAudioWeightBytes(config_.audio, phase.precision, context_.device);
  if (IsPacked(phase.precision)) phase.note = "patches and norms in float32";
  if (audio_s > 0) {
    const int64_t channels = config_.audio.enable_fusion ? 4 : 1;
    phase.working_bytes = ClapAudioNet::WorkingBytes(config_.audio, 1, phase.precision, context_.device) +
                          AllocatedBytes(channels * features_.frames() * features_.mel_bins * 4);
  }
  const bool windows = !config_.audio.enable_fusion && audio_s > static_cast<double>(features_.max_length_s);
  if (windows) phase.tiling = Formatted("windows of %d s", features_.max_length_s);
  return phase;
}

PhasePlan ClapModel::TextPhase(int64_t tokens, bool streamed) const {
  PhasePlan phase;
  phase.component = kTextTower;
  phase.precision = PrecisionOf(kTextTower);
  if (IsPacked(phase.precision)) {
    phase.note = std::string("table of words in ") + PrecisionName(BesideMatrices(phase.precision, context_.device));
  }
  phase.streamed = streamed;
  phase.weights_bytes = streamed ? ClapTextNet::StreamedWeightBytes(config_.text, phase.precision, context_.device) +
                                       ClapTextNet::StreamedLayerBytes(config_.text, phase.precision, context_.device)
                                 : ClapTextNet::WeightBytes(config_.text, phase.precision, context_.device);
  if (tokens > 0) {
    phase.working_bytes = ClapTextNet::WorkingBytes(config_.text, phase.precision, context_.device, tokens);
  }
  return phase;
}

MemoryPlan ClapModel::PlanWithin(int64_t budget_bytes, const ClapWork& work, bool may_stream) const {
  MemoryPlan plan;
  plan.device = context_.device.str();
  plan.budget_bytes = budget_bytes;
  plan.enforced_by = context_.budget->enforced_by();
  if (work.tokens > 0) plan.phases.push_back(TextPhase(work.tokens));
  if (work.audio_s > 0) plan.phases.push_back(AudioPhase(work.audio_s));
  if (!plan.fits() && plan.phases.size() > 1) {
    plan.keep_weights = false;
    plan.levers.push_back("dropped components after their phase");
  }
  if (lowered_) plan.levers.push_back(std::string("lowered precision to ") + PrecisionName(*lowered_));
  if (may_stream && work.tokens > 0 && ClapTextNet::CanStream(plan.phases[0].precision)) {
    PhasePlan& whole = plan.phases[0];
    PhasePlan streamed = TextPhase(work.tokens, /*streamed=*/true);
    if (whole.weights_bytes + whole.working_bytes > budget_bytes && streamed.weights_bytes < whole.weights_bytes) {
      whole = std::move(streamed);
      plan.levers.push_back("streamed weights by layer");
    }
  }
  plan.ignored_fields = config_.ignored;
  for (const std::string& field : features_.ignored) plan.ignored_fields.push_back("preprocessor_config.json/" + field);
  return plan;
}

template <class Net>
absl::StatusOr<ClapModel::Tower<Net>> ClapModel::TowerFor(const ClapWork& work, const Component<Net>& component,
                                                          const Component<Net>* streamed,
                                                          const RunOptions& run) const {
  const Component<Net>* chosen = nullptr;
  const auto ask = [&](int64_t budget_bytes) -> absl::StatusOr<LeaseAsk> {
    const MemoryPlan plan = PlanWithin(budget_bytes, work, true);
    if (!plan.fits()) return OverBudget("clap", plan);
    chosen = streamed && plan.phases[0].streamed ? streamed : &component;
    LeaseAsk wanted{info_.id, this, plan.peak_bytes(), {}, 0};
    chosen->Claim(wanted);
    return wanted;
  };
  Tower<Net> tower;
  GRYM_ASSIGN_OR_RETURN(tower.lease, context_.Lease(ask, run));
  const BudgetScope scope(tower.lease);
  GRYM_ASSIGN_OR_RETURN(tower.net, chosen->Get(run.cancel));
  return tower;
}

absl::StatusOr<ClapModel::Tower<ClapAudioNet>> ClapModel::AudioTower(double audio_s, const RunOptions& run) const {
  return TowerFor<ClapAudioNet>({.audio_s = audio_s}, *audio_, nullptr, run);
}

absl::StatusOr<ClapModel::Tower<ClapTextNet>> ClapModel::TextTower(int64_t tokens, const RunOptions& run) const {
  return TowerFor({.tokens = tokens}, *text_, streamed_text_.get(), run);
}

ResourceNeed ClapModel::NeedToHear(Capability capability, double audio_s) const {
  ClapWork work{.audio_s = std::max(audio_s, 0.001)};
  if (capability == Capability::kClassifyStyle) work.tokens = kStyleTokens;
  if (capability == Capability::kEmbedText) work = {.tokens = config_.text.most_tokens()};
  const MemoryPlan plan = PlanFor(work);
  return NeedOf(plan, audio_s * info_.seconds_per_audio_second);
}

ResourceNeed ClapModel::Need(const GenerateAudioRequest& request) const {
  return NeedToHear(Capability::kEmbedAudio, request.duration_s);
}

absl::StatusOr<std::string> ClapModel::Plan(const GenerateAudioRequest& request) const {
  const MemoryPlan plan = PlanFor({.audio_s = request.duration_s});
  if (!plan.fits()) return OverBudget("clap", plan);
  return plan.ToJson().Dump(2);
}

absl::StatusOr<std::unique_ptr<Embedder>> ClapModel::NewEmbedder() const {
  return std::make_unique<ClapEmbedder>(shared_from_this());
}

absl::StatusOr<std::unique_ptr<Analyzer>> ClapModel::NewAnalyzer() const {
  return std::make_unique<ClapAnalyzer>(shared_from_this());
}

absl::StatusOr<std::shared_ptr<const Model>> OpenClap(const ModelFolder& folder, const ModelContext& context) {
  GRYM_ASSIGN_OR_RETURN(std::shared_ptr<const ClapModel> model, ClapModel::Open(folder, context));
  return std::shared_ptr<const Model>(std::move(model));
}

}  // namespace grym
