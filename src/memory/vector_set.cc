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

VectorCodes EncodeVector(std::span<const float, kVectorDims> vector) {
  VectorCodes made{};
  float largest = 0;
  for (const float value : vector) largest = std::max(largest, std::abs(value));
  const float scale = largest > 0 ? largest / 127 : 1;
  double squares = 0;
  for (size_t d = 0; d < kVectorDims; ++d) {
    made.codes[d] = static_cast<int8_t>(std::lround(vector[d] / scale));
    const double error = vector[d] - double{scale} * made.codes[d];
    squares += error * error;
  }
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

// Scores of all vectors, group after group.
struct VectorSet::Scan {
  std::unique_ptr<uint16_t[]> scores[2];  // of the first and, where it was scanned, the second half
  std::vector<uint16_t> best;             // of a group's first scores
};

void VectorSet::ScanHalf(int half, Scan& scan, const SketchQuery& sketch) const {
  const size_t groups = scan.best.size();
  scan.scores[half].reset(new uint16_t[groups * kSignGroup]);  // not zeroed: 2 MB for a million
  std::vector<uint16_t> best_of_second(half == 0 ? 0 : groups);
  uint16_t* best = half == 0 ? scan.best.data() : best_of_second.data();
  constexpr size_t kChunkGroups = kSignChunk / kSignGroup;
  for (size_t group = 0, chunk = 0; group < groups; group += kChunkGroups, ++chunk) {
    kernels_.signs_by_table(chunks_[chunk]->halves[half], std::min(kChunkGroups, groups - group),
                            half == 0 ? sketch.first_table() : sketch.second_table(),
                            scan.scores[half].get() + group * kSignGroup, best + group);
  }
}

int VectorSet::SecondScore(size_t place, const SketchQuery& sketch) const {
  const size_t in_group = place % kSignGroup;
  const uint8_t* signs = chunks_[place / kSignChunk]->halves[1] + (place % kSignChunk - in_group) * kHalfSignBytes;
  const uint8_t* table = sketch.second_table();
  int score = 0;
  for (size_t byte = 0; byte < kHalfSignBytes; ++byte, table += 32) {
    const uint8_t both = signs[kSignGroup * byte + in_group];
    score += table[both & 15] + table[16 + (both >> 4)];
  }
  return score;
}

std::vector<VectorSet::Sketched> VectorSet::Sift(const Scan& scan, size_t start, size_t end, int low, int high,
                                                 int whole_low, const SketchQuery& sketch) const {
  std::vector<Sketched> sifted;
  const uint16_t* second = scan.scores[1].get();
  const auto least = static_cast<int16_t>(low), most = static_cast<int16_t>(high - 1);
  const auto least_whole = static_cast<int16_t>(whole_low), known_whole = second ? least_whole : int16_t{0};
  for (size_t group = start; group < end; ++group) {
    if (scan.best[group] < low) continue;
    const size_t first_place = group * kSignGroup;
    const uint16_t* first = scan.scores[0].get() + first_place;
    // Loops that compilers turn into few instructions: where data is hard, most groups come here and few vectors pass.
    int16_t whole[kSignGroup] = {}, passes[kSignGroup], any = 0;
    for (size_t v = 0; v < kSignGroup && second; ++v)
      whole[v] = static_cast<int16_t>(first[v] + second[first_place + v]);
    for (size_t v = 0; v < kSignGroup; ++v) {
      const auto score = static_cast<int16_t>(first[v]);
      passes[v] = score >= least && score <= most && whole[v] >= known_whole ? 1 : 0;
      any = static_cast<int16_t>(any | passes[v]);
    }
    for (size_t v = 0; v < kSignGroup && any; ++v) {
      if (!passes[v]) continue;
      if (!second) whole[v] = static_cast<int16_t>(first[v] + SecondScore(first_place + v, sketch));
      if (whole[v] >= least_whole)
        sifted.push_back({static_cast<uint32_t>(first_place + v), first[v], static_cast<uint16_t>(whole[v])});
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
  if (blocks_.empty()) return {};
  const Wanted wanted{query, limit, minimum, EncodeQuery(query), SketchQuery(query)};
  const size_t places = (blocks_.size() - 1) * kBlock + blocks_.back()->count;
  Scan scan;
  scan.best.resize((places + kSignGroup - 1) / kSignGroup);
  ScanHalf(0, scan, wanted.sketch);
  // First some with the highest scores, the highest first, which show how near the nearest are.
  const size_t groups = scan.best.size();
  const int high = HighScore(scan.best, std::max<size_t>(100, 4 * limit));
  std::vector<Neighbour> nearest;
  std::vector<Sketched> sketched = Sift(scan, 0, groups, high, kAboveAllScores, 0, wanted.sketch);
  std::sort(sketched.begin(), sketched.end(), [](const Sketched& a, const Sketched& b) {
    return a.whole != b.whole ? a.whole > b.whole : a.place < b.place;
  });
  Rank(sketched, wanted, nearest);
  // Then all that this leaves in question. Where that is much, reading every second half in order is quicker.
  const int low = wanted.sketch.FirstCutoff(wanted.Threshold(nearest));
  const auto left = std::count_if(scan.best.begin(), scan.best.end(), [low](uint16_t best) { return best >= low; });
  if (static_cast<size_t>(left) > groups / 8) ScanHalf(1, scan, wanted.sketch);
  constexpr size_t kGroupsAtOnce = 1024;
  for (size_t start = 0; start < groups && low < high; start += kGroupsAtOnce) {
    const double threshold = wanted.Threshold(nearest);
    Rank(Sift(scan, start, std::min(start + kGroupsAtOnce, groups), wanted.sketch.FirstCutoff(threshold), high,
              wanted.sketch.WholeCutoff(threshold), wanted.sketch),
         wanted, nearest);
  }
  std::sort_heap(nearest.begin(), nearest.end(), &NearerThan);
  return nearest;
}

}  // namespace grym
