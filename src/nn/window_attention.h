// Attention inside many small windows, as Swin transformers have it.
#pragma once
#include <cstdint>

#include "runtime/tensor.h"

namespace grym {

// Whether the loops below can: windows of a multiple of 64 tokens and at most 256, heads of a multiple of 8 numbers and
// at most 64.
bool CanAttendWindows(int64_t tokens, int64_t head_dim);

// `projected` [windows, tokens, 3 * heads * dim]: queries, keys and values beside each other; `shift` [3 * heads * dim]
// is added to each of them, undefined for none; `bias` [n, heads, tokens, tokens] is added to the scores of window w
// by its part w mod n. The scores are scaled by 1 / sqrt(dim). -> `out` [windows, tokens, heads * dim], contiguous.
// All float32 on the CPU and contiguous; requires CanAttendWindows. One window and head at a time in the first cache: as products of matrices
// through memory and a softmax behind them the same takes twice as long, since each of them is so small.
// Source: Vaswani et al., "Attention Is All You Need", 2017, section 3.2.
void AttendWindows(const at::Tensor& projected, const at::Tensor& shift, const at::Tensor& bias, int64_t heads,
                   at::Tensor& out);

}  // namespace grym
