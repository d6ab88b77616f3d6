// Progress told to the host from inside a run: what the host's callback does is not the run's.
#pragma once
#include "grymsynth/job.h"
#include "runtime/memory_lease.h"

namespace grym {

// While it lives, this thread runs the host's code inside a run: tensors that are made then count to no budget (but
// what a run of ours within the callback makes counts to its own). What the run around it holds stays known, so that a
// run within the callback does not wait for it.
class HostScope {
 public:
  HostScope();
  ~HostScope();
  HostScope(const HostScope&) = delete;
  HostScope& operator=(const HostScope&) = delete;

  // This thread's innermost; null outside any callback.
  static const HostScope* Innermost();
  const HostScope* outer() const { return outer_; }
  // Of the run around the callback.
  const MemoryAccount& around() const { return around_; }

 private:
  const HostScope* const outer_;
  const MemoryAccount around_;
  const BudgetScope nobody_{MemoryAccount{}};
};

// `run` as a session goes on with it: its progress is told within a HostScope and in the mode (gradients, inference)
// that the calling thread has now, whatever the session's own is by then. Called outside the session's TorchGuard;
// `run` must outlive what it answers.
RunOptions ForHost(const RunOptions& run);

}  // namespace grym
