// Layers that stay in their file: each is read when its turn comes, while the one before it is at work.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "absl/status/statusor.h"
#include "base/status.h"
#include "grymsynth/job.h"
#include "runtime/memory_lease.h"
#include "runtime/tensor.h"
#include "runtime/torch_guard.h"

namespace grym {

// On a GPU: a stream of its own for copies, beside the work on others; one for all layers of a pass, since LibTorch's
// allocator shares no memory between streams. Nothing on the CPU. Compiled, and not run: no GPU was at hand.
class CopyStream {
 public:
  explicit CopyStream(c10::Device device);
  ~CopyStream();
  // What this thread copies while it lives goes there, and is there when it ends.
  class Use {
   public:
    explicit Use(const CopyStream& stream);
    ~Use();

   private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
  };
  // Waits for what this thread's own stream was given: weights that it reads may be let go of then.
  static void Finish(c10::Device device);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// `Layer` can be moved and holds tensors. Immutable; threads: any, each pass reads for itself.
template <class Layer>
class StreamedLayers {
 public:
  // Layer `index`, with weights as they are kept (WeightOptions::pinned for a GPU). Called on other threads.
  using Read = std::function<absl::StatusOr<Layer>(int64_t index, const CancelToken& cancel)>;
  StreamedLayers(int64_t count, c10::Device device, Read read)
      : count_(count), device_(device), read_(std::move(read)) {}

  int64_t count() const { return count_; }
  // Calls `use` for every layer in turn, on this thread, while the next one is read. Two layers live at once at most;
  // both are paid by this thread's scope. `poll`, if set, is asked every 20 ms while a layer is waited for: what it
  // answers ends the pass, as does what reading or `use` answers.
  absl::Status ForEach(const std::function<absl::Status()>& poll,
                       const std::function<absl::Status(const Layer&)>& use) const {
    if (count_ == 0) return absl::OkStatus();
    const auto copies = std::make_shared<const CopyStream>(device_);
    Job<Layer> ahead = ReadAhead(0, copies);
    for (int64_t i = 0; i < count_; ++i) {
      while (!ahead.WaitFor(0.02)) {
        if (poll) GRYM_RETURN_IF_ERROR(poll());
      }
      GRYM_ASSIGN_OR_RETURN(const Layer layer, ahead.Take());
      if (i + 1 < count_) ahead = ReadAhead(i + 1, copies);
      GRYM_RETURN_IF_ERROR(use(layer));
      CopyStream::Finish(device_);
    }
    return absl::OkStatus();
  }

 private:
  Job<Layer> ReadAhead(int64_t index, std::shared_ptr<const CopyStream> copies) const {
    return Job<Layer>::Start(
        [read = read_, copies = std::move(copies), account = BudgetScope::Current(), index](const RunOptions& run) {
          const BudgetScope scope(account);
          return TorchGuard("weights of layer " + std::to_string(index), [&]() -> absl::StatusOr<Layer> {
            const CopyStream::Use use(*copies);
            return read(index, run.cancel);
          });
        });
  }

  const int64_t count_;
  const c10::Device device_;
  const Read read_;
};

}  // namespace grym
