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
  int64_t rows;  // of a window's product
};

// Those that are multiplied in bulk, as SwinStage and ClapProjection read them.
std::vector<MatrixSize> AudioMatrices(const ClapAudioConfig& config) {
  std::vector<MatrixSize> sizes;
  for (int stage = 0; stage < config.stages(); ++stage) {
    const int64_t dim = config.dim(stage), wide = static_cast<int64_t>(config.mlp_ratio * static_cast<double>(dim));
    const int64_t places = config.grid_height(stage) * config.grid_width(stage);
    for (int64_t block = 0; block < config.depths[static_cast<size_t>(stage)]; ++block) {
      sizes.insert(sizes.end(), {{3 * dim, dim, places}, {dim, dim, places}, {wide, dim, places}, {dim, wide, places}});
    }
    if (stage + 1 < config.stages()) sizes.push_back({2 * dim, 4 * dim, places / 4});
  }
  sizes.push_back({config.projection_dim, config.hidden_size, 1});
  sizes.push_back({config.projection_dim, config.projection_dim, 1});
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

int64_t ClapAudioWorkingBytes(const ClapAudioConfig& config, Precision precision, c10::Device device) {
  const int64_t run = ClapAudioNet::WorkingBytes(config, 1, precision, device);
  if (!IsPacked(precision) && StorageType(precision) == ComputeType(precision, device)) return run;
  int64_t scratch = 0;
  for (const MatrixSize& size : AudioMatrices(config))
    scratch = std::max(scratch, LinearScratchBytes(size.out, size.in, precision, size.rows));
  return run + scratch;
}

}  // namespace grym
