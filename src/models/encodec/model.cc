#include "models/encodec/model.h"

#include <algorithm>
#include <cmath>

#include "base/format.h"
#include "base/status.h"
#include "models/encodec/session.h"
#include "runtime/torch_guard.h"

namespace grym {
namespace {

constexpr char kEncoderPart[] = "encoder", kDecoderPart[] = "decoder";
// Of two cores with AVX2, there and back at 32 kHz; a first guess until runs are measured.
constexpr double kCodecSecondsPerAudioSecond = 0.2;
// A day: longer sound takes no more, and its frames need not be counted.
constexpr double kLongestPlan_s = 86'400;

ModelInfo InfoOfCodec(const ModelFolder& folder, const ModelContext& context, const EncodecConfig& config) {
  ModelInfo info;
  info.id = context.options.id.empty() ? ModelIdOf("encodec", folder.folder()) : context.options.id;
  info.version = "1";
  info.name = "EnCodec";
  info.description = Formatted("sound as %d books of %d codes at %.6g Hz", config.books(), config.codebook_size,
                               config.frame_rate_hz());
  info.licence = "of the checkpoint";
  info.capabilities = {Capability::kCode};
  info.rate_hz = static_cast<int>(config.sampling_rate);
  info.channels = static_cast<int>(config.audio_channels);
  info.device = "cpu";
  info.own_budget_bytes = context.options.budget_bytes;
  info.seconds_per_audio_second = kCodecSecondsPerAudioSecond;
  return info;
}

template <class Net>
std::unique_ptr<const Component<Net>> LazyHalf(std::shared_ptr<const TensorSet> set, const EncodecConfig& config,
                                               int64_t bytes) {
  const auto load = [=](const CancelToken& cancel) {
    WeightOptions options;
    options.cancel = cancel;
    return TorchGuard("encodec: loading", [&] { return Net::Load(*set, config, options); });
  };
  return std::make_unique<const Component<Net>>(load, bytes);
}

int64_t SamplesIn(const EncodecConfig& config, double audio_s) {
  return std::max<int64_t>(1, std::llround(std::clamp(audio_s, 0.0, kLongestPlan_s) *
                                           static_cast<double>(config.sampling_rate)));
}

}  // namespace

absl::StatusOr<std::shared_ptr<const EncodecCodecModel>> EncodecCodecModel::Open(const ModelFolder& folder,
                                                                                 const ModelContext& context) {
  std::shared_ptr<EncodecCodecModel> model(new EncodecCodecModel);
  model->context_ = context;
  GRYM_ASSIGN_OR_RETURN(model->config_, EncodecConfig::Parse(folder.config(), "config.json"));
  GRYM_RETURN_IF_ERROR(context.CheckComponents({kEncoderPart, kDecoderPart}));
  for (const char* part : {kEncoderPart, kDecoderPart}) {
    if (context.PrecisionOf(part) == Precision::kFloat32) continue;
    return Error(absl::StatusCode::kUnimplemented, "unsupported_dtype",
                 Formatted("encodec/%s: want float32, got %s", part, PrecisionName(context.PrecisionOf(part))));
  }
  if (!context.device.is_cpu() && context.options.device != "auto") {
    return Error(absl::StatusCode::kUnimplemented, "unsupported_device",
                 "encodec: want cpu or auto, got " + context.device.str());
  }
  GRYM_ASSIGN_OR_RETURN(TensorSet opened, TensorSet::Open(folder.weights()));
  const auto set = std::make_shared<const TensorSet>(std::move(opened));
  const int64_t encoder_bytes = EncodecEncoder::WeightBytes(model->config_, Precision::kFloat32),
                decoder_bytes = EncodecDecoder::WeightBytes(model->config_, Precision::kFloat32);
  model->encoder_ = LazyHalf<EncodecEncoder>(set, model->config_, encoder_bytes);
  model->decoder_ = LazyHalf<EncodecDecoder>(set, model->config_, decoder_bytes);
  model->info_ = InfoOfCodec(folder, context, model->config_);
  model->info_.weights_bytes = encoder_bytes + decoder_bytes;
  context.budget->AddReclaimer(model.get(), model->info_.id, [raw = model.get()](bool let_go) {
    return raw->encoder_->Idle(let_go) + raw->decoder_->Idle(let_go);
  });
  return std::shared_ptr<const EncodecCodecModel>(std::move(model));
}

EncodecCodecModel::~EncodecCodecModel() {
  if (context_.budget) context_.budget->RemoveReclaimer(this);
}

MemoryPlan EncodecCodecModel::PlanFor(const EncodecWork& work) const {
  MemoryPlan plan;
  plan.device = "cpu";
  plan.budget_bytes = context_.budget->limit_bytes();
  plan.enforced_by = context_.budget->enforced_by();
  if (work.encode_s > 0) {
    PhasePlan phase;
    phase.component = kEncoderPart;
    phase.weights_bytes = EncodecEncoder::WeightBytes(config_, phase.precision);
    // The session takes the codes block by block: no more than a block's are there at once, and the few that were held
    // back before it.
    constexpr int64_t kHeldBackFrames = 8;
    const int64_t samples = std::min(SamplesIn(config_, work.encode_s),
                                     kCodecBlockSamples + kHeldBackFrames * config_.hop());
    phase.working_bytes = EncodecEncoder::WorkingBytes(config_, samples) +
                          AllocatedBytes(samples * config_.audio_channels * 4);
    phase.tiling = Formatted("pieces of %d samples", kEncodecChunkSamples);
    plan.phases.push_back(std::move(phase));
  }
  if (work.decode_frames > 0) {
    PhasePlan phase;
    phase.component = kDecoderPart;
    phase.weights_bytes = EncodecDecoder::WeightBytes(config_, phase.precision);
    // A push answers a copy of what it made, beside the room for it.
    const int64_t frames = std::min(work.decode_frames, kEncodecChunkFrames);
    phase.working_bytes = EncodecDecoder::Stream::BytesFor(config_, frames);
    phase.tiling = Formatted("pieces of %d frames", kEncodecChunkFrames);
    plan.phases.push_back(std::move(phase));
  }
  if (!plan.fits() && plan.phases.size() > 1) {
    plan.keep_weights = false;
    plan.levers = {"dropped components after their phase"};
  }
  plan.ignored_fields = config_.unknown_fields;
  return plan;
}

template <class Net>
absl::StatusOr<EncodecCodecModel::Half<Net>> EncodecCodecModel::HalfFor(const EncodecWork& work,
                                                                        const Component<Net>& component,
                                                                        const CancelToken& cancel) const {
  const auto ask = [&](int64_t budget_bytes) -> absl::StatusOr<LeaseAsk> {
    MemoryPlan plan = PlanFor(work);
    plan.budget_bytes = budget_bytes;
    if (!plan.fits()) return OverBudget("encodec", plan);
    LeaseAsk wanted{info_.id, this, plan.peak_bytes(), {}, 0};
    component.Claim(wanted);
    return wanted;
  };
  Half<Net> half;
  GRYM_ASSIGN_OR_RETURN(half.lease, context_.Lease(ask, cancel));
  const BudgetScope scope(half.lease);
  GRYM_ASSIGN_OR_RETURN(half.net, component.Get(cancel));
  return half;
}

absl::StatusOr<EncodecCodecModel::Half<EncodecEncoder>> EncodecCodecModel::Encoder(double audio_s,
                                                                                   const CancelToken& cancel) const {
  return HalfFor({.encode_s = audio_s}, *encoder_, cancel);
}

absl::StatusOr<EncodecCodecModel::Half<EncodecDecoder>> EncodecCodecModel::Decoder(int64_t frames,
                                                                                   const CancelToken& cancel) const {
  return HalfFor({.decode_frames = frames}, *decoder_, cancel);
}

ResourceNeed EncodecCodecModel::Need(const GenerateAudioRequest& request) const {
  const MemoryPlan plan =
      PlanFor({request.duration_s, config_.FramesOf(SamplesIn(config_, request.duration_s))});
  return NeedOf(plan, request.duration_s * info_.seconds_per_audio_second);
}

absl::StatusOr<std::string> EncodecCodecModel::Plan(const GenerateAudioRequest& request) const {
  const MemoryPlan plan =
      PlanFor({request.duration_s, config_.FramesOf(SamplesIn(config_, request.duration_s))});
  if (!plan.fits()) return OverBudget("encodec", plan);
  return plan.ToJson().Dump(2);
}

absl::StatusOr<std::unique_ptr<AudioCodec>> EncodecCodecModel::NewCodec() const {
  return std::make_unique<EncodecCodec>(shared_from_this());
}

absl::StatusOr<std::shared_ptr<const Model>> OpenEncodec(const ModelFolder& folder, const ModelContext& context) {
  GRYM_ASSIGN_OR_RETURN(std::shared_ptr<const EncodecCodecModel> model, EncodecCodecModel::Open(folder, context));
  return std::shared_ptr<const Model>(std::move(model));
}

}  // namespace grym
