// Convolutions of waves, signals along time with many channels, with half of the multiplications.
#pragma once
#include <cstdint>

#include "runtime/tensor.h"

namespace grym {

// Of stride 1, by tiles of 7 frames for 4 results: the kernel is cut into pieces of 4 taps, and each piece takes 7
// multiplications where 16 are usual. The pieces of one kernel begin a whole number of results apart, so that they read
// the same transformed tiles, each a tile further on, and their products are summed before they are transformed back:
// 14 for 28 with a kernel of 7, 21 for 44 with one of 11. With a dilation of d each d-th frame is a wave of its own.
// Source: Winograd, "Arithmetic Complexity of Computations", 1980; Lavin and Gray, "Fast Algorithms for Convolutional
// Neural Networks", 2016, of which this is F(4, 4) in one dimension. Differs: the points are +-9/32, +-27/32, +-57/32
// and infinity, by search the ones that amplify rounding least among all sets of six and infinity: three quarters of
// what 0, +-1/2, +-1, 2 and infinity do. The error is 121 dB below the result for 512 channels and 11 taps, where that
// of a plain sum is 123 to 136 dB below it. A result depends a little on all of its tile: its
// rounding error is that of the loudest frame up to 6 frames outside the kernel, so that four silent frames beside a
// loud one hold noise 110 dB below that one, and what is not finite makes NaN of its whole tiles.
// The weights are kept as they are, and transformed in each call, a few channels of the result at a time: kept
// transformed they would take twice the memory. A result depends on the shapes alone, not on the number of threads.
struct WaveTiling {
  int64_t in = 0, out = 0, kernel = 1, padding = 0, dilation = 1;
  int64_t FramesAfter(int64_t frames) const { return frames + 2 * padding - dilation * (kernel - 1); }
};

// What is done in the same pass.
struct WaveTilingSteps {
  float slope_before = 1, slope_after = 1;  // of leaky ReLUs around it
  bool add = false;                         // to what `out` holds, in place of slope_after
};

// Whether it is offered, and worth it for so many frames: with few of them the weights' transform is most of the work.
bool WantsWaveTiles(const WaveTiling& tiling, int64_t frames);

// Requires in, out and FramesAfter(frames) above 0, as the scratch below.
// wave [frames, in] -> out [FramesAfter(frames), out], contiguous and apart; `weight` [out, in, 1, kernel],
// channels-last in memory; `bias` [out] or undefined; all in float32 on the CPU.
void ConvolveByWaveTiles(const at::Tensor& wave, const at::Tensor& weight, const at::Tensor& bias,
                         const WaveTiling& tiling, const WaveTilingSteps& steps, at::Tensor& out);

// What one call takes beside its arguments.
int64_t WaveTilesScratchBytes(const WaveTiling& tiling, int64_t frames);

}  // namespace grym
