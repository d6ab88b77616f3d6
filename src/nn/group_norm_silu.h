// Group normalisation with the activation behind it in one pass over channels-last memory.
#pragma once
#include "nn/norm.h"
#include "runtime/tensor.h"

namespace grym {

// x [rows, channels, height, width] -> silu(norm(x + shift)), where `shift` [rows, channels], if defined, is the same at
// every position. In float32 on the CPU a kernel of ours reads x twice and writes it once; elsewhere LibTorch's operators
// are called one after another. Source: Wu and He, "Group Normalization", 2018, section 3.
at::Tensor GroupNormSilu(const GroupNorm& norm, const at::Tensor& x, const at::Tensor& shift = {});
// The same over x itself. Requires that nobody else reads x.
void GroupNormSiluInPlace(const GroupNorm& norm, at::Tensor& x, const at::Tensor& shift = {});

}  // namespace grym
