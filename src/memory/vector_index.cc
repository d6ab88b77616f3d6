#include "memory/vector_index.h"

#include <algorithm>
#include <exception>

namespace grym {

void VectorIndex::Remove(int64_t id) {
  for (VectorSet& set : sets_) set.Remove(id);
}

int64_t VectorIndex::size() const {
  int64_t total = 0;
  for (const VectorSet& set : sets_) total += set.size();
  return total;
}

// Small kinds stay exact in a large memory: five scans of a fifth of the limit cost what one of the limit does.
bool VectorIndex::IsLarge(const VectorSet& set) const {
  return size() > exact_limit_ && set.size() > exact_limit_ / kKinds;
}

bool VectorIndex::approximate() const {
  return std::any_of(sets_.begin(), sets_.end(), [this](const VectorSet& set) { return IsLarge(set); });
}

std::vector<Neighbour> VectorIndex::Search(std::span<const float, kVectorDims> query, std::optional<PatternKind> kind,
                                           size_t limit, double minimum) const {
  const auto search = [&](const VectorSet& set) {
    return IsLarge(set) ? set.SearchSketches(query, limit, minimum) : set.Search(query, limit, minimum);
  };
  if (kind) return search(SetOf(*kind));
  std::vector<Neighbour> nearest;
  for (const VectorSet& set : sets_) {
    const std::vector<Neighbour> more = search(set);
    nearest.insert(nearest.end(), more.begin(), more.end());
  }
  std::sort(nearest.begin(), nearest.end(), &NearerThan);
  if (nearest.size() > limit) nearest.resize(limit);
  return nearest;
}

}  // namespace grym
