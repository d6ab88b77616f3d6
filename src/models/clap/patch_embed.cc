#include "models/clap/patch_embed.h"

#include "runtime/memory_budget.h"

namespace grym {
namespace {

PatchConv ReadPatchConv(WeightReader& weights, const std::string& layer, const ClapAudioConfig& config,
                        int64_t widths) {
  PatchConv conv;
  conv.height = config.patch_height;
  conv.width = config.patch_width * widths;
  conv.stride_height = config.stride_height;
  conv.stride_width = config.stride_width * widths;
  conv.padding_height = (config.patch_height - config.stride_height) / 2;
  conv.padding_width = (config.patch_width - config.stride_width) / 2;
  conv.weight = weights.Vector(layer + ".weight", {config.embed_dim, 1, conv.height, conv.width});
  conv.bias = weights.Vector(layer + ".bias", {config.embed_dim});
  if (conv.weight.defined()) conv.weight = conv.weight.view({config.embed_dim, conv.height * conv.width});
  return conv;
}

// "<at>.<conv>", a 1x1 convolution, and the batch normalisation "<at>.<norm>" behind it as one product.
Linear ReadNormalisedConv(WeightReader& weights, const std::string& conv, const std::string& norm, int64_t in,
                          int64_t out) {
  const at::Tensor weight = weights.Exact(conv + ".weight", {out, in, 1, 1});
  const at::Tensor bias = weights.Exact(conv + ".bias", {out});
  const at::Tensor scale = weights.Exact(norm + ".weight", {out}), shift = weights.Exact(norm + ".bias", {out});
  const at::Tensor mean = weights.Exact(norm + ".running_mean", {out});
  const at::Tensor variance = weights.Exact(norm + ".running_var", {out});
  weights.Skip(norm + ".num_batches_tracked");
  for (const at::Tensor& part : {weight, bias, scale, shift, mean, variance}) {
    if (!part.defined()) return {};
  }
  const at::Tensor gain = scale / (variance + 1e-5).sqrt();
  Linear linear;
  linear.weight = WeightMatrix::Pack((weight.view({out, in}) * gain.unsqueeze(1)).to(weights.compute_type()),
                                     Precision::kFloat32);
  linear.bias = ((bias - mean) * gain + shift).to(weights.compute_type());
  return linear;
}

}  // namespace

at::Tensor PatchConv::operator()(const at::Tensor& image) const {
  const int64_t batch = image.size(0), out = weight.size(0);
  if (height != stride_height || width != stride_width) {
    const at::Tensor made =
        at::conv2d(image.unsqueeze(1), weight.view({out, 1, height, width}), bias,
                   at::IntArrayRef({stride_height, stride_width}), at::IntArrayRef({padding_height, padding_width}));
    return made.permute({0, 2, 3, 1});
  }
  const int64_t rows = image.size(1) / height, columns = image.size(2) / width;
  const at::Tensor patches = image.narrow(1, 0, rows * height)
                                 .narrow(2, 0, columns * width)
                                 .reshape({batch, rows, height, columns, width})
                                 .transpose(2, 3)
                                 .reshape({batch, rows, columns, height * width});
  return at::linear(patches, weight, bias);
}

ClapPatchEmbed ClapPatchEmbed::Read(WeightReader& weights, const std::string& at, const ClapAudioConfig& config) {
  ClapPatchEmbed embed;
  embed.conv_ = ReadPatchConv(weights, at + "proj", config, 1);
  embed.normalises_ = config.patch_norm;
  if (config.patch_norm) embed.norm_ = ReadLayerNorm(weights, at + "norm", config.embed_dim, 1e-5);
  embed.fusion_ = config.enable_fusion;
  if (!config.enable_fusion) return embed;
  const int64_t dim = config.embed_dim, narrow = dim / config.aff_ratio;
  embed.part_conv_ = ReadPatchConv(weights, at + "mel_conv2d", config, 3);
  const std::string local = at + "fusion_model.local_att.", global = at + "fusion_model.global_att.";
  embed.local_ = {ReadNormalisedConv(weights, local + "0", local + "1", dim, narrow),
                  ReadNormalisedConv(weights, local + "3", local + "4", narrow, dim)};
  embed.global_ = {ReadNormalisedConv(weights, global + "1", global + "2", dim, narrow),  // 0 is the mean
                   ReadNormalisedConv(weights, global + "4", global + "5", narrow, dim)};
  return embed;
}

// `whole` [batch, rows, columns, dim], `parts` [batch, 3, side, side]: each part takes a third of the columns.
at::Tensor ClapPatchEmbed::Fuse(const at::Tensor& whole, const at::Tensor& parts) const {
  const int64_t batch = whole.size(0), rows = whole.size(1), columns = whole.size(2), dim = whole.size(3);
  const at::Tensor made = part_conv_(parts.reshape({batch * 3, parts.size(2), parts.size(3)}));
  at::Tensor local = made.view({batch, 3, rows, -1, dim}).transpose(1, 2).reshape({batch, rows, -1, dim});
  local = at::constant_pad_nd(local, {0, 0, 0, columns - local.size(2)});
  const at::Tensor both = whole + local;
  const at::Tensor share = (local_(both) + global_(both.mean({1, 2}, /*keepdim=*/true))).sigmoid_();
  return (whole * share + local * (1 - share)).mul_(2);
}

at::Tensor ClapPatchEmbed::operator()(const at::Tensor& images, bool longer) const {
  at::Tensor tokens = conv_(images.select(1, 0));
  if (fusion_ && longer) tokens = Fuse(tokens, images.narrow(1, 1, 3));
  tokens = tokens.reshape({tokens.size(0), -1, tokens.size(3)});
  return normalises_ ? norm_(tokens) : tokens;
}

int64_t ClapPatchEmbed::WeightBytes(const ClapAudioConfig& config, Precision precision, c10::Device device) {
  const int64_t compute = static_cast<int64_t>(c10::elementSize(ComputeType(precision, device)));
  const int64_t dim = config.embed_dim, narrow = dim / config.aff_ratio;
  const auto matrix = [&](int64_t in, int64_t out) {
    return AllocatedBytes(in * out * compute) + AllocatedBytes(out * compute);
  };
  int64_t bytes = matrix(config.patch_height * config.patch_width, dim);
  if (config.patch_norm) bytes += 2 * AllocatedBytes(dim * compute);
  if (config.enable_fusion) {
    bytes += matrix(config.patch_height * config.patch_width * 3, dim) + 2 * (matrix(dim, narrow) + matrix(narrow, dim));
  }
  return bytes;
}

}  // namespace grym
