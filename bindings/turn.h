// One call at a time on what allows no more: threads wait in turn, a callback of the call itself is refused.
#pragma once
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "face.h"

namespace grym::python {

class Turns {
 private:
  friend class Turn;
  bool TakeWithin(std::chrono::milliseconds most);
  void GiveBack();
  bool mine() const;
  mutable std::mutex mutex_;
  std::condition_variable free_;
  std::thread::id owner_;  // of nobody while it is free
};

// The turn of this thread, for as long as it lives.
class Turn {
 public:
  // With the interpreter's lock, which other threads have while this one waits; Ctrl-C ends the wait. `turns` must
  // outlive it. FailedPreconditionError, naming `what`, where this thread has the turn already: it would wait for
  // itself.
  Turn(Turns& turns, const char* what);
  ~Turn() { turns_.GiveBack(); }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

 private:
  Turns& turns_;
};

}  // namespace grym::python
