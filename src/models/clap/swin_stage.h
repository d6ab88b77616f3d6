// One stage of a Swin transformer: blocks of attention inside windows, every second one shifted by half a window.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "nn/activation.h"
#include "nn/linear.h"
#include "nn/norm.h"
#include "runtime/tensor.h"
#include "runtime/weights.h"

namespace grym {

struct SwinStageConfig {
  int64_t height = 0, width = 0;  // of the grid of tokens
  int64_t dim = 0, heads = 0, depth = 0;
  int64_t window = 8;  // at most height and width
  double mlp_ratio = 4, layer_norm_eps = 1e-5;
  bool qkv_bias = true;
  bool merges = false;  // 2 x 2 tokens become one of twice the width behind the blocks
  Activation activation = Activation::kGelu;

  int64_t tokens() const { return height * width; }
  int64_t mlp_dim() const { return static_cast<int64_t>(mlp_ratio * static_cast<double>(dim)); }
  // Whether every second block is shifted: not where the window covers the grid.
  bool shifts() const { return std::min(height, width) > window; }
  int64_t windows() const { return ((height + window - 1) / window) * ((width + window - 1) / window); }
};

// Source: Liu et al., "Swin Transformer: Hierarchical Vision Transformer using Shifted Windows", 2021; transformers
// 5.23, ClapAudioStage. Differs: where tokens come to lie in windows, with the shift and the padding, is one table, made
// when the weights are read, so that cutting into windows and undoing it is one gathering of rows each; and so are the
// biases of relative positions, with the mask of the shifted blocks added. In float32 on a CPU what lies between two
// products of matrices is one pass over the tokens (nn/token_passes.h, nn/window_attention.h).
class SwinStage {
 public:
  // "<at>.blocks.N.*" and, where it merges, "<at>.downsample.*".
  static SwinStage Read(WeightReader& weights, const std::string& at, const SwinStageConfig& config);
  // x [batch, tokens, dim], row after row of the grid, may be overwritten -> the same, or [batch, tokens / 4, 2 * dim].
  at::Tensor Run(at::Tensor x) const;
  static int64_t WeightBytes(const SwinStageConfig& config, Precision precision, c10::Device device);
  // The most that Run's tensors take at once, its input included.
  static int64_t WorkingBytes(const SwinStageConfig& config, int64_t batch, Precision precision, c10::Device device);

 private:
  struct Block {
    LayerNorm attention_norm, norm;
    Linear query_key_value, attention_out, up, down;
    at::Tensor bias;  // [1 or windows, heads, window^2, window^2], in the compute type
    bool shifted = false;
  };
  // Row numbers, int64: of the grid (or its zero row behind it) for every place in the windows, and back.
  struct Cut {
    at::Tensor into, back;
  };
  static Cut MakeCut(const SwinStageConfig& config, int64_t shift, c10::Device device);
  static at::Tensor ShiftMask(const SwinStageConfig& config, int64_t shift);
  static at::Tensor PositionBias(const SwinStageConfig& config, const at::Tensor& table);
  Block ReadBlock(WeightReader& weights, const std::string& at, bool shifted, const at::Tensor& mask) const;
  at::Tensor Attend(const Block& block, const at::Tensor& x) const;
  at::Tensor RunByOperators(at::Tensor x) const;
  at::Tensor RunByPasses(at::Tensor x) const;
  void RunBlock(const Block& block, at::Tensor& grid, at::Tensor& rows, at::Tensor& mixed, at::Tensor& wide) const;

  SwinStageConfig config_;
  bool passes_ = false;  // float32 on the CPU: in few passes over memory, written by us
  Cut plain_, shifted_;
  std::vector<Block> blocks_;
  at::Tensor merge_order_;  // rows of the grid (or its zero row), four by four
  LayerNorm merge_norm_;
  Linear merge_;
};

}  // namespace grym
