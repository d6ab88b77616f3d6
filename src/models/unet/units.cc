#include "models/unet/units.h"

#include <algorithm>
#include <numeric>
#include <unordered_map>
#include <utility>

#include "base/format.h"
#include "models/unet/net.h"
#include "runtime/memory_budget.h"
#include "runtime/packed.h"

namespace grym {
namespace {

using Kind = UnetUnit::Kind;

// Of the normalisation before a block's attention; not in the config. Source: diffusers 0.42, Transformer2DModel.
constexpr double kAttentionNormEpsilon = 1e-6;
constexpr double kLayerNormEpsilon = 1e-5;
constexpr char kShift[] = ".time_emb_proj";

class UnitList {
 public:
  explicit UnitList(const UnetConfig& config) : config_(config) {}

  std::vector<UnetUnit> All() {
    for (size_t level = 0; level < config_.levels(); ++level) Down(level);
    Middle();
    for (size_t level = config_.levels(); level-- > 0;) Up(level);
    return std::move(units_);
  }

 private:
  UnetUnit& Add(Kind kind, std::string name, size_t level, int64_t in, int64_t out, bool tiled) {
    UnetUnit unit;
    unit.kind = kind;
    unit.name = std::move(name);
    unit.level = level;
    unit.in = in;
    unit.out = out;
    unit.tiled = tiled;
    return units_.emplace_back(std::move(unit));
  }
  void Attend(const std::string& name, size_t level, int64_t layers) {
    UnetUnit& unit = Add(Kind::kAttention, name, level, config_.channels[level], config_.channels[level], false);
    unit.heads = config_.heads[level];
    unit.layers = layers;
  }

  void Down(size_t level) {
    const std::string block = Formatted("down_blocks.%d", level);
    const int64_t out = config_.channels[level];
    for (int64_t i = 0; i < config_.layers[level]; ++i) {
      const int64_t in = i == 0 ? config_.channels[level == 0 ? 0 : level - 1] : out;
      Add(Kind::kResnet, Formatted("%s.resnets.%d", block.c_str(), i), level, in, out, UnetWantsTiles(level));
      if (config_.down_attention[level])
        Attend(Formatted("%s.attentions.%d", block.c_str(), i), level, config_.transformer_layers[level]);
      units_.back().skips = true;
    }
    if (level + 1 == config_.levels()) return;
    Add(Kind::kHalve, block + ".downsamplers.0", level + 1, out, out, false).skips = true;
  }

  void Middle() {
    const size_t level = config_.levels() - 1;
    const int64_t dim = config_.channels[level];
    if (config_.middle == UnetConfig::Middle::kNone) return;
    Add(Kind::kResnet, "mid_block.resnets.0", level, dim, dim, false);
    if (config_.middle == UnetConfig::Middle::kResnet) return;
    Attend("mid_block.attentions.0", level, config_.transformer_layers[level]);
    Add(Kind::kResnet, "mid_block.resnets.1", level, dim, dim, false);
  }

  void Up(size_t level) {
    const size_t order = config_.levels() - 1 - level;  // the names count from the coarsest
    const std::string block = Formatted("up_blocks.%d", order);
    const int64_t out = config_.channels[level];
    const int64_t below = config_.channels[level + (order == 0 ? 0 : 1)];  // what comes up from the level below
    const int64_t skip_last = config_.channels[level == 0 ? 0 : level - 1];
    for (int64_t i = 0; i <= config_.layers[level]; ++i) {
      const int64_t in = (i == 0 ? below : out) + (i == config_.layers[level] ? skip_last : out);
      Add(Kind::kResnet, Formatted("%s.resnets.%d", block.c_str(), i), level, in, out, UnetWantsTiles(level)).joins =
          true;
      if (config_.up_attention[level])
        Attend(Formatted("%s.attentions.%d", block.c_str(), i), level, config_.up_transformer_layers[level]);
    }
    if (level > 0) Add(Kind::kSmooth, block + ".upsamplers.0", level - 1, out, out, UnetWantsTiles(level - 1));
  }

