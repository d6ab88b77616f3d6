// Patches of a square of log-mel spectra as tokens, and the attentional fusion of a whole with its parts.
#pragma once
#include <cstdint>
#include <string>

#include "models/clap/config.h"
#include "nn/linear.h"
#include "nn/norm.h"
#include "runtime/tensor.h"
#include "runtime/weights.h"

namespace grym {

// A convolution with one input channel. Where its patches lie side by side it is one product over them.
struct PatchConv {
  at::Tensor weight;  // [out, kernel height * kernel width], in the compute type
  at::Tensor bias;    // [out]
  int64_t height = 4, width = 4, stride_height = 4, stride_width = 4, padding_height = 0, padding_width = 0;
  // [batch, height, width] -> [batch, rows, columns, out].
  at::Tensor operator()(const at::Tensor& image) const;
};

// 1x1 convolution, batch normalisation, ReLU, 1x1 convolution, batch normalisation; the normalisations are folded into
// the convolutions.
struct FusionAttention {
  Linear narrow, widen;
  at::Tensor operator()(const at::Tensor& x) const { return widen(at::relu(narrow(x))); }
};

// Source: transformers 5.23, ClapAudioPatchEmbed and ClapAudioAFFBlock; Dai et al., "Attentional Feature Fusion", 2021.
class ClapPatchEmbed {
 public:
  // Reads "<at>.*".
  static ClapPatchEmbed Read(WeightReader& weights, const std::string& at, const ClapAudioConfig& config);
  // `images` [batch, 1 or 4, side, side], contiguous -> [batch, rows * columns, embed_dim].
  at::Tensor operator()(const at::Tensor& images, bool longer) const;
  static int64_t WeightBytes(const ClapAudioConfig& config, Precision precision, c10::Device device);

 private:
  at::Tensor Fuse(const at::Tensor& whole, const at::Tensor& parts) const;
  PatchConv conv_, part_conv_;
  bool fusion_ = false, normalises_ = true;
  FusionAttention local_, global_;
  LayerNorm norm_;
};

}  // namespace grym
