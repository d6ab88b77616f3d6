// Passes over the rows of a transformer's tokens that do at once what follows each other: what each of them costs is
// the way through memory. All of it float32 on the CPU.
#pragma once
#include <cstdint>

#include "nn/norm.h"
#include "runtime/tensor.h"

namespace grym {

// Whether rows of so many numbers can go through them.
constexpr bool FitsTokenPasses(int64_t dim) { return dim % 8 == 0; }

// Row r of `out` [rows, parts * dim] is the layer normalisation of the rows index[r * parts + i] of x [count, dim], side
// by side. An index of `count` stands for zeros; a row of nothing else is zeros itself. Requires contiguous tensors.
void NormGathered(const LayerNorm& norm, const at::Tensor& x, const at::Tensor& index, int64_t parts, at::Tensor& out);

// x[r] += addend[index[r]] + shift; out[r] = norm(x[r]); x[r] += later. x and `out` [rows, dim], `addend`
// [any, dim], `shift` and `later` [dim] or undefined.
void AddGatheredAndNorm(const at::Tensor& addend, const at::Tensor& index, const at::Tensor& shift,
                        const LayerNorm& norm, const at::Tensor& later, at::Tensor& x, at::Tensor& out);

// gelu(x + shift) in place, x [rows, dim], with an absolute error below 3e-7. Source: the error function by Hastings'
// polynomial, Abramowitz and Stegun, "Handbook of Mathematical Functions", 7.1.26.
void ShiftedGelu(const at::Tensor& shift, at::Tensor& x);

}  // namespace grym
