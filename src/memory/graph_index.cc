#include "memory/graph_index.h"

#include <algorithm>
#include <cstring>
#include <exception>
#include <utility>

// hnswlib.h defines functions that are not inline: only this file may include it, and under names of our own, or a
// program that uses hnswlib beside us would not link.
// Its prefetches read one link past the end of a list; distances are ours, so nothing else is lost without them.
#define NO_MANUAL_VECTORIZATION
#define AVXCapable grym_hnswlib_avx_capable
#define AVX512Capable grym_hnswlib_avx512_capable
#define cpuid grym_hnswlib_cpuid
#define xgetbv grym_hnswlib_xgetbv
#include <hnswlib/hnswlib.h>
#undef AVXCapable
#undef AVX512Capable
#undef cpuid
#undef xgetbv

#include "base/status.h"

namespace grym {
namespace {

// What a node of the graph holds.
struct GraphPoint {
  int8_t codes[kVectorDims];
  float scale;
};

GraphPoint PointOf(const VectorCodes& codes) {
  GraphPoint point;
  std::memcpy(point.codes, codes.codes, sizeof(point.codes));
  point.scale = codes.scale;
  return point;
}

float GraphDistance(const void* a, const void* b, const void* kernels) {
  const auto* left = static_cast<const GraphPoint*>(a);
  const auto* right = static_cast<const GraphPoint*>(b);
  const int32_t product = static_cast<const DotKernels*>(kernels)->codes_by_codes(left->codes, right->codes);
  return 1.0f - static_cast<float>(product) * (left->scale * right->scale);
}

class CodeSpace : public hnswlib::SpaceInterface<float> {
 public:
  size_t get_data_size() override { return sizeof(GraphPoint); }
  hnswlib::DISTFUNC<float> get_dist_func() override { return &GraphDistance; }
  void* get_dist_func_param() override { return const_cast<DotKernels*>(&BestDotKernels()); }
};

// hnswlib throws; nothing of it may leave this file.
template <class Work>
absl::Status GuardGraph(absl::StatusCode code, const char* doing, Work work) {
  try {
    work();
  } catch (const std::bad_alloc&) {
    return Error(absl::StatusCode::kResourceExhausted, "no_memory",
                 std::string("vector index: no memory for ") + doing);
  } catch (const std::exception& error) {
    return Error(code, "index_failed", std::string("vector index: ") + doing + ": " + error.what());
  }
  return absl::OkStatus();
}

}  // namespace

struct GraphIndex::Graph {
  std::unique_ptr<hnswlib::SpaceInterface<float>> space = std::make_unique<CodeSpace>();
  std::unique_ptr<hnswlib::HierarchicalNSW<float>> nodes;
};

GraphIndex::GraphIndex(std::unique_ptr<Graph> graph) : graph_(std::move(graph)) {}
GraphIndex::~GraphIndex() = default;

absl::StatusOr<std::unique_ptr<GraphIndex>> GraphIndex::Create(int64_t capacity) {
  auto graph = std::make_unique<Graph>();
  GRYM_RETURN_IF_ERROR(GuardGraph(absl::StatusCode::kInternal, "a new graph", [&] {
    graph->nodes = std::make_unique<hnswlib::HierarchicalNSW<float>>(
        graph->space.get(), static_cast<size_t>(std::max<int64_t>(capacity, 1024)), kLinks, kBuildWidth,
        /*random_seed=*/100);
  }));
  return std::unique_ptr<GraphIndex>(new GraphIndex(std::move(graph)));
}

absl::StatusOr<std::unique_ptr<GraphIndex>> GraphIndex::Load(const std::filesystem::path& path) {
  auto graph = std::make_unique<Graph>();
  GRYM_RETURN_IF_ERROR(GuardGraph(absl::StatusCode::kDataLoss, "reading a graph", [&] {
    graph->nodes = std::make_unique<hnswlib::HierarchicalNSW<float>>(graph->space.get(), path.string());
    // hnswlib 0.6 counts removed nodes upon a number that it never set.
    auto& nodes = *graph->nodes;
    nodes.num_deleted_ = 0;
    for (size_t node = 0; node < nodes.cur_element_count; ++node) {
      nodes.num_deleted_ += nodes.isMarkedDeleted(static_cast<hnswlib::tableint>(node));
    }
  }));
  return std::unique_ptr<GraphIndex>(new GraphIndex(std::move(graph)));
}

absl::Status GraphIndex::Add(int64_t id, const VectorCodes& codes) {
  return GuardGraph(absl::StatusCode::kInternal, "adding a vector", [&] {
    auto& nodes = *graph_->nodes;
    if (nodes.cur_element_count >= nodes.max_elements_)
      nodes.resizeIndex(nodes.max_elements_ + nodes.max_elements_ / 2);
    const GraphPoint point = PointOf(codes);
    nodes.addPoint(&point, static_cast<hnswlib::labeltype>(id));
  });
}

void GraphIndex::Remove(int64_t id) {
  if (Contains(id))
    (void)GuardGraph(absl::StatusCode::kInternal, "removing a vector",
                     [&] { graph_->nodes->markDelete(static_cast<hnswlib::labeltype>(id)); });
}

bool GraphIndex::Contains(int64_t id) const {
  const auto found = graph_->nodes->label_lookup_.find(static_cast<hnswlib::labeltype>(id));
  return found != graph_->nodes->label_lookup_.end() && !graph_->nodes->isMarkedDeleted(found->second);
}

int64_t GraphIndex::size() const { return static_cast<int64_t>(graph_->nodes->cur_element_count); }

std::vector<int64_t> GraphIndex::Search(const VectorCodes& query, size_t width) const {
  std::vector<int64_t> ids;
  const GraphPoint point = PointOf(query);
  (void)GuardGraph(absl::StatusCode::kInternal, "searching", [&] {
    auto found = graph_->nodes->searchKnn(&point, width);
    for (; !found.empty(); found.pop()) ids.push_back(static_cast<int64_t>(found.top().second));
  });
  return ids;
}

absl::Status GraphIndex::Save(const std::filesystem::path& path) const {
  return GuardGraph(absl::StatusCode::kUnavailable, "writing a graph",
                    [&] { graph_->nodes->saveIndex(path.string()); });
}

}  // namespace grym
