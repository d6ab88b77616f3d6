#include "runtime/device_graph.h"

#include <utility>

#ifdef GRYM_TORCH_CUDA_HEADERS
#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

#include <map>
#include <mutex>
#endif

namespace grym {

#ifdef GRYM_TORCH_CUDA_HEADERS
namespace {

// One stream of a device for all captures, since cuBLAS keeps a workspace for each that it has seen; so one at a time.
// Of the pool that CopyStream's are not of: what another thread did on it would be captured.
struct CaptureStreams {
  std::mutex mutex;
  std::map<c10::DeviceIndex, c10::cuda::CUDAStream> streams;
};

CaptureStreams& Streams() {
  static CaptureStreams* const streams = new CaptureStreams;  // nothing of it is torn down behind the driver
  return *streams;
}

// Ends a capture whatever happens: a stream that is left capturing serves nobody any more.
class Capturing {
 public:
  explicit Capturing(at::cuda::CUDAGraph& graph) : graph_(&graph) {
    // Of this thread alone: what others allocate meanwhile is not part of it, and no error either.
    graph.capture_begin({0, 0}, cudaStreamCaptureModeThreadLocal);
  }
  void End() { std::exchange(graph_, nullptr)->capture_end(); }
  ~Capturing() {
    if (!graph_) return;
    try {
      graph_->capture_end();
    } catch (...) {  // the work's own exception is on its way, and says more
    }
  }

 private:
  at::cuda::CUDAGraph* graph_;
};

void Capture(c10::Device device, at::cuda::CUDAGraph& graph, const std::function<void()>& work) {
  const std::lock_guard<std::mutex> lock(Streams().mutex);
  const c10::cuda::CUDAGuard on_device(device);
  auto& streams = Streams().streams;
  if (!streams.contains(device.index()))
    streams.emplace(device.index(), c10::cuda::getStreamFromPool(/*isHighPriority=*/true, device.index()));
  const c10::cuda::CUDAStream side = streams.at(device.index());
  c10::cuda::getCurrentCUDAStream(device.index()).synchronize();  // what the work reads is there
  const c10::cuda::CUDAStreamGuard on_side(side);
  for (int i = 0; i < 2; ++i) work();
  side.synchronize();
  // What the allocator keeps from before is not given back during a capture, whose memory is a pool of its own.
  c10::cuda::CUDACachingAllocator::emptyCache();
  Capturing capturing(graph);
  work();
  capturing.End();
}

}  // namespace

struct DeviceGraph::Captured {
  at::cuda::CUDAGraph graph;
};
#else
struct DeviceGraph::Captured {};
#endif

DeviceGraph::DeviceGraph(c10::Device device) : device_(device) {}
DeviceGraph::DeviceGraph(DeviceGraph&&) noexcept = default;
DeviceGraph& DeviceGraph::operator=(DeviceGraph&&) noexcept = default;
DeviceGraph::~DeviceGraph() = default;

bool DeviceGraph::Captures(c10::Device device) {
#ifdef GRYM_TORCH_CUDA_HEADERS
  return device.is_cuda();
#else
  (void)device;
  return false;
#endif
}

void DeviceGraph::Run(const std::function<void()>& work) {
#ifdef GRYM_TORCH_CUDA_HEADERS
  if (Captures(device_)) {
    if (!captured_) {
      auto captured = std::make_unique<Captured>();
      Capture(device_, captured->graph, work);
      captured_ = std::move(captured);
    }
    const c10::cuda::CUDAGuard on_device(device_);
    captured_->graph.replay();
    return;
  }
#endif
  work();
}

void DeviceGraph::Reset() { captured_.reset(); }

}  // namespace grym
