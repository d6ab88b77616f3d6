#include "nn/attention.h"

#include <algorithm>

#include "runtime/memory_budget.h"

namespace grym {

at::Tensor Attention(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value, int64_t heads,
                     const at::Tensor& bias, std::optional<double> scale) {
  const int64_t batch = query.size(0), dim = query.size(2) / heads;
  const auto by_head = [&](const at::Tensor& x) { return x.view({batch, x.size(1), heads, dim}).transpose(1, 2); };
  const at::Tensor mixed = at::scaled_dot_product_attention(
      by_head(query), by_head(key), by_head(value),
      bias.defined() ? std::optional<at::Tensor>(bias) : std::nullopt, 0.0, false, scale);
  return mixed.transpose(1, 2).reshape({batch, query.size(1), heads * dim});
}

int64_t AttentionScratchBytes(int64_t frames, int64_t heads, int64_t dim) {
  const int64_t rows = std::min<int64_t>(frames, frames >= 768 ? 256 : frames >= 192 ? 64 : 32);
  const int64_t each = rows * (std::min<int64_t>(frames, 512) + 2 + dim);
  return AllocatedBytes(at::get_num_threads() * each * 4) + AllocatedBytes(frames * heads * 4) +
         2 * AllocatedBytes(8);  // the state of a dropout that is not wanted
}

}  // namespace grym
