#include "models/wav2vec2/net.h"

#include <algorithm>

#include "base/status.h"
#include "nn/attention.h"
#include "runtime/memory_budget.h"

namespace grym {
namespace {

constexpr char kMarker[] = "feature_projection.layer_norm.weight";

int64_t LinearBytes(int64_t out, int64_t in, Precision precision, int64_t element) {
  return WeightMatrix::BytesKept(out, in, precision) + AllocatedBytes(out * element);
}

int64_t LayerBytes(const Wav2Vec2Config& config, Precision precision, c10::Device device) {
  const int64_t element = static_cast<int64_t>(c10::elementSize(ComputeType(precision, device)));
  const int64_t dim = config.hidden, wide = config.intermediate;
  return LinearBytes(3 * dim, dim, precision, element) + LinearBytes(dim, dim, precision, element) +
         LinearBytes(wide, dim, precision, element) + LinearBytes(dim, wide, precision, element) +
         4 * AllocatedBytes(dim * element);
}

std::string PrefixIn(const TensorSet& set) {
  return set.contains(std::string("wav2vec2.") + kMarker) ? "wav2vec2." : "";
}

}  // namespace

// Large pieces that are rearranged come first and the small convolutions last: the copy that a rearrangement makes is
// never taken on top of nearly everything else.
absl::Status Wav2Vec2Net::ReadWeights(const TensorSet& set, const WeightOptions& options, bool layers,
                                      std::vector<std::string>* unread) {
  const std::string prefix = PrefixIn(set);
  WeightReader weights(set, "wav2vec2", options, prefix);
  device_ = options.device;
  ReadPositions(weights);
  for (int64_t i = 0; layers && i < config_.layers; ++i) {
    GRYM_RETURN_IF_ERROR(options.cancel.Check());
    layers_.push_back(ReadLayer(weights, config_, i));
  }
  encoder_norm_ = ReadLayerNorm(weights, "encoder.layer_norm", config_.hidden, config_.norm_epsilon);
  projection_norm_ =
      ReadLayerNorm(weights, "feature_projection.layer_norm", config_.conv_dim.back(), config_.norm_epsilon);
  projection_ = ReadLinear(weights, "feature_projection.projection", config_.conv_dim.back(), config_.hidden);
  WeightReader outside(set, "wav2vec2", options);
  if (config_.ctc_head) head_ = ReadLinear(outside, "lm_head", config_.hidden, config_.vocabulary);
  features_ = FeatureEncoder::Read(weights, config_);
  GRYM_RETURN_IF_ERROR(weights.status());
  GRYM_RETURN_IF_ERROR(outside.status());
  weights.Skip("masked_spec_embed");  // for training
  if (prefix.empty()) {
    for (const char* name : {"lm_head.weight", "lm_head.bias"}) weights.Skip(name);
  }
  if (unread) *unread = weights.Unread();
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<const Wav2Vec2Net>> Wav2Vec2Net::Load(const TensorSet& set, const Wav2Vec2Config& config,
                                                                     const WeightOptions& options,
                                                                     std::vector<std::string>* unread) {
  auto net = std::make_shared<Wav2Vec2Net>();
  net->config_ = config;
  GRYM_RETURN_IF_ERROR(net->ReadWeights(set, options, /*layers=*/true, unread));
  return std::shared_ptr<const Wav2Vec2Net>(std::move(net));
}

absl::StatusOr<std::shared_ptr<const Wav2Vec2Net>> Wav2Vec2Net::LoadStreamed(std::shared_ptr<const TensorSet> set,
                                                                             const Wav2Vec2Config& config,
                                                                             const WeightOptions& options) {
  auto net = std::make_shared<Wav2Vec2Net>();
  net->config_ = config;
  GRYM_RETURN_IF_ERROR(net->ReadWeights(*set, options, /*layers=*/false, nullptr));
  net->streamed_ = std::make_unique<const StreamedLayers<Wav2Vec2Layer>>(
      config.layers, options.device,
      [set, config, precision = options.precision, device = options.device](
          int64_t index, const CancelToken& cancel) -> absl::StatusOr<Wav2Vec2Layer> {
        WeightReader weights(*set, "wav2vec2", {precision, device, cancel, /*pinned=*/true}, PrefixIn(*set));
        Wav2Vec2Layer layer = ReadLayer(weights, config, index);
        GRYM_RETURN_IF_ERROR(weights.status());
        return layer;
      });
  return std::shared_ptr<const Wav2Vec2Net>(std::move(net));
}

void Wav2Vec2Net::ReadPositions(WeightReader& weights) {
  const std::string layer = "encoder.pos_conv_embed.conv";
  const int64_t kernel = config_.position_kernel;
  const at::Tensor weight =
      weights.WeightNormedMatrix(layer, {config_.hidden, config_.hidden / config_.position_groups, kernel}, 2);
  if (weight.defined()) positions_.weight = AsChannelsLast(weight);
  positions_.bias = weights.Vector(layer + ".bias", {config_.hidden});
  positions_.padding = kernel / 2;
  positions_.groups = config_.position_groups;
}

Wav2Vec2Layer Wav2Vec2Net::ReadLayer(WeightReader& weights, const Wav2Vec2Config& config, int64_t index) {
  const std::string at = "encoder.layers." + std::to_string(index) + ".";
  const std::string attention = at + "attention.", forward = at + "feed_forward.";
  const int64_t dim = config.hidden, wide = config.intermediate;
  Wav2Vec2Layer layer;
  layer.attention_in =
      ReadFusedLinear(weights, {attention + "q_proj", attention + "k_proj", attention + "v_proj"}, dim, dim);
  layer.attention_out = ReadLinear(weights, attention + "out_proj", dim, dim);
  layer.attention_norm = ReadLayerNorm(weights, at + "layer_norm", dim, config.norm_epsilon);
  layer.wide = ReadLinear(weights, forward + "intermediate_dense", dim, wide);
  layer.narrow = ReadLinear(weights, forward + "output_dense", wide, dim);
  layer.wide_norm = ReadLayerNorm(weights, at + "final_layer_norm", dim, config.norm_epsilon);
  return layer;
}

at::Tensor Wav2Vec2Net::WithPositions(const at::Tensor& x) const {
  at::Tensor positions = positions_(x.t().unsqueeze(0)).squeeze(0).t();
  positions = positions.narrow(0, 0, x.size(0));  // an even kernel gives one frame too many
  ActivateInPlace(config_.conv_activation, positions);
  return positions.add_(x);
}

at::Tensor Wav2Vec2Net::Attend(const Wav2Vec2Layer& layer, const at::Tensor& x) const {
  at::Tensor mixed;
  {
    const at::Tensor all = layer.attention_in(x).unsqueeze(0);
    const auto part = [&](int64_t i) { return all.narrow(2, i * config_.hidden, config_.hidden); };
    mixed = Attention(part(0), part(1), part(2), config_.heads).squeeze(0);
  }
  return layer.attention_out(mixed);
}

at::Tensor Wav2Vec2Net::FeedForward(const Wav2Vec2Layer& layer, const at::Tensor& x) const {
  at::Tensor wide = layer.wide(x);
  ActivateInPlace(config_.activation, wide);
  return layer.narrow(wide);
}

at::Tensor Wav2Vec2Net::RunLayer(const Wav2Vec2Layer& layer, at::Tensor x) const {
  if (config_.norm_first) {
    at::Tensor mixed = Attend(layer, layer.attention_norm(x)).add_(x);
    x = at::Tensor();
    return FeedForward(layer, layer.wide_norm(mixed)).add_(mixed);
  }
  x = layer.attention_norm(Attend(layer, x).add_(x));
  return layer.wide_norm(FeedForward(layer, x).add_(x));
}

absl::StatusOr<Wav2Vec2States> Wav2Vec2Net::operator()(const at::Tensor& samples, const SoundStatistics& statistics,
                                                       const Wav2Vec2Wants& wants,
                                                       const std::function<absl::Status()>& between) const {
  Wav2Vec2States states;
  GRYM_ASSIGN_OR_RETURN(at::Tensor x, features_(samples.to(device_), statistics, between));
  x = projection_norm_(x);
  if (wants.extract_features) states.extract_features = x;
  x = projection_(x);
  x = WithPositions(x);
  if (!config_.norm_first) x = encoder_norm_(x);
  const auto run = [&](const Wav2Vec2Layer& layer) -> absl::Status {
    if (between) GRYM_RETURN_IF_ERROR(between());
    if (wants.hidden_states) states.hidden_states.push_back(x);
    x = RunLayer(layer, std::move(x));
    return absl::OkStatus();
  };
  for (const Wav2Vec2Layer& layer : layers_) GRYM_RETURN_IF_ERROR(run(layer));
  if (streamed_) GRYM_RETURN_IF_ERROR(streamed_->ForEach(between, run));
  if (wants.hidden_states) states.hidden_states.push_back(x);
  states.last_hidden_state = config_.norm_first ? encoder_norm_(x) : x;
  if ((wants.logits || wants.letters) && head_.weight.loaded()) states.logits = head_(states.last_hidden_state);
  return states;
}

int64_t Wav2Vec2Net::StreamedWeightBytes(const Wav2Vec2Config& config, Precision precision, c10::Device device) {
  const int64_t element = static_cast<int64_t>(c10::elementSize(ComputeType(precision, device)));
  const int64_t kept = static_cast<int64_t>(c10::elementSize(StorageType(precision)));
  const int64_t dim = config.hidden, last = config.conv_dim.back();
  int64_t bytes = 2 * AllocatedBytes(dim * element) + 2 * AllocatedBytes(last * element) +
                  LinearBytes(dim, last, precision, element);
  if (config.ctc_head) bytes += LinearBytes(config.vocabulary, dim, precision, element);
  bytes += AllocatedBytes(dim * (dim / config.position_groups) * config.position_kernel * kept) +
           AllocatedBytes(dim * element);
  return bytes + FeatureEncoder::WeightBytes(config, precision, device);
}

int64_t Wav2Vec2Net::StreamedLayerBytes(const Wav2Vec2Config& config, Precision precision, c10::Device device) {
  return std::min<int64_t>(2, config.layers) * LayerBytes(config, precision, device);
}

int64_t Wav2Vec2Net::WeightBytes(const Wav2Vec2Config& config, Precision precision, c10::Device device) {
  return StreamedWeightBytes(config, precision, device) + config.layers * LayerBytes(config, precision, device);
}

int64_t Wav2Vec2Net::WorkingBytes(const Wav2Vec2Config& config, Precision precision, c10::Device device, int64_t frames,
                                  const Wav2Vec2Wants& wants, bool streamed) {
  const int64_t element = static_cast<int64_t>(c10::elementSize(ComputeType(precision, device)));
  const auto rows = [&](int64_t dim) { return AllocatedBytes(frames * dim * element); };
  const int64_t dim = config.hidden, wide = config.intermediate, last = config.conv_dim.back();
  const int64_t samples = AllocatedBytes(config.SamplesOf(frames) * 4);
  const int64_t extract = wants.extract_features ? rows(last) : 0;
  const int64_t scratch = std::max({LinearScratchBytes(wide, dim, precision, device, frames),
                                   LinearScratchBytes(dim, wide, precision, device, frames),
                                   LinearScratchBytes(3 * dim, dim, precision, device, frames)});
  // The positions' kernel is converted whole where it is kept in another type, and oneDNN arranges a copy of its own.
  const int64_t kernel = AllocatedBytes(dim * (dim / config.position_groups) * config.position_kernel * element);
  const int64_t copies = StorageType(precision) == ComputeType(precision, device) ? 1 : 2;
  constexpr int64_t kKernelBytes = 16384;  // of its own sums for each thread; 10,272 measured
  const int64_t positions = extract + at::get_num_threads() * kKernelBytes + rows(dim) +
                            AllocatedBytes((frames + 1) * dim * element) + copies * kernel;
  // Of a layer: the input, and the norm of it, and either three projections and their mix, or the wide rows and the sum.
  const int64_t norms = config.norm_first ? 2 : 1;
  const int64_t kept = wants.hidden_states ? config.layers * rows(dim) : rows(dim);
  const int64_t attention = AttentionScratchBytes(frames, config.heads, dim / config.heads);
  const int64_t layer = extract + kept + (norms - 1) * rows(dim) +
                        std::max(4 * rows(dim) + attention, (wants.hidden_states ? 2 : 1) * rows(dim) + rows(wide)) +
                        scratch;
  // No layer is there yet while the convolutions are at work.
  const int64_t absent = streamed ? StreamedLayerBytes(config, precision, device) : 0;
  const int64_t features = FeatureEncoder::WorkingBytes(config, precision, device, frames);
  return samples + std::max(std::max(features, positions) - absent, layer);
}

}  // namespace grym
