// What one run may take of a budget, and the scope in which its tensors are counted.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace grym {

class MemoryBudget;
struct LeaseState;

// What a run wants: see MemoryBudget::Lease.
struct LeaseAsk {
  std::string who;              // told to those who wait: the model's id
  const void* owner = nullptr;  // the reclaimer whose idle weights go first
  int64_t bytes = 0;            // that will be allocated at most, beside what is held
  // Loaded weights that the run counts on: nobody lets go of them while the lease lives.
  std::vector<std::shared_ptr<const void>> held;
  int64_t held_bytes = 0;
};

// Who pays for a tensor: an open lease, or the budget itself.
struct MemoryAccount {
  std::shared_ptr<MemoryBudget> budget;
  std::shared_ptr<LeaseState> lease;
};

// Bytes that are a run's own until the lease ends. What is still alive then (weights that stay loaded, a result) counts
// as the budget's own from there on; the rest is free. Belongs to one thread; tensors of it may be freed on any.
class MemoryLease {
 public:
  MemoryLease() = default;  // of nothing
  MemoryLease(MemoryLease&&) noexcept = default;
  MemoryLease& operator=(MemoryLease&& other) noexcept;
  ~MemoryLease() { Release(); }

  int64_t bytes() const;
  // The most that the run's tensors took at once, the weights that it found loaded included. On a GPU that of the device.
  int64_t peak_bytes() const;
  // Keeps weights from being let go of as idle while the lease lives.
  void Hold(std::shared_ptr<const void> weights) { held_.push_back(std::move(weights)); }
  // What was let go of to make room: "evicted idle model x: 12 MiB".
  const std::vector<std::string>& evicted() const { return evicted_; }
  const MemoryAccount& account() const { return account_; }
  void Release();

 private:
  friend class MemoryBudget;
  MemoryAccount account_;
  std::vector<std::shared_ptr<const void>> held_;
  int64_t held_bytes_ = 0;
  std::vector<std::string> evicted_;
};

// While it lives, what this thread allocates for tensors on the CPU is counted, until it is freed on any thread, and
// refused beyond the lease and what the budget has free beside it, which is nobody's: by c10::OutOfMemoryError, which
// TorchGuard (torch_guard.h) turns into a status. Scopes nest; the innermost counts. Memory that LibTorch's own worker
// threads take for scratch is not counted: the kernels in use take none there.
//
// The first scope of a process puts the counting allocator into LibTorch. It stays, and takes memory outside any scope
// as LibTorch's own allocator does (which torch's memory profiler then no longer sees); blocks of the allocator before it
// are freed as they always were. A GPU's memory is counted and bounded by its own allocator (device_memory.h).
class BudgetScope {
 public:
  explicit BudgetScope(std::shared_ptr<MemoryBudget> budget)
      : BudgetScope(MemoryAccount{std::move(budget), nullptr}) {}
  explicit BudgetScope(const MemoryLease& lease) : BudgetScope(lease.account()) {}
  explicit BudgetScope(MemoryAccount account);
  ~BudgetScope();
  BudgetScope(const BudgetScope&) = delete;
  BudgetScope& operator=(const BudgetScope&) = delete;

  // Of this thread's innermost scope, for a thread that works for it.
  static MemoryAccount Current();

 private:
  MemoryAccount outer_;
};

}  // namespace grym
