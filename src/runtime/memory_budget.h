// The bound on tensor memory, enforced where tensors are allocated: on the CPU by an allocator of ours that counts.
#pragma once
#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

namespace grym {

// Bytes of tensors that may live at once on one device, and how many did. Threads: any.
class MemoryBudget {
 public:
  explicit MemoryBudget(int64_t limit_bytes, std::string device = "cpu")
      : device_(std::move(device)), limit_bytes_(limit_bytes) {}
  const std::string& device() const { return device_; }
  int64_t limit_bytes() const { return limit_bytes_.load(std::memory_order_relaxed); }
  int64_t used_bytes() const { return used_bytes_.load(std::memory_order_relaxed); }
  // The most since the last ResetPeak.
  int64_t peak_bytes() const { return peak_bytes_.load(std::memory_order_relaxed); }
  void ResetPeak() { peak_bytes_.store(used_bytes(), std::memory_order_relaxed); }
  // What is used already stays; the next reservation is judged by the new limit.
  void SetLimit(int64_t bytes) { limit_bytes_.store(bytes, std::memory_order_relaxed); }

  // `give_up` lets go of what its owner does not need at the moment: an idle model's weights. `owner` tells it apart.
  void AddReclaimer(const void* owner, std::function<void()> give_up);
  void RemoveReclaimer(const void* owner);
  // Asks everyone but `asker`; MakeRoom only where so many bytes more would be over the limit.
  void ReclaimFromOthers(const void* asker);
  void MakeRoom(const void* asker, int64_t bytes) {
    if (used_bytes() + bytes > limit_bytes()) ReclaimFromOthers(asker);
  }

  bool Reserve(int64_t bytes);  // false: over the limit, and nothing has changed
  void GiveBack(int64_t bytes) { used_bytes_.fetch_sub(bytes, std::memory_order_relaxed); }

 private:
  const std::string device_;
  std::atomic<int64_t> limit_bytes_;
  std::atomic<int64_t> used_bytes_{0};
  std::atomic<int64_t> peak_bytes_{0};
  std::mutex reclaimers_mutex_;
  std::map<const void*, std::function<void()>> reclaimers_;
};

// While it lives, what this thread allocates for tensors on the CPU is counted on `budget` until it is freed, on any
// thread, and refused beyond the limit: by c10::OutOfMemoryError, which TorchGuard (torch_guard.h) turns into a status.
// Scopes nest; the innermost counts. Memory that LibTorch's own worker threads take for scratch is not counted: the
// kernels in use take none there.
//
// The first scope of a process puts the counting allocator into LibTorch. It stays, and takes memory outside any scope
// as LibTorch's own allocator does (which torch's memory profiler then no longer sees); blocks of the allocator before it
// are freed as they always were. On a GPU nothing is counted yet: the plan alone keeps to the budget there.
class BudgetScope {
 public:
  explicit BudgetScope(std::shared_ptr<MemoryBudget> budget);
  ~BudgetScope();
  BudgetScope(const BudgetScope&) = delete;
  BudgetScope& operator=(const BudgetScope&) = delete;

 private:
  std::shared_ptr<MemoryBudget> outer_;
};

// What the allocator takes for a tensor of `bytes`: whole cache lines.
constexpr int64_t AllocatedBytes(int64_t bytes) { return (bytes + 63) / 64 * 64; }

}  // namespace grym
