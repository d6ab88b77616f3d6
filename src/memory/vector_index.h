// All vectors of a memory, kind by kind: exact search up to a limit, by sketches above it.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "grymsynth/pattern.h"
#include "memory/vector_set.h"

namespace grym {

// A cache of the store's vectors: made from the rows, in rising order of id, and never written. Kinds have sets of
// their own, since only embeddings of one kind can be compared, so a filter by kind is right by construction.
// No graph (HNSW): hnswlib 0.8 with 16 links and width 100 needs 40 s of processor time to build 100,000 vectors and
// more than ten times that for a million, by one thread if the same vectors are to give the same graph, which must then
// be kept in step on disk. It answers quicker, but sketches need 1.1 ms for a million clustered patterns, rows fetched,
// and have nothing to build, to store or to go stale. Far above a million a graph would be worth its price.
// Threads: one at a time.
class VectorIndex {
 public:
  static constexpr int kKinds = 5;

  explicit VectorIndex(int64_t exact_limit) : exact_limit_(exact_limit) {}

  // Requires an id above all earlier ones.
  void Add(PatternKind kind, int64_t id, std::span<const float, kVectorDims> vector) { SetOf(kind).Add(id, vector); }
  void Remove(int64_t id);
  int64_t size() const;
  const float* Find(PatternKind kind, int64_t id) const { return SetOf(kind).Find(id); }
  bool approximate() const;  // some kind is searched by sketches

  // Nearest first. The same vectors and query give the same answer, whatever was added and removed in between.
  std::vector<Neighbour> Search(std::span<const float, kVectorDims> query, std::optional<PatternKind> kind,
                                size_t limit, double minimum) const;

 private:
  VectorSet& SetOf(PatternKind kind) { return sets_[static_cast<size_t>(kind)]; }
  const VectorSet& SetOf(PatternKind kind) const { return sets_[static_cast<size_t>(kind)]; }
  bool IsLarge(const VectorSet& set) const;

  int64_t exact_limit_;
  std::array<VectorSet, kKinds> sets_;
};

}  // namespace grym
