// The layers of the variational autoencoder, each of them whole and along tiles of time.
#pragma once
#include <cstdint>
#include <functional>
#include <string>

#include "nn/activation.h"
#include "nn/group_norm_silu.h"
#include "nn/linear.h"
#include "nn/norm.h"
#include "nn/fused_conv.h"

namespace grym {

// Images are [1, channels, frames, bands], channels-last: a tile of frames is one stretch of memory.

// An image that is told tile by tile: `rows(begin, end)` answers frames [begin, end) of it.
struct TiledImage {
  int64_t frames = 0;
  std::function<at::Tensor(int64_t begin, int64_t end)> rows;
};

// x + conv2(act(norm2(conv1(act(norm1(x)))))), where x goes through a 1 x 1 convolution if the channels change.
// Source: Rombach et al., "High-Resolution Image Synthesis with Latent Diffusion Models", 2022, appendix E; the layout
// is that of diffusers 0.42.1, resnet.py, ResnetBlock2D without a time embedding.
struct VaeResnet {
  GroupNorm norm1, norm2;
  FusedConv conv1, conv2, shortcut;
  Activation act = Activation::kSilu;

  // Takes x over: nobody else may hold its memory.
  at::Tensor operator()(at::Tensor x) const;
  // The same numbers but for rounding: normalisation is measured over all tiles first, and a convolution of three rows
  // sees one row beyond its tile. `x` is asked for every tile twice, once more than it is kept.
  at::Tensor Tiled(const TiledImage& x, int64_t tile) const;
  // With the image in memory: changed in place where the channels stay.
  at::Tensor Tiled(at::Tensor x, int64_t tile) const;

 private:
  void AddSecondHalf(const at::Tensor& inner, int64_t tile, at::Tensor& sum) const;
};

// Attention of one head over all places of the image, with a residual.
struct VaeAttention {
  GroupNorm norm;
  Linear query_key_value, out;
  at::Tensor operator()(at::Tensor x) const;
};

// Twice the size by repeating, then a convolution of 3 x 3: computed as four convolutions of 2 x 2 on the small image,
// one for each place of a large pixel in a small one, with the sums of those weights that meet the same pixel. 4 / 9
// of the multiplications, equal but for rounding. Source: as WaveUpsample, nn/wave_conv.h.
struct VaeUpsample {
  FusedConv phases[2][2];
  at::Tensor operator()(const at::Tensor& x) const;
  // Frames [begin, end) of the large image alone.
  at::Tensor Rows(const at::Tensor& x, int64_t begin, int64_t end) const;
};

// Half the size. One row of zeros is put after each side, none before it, as diffusers does for this family.
struct VaeDownsample {
  FusedConv conv;
  at::Tensor operator()(const at::Tensor& x) const;
};

// Calls work(begin, end) for [0, frames) in steps of `tile`.
void ForEachTile(int64_t frames, int64_t tile, const std::function<void(int64_t begin, int64_t end)>& work);
// Rows [begin, end) of conv(act(norm(x))) for a convolution of 3 x 3 with a padding of 1.
at::Tensor NormedConvRows(const ChannelAffine& affine, Activation act, const FusedConv& conv, const TiledImage& x,
                          int64_t begin, int64_t end);
// An image in memory as one of tiles; borrows nothing.
TiledImage TilesOf(const at::Tensor& x);

// `channels`: what the checkpoint's mid block has. Names as in `layer` + ".norm1.weight".
VaeResnet ReadVaeResnet(WeightReader& weights, const std::string& layer, int64_t in, int64_t out, int64_t groups,
                        Activation act);
// Under its names of today, to_q to_k to_v to_out.0, and of the published files, query key value proj_attn; the
// matrices as such or as 1 x 1 convolutions.
VaeAttention ReadVaeAttention(WeightReader& weights, const std::string& layer, int64_t channels, int64_t groups);
VaeUpsample ReadVaeUpsample(WeightReader& weights, const std::string& layer, int64_t channels);

}  // namespace grym
