// Unit vectors by id in memory, with exact nearest-neighbour search.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "memory/dot.h"

namespace grym {

// A vector in 8 bits a number: x = scale * code + what `residual` is the length of.
struct VectorCodes {
  int8_t codes[kVectorDims];
  float scale;
  float residual;
};
VectorCodes EncodeVector(std::span<const float, kVectorDims> vector);

struct Neighbour {
  int64_t id = 0;
  double similarity = 0;
};
// More alike first; equal ones by id.
bool NearerThan(const Neighbour& a, const Neighbour& b);

// Memory: 660 bytes a vector, in blocks, so growing never copies. Threads: const methods may run together.
class VectorSet {
 public:
  explicit VectorSet(const DotKernels& kernels = BestDotKernels()) : kernels_(kernels) {}

  // `vector` has unit length. Requires id > last_id().
  void Add(int64_t id, std::span<const float, kVectorDims> vector);
  bool Remove(int64_t id);  // false: not there
  int64_t size() const { return live_; }
  int64_t last_id() const;  // 0 when nothing was ever added
  // Null when absent. Borrowed until the set is destroyed.
  const float* Find(int64_t id) const;
  // In rising order of id.
  template <class Visit>  // (int64_t id, const float* vector)
  void ForEach(Visit visit) const {
    for (const auto& block : blocks_) {
      for (size_t i = 0; i < block->count; ++i) {
        if (block->residuals[i] >= 0) visit(block->ids[i], block->vectors + i * kVectorDims);
      }
    }
  }

  // The `limit` most similar with similarity >= minimum, nearest first: exactly what comparing with every vector gives.
  // The 8-bit codes bound each similarity from both sides (Cauchy-Schwarz on the residual); only vectors whose upper
  // bound reaches the limit-th best lower bound are compared in full.
  std::vector<Neighbour> Search(std::span<const float, kVectorDims> query, size_t limit, double minimum) const;

 private:
  static constexpr size_t kBlock = 4096;
  struct Block {
    size_t count = 0;
    int64_t ids[kBlock];
    float scales[kBlock];
    float residuals[kBlock];  // negative: removed
    float vectors[kBlock * kVectorDims];
    int8_t codes[kBlock * kVectorDims];
  };
  // Block and place of an id, or null.
  std::pair<Block*, size_t> Place(int64_t id) const;

  const DotKernels& kernels_;
  std::vector<std::unique_ptr<Block>> blocks_;
  int64_t live_ = 0;
};

}  // namespace grym
