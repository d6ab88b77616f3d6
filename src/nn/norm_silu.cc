#include "nn/norm_silu.h"

namespace grym {

at::Tensor GroupNormSilu(const GroupNorm& norm, const at::Tensor& x) {
  at::Tensor normed = norm(x);
  return at::silu_(normed);
}

at::Tensor GroupNormSiluOfSum(const GroupNorm& norm, at::Tensor& x, const at::Tensor& shift) {
  return GroupNormSilu(norm, x.add_(shift.view({x.size(0), x.size(1), 1, 1})));
}

}  // namespace grym
