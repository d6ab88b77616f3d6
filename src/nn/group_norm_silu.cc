#include "nn/group_norm_silu.h"

namespace grym {

at::Tensor GroupNormSilu(const GroupNorm& norm, const at::Tensor& x, const at::Tensor& shift) {
  at::Tensor sum = shift.defined() ? at::add(x, shift.view({x.size(0), x.size(1), 1, 1})) : x;
  at::Tensor normed = norm(sum);
  return at::silu_(normed);
}

void GroupNormSiluInPlace(const GroupNorm& norm, at::Tensor& x, const at::Tensor& shift) {
  x = GroupNormSilu(norm, x, shift);
}

}  // namespace grym
