// Convolutions of waves: signals along time with many channels, [frames, channels] in memory, as the kernels like them.
#pragma once
#include <cstdint>

#include "nn/fused_conv.h"
#include "nn/wave_winograd.h"

namespace grym {

// torch.nn.Conv1d of stride 1: by tiles (wave_winograd.h) where that is offered, in float32 on a CPU, and elsewhere as
// a two-dimensional channels-last convolution over images one row high. Neither needs a copy into another layout and
// back, which is what costs LibTorch's own conv1d up to half its time.
class WaveConv {
 public:
  WaveConv() = default;
  // `weight` [out, in, kernel] in the storage type of `precision`, `bias` [out] in its compute type. As FusedConv's.
  WaveConv(const at::Tensor& weight, const at::Tensor& bias, int64_t padding, int64_t dilation, Precision precision);
  // wave [frames, in] -> [frames + 2 padding - dilation (kernel - 1), out]; both contiguous.
  at::Tensor operator()(const at::Tensor& wave) const;
  at::Tensor WithLeakyRelu(const at::Tensor& wave, double slope) const;
  // Of leaky_relu(wave). By tiles that takes no wave more.
  at::Tensor BetweenLeakyRelus(const at::Tensor& wave, double slope) const;
  // sum += conv(wave); `sum` [frames, out] is contiguous.
  void AddTo(at::Tensor& sum, const at::Tensor& wave) const;

 private:
  bool ByTiles(const at::Tensor& wave) const;
  at::Tensor Tiled(const at::Tensor& wave, double slope_before, double slope_after) const;
  FusedConv conv_;
  at::Tensor weight_, bias_;  // conv_'s own, where tiles can be offered
  WaveTiling tiling_;
};

// Whether a layer of this shape and precision goes by tiles, and what one call takes beside its argument and result.
bool WaveConvTiles(const WaveTiling& shape, int64_t frames, Precision precision, c10::Device device);
int64_t WaveConvScratchBytes(const WaveTiling& shape, int64_t frames, Precision precision, c10::Device device);

// torch.nn.ConvTranspose1d, as `stride` short convolutions of the input, one for each place of an output frame between
// two input frames, whose outputs then lie side by side in memory in the order of time: nothing is multiplied by the
// zeros between the frames, and nothing is added up afterwards. Source: the sub-pixel convolution of Shi et al.,
// "Real-Time Single Image and Video Super-Resolution", 2016, section 3, with any kernel and padding.
class WaveUpsample {
 public:
  WaveUpsample() = default;
  // `weight` [in, out, kernel], `bias` [out]. Requires 0 <= padding < kernel.
  WaveUpsample(const at::Tensor& weight, const at::Tensor& bias, int64_t stride, int64_t padding,
               Precision precision);
  // wave [frames, in] -> [(frames - 1) stride - 2 padding + kernel, out]; contiguous, and a view of somewhat more.
  at::Tensor operator()(const at::Tensor& wave) const;

 private:
  WaveConv conv_;
  int64_t stride_ = 1, padding_ = 0, kernel_ = 1, out_ = 0;
};

}  // namespace grym
