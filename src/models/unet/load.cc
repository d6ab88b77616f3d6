#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "base/format.h"
#include "base/status.h"
#include "models/unet/net.h"
#include "runtime/memory_budget.h"
#include "runtime/packed.h"

namespace grym {
namespace {

// Of the normalisation before a block's attention; not in the config. Source: diffusers 0.42, Transformer2DModel.
constexpr double kAttentionNormEpsilon = 1e-6;
constexpr double kLayerNormEpsilon = 1e-5;

bool EndsWith(const std::string& name, const std::string& end) {
  return name.size() > end.size() && name.compare(name.size() - end.size(), end.size(), end) == 0;
}

// Whether ReadPointwise, ReadLinear or ReadFusedLinear reads it.
bool IsMatrix(const TensorEntry& entry) {
  if (entry.shape.size() == 2) return true;
  return entry.shape.size() == 4 && entry.shape[2] == 1 && entry.shape[3] == 1 && entry.name != "conv_in.weight" &&
         entry.name != "conv_out.weight";
}

// A convolution of one position, or a linear layer in its place, as a matrix [out, in].
Linear ReadPointwise(WeightReader& weights, const std::string& layer, int64_t in, int64_t out, bool as_linear) {
  if (as_linear) return ReadLinear(weights, layer, in, out);
  const at::Tensor kernel = weights.Matrix(layer + ".weight", {out, in, 1, 1});
  Linear linear;
  linear.weight = WeightMatrix::Pack(kernel.defined() ? kernel.view({out, in}) : kernel, weights.options().precision);
  linear.bias = weights.Vector(layer + ".bias", {out});
  return linear;
}

// The level of a block's name, counted from the finest; nothing for what is in none.
size_t LevelOf(const std::string& name, const std::string& prefix) {
  return name.rfind(prefix, 0) == 0 ? static_cast<size_t>(std::atoll(name.c_str() + prefix.size())) : SIZE_MAX;
}

bool IsTiled(const std::string& name, const UnetConfig& config) {
  size_t level = LevelOf(name, "down_blocks.");
  if (const size_t order = LevelOf(name, "up_blocks."); order != SIZE_MAX) level = config.levels() - 1 - order;
  if (level == SIZE_MAX) return false;
  if (EndsWith(name, ".upsamplers.0.conv.weight")) return Unet::WantsTiles(level - 1);
  return Unet::WantsTiles(level) && (EndsWith(name, ".conv1.weight") || EndsWith(name, ".conv2.weight"));
}

}  // namespace

int64_t Unet::WeightsBytes(const TensorSet& set, const UnetConfig& config, const WeightOptions& options) {
  const auto size = [](c10::ScalarType type) { return static_cast<int64_t>(c10::elementSize(type)); };
  const int64_t compute = size(ComputeType(options.precision, options.device));
  const int64_t kept = size(StorageType(BesideMatrices(options.precision, options.device)));
  int64_t bytes = 0;
  for (size_t i = 0; i < set.size(); ++i) {
    const TensorEntry& entry = *set.place(i).entry;
    const bool tiled = CanTile(options) && IsTiled(entry.name, config);
    const int64_t elements = tiled ? entry.elements() / 9 * 16 : entry.elements();
    if (IsMatrix(entry)) {
      bytes += WeightMatrix::BytesKept(entry.shape[0], entry.shape[1], options.precision);
    } else {
      bytes += AllocatedBytes((entry.shape.size() > 1 ? kept : compute) * elements);
    }
  }
  return bytes;
}

// Reads the parts in the order of their use. Kept apart from the class, which knows nothing of names.
struct Unet::Reader {
  WeightReader& weights;
  WeightReader& convolutions;  // the same but for a packed precision, which they cannot have
  const UnetConfig& config;
  size_t resnets = 0;

