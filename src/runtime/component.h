// A part of a model that is loaded when it is first wanted and let go when nobody needs it.
#pragma once
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>

#include "absl/status/statusor.h"
#include "base/status.h"
#include "grymsynth/job.h"
#include "runtime/memory_lease.h"

namespace grym {

// `Net` is immutable once loaded and shared by all sessions. What it takes is taken from the lease of who loads it, and
// stays when that lease ends. Threads: any.
template <class Net>
class Component {
 public:
  using Load = std::function<absl::StatusOr<std::shared_ptr<const Net>>(const CancelToken&)>;
  // `bytes`: what a loaded net takes, as plans count it.
  Component(Load load, int64_t bytes) : load_(std::move(load)), bytes_(bytes) {}

  // Who comes while it is being loaded waits for it, or loads it himself where that fails; Cancelled within 50 ms.
  absl::StatusOr<std::shared_ptr<const Net>> Get(const CancelToken& cancel = {}) const {
    std::unique_lock<std::mutex> lock(mutex_);
    while (loading_) {
      GRYM_RETURN_IF_ERROR(cancel.Check());
      loaded_or_not_.wait_for(lock, std::chrono::milliseconds(20));  // a token wakes nobody
    }
    if (net_) return net_;
    if (std::shared_ptr<const Net> used = last_.lock()) return net_ = std::move(used);  // dropped, and still in use
    loading_ = true;
    lock.unlock();
    struct Done {  // also where LibTorch throws
      const Component& component;
      std::unique_lock<std::mutex>& lock;
      ~Done() {
        if (!lock.owns_lock()) lock.lock();
        component.loading_ = false;
        component.loaded_or_not_.notify_all();
      }
    } const done{*this, lock};
    GRYM_ASSIGN_OR_RETURN(std::shared_ptr<const Net> net, load_(cancel));
    lock.lock();
    last_ = net;
    return net_ = std::move(net);
  }
  // One that nobody shares: what it took is free again as soon as the caller lets go of it.
  absl::StatusOr<std::shared_ptr<const Net>> LoadOwn(const CancelToken& cancel = {}) const { return load_(cancel); }

  // Where it is loaded, the run that `ask` is for counts on it as it is and need not take it again.
  void Claim(LeaseAsk& ask) const {
    std::lock_guard<std::mutex> lock(mutex_);
    if (!net_) return;
    ask.held.push_back(net_);
    ask.held_bytes += bytes_;
    ask.bytes -= bytes_;
  }
  // Its bytes where it is loaded and no run holds it, and lets go of it if told to; see MemoryBudget::IdleWeights.
  int64_t Idle(bool let_go) const {
    std::unique_lock<std::mutex> lock(mutex_, std::try_to_lock);
    if (!lock.owns_lock() || net_.use_count() != 1) return 0;  // copies are made under the lock alone
    if (let_go) net_.reset();
    return bytes_;
  }
  // Its memory is free once no session holds it.
  void Drop() const {
    std::lock_guard<std::mutex> lock(mutex_);
    net_.reset();
  }
  bool loaded() const {
    std::lock_guard<std::mutex> lock(mutex_);
    return net_ != nullptr;
  }
  int64_t bytes() const { return bytes_; }

 private:
  const Load load_;
  const int64_t bytes_;
  mutable std::mutex mutex_;
  mutable std::condition_variable loaded_or_not_;
  mutable bool loading_ = false;
  mutable std::shared_ptr<const Net> net_;
  mutable std::weak_ptr<const Net> last_;
};

}  // namespace grym
