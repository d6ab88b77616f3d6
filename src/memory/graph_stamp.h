// What a cached graph holds and whether its file is whole.
#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace grym {

struct StampedVector {
  int64_t id = 0;
  uint64_t digest = 0;
};

struct GraphStamp {
  std::string identity;  // of the store, 16 bytes
  uint64_t graph_bytes = 0;
  uint64_t graph_digest = 0;
  std::vector<StampedVector> vectors;  // in rising order of id
};

uint64_t VectorDigest(const float* vector);

// NotFound when absent; DataLoss when damaged or of another format, graph parameters or byte order.
absl::StatusOr<GraphStamp> ReadGraphStamp(const std::filesystem::path& path);
// DataLoss unless the file has the stamp's length and digest.
absl::Status CheckStampedFile(const GraphStamp& stamp, const std::filesystem::path& graph);
// Writes the graph, then the stamp, each whole or not at all. A crash in between leaves a stamp that does not match.
absl::Status WriteStamped(GraphStamp stamp, const std::filesystem::path& graph, const std::filesystem::path& stamp_file,
                          const std::function<absl::Status(const std::filesystem::path&)>& write_graph);

}  // namespace grym
