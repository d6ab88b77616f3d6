// Convolutions of 3 x 3 over channels-last images: the bulk of a UNet's and a VAE's work.
#pragma once
#include <cstdint>
#include <string>

#include "nn/conv.h"
#include "runtime/tensor.h"
#include "runtime/weights.h"

namespace grym {

// Of stride 1 with one position of zeros around. x [rows, in, height, width] -> [rows, out, height, width].
//
// With `tiled` weights the product is taken on tiles of 4 x 4 for 2 x 2 results: 16 multiplications where 36 are usual,
// all in float32, at 16/9 of the weights' memory. Source: Lavin and Gray, "Fast Algorithms for Convolutional Neural
// Networks", 2016, section 4.1, F(2x2, 3x3); its transforms are sums and halves alone, so that the error stays below
// that of the plain sum, which is longer. It pays where there are many positions for a weight. Where there are few, the image's
// neighbourhoods are laid out as rows and multiplied with the weights as they lie: LibTorch's convolution would turn
// the weights into another layout at every call, which takes longer than their product.
struct Conv3x3 {
  Conv2d plain;       // its weight is undefined where `tiled` is not
  at::Tensor tiled;   // [16, in, out], float32 on the CPU
  bool loaded() const { return plain.weight.defined() || tiled.defined(); }
  at::Tensor operator()(const at::Tensor& x) const;
};

// "<layer>.weight" [out, in, 3, 3] and "<layer>.bias" [out]. `want_tiled` is honoured in float32 on the CPU.
Conv3x3 ReadConv3x3(WeightReader& weights, const std::string& layer, int64_t in, int64_t out, bool want_tiled);
// Whether ReadConv3x3 would.
bool CanTile(const WeightOptions& options);
// What the operator takes at once at most beside x, its result among it, in float32.
int64_t Conv3x3WorkingBytes(int64_t in, int64_t out, bool tiled, int64_t rows, int64_t height, int64_t width);

}  // namespace grym