  UnetResnet Resnet(const std::string& layer, int64_t in, int64_t out, bool tiled) {
    UnetResnet resnet;
    resnet.norm1 = ReadGroupNorm(weights, layer + ".norm1", in, config.norm_groups, config.norm_epsilon);
    resnet.conv1 = ReadConv3x3(convolutions, layer + ".conv1", in, out, tiled);
    resnet.embedding = ReadLinear(weights, layer + ".time_emb_proj", config.embedding_dim(), out);
    resnet.norm2 = ReadGroupNorm(weights, layer + ".norm2", out, config.norm_groups, config.norm_epsilon);
    resnet.conv2 = ReadConv3x3(convolutions, layer + ".conv2", out, out, tiled);
    if (in != out) resnet.shortcut = ReadPointwise(weights, layer + ".conv_shortcut", in, out, false);
    resnet.index = resnets++;
    return resnet;
  }

  UnetTransformerLayer TransformerLayer(const std::string& layer, int64_t dim) {
    const auto fused = [&](const std::string& attention) {
      const std::string to = layer + attention + ".to_";
      return ReadFusedLinear(weights, {to + "q", to + "k", to + "v"}, dim, dim, /*bias=*/false);
    };
    UnetTransformerLayer block;
    block.norm1 = ReadLayerNorm(weights, layer + ".norm1", dim, kLayerNormEpsilon);
    block.qkv1 = fused(".attn1");
    block.out1 = ReadLinear(weights, layer + ".attn1.to_out.0", dim, dim);
    block.norm2 = ReadLayerNorm(weights, layer + ".norm2", dim, kLayerNormEpsilon);
    block.qkv2 = fused(".attn2");
    block.out2 = ReadLinear(weights, layer + ".attn2.to_out.0", dim, dim);
    block.norm3 = ReadLayerNorm(weights, layer + ".norm3", dim, kLayerNormEpsilon);
    // One matrix in the file; as two, each half's product lies whole in memory.
    const at::Tensor matrix = weights.Matrix(layer + ".ff.net.0.proj.weight", {8 * dim, dim});
    const at::Tensor bias = weights.Vector(layer + ".ff.net.0.proj.bias", {8 * dim});
    if (matrix.defined() && bias.defined()) {
      block.feed.weight = WeightMatrix::Pack(matrix.narrow(0, 0, 4 * dim), weights.options().precision);
      block.gate.weight = WeightMatrix::Pack(matrix.narrow(0, 4 * dim, 4 * dim), weights.options().precision);
      block.feed.bias = bias.narrow(0, 0, 4 * dim);
      block.gate.bias = bias.narrow(0, 4 * dim, 4 * dim);
    }
    block.back = ReadLinear(weights, layer + ".ff.net.2", 4 * dim, dim);
    return block;
  }

  UnetAttention Attention(const std::string& layer, int64_t dim, int64_t heads, int64_t layers) {
    UnetAttention attention;
    attention.heads = heads;
    attention.norm = ReadGroupNorm(weights, layer + ".norm", dim, config.norm_groups, kAttentionNormEpsilon);
    attention.in = ReadPointwise(weights, layer + ".proj_in", dim, dim, config.linear_projection);
    for (int64_t i = 0; i < layers; ++i)
      attention.layers.push_back(TransformerLayer(Formatted("%s.transformer_blocks.%d", layer.c_str(), i), dim));
    attention.out = ReadPointwise(weights, layer + ".proj_out", dim, dim, config.linear_projection);
    return attention;
  }

  UnetBlock Down(size_t level) {
    const std::string block = Formatted("down_blocks.%d", level);
    const int64_t out = config.channels[level];
    UnetBlock read;
    for (int64_t i = 0; i < config.layers[level]; ++i) {
      const int64_t in = i == 0 ? config.channels[level == 0 ? 0 : level - 1] : out;
      read.resnets.push_back(Resnet(Formatted("%s.resnets.%d", block.c_str(), i), in, out, WantsTiles(level)));
      if (!config.down_attention[level]) continue;
      read.attentions.push_back(Attention(Formatted("%s.attentions.%d", block.c_str(), i), out, config.heads[level],
                                          config.transformer_layers[level]));
    }
    if (level + 1 < config.levels()) {
      read.halve = ReadConv2d(convolutions, block + ".downsamplers.0.conv", out, out, 3, 2, 1);
    }
    return read;
  }

