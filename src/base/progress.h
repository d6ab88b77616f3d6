// Turns "part k of n is at x" into one rising fraction with an estimate of the time left, at most ten times a second.
#pragma once
#include <chrono>
#include <string>
#include <string_view>

#include "grymsynth/job.h"

namespace grym {

// Threads: one. A default-constructed reporter is silent.
class ProgressReporter {
 public:
  ProgressReporter() = default;
  explicit ProgressReporter(const RunOptions& run) : run_(&run), started_(Clock::now()) {}

  // `fraction` in [0, 1] of the whole call. Falling values are ignored; a new stage is always told.
  void Report(double fraction, std::string_view stage) {
    if (!run_ || !run_->progress) return;
    const Clock::time_point now = Clock::now();
    if (fraction > told_.fraction) told_.fraction = fraction > 1 ? 1 : fraction;
    const bool new_stage = stage != told_.stage;
    if (!new_stage && now - last_ < std::chrono::milliseconds(100)) return;
    last_ = now;
    told_.stage = std::string(stage);
    const double elapsed = std::chrono::duration<double>(now - started_).count();
    told_.eta_s = told_.fraction > 0.01 ? elapsed * (1 - told_.fraction) / told_.fraction : -1;
    run_->progress(told_);
  }
  // Never set when silent.
  CancelToken cancel() const { return run_ ? run_->cancel : CancelToken(); }
  absl::Status Check() const { return run_ ? run_->cancel.Check() : absl::OkStatus(); }

 private:
  using Clock = std::chrono::steady_clock;
  const RunOptions* run_ = nullptr;
  Clock::time_point started_, last_{};
  Progress told_;
};

// The stage of a call that waits for what others hold.
inline constexpr std::string_view kWaitingForMemory = "waiting for memory";

// A RunOptions for a part of a call that spans [from, to] of the whole. `run` must outlive it.
inline RunOptions PartOf(const RunOptions& run, double from, double to) {
  RunOptions part;
  part.cancel = run.cancel;
  if (run.progress) {
    const auto started = std::chrono::steady_clock::now();
    part.progress = [&run, from, to, started](const Progress& inner) {
      Progress outer = inner;
      outer.fraction = from + (to - from) * inner.fraction;
      const double elapsed = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
      const double gone = (to - from) * inner.fraction;
      outer.eta_s = gone > 0.01 ? elapsed * (1 - outer.fraction) / gone : -1;
      run.progress(outer);
    };
  }
  return part;
}

}  // namespace grym
