// Attention over heads.
#pragma once
#include <cstdint>
#include <optional>

#include "runtime/tensor.h"

namespace grym {

// query [batch, queries, heads * dim], key and value [batch, keys, heads * dim] -> [batch, queries, heads * dim].
// `bias`, if defined, is added to the scores and broadcasts to [batch, heads, queries, keys]. The scores are scaled by
// 1 / sqrt(dim) unless `scale` says otherwise. Source: Vaswani et al., "Attention Is All You Need", 2017, section 3.2.
at::Tensor Attention(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value, int64_t heads,
                     const at::Tensor& bias = {}, std::optional<double> scale = std::nullopt);

// What the CPU's kernel takes beside its result, as LibTorch 2.13's flash attention does: for each thread a block of
// scores, its rows' sums and its rows' results, and the rows' sums of all.
int64_t AttentionScratchBytes(int64_t frames, int64_t heads, int64_t dim);

}  // namespace grym
