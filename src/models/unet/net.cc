#include "models/unet/net.h"

#include <cmath>
#include <utility>

#include "base/status.h"
#include "nn/attention.h"
#include "nn/group_norm_silu.h"

namespace grym {
namespace {

// [rows, channels, height, width], channels-last, seen as [rows, positions, channels]: nothing is copied.
at::Tensor PositionsOf(const at::Tensor& x) {
  return x.permute({0, 2, 3, 1}).view({x.size(0), x.size(2) * x.size(3), x.size(1)});
}
at::Tensor ImageOf(const at::Tensor& positions, const at::Tensor& like) {
  return positions.view({like.size(0), like.size(2), like.size(3), positions.size(2)}).permute({0, 3, 1, 2});
}

at::Tensor RunResnet(const UnetResnet& resnet, const at::Tensor& x, const at::Tensor& shift) {
  at::Tensor hidden = resnet.conv1(NormActivate(resnet.norm1, Activation::kSilu, x));
  NormActivateInPlace(resnet.norm2, Activation::kSilu, hidden, shift);
  hidden = resnet.conv2(hidden);
  if (!resnet.shortcut.weight.loaded()) return hidden.add_(x);
  return hidden.add_(ImageOf(resnet.shortcut(PositionsOf(x)), x));
}

at::Tensor RunAttention(const Linear& qkv, const Linear& out, const at::Tensor& x, int64_t heads) {
  const at::Tensor all = qkv(x);
  const int64_t dim = x.size(2);
  return out(Attention(all.narrow(2, 0, dim), all.narrow(2, dim, dim), all.narrow(2, 2 * dim, dim), heads));
}

at::Tensor RunFeedForward(const UnetTransformerLayer& layer, const at::Tensor& x) {
  at::Tensor gate = layer.gate(x);
  at::gelu_(gate);
  gate.mul_(layer.feed(x));  // gone again before the next product
  return layer.back(gate);
}

at::Tensor RunTransformer(const UnetAttention& attention, const at::Tensor& x) {
  at::Tensor hidden = attention.in(PositionsOf(attention.norm(x)));
  for (const UnetTransformerLayer& layer : attention.layers) {
    hidden.add_(RunAttention(layer.qkv1, layer.out1, layer.norm1(hidden), attention.heads));
    hidden.add_(RunAttention(layer.qkv2, layer.out2, layer.norm2(hidden), attention.heads));
    hidden.add_(RunFeedForward(layer, layer.norm3(hidden)));
  }
  return ImageOf(attention.out(hidden), x).add_(x);
}

// The cosine and sine of each time at geometrically falling rates, in float32 as the reference has it: [steps, dim].
// Source: Vaswani et al., "Attention Is All You Need", 2017, section 3.5; diffusers 0.42, get_timestep_embedding.
at::Tensor TimeWaves(const std::vector<double>& times, int64_t dim, bool flip, int64_t shift) {
  const int64_t half = dim / 2;
  at::Tensor steps = at::empty({static_cast<int64_t>(times.size()), 1}, at::kFloat);
  for (size_t i = 0; i < times.size(); ++i) steps.mutable_data_ptr<float>()[i] = static_cast<float>(times[i]);
  at::Tensor rates = at::arange(0, half, at::TensorOptions().dtype(at::kFloat));
  rates = rates.mul_(-std::log(10000.0)).div_(static_cast<double>(half - shift)).exp_();
  const at::Tensor angles = steps * rates.view({1, half});
  const at::Tensor first = flip ? at::cos(angles) : at::sin(angles), second = flip ? at::sin(angles) : at::cos(angles);
  const at::Tensor waves = at::cat({first, second}, 1);
  return dim % 2 == 0 ? waves : at::constant_pad_nd(waves, {0, 1});
}

}  // namespace

absl::StatusOr<UnetConditions> Unet::Conditions(const std::vector<double>& times, const at::Tensor& embeddings,
                                                int64_t rows, const CancelToken& cancel) const {
  const auto steps = static_cast<int64_t>(times.size());
  const at::Tensor waves = TimeWaves(times, config_.channels[0], config_.flip_sin_to_cos, config_.freq_shift);
  at::Tensor time = time2_(at::silu(time1_(waves.to(device_, compute_type_))));
  time = time.view({steps, 1, config_.time_dim}).expand({steps, rows, config_.time_dim});
  at::Tensor both = time;
  if (config_.class_dim > 0) {
    const at::Tensor prompt = class_(embeddings.to(device_, compute_type_))
                                  .view({1, rows, config_.time_dim})
                                  .expand({steps, rows, config_.time_dim});
    both = config_.class_concat ? at::cat({time, prompt}, 2) : at::add(time, prompt);
  }
  both = at::silu(both);
  UnetConditions conditions;
  const auto shift = [&](const Linear& of_resnet) -> absl::Status {
    GRYM_RETURN_IF_ERROR(cancel.Check());
    conditions.shifts.push_back(of_resnet(both));
    return absl::OkStatus();
  };
  for (const Linear& of_resnet : shifts_) GRYM_RETURN_IF_ERROR(shift(of_resnet));
  if (streamed_shifts_) GRYM_RETURN_IF_ERROR(streamed_shifts_->ForEach([&] { return cancel.Check(); }, shift));
  return conditions;
}

absl::StatusOr<at::Tensor> Unet::operator()(const at::Tensor& latents, const UnetConditions& conditions, int64_t step,
                                            const CancelToken& cancel) const {
  at::Tensor x = conv_in_(latents.to(device_, compute_type_).contiguous(at::MemoryFormat::ChannelsLast));
  std::vector<at::Tensor> skips = {x};
  auto unit = units_.begin();
  auto shift = conditions.shifts.begin();
  const auto run = [&](const UnetWeights& weights) -> absl::Status {
    GRYM_RETURN_IF_ERROR(cancel.Check());
    if (unit->joins) {
      x = at::cat({x, skips.back()}, 1);
      skips.pop_back();
    }
    switch (unit->kind) {
      case UnetUnit::Kind::kResnet:
        x = RunResnet(std::get<UnetResnet>(weights), x, (shift++)->select(0, step));
        break;
      case UnetUnit::Kind::kAttention: x = RunTransformer(std::get<UnetAttention>(weights), x); break;
      case UnetUnit::Kind::kHalve: x = std::get<UnetHalve>(weights).conv(x); break;
      case UnetUnit::Kind::kSmooth:  // to the size that the next skip has: an odd one was halved upwards
        x = std::get<UnetSmooth>(weights).conv(
            at::upsample_nearest2d(x, {skips.back().size(2), skips.back().size(3)}));
        break;
    }
    if (unit->skips) skips.push_back(x);
    ++unit;
    return absl::OkStatus();
  };
  for (const UnetWeights& weights : weights_) GRYM_RETURN_IF_ERROR(run(weights));
  if (streamed_) GRYM_RETURN_IF_ERROR(streamed_->ForEach([&] { return cancel.Check(); }, run));
  return conv_out_(NormActivate(norm_out_, Activation::kSilu, x));
}

}  // namespace grym
