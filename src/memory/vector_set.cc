#include "memory/vector_set.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>

namespace grym {
namespace {

// What rounding can add to a bound: 128 float products of a unit vector, with room.
constexpr float kRoundingSlack = 2e-5f;

struct Bounds {
  float lower, upper;
};

Bounds BoundsOf(const QueryCodes& query, int32_t product, const CodeScale& scale) {
  const float estimate = static_cast<float>(product) * (scale.scale * query.scale);
  // |x.q - x'.q'| <= |x - x'| |q| + |x'| |q - q'|, lengths at most 1 + residual.
  const float error = scale.residual + (1 + scale.residual) * query.residual + kRoundingSlack;
  return {estimate - error, estimate + error};
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

void Prefetch([[maybe_unused]] const void* address) {
#if defined(__GNUC__)
  __builtin_prefetch(address);
#endif
}

constexpr int kAboveAllScores = 1 << 12;  // a score is at most 32 * 124

// The highest score that `wanted` groups reach, or 0.
int HighScore(std::span<const uint16_t> best, size_t wanted) {
  std::vector<size_t> counts(kAboveAllScores, 0);
  for (const uint16_t score : best) ++counts[score];
  int score = static_cast<int>(counts.size()) - 1;
  for (size_t reached = 0; score > 0; --score) {
    reached += counts[static_cast<size_t>(score)];
    if (reached >= wanted) break;
  }
  return score;
}

}  // namespace

struct VectorSet::Wanted {
  std::span<const float, kVectorDims> vector;
  size_t limit;
  double minimum;
  QueryCodes codes;
  SketchQuery sketch;
  // Who is farther cannot be among the limit nearest.
  double Threshold(const std::vector<Neighbour>& nearest) const {
    return nearest.size() < limit ? minimum : std::max(minimum, nearest.front().similarity);
  }
};

// Sums and maxima in several lanes, so that none waits for the one before it: reading a million vectors takes long.
VectorCodes EncodeVector(std::span<const float, kVectorDims> vector) {
  constexpr size_t kLanes = 8;
  VectorCodes made{};
  float largest_of[kLanes] = {};
  for (size_t d = 0; d < kVectorDims; d += kLanes) {
    for (size_t lane = 0; lane < kLanes; ++lane)
      largest_of[lane] = std::max(largest_of[lane], std::abs(vector[d + lane]));
  }
  const float largest = *std::max_element(largest_of, largest_of + kLanes);
  const float scale = largest > 0 ? largest / 127 : 1;
  double squares_of[kLanes] = {};
  for (size_t d = 0; d < kVectorDims; d += kLanes) {
    for (size_t lane = 0; lane < kLanes; ++lane) {
      const float scaled = vector[d + lane] / scale;
      const int code = static_cast<int>(scaled + std::copysign(0.5f, scaled));
      made.codes[d + lane] = static_cast<int8_t>(code);
      const double error = vector[d + lane] - double{scale} * code;
      squares_of[lane] += error * error;
    }
  }
  double squares = 0;
  for (const double sum : squares_of) squares += sum;
  made.scale = {scale, static_cast<float>(std::sqrt(squares))};
  return made;
}

QueryCodes EncodeQuery(std::span<const float, kVectorDims> query) {
  QueryCodes made{};
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

bool NearerThan(const Neighbour& a, const Neighbour& b) {
  return a.similarity != b.similarity ? a.similarity > b.similarity : a.id < b.id;
}

void VectorSet::Add(int64_t id, std::span<const float, kVectorDims> vector) {
  if (blocks_.empty() || blocks_.back()->count == kBlock) {
    blocks_.push_back(std::unique_ptr<Block>(new Block));  // left uninitialised: the system gives pages when touched
  }
  Block& block = *blocks_.back();
  const size_t at = block.count++;
  AddSketch((blocks_.size() - 1) * kBlock + at, vector);
  const VectorCodes encoded = EncodeVector(vector);
  block.ids[at] = id;
  block.scales[at] = encoded.scale;
  std::memcpy(block.vectors + at * kVectorDims, vector.data(), kVectorDims * sizeof(float));
  std::memcpy(block.codes + at * kVectorDims, encoded.codes, kVectorDims);
  ++live_;
}

void VectorSet::AddSketch(size_t place, std::span<const float, kVectorDims> vector) {
  if (place % kSignChunk == 0) chunks_.push_back(std::unique_ptr<SignChunk>(new SignChunk));  // uninitialised too
  SignChunk& chunk = *chunks_.back();
  uint8_t signs[kSignBytes];
  SketchVector(vector, signs);
  const size_t at = place % kSignChunk, in_group = at % kSignGroup;
  for (size_t half = 0; half < 2; ++half) {
    uint8_t* group = chunk.halves[half] + (at - in_group) * kHalfSignBytes;
    if (in_group == 0) std::fill_n(group, kSignGroup * kHalfSignBytes, uint8_t{0});
    for (size_t byte = 0; byte < kHalfSignBytes; ++byte)
      group[kSignGroup * byte + in_group] = signs[half * kHalfSignBytes + byte];
  }
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
  const auto at = static_cast<size_t>(found - block->ids);
  if (found == end || *found != id || !IsLive(*block, at)) return {nullptr, 0};
  return {block, at};
}

bool VectorSet::Remove(int64_t id) {
  const auto [block, at] = Place(id);
  if (!block) return false;
  block->scales[at].residual = -1;
  --live_;
  return true;
}

double VectorSet::Similarity(std::span<const float, kVectorDims> query, const float* vector) const {
  return std::clamp(double{kernels_.floats(query.data(), vector)}, -1.0, 1.0);
}

const float* VectorSet::Find(int64_t id) const {
  const auto [block, at] = Place(id);
  return block ? block->vectors + at * kVectorDims : nullptr;
}

std::vector<Neighbour> VectorSet::Search(std::span<const float, kVectorDims> query, size_t limit,
                                         double minimum) const {
  const QueryCodes prepared = EncodeQuery(query);
  struct Candidate {
    int64_t id;
    const float* vector;
    float upper;
  };
  std::vector<Candidate> candidates;
  LowerBounds best(limit, static_cast<float>(minimum) - kRoundingSlack);
  int32_t products[256];
  for (const auto& block : blocks_) {
    for (size_t start = 0; start < block->count; start += std::size(products)) {
      const size_t count = std::min(std::size(products), block->count - start);
      kernels_.codes_by_query(block->codes + start * kVectorDims, count, prepared.codes, products);
      for (size_t i = 0; i < count; ++i) {
        const size_t at = start + i;
        const Bounds bounds = BoundsOf(prepared, products[i], block->scales[at]);
        if (bounds.upper < best.threshold() || !IsLive(*block, at)) continue;
        candidates.push_back({block->ids[at], block->vectors + at * kVectorDims, bounds.upper});
        best.Offer(bounds.lower);
      }
    }
  }
  std::vector<Neighbour> nearest;
  const float threshold = best.threshold();
  for (const Candidate& candidate : candidates) {
    if (candidate.upper < threshold) continue;
    const double similarity = Similarity(query, candidate.vector);
    if (similarity >= minimum) nearest.push_back({candidate.id, similarity});
  }
  const auto kept = static_cast<int64_t>(std::min(limit, nearest.size()));
  std::partial_sort(nearest.begin(), nearest.begin() + kept, nearest.end(), &NearerThan);
  nearest.resize(static_cast<size_t>(kept));
  return nearest;
}

std::vector<uint16_t> VectorSet::BestFirstScores(const SketchQuery& sketch) const {
  const size_t places = (blocks_.size() - 1) * kBlock + blocks_.back()->count;
  std::vector<uint16_t> best((places + kSignGroup - 1) / kSignGroup);
  constexpr size_t kChunkGroups = kSignChunk / kSignGroup;
  for (size_t group = 0, chunk = 0; group < best.size(); group += kChunkGroups, ++chunk) {
    kernels_.best_scores(chunks_[chunk]->halves[0], std::min(kChunkGroups, best.size() - group), sketch.tables(),
                         &best[group]);
  }
  return best;
}

// Scores are made again for the groups that count, in registers: to keep those of all from the first scan, and to read
// them back, takes longer, most of all where the system has to find the memory for them.
std::vector<VectorSet::Sketched> VectorSet::Sift(std::span<const uint16_t> best, size_t start, size_t end, int low,
                                                 int high, int whole_low, const SketchQuery& sketch) const {
  constexpr size_t kAhead = 6;
  std::vector<size_t> groups;
  for (size_t group = start; group < end; ++group) {
    if (best[group] >= low) groups.push_back(group);
  }
  const auto signs = [this](size_t group) {  // the second half lies a whole chunk's half behind
    return chunks_[group * kSignGroup / kSignChunk]->halves[0] + group * kSignGroup % kSignChunk * kHalfSignBytes;
  };
  constexpr size_t kHalf = kSignChunk * kHalfSignBytes;
  std::vector<Sketched> sifted;
  for (size_t i = 0; i < groups.size(); ++i) {
    const uint8_t* next = signs(groups[std::min(i + kAhead, groups.size() - 1)]);
    for (size_t line = 0; line < kSignGroup * kHalfSignBytes; line += 64) {
      Prefetch(next + line);
      Prefetch(next + kHalf + line);
    }
    const uint8_t* const here = signs(groups[i]);
    uint16_t first[kSignGroup], whole[kSignGroup];
    if (kernels_.group_scores(here, here + kHalf, sketch.tables(), first, whole) < whole_low) continue;
    for (size_t v = 0; v < kSignGroup; ++v) {
      if (whole[v] >= whole_low && first[v] >= low && first[v] < high)
        sifted.push_back({static_cast<uint32_t>(groups[i] * kSignGroup + v), first[v], whole[v]});
    }
  }
  return sifted;
}

// Candidates lie far apart in memory, so the next ones are asked for while one is looked at.
void VectorSet::Rank(const std::vector<Sketched>& sketched, const Wanted& wanted,
                     std::vector<Neighbour>& nearest) const {
  constexpr size_t kAhead = 16;
  int cutoff = wanted.sketch.WholeCutoff(wanted.Threshold(nearest));
  for (size_t i = 0; i < sketched.size(); ++i) {
    if (i + kAhead < sketched.size()) {
      const Block& next = *blocks_[sketched[i + kAhead].place / kBlock];
      const size_t next_at = sketched[i + kAhead].place % kBlock;
      Prefetch(next.codes + next_at * kVectorDims);
      Prefetch(next.codes + next_at * kVectorDims + 64);
      Prefetch(next.scales + next_at);
    }
    const Block& block = *blocks_[sketched[i].place / kBlock];
    const size_t at = sketched[i].place % kBlock;
    if (sketched[i].whole < cutoff || !IsLive(block, at)) continue;
    int32_t product = 0;
    kernels_.codes_by_query(block.codes + at * kVectorDims, 1, wanted.codes.codes, &product);
    if (BoundsOf(wanted.codes, product, block.scales[at]).upper < wanted.Threshold(nearest)) continue;
    const Neighbour found{block.ids[at], Similarity(wanted.vector, block.vectors + at * kVectorDims)};
    // Missed by its own similarity, not by what was found so far: else the order of the vectors would decide.
    if (found.similarity < wanted.minimum || sketched[i].first < wanted.sketch.FirstCutoff(found.similarity) ||
        sketched[i].whole < wanted.sketch.WholeCutoff(found.similarity))
      continue;
    if (nearest.size() == wanted.limit) {
      if (!NearerThan(found, nearest.front())) continue;
      std::pop_heap(nearest.begin(), nearest.end(), &NearerThan);
      nearest.pop_back();
    }
    nearest.push_back(found);
    std::push_heap(nearest.begin(), nearest.end(), &NearerThan);
    cutoff = wanted.sketch.WholeCutoff(wanted.Threshold(nearest));
  }
}

std::vector<Neighbour> VectorSet::SearchSketches(std::span<const float, kVectorDims> query, size_t limit,
                                                 double minimum) const {
  if (blocks_.empty() || limit == 0) return {};
  const Wanted wanted{query, limit, minimum, EncodeQuery(query), SketchQuery(query)};
  const std::vector<uint16_t> best = BestFirstScores(wanted.sketch);
  // First some with the highest scores, the highest first, which show how near the nearest are.
  const size_t groups = best.size();
  const int high = HighScore(best, std::max<size_t>(100, 4 * limit));
  std::vector<Neighbour> nearest;
  std::vector<Sketched> sketched = Sift(best, 0, groups, high, kAboveAllScores, 0, wanted.sketch);
  std::sort(sketched.begin(), sketched.end(), [](const Sketched& a, const Sketched& b) {
    return a.whole != b.whole ? a.whole > b.whole : a.place < b.place;
  });
  Rank(sketched, wanted, nearest);
  // Then all that this leaves in question.
  const int low = wanted.sketch.FirstCutoff(wanted.Threshold(nearest));
  constexpr size_t kGroupsAtOnce = 1024;
  for (size_t start = 0; start < groups && low < high; start += kGroupsAtOnce) {
    const double threshold = wanted.Threshold(nearest);
    Rank(Sift(best, start, std::min(start + kGroupsAtOnce, groups), wanted.sketch.FirstCutoff(threshold), high,
              wanted.sketch.WholeCutoff(threshold), wanted.sketch),
         wanted, nearest);
  }
  std::sort_heap(nearest.begin(), nearest.end(), &NearerThan);
  return nearest;
}

}  // namespace grym
