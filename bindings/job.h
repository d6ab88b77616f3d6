// A job as Python sees it: done, progress, cancel, wait, result, await.
#pragma once
#include <optional>

#include "face.h"

namespace grym::python {

class PyJob {
 public:
  virtual ~PyJob() = default;
  virtual bool done() const = 0;
  virtual Progress progress() const = 0;
  virtual void Cancel() = 0;
  virtual void Interrupt() = 0;
  virtual bool on_own_thread() const = 0;  // whether the caller is a callback of its work, which cannot wait for its end
  virtual bool WaitFor(double seconds) const = 0;
  // With the lock, once done: the result, the same object each time, or the error thrown.
  virtual py::object Result() = 0;
};

template <class T>
class TypedPyJob : public PyJob {
 public:
  // `work(run, listener)` returns absl::StatusOr<T>; it holds what it needs, arrays of Python's among it.
  template <class Work>
  static std::shared_ptr<PyJob> Start(const py::object& progress, Work work) {
    Enter();
    std::unique_ptr<TypedPyJob> job(new TypedPyJob);
    job->listener_ = Listener::For(progress, job->cancel_);
    // Under way until the last of what the thread holds is let go, which takes the lock: else the interpreter could end
    // just then.
    struct UnderWay {
      RunningCall running;
      Work work;
      std::shared_ptr<Listener> listener;
    };
    std::shared_ptr<UnderWay> call(new UnderWay{RunningCall(job->cancel_), std::move(work), job->listener_});
    // The thread starts without the lock, else it could wait for it while this one waits for the thread.
    NoGil nogil;
    job->job_.emplace(Job<T>::Start(
        [call = std::move(call), cancel = job->cancel_](const RunOptions& given) mutable -> absl::StatusOr<T> {
          absl::StatusOr<T> value = Run(*call, cancel, given);
          call.reset();
          return value;
        }));
    return std::shared_ptr<PyJob>(job.release(), [](PyJob* done) {
      // After a fork there is no thread to join; one that outlived the interpreter must not be waited for.
      if (CurrentStage() == Stage::kForked || (CurrentStage() == Stage::kEnded && !done->done())) return;
      done->Interrupt();
      Release()(done);
    });
  }
  ~TypedPyJob() override {
    job_.reset();  // joins; without the lock
    if (CurrentStage() == Stage::kEnded) {
      result_.release();
      return;
    }
    py::gil_scoped_acquire gil;
    result_ = py::object();
  }
  bool done() const override { return job_->done(); }
  Progress progress() const override { return job_->progress(); }
  void Cancel() override { cancel_.Cancel(); }
  void Interrupt() override { cancel_.Interrupt(); }
  bool on_own_thread() const override { return job_->on_own_thread(); }
  bool WaitFor(double seconds) const override { return job_->WaitFor(seconds); }
  py::object Result() override {
    Take();
    if (value_ && !result_) result_ = py::cast(value_);
    try {
      listener_->Rethrow();
    } catch (...) {
      if (status_.ok()) status_ = absl::CancelledError("job: a callback raised an exception");
      throw;
    }
    ThrowUnlessOk(status_);
    return result_;
  }

 private:
  TypedPyJob() = default;
  template <class UnderWay>
  static absl::StatusOr<T> Run(UnderWay& call, const CancelToken& cancel, const RunOptions& given) {
    RunOptions run;
    run.cancel = cancel;
    run.progress = [&](const Progress& now) {
      given.progress(now);
      call.listener->Tell(now);
    };
    absl::StatusOr<T> value = [&]() -> absl::StatusOr<T> {
      try {
        return call.work(run, *call.listener);
      } catch (const std::bad_alloc&) {
        return absl::ResourceExhaustedError("out of memory");
      } catch (const std::exception& error) {
        return absl::InternalError(std::string("unexpected exception: ") + error.what());
      }
    }();
    call.listener->Over();
    return value;
  }
  // Without the lock: the thread may still need it to let go of a callback, and others may ask meanwhile.
  void Take() {
    NoGil nogil;
    std::lock_guard<std::mutex> lock(taking_);
    if (taken_) return;
    absl::StatusOr<T> value = job_->Take();
    status_ = value.status();
    if (value.ok()) value_ = std::make_shared<T>(std::move(*value));
    taken_ = true;
  }
  CancelToken cancel_;
  std::shared_ptr<Listener> listener_;
  std::optional<Job<T>> job_;
  std::mutex taking_;
  bool taken_ = false;
  absl::Status status_;
  std::shared_ptr<T> value_;
  py::object result_;  // of value_
};

}  // namespace grym::python
