// Unit vectors by id in memory, with nearest-neighbour search: exact, or quicker by sketches.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "memory/dot.h"
#include "memory/sign_sketch.h"

namespace grym {

// A vector in 8 bits a number: x = scale * code + what `residual` is the length of; in a set, negative: removed.
struct CodeScale {
  float scale;
  float residual;
};
struct VectorCodes {
  int8_t codes[kVectorDims];
  CodeScale scale;
};
VectorCodes EncodeVector(std::span<const float, kVectorDims> vector);

struct QueryCodes {
  int16_t codes[kVectorDims];
  float scale;
  float residual;
};
QueryCodes EncodeQuery(std::span<const float, kVectorDims> query);

struct Neighbour {
  int64_t id = 0;
  double similarity = 0;
};
// More alike first; equal ones by id.
bool NearerThan(const Neighbour& a, const Neighbour& b);

// Memory: 676 bytes a vector, in blocks, so growing never copies. Threads: const methods may run together.
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

  // The `limit` most similar with similarity >= minimum, nearest first: exactly what comparing with every vector gives.
  // The 8-bit codes bound each similarity from both sides (Cauchy-Schwarz on the residual); only vectors whose upper
  // bound reaches the limit-th best lower bound are compared in full.
  std::vector<Neighbour> Search(std::span<const float, kVectorDims> query, size_t limit, double minimum) const;

  // The same, but for those whose sketch scores too low for their similarity (see SketchQuery): exactly the
  // nearest of the others. So the answer depends on the vectors alone, not on the order in which they came and went.
  // Reads a sixteenth of what Search reads, and more of those that score high enough.
  std::vector<Neighbour> SearchSketches(std::span<const float, kVectorDims> query, size_t limit, double minimum) const;

 private:
  static constexpr size_t kBlock = 4096;
  struct Block {
    size_t count = 0;
    int64_t ids[kBlock];
    CodeScale scales[kBlock];
    float vectors[kBlock * kVectorDims];
    alignas(64) int8_t codes[kBlock * kVectorDims];
  };
  // Signs of many blocks side by side: what is read on every search lies in one piece.
  static constexpr size_t kSignChunk = 16 * kBlock;
  struct SignChunk {
    alignas(64) uint8_t halves[2][kSignChunk * kHalfSignBytes];  // in groups, see dot.h
  };
  struct Sketched {
    uint32_t place;  // over all blocks
    uint16_t first, whole;
  };
  struct Wanted;  // a query as SearchSketches needs it
  static bool IsLive(const Block& block, size_t at) { return at < block.count && block.scales[at].residual >= 0; }
  void AddSketch(size_t place, std::span<const float, kVectorDims> vector);
  // The highest first score of each group.
  std::vector<uint16_t> BestFirstScores(const SketchQuery& sketch) const;
  // Of groups [start, end) those with first scores in [low, high) whose whole score is at least whole_low.
  std::vector<Sketched> Sift(std::span<const uint16_t> best, size_t start, size_t end, int low, int high, int whole_low,
                             const SketchQuery& sketch) const;
  // Takes those that are near enough into the heap `nearest`.
  void Rank(const std::vector<Sketched>& sketched, const Wanted& wanted, std::vector<Neighbour>& nearest) const;
  double Similarity(std::span<const float, kVectorDims> query, const float* vector) const;
  // Block and place of an id, or null.
  std::pair<Block*, size_t> Place(int64_t id) const;

  const DotKernels& kernels_;
  std::vector<std::unique_ptr<Block>> blocks_;
  std::vector<std::unique_ptr<SignChunk>> chunks_;
  int64_t live_ = 0;
};

}  // namespace grym
