// What both towers of CLAP end in: two layers into the space that audio and text share.
#pragma once
#include <string>

#include "nn/activation.h"
#include "nn/linear.h"

namespace grym {

struct ClapProjection {
  Linear first, second;
  Activation activation = Activation::kRelu;
  at::Tensor operator()(const at::Tensor& x) const { return second(Activate(activation, first(x))); }
};

// "<layer>.linear1" and "<layer>.linear2".
inline ClapProjection ReadClapProjection(WeightReader& weights, const std::string& layer, int64_t in, int64_t out,
                                         const std::string& activation) {
  return {ReadLinear(weights, layer + ".linear1", in, out), ReadLinear(weights, layer + ".linear2", out, out),
          ActivationOf(activation)};
}

}  // namespace grym
