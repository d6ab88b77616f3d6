// Cancels an attempt when its time is up, and passes on the caller's cancel meanwhile.
#pragma once
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>

#include "grymsynth/job.h"

namespace grym {

class AttemptTimer {
 public:
  // `limit_ms` 0: no limit, no thread, and token() is the caller's own.
  AttemptTimer(const CancelToken& caller, int64_t limit_ms);
  ~AttemptTimer();
  AttemptTimer(const AttemptTimer&) = delete;
  AttemptTimer& operator=(const AttemptTimer&) = delete;

  const CancelToken& token() const { return token_; }
  // Ends the watch; whether the time ran out before.
  bool Stop();

 private:
  void Watch(int64_t limit_ms);
  CancelToken caller_, token_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopped_ = false, expired_ = false;
  std::thread thread_;
};

}  // namespace grym
