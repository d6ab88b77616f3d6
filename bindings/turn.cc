#include "turn.h"

namespace grym::python {

bool Turns::TakeWithin(std::chrono::milliseconds most) {
  std::unique_lock<std::mutex> lock(mutex_);
  if (!free_.wait_for(lock, most, [this] { return owner_ == std::thread::id(); })) return false;
  owner_ = std::this_thread::get_id();
  return true;
}

void Turns::GiveBack() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    owner_ = std::thread::id();
  }
  free_.notify_one();
}

bool Turns::mine() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return owner_ == std::this_thread::get_id();
}

Turn::Turn(Turns& turns, const char* what) : turns_(turns) {
  Enter();  // after a fork nobody may be there to give a turn back
  if (turns.mine()) {
    Throw(absl::FailedPreconditionError(std::string(what) +
                                        ": a call of it is at work, and this is a callback of that call (busy)"));
  }
  const InCall in_call;
  for (bool taken = turns.TakeWithin({}); !taken;) {
    {
      NoGil nogil;
      taken = turns.TakeWithin(std::chrono::milliseconds(20));
    }
    if (PyErr_CheckSignals() == 0 && (taken || CurrentStage() == Stage::kReady)) continue;
    if (taken) turns.GiveBack();
    if (PyErr_Occurred()) throw py::error_already_set();
    Enter();
  }
}

}  // namespace grym::python
