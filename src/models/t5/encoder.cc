#include "models/t5/encoder.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/format.h"
#include "base/status.h"
#include "nn/attention.h"
#include "runtime/memory_budget.h"

namespace grym {
namespace {

// Rows of the table are looked up, never multiplied: below 16 bits there is no time to be won, and a token's error
// would go through every layer.
Precision TablePrecision(Precision precision) {
  return precision == Precision::kInt8 || precision == Precision::kInt4 ? Precision::kFloat16 : precision;
}

}  // namespace

at::Tensor T5Buckets(const T5Config& config, int64_t tokens) {
  const int64_t half = config.relative_attention_num_buckets / 2, exact = half / 2;
  const at::Tensor distance = at::arange(-(tokens - 1), tokens, at::kLong);
  const at::Tensor away = distance.abs();
  // In float32 and in the reference's order, so that a distance on the border of two buckets falls into the same one.
  const double range = std::log(static_cast<double>(config.relative_attention_max_distance) /
                                static_cast<double>(exact));
  const at::Tensor far = at::log(away.to(at::kFloat) / exact).div_(range).mul_(half - exact);
  const at::Tensor bucket = at::clamp(far, 0, half - 1 - exact).to(at::kLong) + exact;
  return at::where(away < exact, away, bucket) + (distance > 0).to(at::kLong) * half;
}

absl::StatusOr<std::shared_ptr<const T5Encoder>> T5Encoder::Load(const TensorSet& set, const T5Config& config,
                                                                 const WeightOptions& options,
                                                                 const std::string& prefix) {
  std::shared_ptr<T5Encoder> net(new T5Encoder);
  net->config_ = config;
  net->device_ = options.device;
  WeightReader weights(set, "t5", options, prefix);
  net->compute_ = weights.compute_type();
  net->Read(weights, set, prefix);
  GRYM_RETURN_IF_ERROR(net->table_status_);
  GRYM_RETURN_IF_ERROR(weights.status());
  return std::shared_ptr<const T5Encoder>(std::move(net));
}

void T5Encoder::Read(WeightReader& weights, const TensorSet& set, const std::string& prefix) {
  const std::string shared = "shared.weight", own = "encoder.embed_tokens.weight";
  WeightOptions options = weights.options();
  options.precision = TablePrecision(options.precision);
  WeightReader table(set, "t5", options, prefix);
  const std::string name = table.FirstOf({shared, own});
  table_ = table.Matrix(name, {config_.vocab_size, config_.d_model});
  if (options.precision != Precision::kFloat32) table.Keep(name, table_, {shared, own});
  table_status_ = table.status();
  weights.Skip(shared);
  weights.Skip(own);
  buckets_ = weights.Exact("encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight",
                           {config_.relative_attention_num_buckets, config_.num_heads});
  if (buckets_.defined()) buckets_ = buckets_.to(at::kCPU);
  for (int64_t i = 0; i < config_.num_layers; ++i) layers_.push_back(ReadLayer(weights, i));
  norm_ = ReadRmsNorm(weights, "encoder.final_layer_norm", config_.d_model, config_.layer_norm_epsilon);
}

T5Encoder::Layer T5Encoder::ReadLayer(WeightReader& weights, int64_t index) const {
  const std::string block = Formatted("encoder.block.%d.layer.", index);
  const std::string self = block + "0.SelfAttention.", dense = block + "1.DenseReluDense.";
  const int64_t dim = config_.d_model, heads = config_.num_heads * config_.d_kv, wide = config_.d_ff;
  Layer layer;
  layer.attention_norm = ReadRmsNorm(weights, block + "0.layer_norm", dim, config_.layer_norm_epsilon);
  layer.query_key_value = ReadFusedLinear(weights, {self + "q", self + "k", self + "v"}, dim, heads, false);
  layer.attention_out = ReadLinear(weights, self + "o", heads, dim, false);
  layer.norm = ReadRmsNorm(weights, block + "1.layer_norm", dim, config_.layer_norm_epsilon);
  layer.up = config_.gated ? ReadFusedLinear(weights, {dense + "wi_0", dense + "wi_1"}, dim, wide, false)
                           : ReadLinear(weights, dense + "wi", dim, wide, false);
  layer.down = ReadLinear(weights, dense + "wo", wide, dim, false);
  return layer;
}

absl::Status T5Encoder::Check(std::span<const int32_t> ids) const {
  if (ids.empty()) {
    return Error(absl::StatusCode::kInvalidArgument, "no_tokens", "t5: want a token at least, got none");
  }
  for (const int32_t id : ids) {
    if (id >= 0 && id < config_.vocab_size) continue;
    return Error(absl::StatusCode::kInvalidArgument, "bad_token_id",
                 Formatted("t5: want token ids in [0, %d) (\"vocab_size\"), got %d: is the tokenizer that of another "
                           "model?", config_.vocab_size, id));
  }
  return absl::OkStatus();
}

// Row i of a head's square is what the head keeps for the distances -i .. tokens - 1 - i: a stretch of one line.
at::Tensor T5Encoder::PositionBias(int64_t tokens) const {
  const int64_t heads = config_.num_heads, line = 2 * tokens - 1;
  const at::Tensor lines = buckets_.index_select(0, T5Buckets(config_, tokens)).t().contiguous();  // [heads, line]
  at::Tensor bias = at::empty({1, heads, tokens, tokens}, at::kFloat);
  const float* const from = lines.const_data_ptr<float>();
  float* to = bias.mutable_data_ptr<float>();
  for (int64_t head = 0; head < heads; ++head) {
    for (int64_t query = 0; query < tokens; ++query, to += tokens) {
      std::memcpy(to, from + head * line + (tokens - 1 - query), static_cast<size_t>(tokens) * sizeof(float));
    }
  }
  return bias.to(at::TensorOptions().dtype(compute_).device(device_));
}

void T5Encoder::RunLayer(const Layer& layer, at::Tensor& x, const at::Tensor& bias) const {
  const int64_t heads = config_.num_heads * config_.d_kv;
  at::Tensor mixed;
  {
    const at::Tensor all = layer.query_key_value(layer.attention_norm(x)).unsqueeze(0);
    mixed = Attention(all.narrow(2, 0, heads), all.narrow(2, heads, heads), all.narrow(2, 2 * heads, heads),
                      config_.num_heads, bias, 1.0);  // unscaled: the published weights have the scale in them
  }
  x.add_(layer.attention_out(mixed.squeeze(0)));
  mixed.reset();
  at::Tensor wide = layer.up(layer.norm(x));
  if (config_.gated) {
    at::Tensor gate = wide.narrow(1, 0, config_.d_ff);
    ActivateInPlace(config_.activation, gate);
    wide = gate * wide.narrow(1, config_.d_ff, config_.d_ff);
  } else {
    ActivateInPlace(config_.activation, wide);
  }
  x.add_(layer.down(wide));
}

at::Tensor T5Encoder::Encode(std::span<const int32_t> ids, const CancelToken& cancel) const {
  const std::vector<int64_t> rows(ids.begin(), ids.end());
  const auto tokens = static_cast<int64_t>(rows.size());
  const at::Tensor index = at::from_blob(const_cast<int64_t*>(rows.data()), {tokens}, at::kLong).to(device_);
  at::Tensor x = at::embedding(table_, index).to(compute_);
  const at::Tensor bias = PositionBias(tokens);
  for (const Layer& layer : layers_) {
    if (cancel.cancelled()) return {};
    RunLayer(layer, x, bias);
  }
  return norm_(x).to(at::kFloat);
}

int64_t T5Encoder::WeightBytes(const T5Config& config, Precision precision) {
  const c10::Device cpu(c10::DeviceType::CPU);
  const auto compute = static_cast<int64_t>(c10::elementSize(ComputeType(precision, cpu)));
  const int64_t dim = config.d_model, heads = config.num_heads * config.d_kv, wide = config.d_ff;
  const int64_t norm = AllocatedBytes(dim * compute);
  const int64_t layer = 2 * norm + WeightMatrix::BytesKept(3 * heads, dim, precision) +
                        WeightMatrix::BytesKept(dim, heads, precision) +
                        WeightMatrix::BytesKept((config.gated ? 2 : 1) * wide, dim, precision) +
                        WeightMatrix::BytesKept(dim, wide, precision);
  return AllocatedBytes(BytesOf(TablePrecision(precision), config.vocab_size * dim)) +
         AllocatedBytes(config.relative_attention_num_buckets * config.num_heads * 4) + norm +
         config.num_layers * layer;
}

// The states and what the positions add beside the most of: queries, keys and values with what they are made of or what
// is made of them, or the wide layer with the same. Weights of another type than the sums are unfolded in parts.
int64_t T5Encoder::WorkingBytes(const T5Config& config, int64_t tokens, Precision precision) {
  const c10::Device cpu(c10::DeviceType::CPU);
  const auto compute = static_cast<int64_t>(c10::elementSize(ComputeType(precision, cpu)));
  const int64_t dim = config.d_model, heads = config.num_heads * config.d_kv, wide = config.d_ff;
  const auto rows = [&](int64_t width) { return AllocatedBytes(tokens * width * compute); };
  const auto scratch = [&](int64_t out, int64_t in) { return LinearScratchBytes(out, in, precision, cpu, tokens); };
  const int64_t up = (config.gated ? 2 : 1) * wide;
  const int64_t attend = rows(3 * heads) + std::max({rows(dim) + scratch(3 * heads, dim),
                                                     rows(heads) + AttentionScratchBytes(tokens, config.num_heads,
                                                                                         config.d_kv)});
  const int64_t mix = rows(heads) + rows(dim) + scratch(dim, heads);
  const int64_t widen = rows(up) + rows(dim) + scratch(up, dim);
  const int64_t gate = config.gated ? rows(up) + rows(wide) : 0;
  const int64_t narrow = rows(wide) + rows(dim) + scratch(dim, wide);
  const int64_t bias = AllocatedBytes(config.num_heads * tokens * tokens * compute);
  return rows(dim) + bias + std::max({attend, mix, widen, gate, narrow});
}

}  // namespace grym
