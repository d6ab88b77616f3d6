// All vectors of a memory, kind by kind: exact search up to a limit, a graph above it, and the graph's cache files.
#pragma once
#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "grymsynth/pattern.h"
#include "memory/graph_index.h"
#include "memory/vector_set.h"

namespace grym {

// Kinds have sets of their own, since only embeddings of one kind can be compared: a filter by kind is then right by
// construction, also under the graph. Threads: one at a time.
class VectorIndex {
 public:
  static constexpr int kKinds = 5;

  // `cache_folder` holds, per kind, NAME.graph and NAME.stamp; it can be deleted at any time. `identity` names the
  // store that it belongs to.
  VectorIndex(std::filesystem::path cache_folder, std::string identity, int64_t exact_limit);

  // Requires an id above all earlier ones.
  void Add(PatternKind kind, int64_t id, std::span<const float, kVectorDims> vector);
  void Remove(int64_t id);
  int64_t size() const;
  int64_t last_id() const;
  const float* Find(PatternKind kind, int64_t id) const { return SetOf(kind).Find(id); }
  bool approximate() const;  // some kind is searched by a graph

  // Nearest first. Makes, loads or catches up with the graphs where needed: up to 0.5 ms a vector that is not in the
  // cache. A graph that fails is dropped and its kind searched exactly.
  std::vector<Neighbour> Search(std::span<const float, kVectorDims> query, std::optional<PatternKind> kind,
                                size_t limit, double minimum);

  // Writes the graphs that changed much since they were written; failures only cost time at the next open.
  void SaveCache();

 private:
  struct Partition {
    VectorSet vectors;
    std::unique_ptr<GraphIndex> graph;
    int64_t graph_last_id = 0;  // vectors up to this id are in it
    int64_t unsaved = 0;        // added or removed since it was written
    bool cache_tried = false;
    bool graph_failed = false;
  };
  VectorSet& SetOf(PatternKind kind) { return partitions_[static_cast<size_t>(kind)].vectors; }
  const VectorSet& SetOf(PatternKind kind) const { return partitions_[static_cast<size_t>(kind)].vectors; }
  bool WantsGraph(const Partition& partition) const;
  void PrepareGraphs(std::optional<PatternKind> kind);
  void PrepareGraph(size_t kind);
  absl::Status LoadGraph(size_t kind);
  absl::Status SaveGraph(size_t kind);
  std::vector<Neighbour> SearchPartition(const Partition& partition, std::span<const float, kVectorDims> query,
                                         size_t limit, double minimum) const;
  std::filesystem::path CacheFile(size_t kind, const char* suffix) const;

  std::filesystem::path cache_folder_;
  std::string identity_;
  int64_t exact_limit_;
  std::array<Partition, kKinds> partitions_;
};

}  // namespace grym
