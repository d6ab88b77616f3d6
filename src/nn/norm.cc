#include "nn/norm.h"

namespace grym {

LayerNorm ReadLayerNorm(WeightReader& weights, const std::string& layer, int64_t dim, double epsilon) {
  return {weights.Vector(layer + ".weight", {dim}), weights.Vector(layer + ".bias", {dim}), epsilon};
}

GroupNorm ReadGroupNorm(WeightReader& weights, const std::string& layer, int64_t channels, int64_t groups,
                        double epsilon) {
  return {weights.Vector(layer + ".weight", {channels}), weights.Vector(layer + ".bias", {channels}), groups, epsilon};
}

}  // namespace grym
