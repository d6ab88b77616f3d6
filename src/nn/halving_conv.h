// Convolutions of waves with three taps and a stride of two, with five sixths of the multiplications.
#pragma once
#include <cstdint>

#include "runtime/tensor.h"

namespace grym {

// Two results share their middle frame: y0 = w0 x0 + w1 x1 + w2 x2 and y1 = w0 x2 + w1 x3 + w2 x4. With s = (w0 + w2) x2,
// y0 = w0 (x0 - x2) + w1 x1 + s and y1 = w2 (x4 - x2) + w1 x3 + s: five products where six are usual. Source: Winograd,
// "Arithmetic Complexity of Computations", 1980: F(2, 2) on the even frames. The transforms are one sum or difference
// each: the error is 126 dB below the result for 512 channels, where that of LibTorch's convolution, which sums in parts,
// is 136. What is not finite makes NaN of its pair.
//
// Offered where HasTileProducts (tile_product.h).

// weight [out, in, 3] -> what ConvolveHalving reads, for some results at a time w0, w1, w2 and w0 + w2. float32 on the CPU.
at::Tensor PackHalving(const at::Tensor& weight);
int64_t HalvingWeightBytes(int64_t in, int64_t out);

// x [frames, in] -> y [results, out], contiguous, of frames = 2 * results + 1; `bias` [out] or undefined.
void ConvolveHalving(const at::Tensor& x, const at::Tensor& packed, const at::Tensor& bias, at::Tensor& y);
// What one call takes beside its arguments. A result depends on the shapes alone, not on the number of threads.
int64_t HalvingScratchBytes(int64_t in, int64_t out);

}  // namespace grym
