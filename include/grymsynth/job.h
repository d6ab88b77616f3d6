// Long calls: progress, cancel, and the same call as a job in the background.
#pragma once
#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grymsynth/export.h"

namespace grym {

// A request to stop that many may hold. Copies share one flag. Safe from any thread and from callbacks.
class GRYM_EXPORT CancelToken {
 public:
  CancelToken() : flag_(std::make_shared<std::atomic<int>>(kGoOn)) {}
  // The result is not wanted any more: a workflow's run ends as "cancelled" for good.
  void Cancel() { flag_->store(kCancel, std::memory_order_relaxed); }
  // Stop now, since the program is closing or failed elsewhere: the same as Cancel, but a workflow's run is left
  // "interrupted" and can be resumed. Does not take back a Cancel.
  void Interrupt() {
    int expected = kGoOn;
    flag_->compare_exchange_strong(expected, kInterrupt, std::memory_order_relaxed);
  }
  bool cancelled() const { return flag_->load(std::memory_order_relaxed) != kGoOn; }
  bool interrupted() const { return flag_->load(std::memory_order_relaxed) == kInterrupt; }
  // OK, or Cancelled once Cancel() was called.
  absl::Status Check() const {
    return cancelled() ? absl::CancelledError("cancelled by the caller") : absl::OkStatus();
  }

 private:
  enum : int { kGoOn, kInterrupt, kCancel };
  std::shared_ptr<std::atomic<int>> flag_;
};

struct Progress {
  double fraction = 0;  // [0, 1], never falls within a call
  double eta_s = -1;    // estimated seconds left, -1 while unknown
  std::string stage;    // "analyse", "loudness", ...
};

// Called on the thread that does the work, at most about ten times a second. May be empty. May call Cancel().
using ProgressFn = std::function<void(const Progress&)>;

// What every call that may take longer than 50 ms accepts.
struct RunOptions {
  CancelToken cancel;
  ProgressFn progress;
};

// A call that runs on a thread of its own. Destroying a job interrupts it and waits for its thread; one that is let go
// of by its own work, in a progress callback say, ends by itself soon after, so what the call borrows must live on.
// Threads: every method may be called from any thread, except that one thread at a time may call Take or Wait. The work
// itself, and a progress callback of it, cannot wait for its own end: see the methods.
template <class T>
class Job {
 public:
  // Starts `work(run_options)` at once. `work` returns absl::StatusOr<T>. `progress`, if set, is called on the job's
  // thread beside being kept for progress().
  template <class Work>
  static Job Start(Work work, ProgressFn progress = {}) {
    Job job;
    auto state = job.state_;
    job.thread_ = std::thread([state, work = std::move(work), progress = std::move(progress)]() mutable {
      state->worker.store(std::this_thread::get_id(), std::memory_order_relaxed);
      absl::StatusOr<T> result = Guarded(work, progress, state);
      state->worker.store({}, std::memory_order_relaxed);  // a later thread may have the same id
      std::lock_guard<std::mutex> lock(state->mutex);
      if (result.ok()) state->progress.fraction = 1;
      state->result.emplace(std::move(result));
      state->finished.notify_all();
    });
    return job;
  }
  Job(Job&&) = default;
  Job& operator=(Job&& other) {
    Stop();
    state_ = std::move(other.state_);
    thread_ = std::move(other.thread_);
    return *this;
  }
  ~Job() { Stop(); }

  void Cancel() { state_->cancel.Cancel(); }
  void Interrupt() { state_->cancel.Interrupt(); }  // see CancelToken
  bool done() const {
    std::lock_guard<std::mutex> lock(state_->mutex);
    return state_->result.has_value();
  }
  Progress progress() const {
    std::lock_guard<std::mutex> lock(state_->mutex);
    return state_->progress;
  }
  // Whether the caller is the job's own work.
  bool on_own_thread() const { return state_->worker.load(std::memory_order_relaxed) == std::this_thread::get_id(); }
  // Waits at most `seconds`, and 1e8 (three years) of these (negative: for ever); true when the job has finished. False
  // at once to the job's own work.
  bool WaitFor(double seconds) const {
    if (on_own_thread()) return false;
    std::unique_lock<std::mutex> lock(state_->mutex);
    auto ready = [&] { return state_->result.has_value(); };
    if (seconds < 0) {
      state_->finished.wait(lock, ready);
      return true;
    }
    constexpr double kLongest = 1e8;  // beyond some 1e9 a clock's time overflows
    const std::chrono::duration<double> most(seconds > 0 ? std::min(seconds, kLongest) : 0);
    return state_->finished.wait_for(lock, most, ready);
  }
  // Waits for the end and hands the result over. A second call answers FailedPrecondition, as one by its own work does.
  absl::StatusOr<T> Take() {
    if (on_own_thread()) return absl::FailedPreconditionError("job: its own work cannot wait for its end");
    WaitFor(-1);
    if (thread_.joinable()) thread_.join();
    std::lock_guard<std::mutex> lock(state_->mutex);
    if (state_->taken) return absl::FailedPreconditionError("job: the result was taken already");
    state_->taken = true;
    return std::move(*state_->result);
  }

 private:
  struct State {
    CancelToken cancel;
    std::atomic<std::thread::id> worker;
    mutable std::mutex mutex;
    std::condition_variable finished;
    Progress progress;
    std::optional<absl::StatusOr<T>> result;
    bool taken = false;
  };
  // An exception that left a thread would end the process; the library throws none itself, but memory can run out,
  // also for the words that say so: a status without any takes none.
  template <class Work>
  static absl::StatusOr<T> Guarded(Work& work, const ProgressFn& progress, const std::shared_ptr<State>& state) {
    try {
      try {
        RunOptions run;
        run.cancel = state->cancel;
        run.progress = [state, progress](const Progress& now) {
          {
            std::lock_guard<std::mutex> lock(state->mutex);
            state->progress = now;
          }
          if (progress) progress(now);
        };
        return work(run);
      } catch (const std::bad_alloc&) {
        return absl::ResourceExhaustedError("job: out of memory");
      } catch (const std::exception& error) {
        return absl::InternalError(error.what());
      }
    } catch (const std::bad_alloc&) {
      return absl::Status(absl::StatusCode::kResourceExhausted, "");
    }
  }
  Job() : state_(std::make_shared<State>()) {}
  void Stop() {
    if (!thread_.joinable()) return;
    state_->cancel.Interrupt();
    if (on_own_thread()) return thread_.detach();
    thread_.join();
  }
  std::shared_ptr<State> state_;
  std::thread thread_;
};

}  // namespace grym
