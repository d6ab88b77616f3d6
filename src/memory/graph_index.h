// An approximate index over many vectors: hnswlib's graph over 8-bit codes.
#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "memory/vector_set.h"

namespace grym {

// Source: Malkov and Yashunin 2018, "Efficient and robust approximate nearest neighbor search using Hierarchical
// Navigable Small World graphs". Differs: the graph compares 8-bit codes (a quarter of the memory traffic) and the
// caller ranks the candidates by their full vectors. Built in the order of ids by one thread with a fixed seed, so the
// same vectors give the same graph. Memory: about 280 bytes a vector.
// Threads: Search may run together with Search; all else alone.
class GraphIndex {
 public:
  // Chosen on benchmarks/memory_benchmark for recall@10 >= 0.95 at a million clustered vectors.
  static constexpr int kLinks = 16;
  static constexpr int kBuildWidth = 100;
  static constexpr size_t kSearchWidth = 128;

  static absl::StatusOr<std::unique_ptr<GraphIndex>> Create(int64_t capacity);
  // DataLoss for a file that does not read back. The caller has checked that the file is the one it saved: a forged
  // graph is not recognised here.
  static absl::StatusOr<std::unique_ptr<GraphIndex>> Load(const std::filesystem::path& path);
  ~GraphIndex();

  absl::Status Add(int64_t id, const VectorCodes& codes);
  void Remove(int64_t id);
  bool Contains(int64_t id) const;
  int64_t size() const;  // with removed ones
  // Ids of about `width` near vectors, in no order.
  std::vector<int64_t> Search(const VectorCodes& query, size_t width) const;
  absl::Status Save(const std::filesystem::path& path) const;

 private:
  struct Graph;
  explicit GraphIndex(std::unique_ptr<Graph> graph);
  std::unique_ptr<Graph> graph_;
};

}  // namespace grym