  const UnetConfig& config_;
  std::vector<UnetUnit> units_;
};

// A convolution of one position, or a linear layer in its place, as a matrix [out, in].
Linear ReadPointwise(WeightReader& weights, const std::string& layer, int64_t in, int64_t out, bool as_linear) {
  if (as_linear) return ReadLinear(weights, layer, in, out);
  const at::Tensor kernel = weights.Matrix(layer + ".weight", {out, in, 1, 1});
  Linear linear;
  linear.weight = WeightMatrix::PackRead(kernel.defined() ? kernel.view({out, in}) : kernel, weights,
                                         weights.options().precision);
  linear.bias = weights.Vector(layer + ".bias", {out});
  return linear;
}

// The convolutions first: a tiled one is never made on top of nearly everything else.
UnetResnet ReadResnet(UnetUnitReader& reader, const UnetUnit& unit) {
  const UnetConfig& config = reader.config;
  UnetResnet resnet;
  resnet.conv1 = ReadConv3x3(reader.convolutions, unit.name + ".conv1", unit.in, unit.out, unit.tiled);
  resnet.conv2 = ReadConv3x3(reader.convolutions, unit.name + ".conv2", unit.out, unit.out, unit.tiled);
  resnet.norm1 =
      ReadGroupNorm(reader.weights, unit.name + ".norm1", unit.in, config.norm_groups, config.norm_epsilon);
  resnet.norm2 =
      ReadGroupNorm(reader.weights, unit.name + ".norm2", unit.out, config.norm_groups, config.norm_epsilon);
  if (unit.in != unit.out)
    resnet.shortcut = ReadPointwise(reader.weights, unit.name + ".conv_shortcut", unit.in, unit.out, false);
  return resnet;
}

UnetTransformerLayer ReadTransformerLayer(WeightReader& weights, const std::string& layer, int64_t dim) {
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
    const Precision precision = weights.options().precision;
    block.feed.weight = WeightMatrix::PackRead(matrix.narrow(0, 0, 4 * dim), weights, precision);
    block.gate.weight = WeightMatrix::PackRead(matrix.narrow(0, 4 * dim, 4 * dim), weights, precision);
    block.feed.bias = bias.narrow(0, 0, 4 * dim);
    block.gate.bias = bias.narrow(0, 4 * dim, 4 * dim);
  }
  block.back = ReadLinear(weights, layer + ".ff.net.2", 4 * dim, dim);
  return block;
}

UnetAttention ReadAttention(UnetUnitReader& reader, const UnetUnit& unit) {
  const UnetConfig& config = reader.config;
  UnetAttention attention;
  attention.heads = unit.heads;
  attention.norm =
      ReadGroupNorm(reader.weights, unit.name + ".norm", unit.out, config.norm_groups, kAttentionNormEpsilon);
  attention.in = ReadPointwise(reader.weights, unit.name + ".proj_in", unit.out, unit.out, config.linear_projection);
  for (int64_t i = 0; i < unit.layers; ++i) {
    attention.layers.push_back(ReadTransformerLayer(
        reader.weights, Formatted("%s.transformer_blocks.%d", unit.name.c_str(), i), unit.out));
  }
  attention.out = ReadPointwise(reader.weights, unit.name + ".proj_out", unit.out, unit.out, config.linear_projection);
  return attention;
}

bool EndsWith(const std::string& name, const std::string& end) {
  return name.size() > end.size() && name.compare(name.size() - end.size(), end.size(), end) == 0;
}

// Whether ReadPointwise, ReadLinear or ReadFusedLinear reads it.
bool IsMatrix(const TensorEntry& entry) {
  if (entry.shape.size() == 2) return true;
  return entry.shape.size() == 4 && entry.shape[2] == 1 && entry.shape[3] == 1 && entry.name != "conv_in.weight" &&
         entry.name != "conv_out.weight";
}

bool IsTiled(const TensorEntry& entry, const UnetUnit& unit) {
  if (!unit.tiled) return false;
  if (unit.kind == Kind::kSmooth) return EndsWith(entry.name, ".conv.weight");
  return EndsWith(entry.name, ".conv1.weight") || EndsWith(entry.name, ".conv2.weight");
}

}  // namespace

std::vector<UnetUnit> UnitsOf(const UnetConfig& config) { return UnitList(config).All(); }

UnetWeights UnetUnitReader::Unit(const UnetUnit& unit) {
  switch (unit.kind) {
    case Kind::kResnet: return ReadResnet(*this, unit);
    case Kind::kAttention: return ReadAttention(*this, unit);
    case Kind::kHalve: return UnetHalve{ReadConv2d(convolutions, unit.name + ".conv", unit.in, unit.out, 3, 2, 1)};
    case Kind::kSmooth: break;
  }
  return UnetSmooth{ReadConv3x3(convolutions, unit.name + ".conv", unit.in, unit.out, unit.tiled)};
}

Linear UnetUnitReader::Shift(const UnetUnit& unit) {
  return ReadLinear(weights, unit.name + kShift, config.embedding_dim(), unit.out);
}

int64_t UnetUnitBytes::sum() const {
  return beside + std::accumulate(units.begin(), units.end(), int64_t{0}) +
         std::accumulate(shifts.begin(), shifts.end(), int64_t{0});
}

UnetUnitBytes UnitBytesOf(const TensorSet& set, const UnetConfig& config, const WeightOptions& options) {
  const auto size = [](c10::ScalarType type) { return static_cast<int64_t>(c10::elementSize(type)); };
  const int64_t compute = size(ComputeType(options.precision, options.device));
  const int64_t kept = size(StorageType(BesideMatrices(options.precision, options.device)));
  const std::vector<UnetUnit> units = UnitsOf(config);
  std::unordered_map<std::string, size_t> places;
  std::vector<size_t> shift_places(units.size());
  UnetUnitBytes bytes;
  for (size_t i = 0; i < units.size(); ++i) {
    places[units[i].name] = i;
    shift_places[i] = bytes.shifts.size();
    if (units[i].kind == Kind::kResnet) bytes.shifts.push_back(0);
  }
  bytes.units.resize(units.size());
  for (size_t i = 0; i < set.size(); ++i) {
    const TensorEntry& entry = *set.place(i).entry;
    auto found = places.end();
    for (size_t dot = entry.name.find('.'); dot != std::string::npos && found == places.end();
         dot = entry.name.find('.', dot + 1)) {
      found = places.find(entry.name.substr(0, dot));
    }
    const UnetUnit* unit = found == places.end() ? nullptr : &units[found->second];
    const std::string shift = std::string(kShift) + ".";
    const bool shifts = unit && unit->kind == Kind::kResnet &&
                        entry.name.compare(unit->name.size(), shift.size(), shift) == 0;
    int64_t& sum = !unit    ? bytes.beside
                   : shifts ? bytes.shifts[shift_places[found->second]]
                            : bytes.units[found->second];
    const bool tiled = unit && CanTile(options) && IsTiled(entry, *unit);
    const int64_t elements = tiled ? entry.elements() / 9 * 16 : entry.elements();
    if (IsMatrix(entry)) {
      sum += WeightMatrix::BytesKept(entry.shape[0], entry.shape[1], options.precision);
    } else {
      sum += AllocatedBytes((entry.shape.size() > 1 ? kept : compute) * elements);
    }
  }
  return bytes;
}

}  // namespace grym
