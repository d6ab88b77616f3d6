#include "memory/vector_index.h"

#include <algorithm>
#include <system_error>
#include <thread>

#include "base/status.h"
#include "memory/graph_stamp.h"

namespace grym {
namespace {

// A graph is written when this share of it, and this many vectors, changed: below that, catching up is quicker.
constexpr int64_t kUnsavedShare = 20;
constexpr int64_t kUnsavedVectors = 1000;

}  // namespace

VectorIndex::VectorIndex(std::filesystem::path cache_folder, std::string identity, int64_t exact_limit)
    : cache_folder_(std::move(cache_folder)), identity_(std::move(identity)), exact_limit_(exact_limit) {}

void VectorIndex::Add(PatternKind kind, int64_t id, std::span<const float, kVectorDims> vector) {
  SetOf(kind).Add(id, vector);
}

void VectorIndex::Remove(int64_t id) {
  for (Partition& partition : partitions_) {
    if (!partition.vectors.Remove(id)) continue;
    if (partition.graph) partition.graph->Remove(id);
    ++partition.unsaved;
  }
}

int64_t VectorIndex::size() const {
  int64_t total = 0;
  for (const Partition& partition : partitions_) total += partition.vectors.size();
  return total;
}

int64_t VectorIndex::last_id() const {
  int64_t last = 0;
  for (const Partition& partition : partitions_) last = std::max(last, partition.vectors.last_id());
  return last;
}

bool VectorIndex::approximate() const {
  return std::any_of(partitions_.begin(), partitions_.end(),
                     [](const Partition& partition) { return partition.graph != nullptr; });
}

// Small kinds stay exact in a large memory: five scans of a fifth of the limit cost what one of the limit does.
bool VectorIndex::WantsGraph(const Partition& partition) const {
  return !partition.graph_failed && size() > exact_limit_ && partition.vectors.size() > exact_limit_ / kKinds;
}

std::vector<Neighbour> VectorIndex::SearchPartition(const Partition& partition,
                                                    std::span<const float, kVectorDims> query, size_t limit,
                                                    double minimum) const {
  if (!partition.graph || static_cast<int64_t>(limit) * 4 > partition.vectors.size())
    return partition.vectors.Search(query, limit, minimum);
  std::vector<Neighbour> nearest;
  for (const int64_t id : partition.graph->Search(EncodeVector(query), std::max(GraphIndex::kSearchWidth, 2 * limit))) {
    const float* vector = partition.vectors.Find(id);
    if (!vector) continue;
    const double similarity = std::clamp(double{BestDotKernels().floats(query.data(), vector)}, -1.0, 1.0);
    if (similarity >= minimum) nearest.push_back({id, similarity});
  }
  const auto kept = static_cast<int64_t>(std::min(limit, nearest.size()));
  std::partial_sort(nearest.begin(), nearest.begin() + kept, nearest.end(), &NearerThan);
  nearest.resize(static_cast<size_t>(kept));
  return nearest;
}

std::vector<Neighbour> VectorIndex::Search(std::span<const float, kVectorDims> query, std::optional<PatternKind> kind,
                                           size_t limit, double minimum) {
  PrepareGraphs(kind);
  if (kind) return SearchPartition(partitions_[static_cast<size_t>(*kind)], query, limit, minimum);
  std::vector<Neighbour> nearest;
  for (const Partition& partition : partitions_) {
    const std::vector<Neighbour> more = SearchPartition(partition, query, limit, minimum);
    nearest.insert(nearest.end(), more.begin(), more.end());
  }
  std::sort(nearest.begin(), nearest.end(), &NearerThan);
  if (nearest.size() > limit) nearest.resize(limit);
  return nearest;
}

// Each graph is made by one thread, so the number of threads changes no result.
void VectorIndex::PrepareGraphs(std::optional<PatternKind> kind) {
  std::vector<size_t> behind;
  int64_t missing = 0;
  for (size_t i = 0; i < partitions_.size(); ++i) {
    const Partition& partition = partitions_[i];
    if (kind && i != static_cast<size_t>(*kind)) continue;
    if (!WantsGraph(partition) && !partition.graph) continue;
    if (partition.graph && partition.graph_last_id == partition.vectors.last_id()) continue;
    behind.push_back(i);
    missing += partition.vectors.size() - (partition.graph ? partition.graph->size() : 0);
  }
  if (behind.size() < 2 || missing < kUnsavedVectors || std::thread::hardware_concurrency() < 2) {
    for (const size_t i : behind) PrepareGraph(i);
    return;
  }
  std::vector<std::thread> threads;
  for (const size_t i : behind) {
    try {
      threads.emplace_back([this, i] { PrepareGraph(i); });
    } catch (const std::system_error&) {  // no thread to be had
      PrepareGraph(i);
    }
  }
  for (std::thread& thread : threads) thread.join();
}

void VectorIndex::PrepareGraph(size_t kind) {
  Partition& partition = partitions_[kind];
  if (!partition.graph && !partition.cache_tried) {
    partition.cache_tried = true;
    (void)LoadGraph(kind);  // missing, stale or damaged: made anew below
  }
  absl::Status status;
  if (!partition.graph) {
    absl::StatusOr<std::unique_ptr<GraphIndex>> made =
        GraphIndex::Create(partition.vectors.size() + partition.vectors.size() / 8);
    status = made.status();
    if (made.ok()) partition.graph = std::move(*made);
    partition.graph_last_id = 0;
  }
  if (status.ok()) {
    partition.vectors.ForEach([&](int64_t id, const float* vector) {
      if (id <= partition.graph_last_id || !status.ok()) return;
      status = partition.graph->Add(id, EncodeVector(std::span<const float, kVectorDims>(vector, kVectorDims)));
      ++partition.unsaved;
    });
  }
  partition.graph_last_id = partition.vectors.last_id();
  if (!status.ok()) {
    partition.graph.reset();
    partition.graph_failed = true;
    return;
  }
  // Minutes of work for a large graph: kept at once, not only at a clean end.
  if (partition.unsaved > kUnsavedVectors && partition.unsaved > partition.graph->size() / 2) (void)SaveGraph(kind);
}

std::filesystem::path VectorIndex::CacheFile(size_t kind, const char* suffix) const {
  return cache_folder_ / (std::string(PatternKindName(static_cast<PatternKind>(kind))) + suffix);
}

absl::Status VectorIndex::LoadGraph(size_t kind) {
  Partition& partition = partitions_[kind];
  GRYM_ASSIGN_OR_RETURN(const GraphStamp stamp, ReadGraphStamp(CacheFile(kind, ".stamp")));
  if (stamp.identity != identity_)
    return Error(absl::StatusCode::kFailedPrecondition, "index_stale", "vector index: of another store");
  // Vectors never change and ids are never used twice, so a graph is right if each vector in it is either the store's
  // or gone. A store that was put back from a copy may have other vectors under the same ids: their digests tell.
  std::vector<int64_t> gone;
  for (const StampedVector& stamped : stamp.vectors) {
    const float* vector = partition.vectors.Find(stamped.id);
    if (!vector) {
      gone.push_back(stamped.id);
    } else if (VectorDigest(vector) != stamped.digest) {
      return Error(absl::StatusCode::kFailedPrecondition, "index_stale",
                   "vector index: other vectors under the same ids");
    }
  }
  if (gone.size() > stamp.vectors.size() / 3)
    return Error(absl::StatusCode::kFailedPrecondition, "index_stale", "vector index: mostly removed");
  const int64_t last = stamp.vectors.empty() ? 0 : stamp.vectors.back().id;
  int64_t up_to_last = 0;
  partition.vectors.ForEach([&](int64_t id, const float*) { up_to_last += id <= last; });
  if (up_to_last != static_cast<int64_t>(stamp.vectors.size() - gone.size())) {
    return Error(absl::StatusCode::kFailedPrecondition, "index_stale", "vector index: vectors are missing in it");
  }
  GRYM_RETURN_IF_ERROR(CheckStampedFile(stamp, CacheFile(kind, ".graph")));
  GRYM_ASSIGN_OR_RETURN(partition.graph, GraphIndex::Load(CacheFile(kind, ".graph")));
  for (const int64_t id : gone) partition.graph->Remove(id);
  partition.graph_last_id = last;
  partition.unsaved = static_cast<int64_t>(gone.size());
  return absl::OkStatus();
}

absl::Status VectorIndex::SaveGraph(size_t kind) {
  Partition& partition = partitions_[kind];
  GraphStamp stamp;
  stamp.identity = identity_;
  partition.vectors.ForEach([&](int64_t id, const float* vector) {
    if (id <= partition.graph_last_id) stamp.vectors.push_back({id, VectorDigest(vector)});
  });
  GRYM_RETURN_IF_ERROR(
      WriteStamped(stamp, CacheFile(kind, ".graph"), CacheFile(kind, ".stamp"),
                   [&](const std::filesystem::path& temporary) { return partition.graph->Save(temporary); }));
  partition.unsaved = 0;
  return absl::OkStatus();
}

void VectorIndex::SaveCache() {
  for (size_t kind = 0; kind < partitions_.size(); ++kind) {
    const Partition& partition = partitions_[kind];
    if (partition.graph && partition.unsaved > kUnsavedVectors &&
        partition.unsaved > partition.graph->size() / kUnsavedShare)
      (void)SaveGraph(kind);
  }
}

}  // namespace grym
