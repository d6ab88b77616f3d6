// The bound on tensor memory of a device: who may take how much, and who holds it.
#pragma once
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "grymsynth/job.h"
#include "runtime/memory_lease.h"

namespace grym {

// What a device tells of the memory on it, where no allocator of ours counts: a GPU's (device_memory.h).
class DeviceMemory {
 public:
  virtual ~DeviceMemory() = default;
  virtual int64_t allocated_bytes() const = 0;  // by tensors, now
  virtual int64_t peak_bytes() const = 0;       // the most since the last ResetPeak
  virtual void ResetPeak() = 0;
  virtual void SetLimit(int64_t bytes) = 0;  // that the device's own allocator shall keep to
  virtual bool limits() const = 0;           // whether it does
};

// Bytes of tensors that may live at once on one device. Each is either promised to a run that is under way (a lease,
// memory_lease.h) or held by what outlives runs: loaded weights, a session's results. What is promised to one run is
// promised to no other. Always made by std::make_shared. Threads: any.
class MemoryBudget : public std::enable_shared_from_this<MemoryBudget> {
 public:
  // On the CPU an allocator of ours counts (BudgetScope); elsewhere `memory`, without which nothing is counted there and
  // the leases alone keep to the limit.
  explicit MemoryBudget(int64_t limit_bytes, std::string device = "cpu", std::unique_ptr<DeviceMemory> memory = nullptr);

  const std::string& device() const { return device_; }
  int64_t limit_bytes() const;
  int64_t used_bytes() const;  // of tensors that live
  int64_t peak_bytes() const;  // the most of it since the last ResetPeak
  void ResetPeak();
  // What is used or promised already stays; what is asked for next is judged by the new limit.
  void SetLimit(int64_t bytes);
  // Neither promised nor held; less than 0 after a SetLimit below these.
  int64_t free_bytes() const;
  // How the bound is enforced below the leases: "allocator" (ours), "device allocator", "not counted".
  const char* enforced_by() const;

  // `idle` answers the bytes of weights that no run holds, and lets go of them where it is told to. It must not wait for
  // a load or a run. `owner` tells it apart; `name` is told in plans.
  using IdleWeights = std::function<int64_t(bool let_go)>;
  void AddReclaimer(const void* owner, std::string name, IdleWeights idle);
  void RemoveReclaimer(const void* owner);

  // A lease on all that a run will take, before it takes the first byte. `ask` says what that is, given so many bytes to
  // plan for: the limit at first. What is free is granted at once. Else idle weights go, if that is enough: the owner's
  // own, then those of the models that have rested longest, and no more of them than needed. Else the caller waits, in
  // turn, until runs that hold leases give them back, at most `most_wait_s` seconds. Else, where no run does, `ask` is
  // called once more with what is free or idle. It is called again after each wait, on this
  // thread and under no lock; what it holds (LeaseAsk::held) is let go while waiting, so that two that wait cannot keep
  // what the other needs. Progress is told "waiting for memory" meanwhile; who is in its callback is not waited for.
  // ResourceExhausted (code "over_budget") with both numbers and who holds what; Cancelled within 50 ms; what `ask`
  // answers.
  // A lease never grows: a run that its plan counted too low for takes what is free, if anything is, and never waits for
  // it. A thread that works under a lease of this budget and asks for another one does not wait.
  using AskFor = std::function<absl::StatusOr<LeaseAsk>(int64_t plan_bytes)>;
  absl::StatusOr<MemoryLease> Lease(const AskFor& ask, const RunOptions& run, double most_wait_s);

  // The counting allocator's: whether it counts here; bytes of `lease` and, beyond it or where it is null, of those that
  // nobody was promised (false: too many, and nothing has changed); what is left, as "12 of 34".
  bool counts_cpu() const { return device_ == "cpu"; }
  bool Take(LeaseState* lease, int64_t bytes);
  void GiveBack(LeaseState* lease, int64_t bytes);
  std::string LeftText(const LeaseState* lease) const;

 private:
  friend class MemoryLease;
  struct Reclaimer {
    const void* owner = nullptr;
    std::string name;
    IdleWeights idle;
  };
  int64_t FreeBytes() const;  // with the lock held
  bool Grant(LeaseState& lease);
  void Close(LeaseState& lease);
  std::optional<MemoryLease> TryLease(LeaseAsk& ask);
  // Lets go of idle weights until the lease is granted, or of none if all of them are not enough.
  bool EvictFor(LeaseState& lease, const void* owner, std::vector<std::string>& evicted);
  void LetGo(Reclaimer& reclaimer, std::vector<std::string>& evicted);
  int64_t IdleBytes() const;
  absl::StatusOr<MemoryLease> LeaseOfWhatIsFree(const AskFor& ask, const LeaseAsk& refused);
  absl::Status Refused(const LeaseAsk& ask) const;

  const std::string device_;
  const std::unique_ptr<DeviceMemory> memory_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  int64_t limit_bytes_;
  int64_t promised_bytes_ = 0;  // by all leases
  int64_t outside_bytes_ = 0;   // of tensors that no open lease counts; where a device counts, never too few
  int64_t used_bytes_ = 0, peak_bytes_ = 0;
  std::list<const LeaseState*> open_;
  std::list<bool> line_;  // of those who wait, in turn: whether one is away, telling its caller so
  mutable std::mutex reclaimers_mutex_;
  std::list<Reclaimer> reclaimers_;  // whose model has rested longest comes first
};

// What the allocator takes for a tensor of `bytes`: whole cache lines.
constexpr int64_t AllocatedBytes(int64_t bytes) { return (bytes + 63) / 64 * 64; }

}  // namespace grym
