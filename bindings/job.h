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
  virtual bool WaitFor(double seconds) const = 0;
  // With the lock, once done: the result, or the error thrown.
  virtual py::object Result() = 0;
};

template <class T>
class TypedPyJob : public PyJob {
 public:
  // `work(run, listener)` returns absl::StatusOr<T>; it holds what it needs, and nothing of Python's.
  template <class Work>
  static std::shared_ptr<PyJob> Start(const py::object& progress, Work work) {
    Enter();
    std::unique_ptr<TypedPyJob> job(new TypedPyJob);
    CancelToken cancel;
    job->listener_ = Listener::For(progress, cancel);
    job->cancel_ = cancel;
    // The thread starts without the lock, else it could wait for it while this one waits for the thread.
    NoGil nogil;
    job->job_.emplace(Job<T>::Start([listener = job->listener_, cancel, work = std::move(work)](
                                        const RunOptions& given) mutable -> absl::StatusOr<T> {
      RunOptions run;
      run.cancel = cancel;
      run.progress = [&](const Progress& now) {
        given.progress(now);
        listener->Tell(now);
      };
      RunningCall running(cancel);
      try {
        absl::StatusOr<T> value = work(run, *listener);
        listener->Over();
        return value;
      } catch (const std::bad_alloc&) {
        return absl::ResourceExhaustedError("out of memory");
      } catch (const std::exception& error) {
        return absl::InternalError(std::string("unexpected exception: ") + error.what());
      }
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
  bool WaitFor(double seconds) const override { return job_->WaitFor(seconds); }
  py::object Result() override {
    if (!taken_) {
      taken_ = true;
      // Without the lock: the thread may still need it to let go of a callback.
      absl::StatusOr<T> value = [this] {
        NoGil nogil;
        return job_->Take();
      }();
      status_ = value.status();
      if (value.ok()) result_ = py::cast(std::make_shared<T>(std::move(*value)));
    }
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
  CancelToken cancel_;
  std::shared_ptr<Listener> listener_;
  std::optional<Job<T>> job_;
  bool taken_ = false;
  absl::Status status_;
  py::object result_;
};

}  // namespace grym::python