  UnetBlock Middle() {
    const int64_t dim = config.channels.back();
    UnetBlock read;
    if (config.middle == UnetConfig::Middle::kNone) return read;
    read.resnets.push_back(Resnet("mid_block.resnets.0", dim, dim, false));
    if (config.middle == UnetConfig::Middle::kResnet) return read;
    read.attentions.push_back(
        Attention("mid_block.attentions.0", dim, config.heads.back(), config.transformer_layers.back()));
    read.resnets.push_back(Resnet("mid_block.resnets.1", dim, dim, false));
    return read;
  }

  // `order` counts from the coarsest level, as the names do.
  UnetBlock Up(size_t order) {
    const std::string block = Formatted("up_blocks.%d", order);
    const size_t level = config.levels() - 1 - order;
    const int64_t out = config.channels[level];
    const int64_t below = config.channels[level + (order == 0 ? 0 : 1)];  // what comes up from the level below
    const int64_t skip_last = config.channels[level == 0 ? 0 : level - 1];
    UnetBlock read;
    for (int64_t i = 0; i <= config.layers[level]; ++i) {
      const int64_t in = (i == 0 ? below : out) + (i == config.layers[level] ? skip_last : out);
      read.resnets.push_back(Resnet(Formatted("%s.resnets.%d", block.c_str(), i), in, out, WantsTiles(level)));
      if (!config.up_attention[level]) continue;
      read.attentions.push_back(Attention(Formatted("%s.attentions.%d", block.c_str(), i), out, config.heads[level],
                                          config.up_transformer_layers[level]));
    }
    if (level > 0) {
      read.smooth = ReadConv3x3(convolutions, block + ".upsamplers.0.conv", out, out, WantsTiles(level - 1));
    }
    return read;
  }
};

absl::StatusOr<std::shared_ptr<const Unet>> Unet::Load(const TensorSet& set, const UnetConfig& config,
                                                       const WeightOptions& options) {
  WeightReader weights(set, "unet", options);
  std::shared_ptr<Unet> unet(new Unet(config));
  unet->compute_type_ = weights.compute_type();
  unet->device_ = options.device;
  WeightReader convolutions(set, "unet",
                            {BesideMatrices(options.precision, options.device), options.device, options.cancel});
  Reader reader{weights, convolutions, config};
  const int64_t first = config.channels[0];
  unet->conv_in_ = ReadConv2d(convolutions, "conv_in", config.in_channels, first, config.conv_in_kernel, 1,
                              config.conv_in_kernel / 2);
  unet->time1_ = ReadLinear(weights, "time_embedding.linear_1", first, config.time_dim);
  unet->time2_ = ReadLinear(weights, "time_embedding.linear_2", config.time_dim, config.time_dim);
  if (config.class_dim > 0) unet->class_ = ReadLinear(weights, "class_embedding", config.class_dim, config.time_dim);
  for (size_t level = 0; level < config.levels(); ++level) unet->down_.push_back(reader.Down(level));
  unet->middle_ = reader.Middle();
  for (size_t order = 0; order < config.levels(); ++order) unet->up_.push_back(reader.Up(order));
  unet->norm_out_ = ReadGroupNorm(weights, "conv_norm_out", first, config.norm_groups, config.norm_epsilon);
  unet->conv_out_ = ReadConv2d(convolutions, "conv_out", first, config.out_channels, config.conv_out_kernel, 1,
                               config.conv_out_kernel / 2);
  GRYM_RETURN_IF_ERROR(weights.status());
  GRYM_RETURN_IF_ERROR(convolutions.status());
  const std::vector<std::string> others = convolutions.Unread();
  for (const std::string& name : weights.Unread()) {
    if (std::find(others.begin(), others.end(), name) != others.end()) unet->unread_.push_back(name);
  }
  unet->resnets_.resize(reader.resnets);
  const auto note = [&](const UnetBlock& block) {
    for (const UnetResnet& resnet : block.resnets) unet->resnets_[resnet.index] = &resnet;
  };
  for (const UnetBlock& block : unet->down_) note(block);
  note(unet->middle_);
  for (const UnetBlock& block : unet->up_) note(block);
  return std::shared_ptr<const Unet>(std::move(unet));
}

}  // namespace grym
