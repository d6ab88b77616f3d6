// Products of float32 rows with float32 weights that lie as the product reads them. On the CPU.
#pragma once
#include <cstdint>

#include "runtime/tensor.h"

namespace grym {

// LibTorch multiplies float32 matrices by MKL, which on a CPU that is not Intel's takes its loops for AVX2 and copies
// both sides in each call: 88 to 99 GFLOP/s a core of an AMD EPYC with AVX-512. oneDNN's kernels for matrices in the cache
// (tile_product.h) have 97 to 107 of the 117 that are possible there, once the weights lie in panels. So these are taken
// on such a machine, and MKL elsewhere. By the vendor, and not by a measurement when a program starts: one machine gives
// the same bits each time. (oneDNN's product of whole matrices, which LibTorch has too, is as fast and keeps half a
// megabyte for each number of rows that ever came.)
bool HasFloatProducts();

// `weight` [out, in], contiguous, float32 on the CPU, laid in panels in place: the same memory, of the same shape, and
// int32, so that nothing else takes it for numbers; or `weight` itself where HasFloatProducts says no. For who has just
// read it and shares it with nobody.
at::Tensor InFloatPanels(at::Tensor weight);
inline bool AreFloatPanels(const at::Tensor& weight) { return weight.scalar_type() == at::kInt; }

// y = x W' + b, or with `add` that added to y: x [rows, in], y [rows, out], float32 and contiguous; `bias` [out] or
// undefined. The same bits for a row whatever stands beside it, and for any number of threads.
void MultiplyFloatPanels(const at::Tensor& x, const at::Tensor& panels, const at::Tensor& bias, bool add, at::Tensor& y);
// What a call takes beside its arguments.
int64_t FloatProductScratchBytes(int64_t in, int64_t rows);

}  // namespace grym
