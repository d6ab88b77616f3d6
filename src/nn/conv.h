// Convolutions along time, computed in the layout that the machine's kernels are fastest in.
#pragma once
#include <cstdint>
#include <string>

#include "runtime/tensor.h"
#include "runtime/weights.h"

namespace grym {

// Along time, as torch.nn.Conv1d. The input and output are [batch, channels, frames] in LibTorch's terms, whatever
// their strides; each of them is kept channels-last in memory, since the kernels turn other layouts into it and back.
struct Conv1d {
  at::Tensor weight;  // [out, in / groups, kernel], channels-last in memory (AsChannelsLast): else each call copies it
  at::Tensor bias;    // [out], or undefined
  int64_t stride = 1, padding = 0, dilation = 1, groups = 1;
  at::Tensor operator()(const at::Tensor& x) const;
};

// [batch, channels, frames] of the same numbers, channels beside each other in memory.
at::Tensor AsChannelsLast(const at::Tensor& x);

struct Conv2d {
  at::Tensor weight;  // [out, in / groups, height, width], channels-last in memory, or in panels (nn/bfloat_conv.h)
  at::Tensor bias;
  int64_t stride = 1, padding = 0;
  Precision precision = Precision::kFloat32;  // of the weight: its type alone does not tell bfloat16x3
  at::Tensor operator()(const at::Tensor& x) const;  // [batch, channels, height, width]
};
// What one call takes beside its input and result where the weights are kept in another type than it sums in. The
// kernel is square and padded so that a stride of 1 keeps the size.
int64_t Conv2dScratchBytes(int64_t out, int64_t in, int64_t kernel, int64_t stride, Precision precision,
                           c10::Device device, int64_t images, int64_t out_height, int64_t out_width);

// "<layer>.weight" and "<layer>.bias".
Conv1d ReadConv1d(WeightReader& weights, const std::string& layer, int64_t in, int64_t out, int64_t kernel,
                  bool bias = true);
Conv2d ReadConv2d(WeightReader& weights, const std::string& layer, int64_t in, int64_t out, int64_t kernel,
                  int64_t stride = 1, int64_t padding = 0);

}  // namespace grym
