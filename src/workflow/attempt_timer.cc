#include "workflow/attempt_timer.h"

#include <algorithm>
#include <chrono>

namespace grym {

AttemptTimer::AttemptTimer(const CancelToken& caller, int64_t limit_ms) : caller_(caller) {
  if (limit_ms <= 0) {
    token_ = caller;
  } else {
    thread_ = std::thread([this, limit_ms] { Watch(limit_ms); });
  }
}

AttemptTimer::~AttemptTimer() { Stop(); }

bool AttemptTimer::Stop() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stopped_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
  return expired_;
}

void AttemptTimer::Watch(int64_t limit_ms) {
  using Clock = std::chrono::steady_clock;
  const Clock::time_point end = Clock::now() + std::chrono::milliseconds(limit_ms);
  std::unique_lock<std::mutex> lock(mutex_);
  while (!stopped_ && !token_.cancelled()) {
    // A token cannot wake anybody, so the caller's is looked at every 10 ms.
    changed_.wait_until(lock, std::min(end, Clock::now() + std::chrono::milliseconds(10)));
    if (stopped_) return;
    if (Clock::now() >= end) expired_ = true;
    if (expired_ || caller_.cancelled()) token_.Interrupt();
  }
}

}  // namespace grym
