// Convolutions of 3 x 3 over channels-last images with a quarter of the multiplications.
#pragma once
#include <cstdint>

#include "runtime/tensor.h"

namespace grym {

// Of stride 1 with one position of zeros around, by tiles of 6 x 6 for 4 x 4 results: 36 multiplications where 144 are
// usual, all in float32. Source: Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2016, section 4.1,
// F(4x4, 3x3). Differs: the polynomials are evaluated at 0, +-3/4, +-3/2 and infinity in place of 0, +-1, +-2 and
// infinity, which leaves a seventh of the error (Barabasz et al., "Error Analysis and Improving the Accuracy of
// Winograd Convolution for Deep Neural Networks", 2020, on why the points matter): 118 dB below the result for 256
// channels, where a plain sum in order has 121 dB. The weights stay as they are and are transformed at every call, piece
// by piece in the cache: kept transformed they would take four times the memory.
// A result depends on the shapes alone, not on the number of threads.

// Whether it is offered: `weight` [out, in, 3, 3] in float32 on the CPU, channels-last in memory, both channels multiples
// of 8 and at least 32.
bool CanTileByFour(const at::Tensor& weight);
bool ChannelsTileByFour(int64_t out, int64_t in);
// Whether it is worth it for an image of so many positions: with few of them the weights' transform is most of the work.
bool WantsTilesOfFour(int64_t height, int64_t width);

// out = conv(x) + bias, or out += where `add`. x [rows, in, height, width] and `out` [rows, out, height, width] are
// float32 on the CPU; `out` is channels-last and does not overlap x; `bias` [out] or undefined.
void ConvolveByTilesOfFour(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, bool add,
                           at::Tensor& out);

// What one call takes beside x, weight, bias and out, where x is channels-last.
int64_t TilesOfFourScratchBytes(int64_t out, int64_t in, int64_t rows, int64_t height, int64_t width);

}  // namespace grym
