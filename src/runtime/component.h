// A part of a model that is loaded when it is first wanted and let go when the plan says so.
#pragma once
#include <functional>
#include <memory>
#include <mutex>

#include "absl/status/statusor.h"
#include "base/status.h"
#include "grymsynth/job.h"

namespace grym {

// `Net` is immutable once loaded and shared by all sessions. Threads: any; who comes while it is being loaded waits.
template <class Net>
class Component {
 public:
  using Load = std::function<absl::StatusOr<std::shared_ptr<const Net>>(const CancelToken&)>;
  explicit Component(Load load) : load_(std::move(load)) {}

  absl::StatusOr<std::shared_ptr<const Net>> Get(const CancelToken& cancel = {}) const {
    std::lock_guard<std::mutex> lock(mutex_);
    if (net_) return net_;
    if (std::shared_ptr<const Net> used = last_.lock()) return net_ = std::move(used);  // dropped, and still in use
    GRYM_ASSIGN_OR_RETURN(net_, load_(cancel));
    last_ = net_;
    return net_;
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

 private:
  const Load load_;
  mutable std::mutex mutex_;
  mutable std::shared_ptr<const Net> net_;
  mutable std::weak_ptr<const Net> last_;
};

}  // namespace grym
