#include "memory/vector_set.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace grym {
namespace {

// What rounding can add to a bound: 128 float products of a unit vector, with room.
constexpr float kRoundingSlack = 2e-5f;

struct PreparedQuery {
  int16_t codes[kVectorDims];
  float scale;
  float residual;
};

PreparedQuery PrepareQuery(std::span<const float, kVectorDims> query) {
  PreparedQuery made{};
  float largest = 0;
  for (const float value : query) largest = std::max(largest, std::abs(value));
  made.scale = largest > 0 ? largest / 32767 : 1;
  double squares = 0;
  for (size_t d = 0; d < kVectorDims; ++d) {
    made.codes[d] = static_cast<int16_t>(std::lround(query[d] / made.scale));
    const double error = query[d] - double{made.scale} * made.codes[d];
    squares += error * error;
  }
  made.residual = static_cast<float>(std::sqrt(squares));
  return made;
}

// The limit best lower bounds seen so far.
class LowerBounds {
 public:
  LowerBounds(size_t limit, float minimum) : limit_(limit), minimum_(minimum) {}
  float threshold() const { return heap_.size() < limit_ ? minimum_ : std::max(minimum_, heap_.front()); }
  void Offer(float bound) {
    if (heap_.size() == limit_) {
      if (bound <= heap_.front()) return;
      std::pop_heap(heap_.begin(), heap_.end(), std::greater<>());
      heap_.pop_back();
    }
    heap_.push_back(bound);
    std::push_heap(heap_.begin(), heap_.end(), std::greater<>());
  }

 private:
  size_t limit_;
  float minimum_;
  std::vector<float> heap_;
};

}  // namespace

VectorCodes EncodeVector(std::span<const float, kVectorDims> vector) {
  VectorCodes made{};
  float largest = 0;
  for (const float value : vector) largest = std::max(largest, std::abs(value));
  made.scale = largest > 0 ? largest / 127 : 1;
  double squares = 0;
  for (size_t d = 0; d < kVectorDims; ++d) {
    made.codes[d] = static_cast<int8_t>(std::lround(vector[d] / made.scale));
    const double error = vector[d] - double{made.scale} * made.codes[d];
    squares += error * error;
  }
  made.residual = static_cast<float>(std::sqrt(squares));
  return made;
}

bool NearerThan(const Neighbour& a, const Neighbour& b) {
  return a.similarity != b.similarity ? a.similarity > b.similarity : a.id < b.id;
}

void VectorSet::Add(int64_t id, std::span<const float, kVectorDims> vector) {
  if (blocks_.empty() || blocks_.back()->count == kBlock) {
    blocks_.push_back(std::unique_ptr<Block>(new Block));  // left uninitialised: the system gives pages when touched
  }
  Block& block = *blocks_.back();
  const size_t at = block.count++;
  const VectorCodes encoded = EncodeVector(vector);
  block.ids[at] = id;
  block.scales[at] = encoded.scale;
  block.residuals[at] = encoded.residual;
  std::memcpy(block.vectors + at * kVectorDims, vector.data(), kVectorDims * sizeof(float));
  std::memcpy(block.codes + at * kVectorDims, encoded.codes, kVectorDims);
  ++live_;
}

int64_t VectorSet::last_id() const { return blocks_.empty() ? 0 : blocks_.back()->ids[blocks_.back()->count - 1]; }

std::pair<VectorSet::Block*, size_t> VectorSet::Place(int64_t id) const {
  // Ids rise through the blocks.
  const auto after = std::upper_bound(blocks_.begin(), blocks_.end(), id,
                                      [](int64_t wanted, const auto& block) { return wanted < block->ids[0]; });
  if (after == blocks_.begin()) return {nullptr, 0};
  Block* block = (after - 1)->get();
  const int64_t* end = block->ids + block->count;
  const int64_t* found = std::lower_bound(static_cast<const int64_t*>(block->ids), end, id);
  if (found == end || *found != id || block->residuals[found - block->ids] < 0) return {nullptr, 0};
  return {block, static_cast<size_t>(found - block->ids)};
}

bool VectorSet::Remove(int64_t id) {
  const auto [block, at] = Place(id);
  if (!block) return false;
  block->residuals[at] = -1;
  --live_;
  return true;
}

const float* VectorSet::Find(int64_t id) const {
  const auto [block, at] = Place(id);
  return block ? block->vectors + at * kVectorDims : nullptr;
}

std::vector<Neighbour> VectorSet::Search(std::span<const float, kVectorDims> query, size_t limit,
                                         double minimum) const {
  const PreparedQuery prepared = PrepareQuery(query);
  struct Candidate {
    int64_t id;
    const float* vector;
    float upper;
  };
  std::vector<Candidate> candidates;
  LowerBounds bounds(limit, static_cast<float>(minimum) - kRoundingSlack);
  int32_t products[256];
  for (const auto& block : blocks_) {
    for (size_t start = 0; start < block->count; start += std::size(products)) {
      const size_t count = std::min(std::size(products), block->count - start);
      kernels_.codes_by_query(block->codes + start * kVectorDims, count, prepared.codes, products);
      for (size_t i = 0; i < count; ++i) {
        const size_t at = start + i;
        const float estimate = static_cast<float>(products[i]) * (block->scales[at] * prepared.scale);
        // |x.q - x'.q'| <= |x - x'| |q| + |x'| |q - q'|, lengths at most 1 + residual.
        const float error = block->residuals[at] + (1 + block->residuals[at]) * prepared.residual + kRoundingSlack;
        if (estimate + error < bounds.threshold() || block->residuals[at] < 0) continue;
        candidates.push_back({block->ids[at], block->vectors + at * kVectorDims, estimate + error});
        bounds.Offer(estimate - error);
      }
    }
  }
  std::vector<Neighbour> nearest;
  const float threshold = bounds.threshold();
  for (const Candidate& candidate : candidates) {
    if (candidate.upper < threshold) continue;
    const double similarity = std::clamp(double{kernels_.floats(query.data(), candidate.vector)}, -1.0, 1.0);
    if (similarity >= minimum) nearest.push_back({candidate.id, similarity});
  }
  const auto kept = static_cast<int64_t>(std::min(limit, nearest.size()));
  std::partial_sort(nearest.begin(), nearest.begin() + kept, nearest.end(), &NearerThan);
  nearest.resize(static_cast<size_t>(kept));
  return nearest;
}

}  // namespace grym
