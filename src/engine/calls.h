// What an engine has running, so that its destructor can stop and wait for all of it.
#pragma once
#include <condition_variable>
#include <list>
#include <memory>
#include <mutex>
#include <thread>

#include "absl/status/status.h"
#include "base/status.h"
#include "grymsynth/job.h"

namespace grym {

// Threads: any.
class RunningCalls {
 public:
  // One call, counted from its construction to its destruction: made before its thread starts, so that none slips by.
  class Ticket {
   public:
    explicit Ticket(std::shared_ptr<RunningCalls> calls) : calls_(std::move(calls)) { calls_->Add(this); }
    ~Ticket() { calls_->Remove(this); }
    Ticket(const Ticket&) = delete;
    Ticket& operator=(const Ticket&) = delete;
    // Hands over the token that stops this call. FailedPrecondition when the engine was closed before the ticket was
    // made, Cancelled when it was since.
    absl::Status Begin(const CancelToken& cancel) { return calls_->Begin(this, cancel); }

   private:
    friend class RunningCalls;
    std::shared_ptr<RunningCalls> calls_;
    std::unique_ptr<CancelToken> cancel_;
    std::thread::id thread_;  // that runs it
    bool late_ = false;       // made after the engine was closed
  };

  // Interrupts what runs, refuses what comes, and returns when nothing is left. FailedPrecondition (code
  // "closed_from_callback"), without waiting, when one of the calls runs on this very thread.
  absl::Status CloseAndWait() {
    std::unique_lock<std::mutex> lock(mutex_);
    closing_ = true;
    bool own = false;
    for (Ticket* ticket : tickets_) {
      if (!ticket->cancel_) continue;
      ticket->cancel_->Interrupt();
      own |= ticket->thread_ == std::this_thread::get_id();
    }
    if (own) {
      return Error(absl::StatusCode::kFailedPrecondition, "closed_from_callback",
                   "engine: a callback of its own call closes it; the call is asked to stop, close again once it has");
    }
    idle_.wait(lock, [&] { return tickets_.empty(); });
    return absl::OkStatus();
  }

 private:
  void Add(Ticket* ticket) {
    std::lock_guard<std::mutex> lock(mutex_);
    ticket->late_ = closing_;
    tickets_.push_back(ticket);
  }
  void Remove(Ticket* ticket) {
    std::lock_guard<std::mutex> lock(mutex_);
    tickets_.remove(ticket);
    if (tickets_.empty()) idle_.notify_all();
  }
  absl::Status Begin(Ticket* ticket, const CancelToken& cancel) {
    std::lock_guard<std::mutex> lock(mutex_);
    if (ticket->late_) return Error(absl::StatusCode::kFailedPrecondition, "engine_closed", "engine: it is closed");
    if (closing_)
      return Error(absl::StatusCode::kCancelled, "engine_closed", "engine: it was closed before the call began");
    ticket->cancel_ = std::make_unique<CancelToken>(cancel);
    ticket->thread_ = std::this_thread::get_id();
    return absl::OkStatus();
  }

  std::mutex mutex_;
  std::condition_variable idle_;
  std::list<Ticket*> tickets_;
  bool closing_ = false;
};

}  // namespace grym
