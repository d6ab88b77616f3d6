#include "models/encodec/model.h"

#include <utility>

#include "base/format.h"
#include "base/status.h"
#include "models/encodec/session.h"

namespace grym {
namespace {

// Of two cores with AVX2, there and back at 32 kHz; a first guess until runs are measured.
constexpr double kCodecSecondsPerAudioSecond = 0.2;

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
                                               Precision precision) {
  const auto load = [=](const CancelToken& cancel) {
    return Net::Load(*set, config, {.precision = precision, .cancel = cancel});
  };
  return std::make_unique<const Component<Net>>(load, Net::WeightBytes(config, precision));
}

}  // namespace

absl::StatusOr<std::shared_ptr<const EncodecCodecModel>> EncodecCodecModel::Open(const ModelFolder& folder,
                                                                                 const ModelContext& context) {
  std::shared_ptr<EncodecCodecModel> model(new EncodecCodecModel);
  model->context_ = context;
  GRYM_ASSIGN_OR_RETURN(EncodecConfig config, EncodecConfig::Parse(folder.config(), "config.json"));
  GRYM_RETURN_IF_ERROR(context.CheckComponents({kEncodecEncoderPart, kEncodecDecoderPart}));
  for (const char* part : {kEncodecEncoderPart, kEncodecDecoderPart}) {
    const Precision asked = context.PrecisionOf(part);
    if (asked == Precision::kFloat32 || asked == Precision::kBFloat16) continue;
    return Error(absl::StatusCode::kUnimplemented, "unsupported_dtype",
                 Formatted("encodec/%s: want float32 or bfloat16, got %s", part, PrecisionName(asked)));
  }
  if (!context.device.is_cpu() && context.options.device != "auto") {
    return Error(absl::StatusCode::kUnimplemented, "unsupported_device",
                 "encodec: want cpu or auto, got " + context.device.str());
  }
  GRYM_ASSIGN_OR_RETURN(TensorSet opened, TensorSet::Open(folder.weights()));
  const auto set = std::make_shared<const TensorSet>(std::move(opened));
  const Precision encoder = context.PrecisionOf(kEncodecEncoderPart);
  const Precision decoder = context.PrecisionOf(kEncodecDecoderPart);
  model->encoder_ = LazyHalf<EncodecEncoder>(set, config, encoder);
  model->decoder_ = LazyHalf<EncodecDecoder>(set, config, decoder);
  model->info_ = InfoOfCodec(folder, context, config);
  model->info_.weights_bytes = EncodecEncoder::WeightBytes(config, encoder) +
                               EncodecDecoder::WeightBytes(config, decoder);
  EncodecHalves::Source source{model->info_.id, model.get(), context, std::move(config)};
  source.encoder_precision = encoder;
  source.decoder_precision = decoder;
  source.encoder = model->encoder_.get();
  source.decoder = model->decoder_.get();
  model->halves_ = std::make_unique<const EncodecHalves>(std::move(source));
  context.budget->AddReclaimer(model.get(), model->info_.id, [raw = model.get()](bool let_go) {
    return raw->encoder_->Idle(let_go) + raw->decoder_->Idle(let_go);
  });
  return std::shared_ptr<const EncodecCodecModel>(std::move(model));
}

EncodecCodecModel::~EncodecCodecModel() {
  if (context_.budget) context_.budget->RemoveReclaimer(this);
}

ResourceNeed EncodecCodecModel::Need(const GenerateAudioRequest& request) const {
  const MemoryPlan plan =
      PlanFor({request.duration_s, config().FramesOf(EncodecSamplesIn(config(), request.duration_s))});
  return NeedOf(plan, request.duration_s * info_.seconds_per_audio_second);
}

absl::StatusOr<std::string> EncodecCodecModel::Plan(const GenerateAudioRequest& request) const {
  const MemoryPlan plan =
      PlanFor({request.duration_s, config().FramesOf(EncodecSamplesIn(config(), request.duration_s))});
  if (!plan.fits()) return OverBudget("encodec", plan);
  return plan.ToJson().Dump(2);
}

absl::StatusOr<std::unique_ptr<AudioCodec>> EncodecCodecModel::NewCodec() const {
  return std::make_unique<EncodecCodec>(std::shared_ptr<const EncodecHalves>(shared_from_this(), halves_.get()));
}

absl::StatusOr<std::shared_ptr<const Model>> OpenEncodec(const ModelFolder& folder, const ModelContext& context) {
  GRYM_ASSIGN_OR_RETURN(std::shared_ptr<const EncodecCodecModel> model, EncodecCodecModel::Open(folder, context));
  return std::shared_ptr<const Model>(std::move(model));
}

}  // namespace grym
