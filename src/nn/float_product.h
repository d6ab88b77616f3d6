// Products of float32 rows with float32 weights on the CPU, by the faster of LibTorch's two libraries.
#pragma once
#include <cstdint>

#include "nn/activation.h"
#include "runtime/tensor.h"

namespace grym {

// LibTorch multiplies float32 matrices by MKL, which on a CPU that is not Intel's takes its loops for AVX2 and copies both
// sides first: 88 to 99 GFLOP/s a core of an AMD EPYC with AVX-512, where oneDNN, in the same LibTorch, has 104 to 109 of
// the 117 that are possible, and applies the activation while a result is in a register. So oneDNN's product is taken
// there, and MKL's elsewhere. By the vendor, and not by a measurement when a program starts: one machine gives the
// same bits each time.
bool HasFloatProducts();

// Whether rows of this weight [out, in] go by oneDNN: here, in float32 on the CPU, and more than a few of them.
bool TakesFloatProduct(const at::Tensor& x, const at::Tensor& weight);
// activation(x W' + b): x [rows, in] -> [rows, out], where TakesFloatProduct says so. `bias` [out] may be undefined.
at::Tensor FloatProduct(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias);
at::Tensor FloatProduct(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias, Activation activation);
// What a call takes beside its arguments and its result, at most.
int64_t FloatProductScratchBytes(int64_t in, int64_t rows);

}  // namespace grym
