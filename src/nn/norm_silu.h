// Group normalisation with the activation behind it, over channels-last images.
#pragma once
#include "nn/norm.h"
#include "runtime/tensor.h"

namespace grym {

// x [rows, channels, height, width] -> silu(norm(x)). LibTorch's two operators, the second one in place: a loop of ours
// over both was slower than they are. Source: Wu and He, "Group Normalization", 2018, section 3.
at::Tensor GroupNormSilu(const GroupNorm& norm, const at::Tensor& x);
// silu(norm(x + shift)), where `shift` [rows, channels] is the same at every position. x is overwritten by the sum.
at::Tensor GroupNormSiluOfSum(const GroupNorm& norm, at::Tensor& x, const at::Tensor& shift);

}  // namespace grym
