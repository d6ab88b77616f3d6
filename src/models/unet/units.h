// The denoising network as one sequence of units, each of which takes what the one before it answered.
#pragma once
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "checkpoint/tensor_set.h"
#include "models/unet/config.h"
#include "nn/conv.h"
#include "nn/conv3x3.h"
#include "nn/linear.h"
#include "nn/norm.h"
#include "runtime/weights.h"

namespace grym {

// Whether the convolutions of a level, counted from the finest, are kept tiled where they can be (nn/conv3x3.h): where
// there are many positions for a weight, and few weights. Two levels have two thirds of the work and a sixth of the
// weights.
inline bool UnetWantsTiles(size_t level) { return level < 2; }

// What a unit is, by the config alone.
struct UnetUnit {
  enum class Kind { kResnet, kAttention, kHalve, kSmooth };
  Kind kind = Kind::kResnet;
  std::string name;         // of its tensors, up to a dot: "down_blocks.0.resnets.1"
  size_t level = 0;         // of its answer, counted from the finest
  int64_t in = 0, out = 0;  // channels
  bool tiled = false;       // its 3 x 3 convolutions are kept tiled where they can be (UnetWantsTiles)
  bool joins = false;       // on the way up: the last skip is first laid beside what came; `in` counts both
  bool skips = false;       // on the way down: its answer is kept for the way up
  int64_t heads = 0, layers = 0;  // of an attention
};

// In the order of use.
std::vector<UnetUnit> UnitsOf(const UnetConfig& config);

// Source: Ho et al., "Denoising Diffusion Probabilistic Models", 2020, appendix B; diffusers 0.42, models/resnet.py.
// What it adds between its convolutions, the shift by time and prompt, is made once for a run (UnetConditions).
struct UnetResnet {
  GroupNorm norm1, norm2;
  Conv3x3 conv1, conv2;
  Linear shortcut;  // where the widths differ
};

// Attention to all positions, twice, and a gated layer. Source: diffusers 0.42, BasicTransformerBlock, with no
// encoder_hidden_states: its second attention then attends to the block's own positions too.
struct UnetTransformerLayer {
  LayerNorm norm1, norm2, norm3;
  Linear qkv1, out1, qkv2, out2;  // queries, keys and values side by side
  Linear feed, gate, back;        // Shazeer, "GLU Variants Improve Transformer", 2020: back(feed(x) * gelu(gate(x)))
};

struct UnetAttention {
  GroupNorm norm;
  Linear in, out;
  std::vector<UnetTransformerLayer> layers;
  int64_t heads = 1;
};

struct UnetHalve {  // at the end of a block down, but the last
  Conv2d conv;
};
struct UnetSmooth {  // behind the doubling at the end of a block up, but the last
  Conv3x3 conv;
};

// By UnetUnit::Kind.
using UnetWeights = std::variant<UnetResnet, UnetAttention, UnetHalve, UnetSmooth>;

// Reads any unit alone. Problems are the readers' status.
struct UnetUnitReader {
  WeightReader& weights;
  WeightReader& convolutions;  // the same but for a packed precision, which they cannot have
  const UnetConfig& config;

  UnetWeights Unit(const UnetUnit& unit);
  // Of time and prompt, for a resnet.
  Linear Shift(const UnetUnit& unit);
};

// What is taken once it is loaded, by the headers of the files: each unit, each resnet's Shift, and what is in neither.
struct UnetUnitBytes {
  std::vector<int64_t> units, shifts;
  int64_t beside = 0;
  int64_t sum() const;
};
UnetUnitBytes UnitBytesOf(const TensorSet& set, const UnetConfig& config, const WeightOptions& options);

}  // namespace grym
