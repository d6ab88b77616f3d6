#include "models/clap/packed.h"

#include <algorithm>
#include <vector>

#include "models/clap/audio_net.h"
#include "nn/linear.h"
#include "runtime/memory_budget.h"
#include "runtime/packed.h"

namespace grym {
namespace {

struct MatrixSize {
  int64_t out, in;
};

// Those that are multiplied in bulk, as SwinStage and ClapProjection read them.
std::vector<MatrixSize> AudioMatrices(const ClapAudioConfig& config) {
  std::vector<MatrixSize> sizes;
  for (int stage = 0; stage < config.stages(); ++stage) {
    const int64_t dim = config.dim(stage), wide = static_cast<int64_t>(config.mlp_ratio * static_cast<double>(dim));
    for (int64_t block = 0; block < config.depths[static_cast<size_t>(stage)]; ++block) {
      sizes.insert(sizes.end(), {{3 * dim, dim}, {dim, dim}, {wide, dim}, {dim, wide}});
    }
    if (stage + 1 < config.stages()) sizes.push_back({2 * dim, 4 * dim});
  }
  sizes.push_back({config.projection_dim, config.hidden_size});
  sizes.push_back({config.projection_dim, config.projection_dim});
  return sizes;
}

}  // namespace

int64_t ClapAudioWeightBytes(const ClapAudioConfig& config, Precision precision, c10::Device device) {
  if (!IsPacked(precision)) return ClapAudioNet::WeightBytes(config, precision, device);
  int64_t bytes = ClapAudioNet::WeightBytes(config, Precision::kFloat32, device);
  for (const MatrixSize& size : AudioMatrices(config)) {
    bytes += WeightMatrix::BytesKept(size.out, size.in, precision) - AllocatedBytes(size.out * size.in * 4);
  }
  return bytes;
}

}  // namespace grym
