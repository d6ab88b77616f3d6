#include "models/clap/swin_stage.h"

#include <algorithm>

#include "base/format.h"
#include "nn/attention.h"
#include "nn/linear.h"
#include "nn/token_passes.h"
#include "nn/window_attention.h"
#include "runtime/memory_budget.h"

namespace grym {
namespace {

int64_t PaddedSide(int64_t side, int64_t to) { return (side + to - 1) / to * to; }

at::Tensor IndexTensor(const std::vector<int64_t>& index, c10::Device device) {
  at::Tensor tensor = at::empty({static_cast<int64_t>(index.size())}, at::kLong);
  std::copy(index.begin(), index.end(), tensor.mutable_data_ptr<int64_t>());
  return tensor.to(device);
}

// x [batch, rows, dim], with a row of zeros behind the others where `index` points there.
at::Tensor GatherRows(const at::Tensor& x, const at::Tensor& index, bool has_zero_row) {
  if (!has_zero_row) return x.index_select(1, index);
  return at::constant_pad_nd(x, {0, 0, 0, 1}).index_select(1, index);
}

bool PadsWindows(const SwinStageConfig& config) {
  return config.height % config.window != 0 || config.width % config.window != 0;
}
bool GoesByPasses(const SwinStageConfig& config, Precision precision, c10::Device device) {
  return precision == Precision::kFloat32 && device.is_cpu() && FitsTokenPasses(config.dim) &&
         FitsTokenPasses(config.mlp_dim()) &&
         CanAttendWindows(config.window * config.window, config.dim / config.heads);
}
bool PadsMerge(const SwinStageConfig& config) { return config.height % 2 != 0 || config.width % 2 != 0; }

}  // namespace

SwinStage::Cut SwinStage::MakeCut(const SwinStageConfig& config, int64_t shift, c10::Device device) {
  const int64_t window = config.window;
  const int64_t height = PaddedSide(config.height, window), width = PaddedSide(config.width, window);
  std::vector<int64_t> into, back(static_cast<size_t>(config.tokens()));
  for (int64_t place = 0; place < height * width; ++place) {
    const int64_t in_window = place % (window * window), number = place / (window * window);
    const int64_t row = number / (width / window) * window + in_window / window;
    const int64_t column = number % (width / window) * window + in_window % window;
    const int64_t from_row = (row + shift) % height, from_column = (column + shift) % width;  // rolled by -shift
    const bool real = from_row < config.height && from_column < config.width;
    const int64_t from = real ? from_row * config.width + from_column : config.tokens();
    into.push_back(from);
    if (real) back[static_cast<size_t>(from)] = place;
  }
  return {IndexTensor(into, device), IndexTensor(back, device)};
}

// [windows, window^2, window^2]: -100 between tokens that the roll has brought together from opposite edges.
at::Tensor SwinStage::ShiftMask(const SwinStageConfig& config, int64_t shift) {
  const int64_t window = config.window, area = window * window;
  const int64_t height = PaddedSide(config.height, window), width = PaddedSide(config.width, window);
  const auto region = [&](int64_t at, int64_t side) { return (at >= side - window) + (at >= side - shift); };
  at::Tensor mask = at::empty({config.windows(), area, area}, at::kFloat);
  float* out = mask.mutable_data_ptr<float>();
  std::vector<int64_t> regions(static_cast<size_t>(area));
  for (int64_t number = 0; number < config.windows(); ++number) {
    const int64_t top = number / (width / window) * window, left = number % (width / window) * window;
    for (int64_t i = 0; i < area; ++i) {
      regions[static_cast<size_t>(i)] = region(top + i / window, height) * 3 + region(left + i % window, width);
    }
    for (const int64_t query : regions) {
      for (const int64_t key : regions) *out++ = query == key ? 0.0f : -100.0f;
    }
  }
  return mask;
}

// `table` [(2 * window - 1)^2, heads], one row for each offset between two tokens -> [1, heads, window^2, window^2].
at::Tensor SwinStage::PositionBias(const SwinStageConfig& config, const at::Tensor& table) {
  const int64_t window = config.window, area = window * window;
  std::vector<int64_t> offsets;
  for (int64_t query = 0; query < area; ++query) {
    for (int64_t key = 0; key < area; ++key) {
      const int64_t down = query / window - key / window + window - 1;
      const int64_t right = query % window - key % window + window - 1;
      offsets.push_back(down * (2 * window - 1) + right);
    }
  }
  const at::Tensor rows = table.index_select(0, IndexTensor(offsets, table.device()));
  return rows.t().contiguous().view({1, config.heads, area, area});
}

SwinStage::Block SwinStage::ReadBlock(WeightReader& weights, const std::string& at, bool shifted,
                                      const at::Tensor& mask) const {
  const int64_t dim = config_.dim, side = 2 * config_.window - 1;
  const std::string self = at + "attention.self.";
  Block block;
  block.shifted = shifted;
  block.attention_norm = ReadLayerNorm(weights, at + "layernorm_before", dim, config_.layer_norm_eps);
  block.query_key_value =
      ReadFusedLinear(weights, {self + "query", self + "key", self + "value"}, dim, dim, config_.qkv_bias);
  block.attention_out = ReadLinear(weights, at + "attention.output.dense", dim, dim);
  block.norm = ReadLayerNorm(weights, at + "layernorm_after", dim, config_.layer_norm_eps);
  block.up = ReadLinear(weights, at + "intermediate.dense", dim, config_.mlp_dim());
  block.down = ReadLinear(weights, at + "output.dense", config_.mlp_dim(), dim);
  weights.Skip(self + "relative_position_index");
  const at::Tensor table = weights.Exact(self + "relative_position_bias_table", {side * side, config_.heads});
  if (!table.defined()) return block;
  block.bias = PositionBias(config_, table);
  if (shifted) block.bias = block.bias + mask.unsqueeze(1);
  block.bias = block.bias.to(weights.compute_type());
  return block;
}

SwinStage SwinStage::Read(WeightReader& weights, const std::string& at, const SwinStageConfig& config) {
  SwinStage stage;
  stage.config_ = config;
  stage.passes_ = GoesByPasses(config, weights.options().precision, weights.options().device);
  const int64_t shift = config.window / 2;
  const bool shifts = config.shifts() && config.depth > 1;
  const c10::Device device = weights.options().device;
  stage.plain_ = MakeCut(config, 0, device);
  at::Tensor mask;
  if (shifts) {
    stage.shifted_ = MakeCut(config, shift, device);
    mask = ShiftMask(config, shift).to(device);
  }
  for (int64_t i = 0; i < config.depth; ++i) {
    stage.blocks_.push_back(stage.ReadBlock(weights, at + Formatted(".blocks.%d.", i), shifts && i % 2 == 1, mask));
  }
  if (!config.merges) return stage;
  std::vector<int64_t> order;
  for (int64_t row = 0; row < config.height; row += 2) {
    for (int64_t column = 0; column < config.width; column += 2) {
      for (const auto& [down, right] : {std::pair(0, 0), {1, 0}, {0, 1}, {1, 1}}) {
        const bool real = row + down < config.height && column + right < config.width;
        order.push_back(real ? (row + down) * config.width + column + right : config.tokens());
      }
    }
  }
  stage.merge_order_ = IndexTensor(order, device);
  stage.merge_norm_ = ReadLayerNorm(weights, at + ".downsample.norm", 4 * config.dim, 1e-5);
  stage.merge_ = ReadLinear(weights, at + ".downsample.reduction", 4 * config.dim, 2 * config.dim, /*bias=*/false);
  return stage;
}

at::Tensor SwinStage::Attend(const Block& block, const at::Tensor& x) const {
  const int64_t batch = x.size(0), dim = config_.dim, area = config_.window * config_.window;
  const Cut& cut = block.shifted ? shifted_ : plain_;
  at::Tensor all;
  {
    const at::Tensor windows = GatherRows(block.attention_norm(x), cut.into, PadsWindows(config_));
    all = block.query_key_value(windows).view({-1, area, 3 * dim});
  }
  at::Tensor bias = block.bias;
  if (block.shifted && batch > 1) bias = bias.repeat({batch, 1, 1, 1});
  at::Tensor mixed = Attention(all.narrow(2, 0, dim), all.narrow(2, dim, dim), all.narrow(2, 2 * dim, dim),
                               config_.heads, bias);
  all = at::Tensor();
  mixed = block.attention_out(mixed).view({batch, -1, dim});
  return mixed.index_select(1, cut.back);
}

at::Tensor SwinStage::Run(at::Tensor x) const {
  return passes_ ? RunByPasses(std::move(x)) : RunByOperators(std::move(x));
}

at::Tensor SwinStage::RunByOperators(at::Tensor x) const {
  for (const Block& block : blocks_) {
    x = Attend(block, x).add_(x);
    at::Tensor wide = block.up(block.norm(x));
    wide = Activate(config_.activation, wide);
    x = block.down(wide).add_(x);
  }
  if (!config_.merges) return x;
  const int64_t batch = x.size(0);
  const at::Tensor four = GatherRows(x, merge_order_, PadsMerge(config_)).view({batch, -1, 4 * config_.dim});
  x = at::Tensor();
  return merge_(merge_norm_(four));
}

// `grid` [tokens, dim] is changed; `rows` and `mixed` [places in windows, dim] and `wide` are scratch.
void SwinStage::RunBlock(const Block& block, at::Tensor& grid, at::Tensor& rows, at::Tensor& mixed,
                         at::Tensor& wide) const {
  const int64_t dim = config_.dim, tokens = config_.tokens(), area = config_.window * config_.window;
  const int64_t places = config_.windows() * area, mlp = config_.mlp_dim();
  const Cut& cut = block.shifted ? shifted_ : plain_;
  NormGathered(block.attention_norm, grid, cut.into, 1, rows);
  at::Tensor projected = wide.narrow(0, 0, places * 3 * dim).view({places, 3 * dim});
  block.query_key_value.Multiply(rows, /*add=*/false, projected);
  at::Tensor windows = mixed.view({config_.windows(), area, dim});
  AttendWindows(projected.view({config_.windows(), area, 3 * dim}), block.query_key_value.bias, block.bias,
                config_.heads, windows);
  block.attention_out.Multiply(mixed, /*add=*/false, rows);
  at::Tensor normed = mixed.narrow(0, 0, tokens);
  AddGatheredAndNorm(rows, cut.back, block.attention_out.bias, block.norm, block.down.bias, grid, normed);
  at::Tensor up = wide.narrow(0, 0, tokens * mlp).view({tokens, mlp});
  block.up.Multiply(normed, /*add=*/false, up);
  if (config_.activation == Activation::kGelu) {
    ShiftedGelu(block.up.bias, up);
  } else {
    up.add_(block.up.bias);
    ActivateInPlace(config_.activation, up);
  }
  block.down.Multiply(up, /*add=*/true, grid);  // its bias is in the grid
}

at::Tensor SwinStage::RunByPasses(at::Tensor x) const {
  x = x.contiguous();
  const int64_t batch = x.size(0), dim = config_.dim, tokens = config_.tokens();
  {
    const int64_t places = config_.windows() * config_.window * config_.window;
    at::Tensor rows = at::empty({places, dim}, x.options()), mixed = at::empty({places, dim}, x.options());
    at::Tensor wide = at::empty({std::max(places * 3 * dim, tokens * config_.mlp_dim())}, x.options());
    for (int64_t item = 0; item < batch; ++item) {
      at::Tensor grid = x.select(0, item);
      for (const Block& block : blocks_) RunBlock(block, grid, rows, mixed, wide);
    }
  }
  if (!config_.merges) return x;
  const int64_t merged = merge_order_.size(0) / 4;
  at::Tensor four = at::empty({batch, merged, 4 * dim}, x.options());
  for (int64_t item = 0; item < batch; ++item) {
    at::Tensor rows = four.select(0, item);
    NormGathered(merge_norm_, x.select(0, item), merge_order_, 4, rows);
  }
  x = at::Tensor();
  return merge_(four);
}

int64_t SwinStage::WeightBytes(const SwinStageConfig& config, Precision precision, c10::Device device) {
  const auto size = [](c10::ScalarType type) { return static_cast<int64_t>(c10::elementSize(type)); };
  const int64_t storage = size(StorageType(precision)), compute = size(ComputeType(precision, device));
  const auto linear = [&](int64_t in, int64_t out, bool bias) {
    return AllocatedBytes(in * out * storage) + (bias ? AllocatedBytes(out * compute) : 0);
  };
  const auto norm = [&](int64_t dim) { return 2 * AllocatedBytes(dim * compute); };
  const int64_t dim = config.dim, area = config.window * config.window, rows = config.windows() * area;
  const int64_t block = 2 * norm(dim) + linear(dim, 3 * dim, config.qkv_bias) + linear(dim, dim, true) +
                        linear(dim, config.mlp_dim(), true) + linear(config.mlp_dim(), dim, true);
  const int64_t cut = AllocatedBytes(rows * 8) + AllocatedBytes(config.tokens() * 8);
  const int64_t shifted = config.shifts() ? config.depth / 2 : 0;
  const auto bias = [&](int64_t windows) { return AllocatedBytes(windows * config.heads * area * area * compute); };
  int64_t bytes = config.depth * block + (shifted > 0 ? 2 : 1) * cut + (config.depth - shifted) * bias(1) +
                  shifted * bias(config.windows());
  if (config.merges) {
    const int64_t merged = ((config.height + 1) / 2) * ((config.width + 1) / 2);
    bytes += AllocatedBytes(merged * 4 * 8) + norm(4 * dim) + linear(4 * dim, 2 * dim, false);
  }
  return bytes;
}

int64_t SwinStage::WorkingBytes(const SwinStageConfig& config, int64_t batch, Precision precision,
                                c10::Device device) {
  const int64_t padded = config.windows() * config.window * config.window, dim = config.dim;
  if (GoesByPasses(config, precision, device)) {
    const auto floats = [](int64_t count) { return AllocatedBytes(count * 4); };
    const int64_t merged = config.merges ? ((config.height + 1) / 2) * ((config.width + 1) / 2) : 0;
    const int64_t scratch =
        2 * floats(padded * dim) + floats(std::max(padded * 3 * dim, config.tokens() * config.mlp_dim())) +
        std::max(LinearScratchBytes(3 * dim, dim, precision, device, padded),
                 LinearScratchBytes(dim, config.mlp_dim(), precision, device, config.tokens()));
    return std::max(floats(batch * config.tokens() * dim) + std::max(scratch, floats(batch * merged * 4 * dim)),
                    floats(batch * merged * 4 * dim) + floats(batch * merged * 2 * dim) +
                        LinearScratchBytes(2 * dim, 4 * dim, precision, device, batch * merged));
  }
  // The input and the wide layer before and after its activation, or what a product takes beside its sides; or, with
  // windows padded, input, queries, keys and values, the mix and the windows.
  const auto element = static_cast<int64_t>(c10::elementSize(ComputeType(precision, device)));
  const auto bytes = [&](int64_t numbers) { return AllocatedBytes(batch * numbers * element); };
  const auto scratch = [&](int64_t out, int64_t in, int64_t rows) {
    return LinearScratchBytes(out, in, precision, device, batch * rows);
  };
  const int64_t tokens = config.tokens(), wide = config.mlp_dim();
  const int64_t mlp = std::max({bytes(tokens * (dim + 2 * wide)),
                                bytes(tokens * (2 * dim + wide)) + scratch(wide, dim, tokens),
                                bytes(tokens * (2 * dim + wide)) + scratch(dim, wide, tokens)});
  const int64_t attention = std::max({bytes(tokens * dim + padded * 5 * dim),
                                      bytes(tokens * dim + padded * 4 * dim) + scratch(3 * dim, dim, padded),
                                      bytes(tokens * dim + padded * 2 * dim) + scratch(dim, dim, padded)});
  const int64_t merged = config.merges ? ((config.height + 1) / 2) * ((config.width + 1) / 2) : 0;
  return std::max({mlp, attention, bytes(merged * 10 * dim) + (merged > 0 ? scratch(2 * dim, 4 * dim, merged) : 0)});
}

}  // namespace grym
