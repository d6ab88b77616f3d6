// What all bindings share: errors, the interpreter's lock, long calls, arrays.
#pragma once
#include <pybind11/pybind11.h>

#include <atomic>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grymsynth/audio_buffer.h"
#include "grymsynth/audio_file.h"
#include "grymsynth/job.h"

namespace grym::python {

namespace py = pybind11;

// The exception for a status: an instance of grymsynth.Error's subclass by canonical code.
py::object ErrorObject(const absl::Status& status);
[[noreturn]] void Throw(const absl::Status& status);
inline void ThrowUnlessOk(const absl::Status& status) {
  if (!status.ok()) Throw(status);
}
template <class T>
T ValueOrThrow(absl::StatusOr<T> value) {
  if (!value.ok()) Throw(value.status());
  return *std::move(value);
}
// `text`, which is UTF-8, for a message: a long one is cut, after a whole character.
std::string Quoted(const std::string& text);
// For a wrong value that only Python can pass.
[[noreturn]] inline void ThrowBad(const std::string& message) { Throw(absl::InvalidArgumentError(message)); }

// Where this process stands: ready; ending (the interpreter is about to go: running calls are asked to stop); ended
// (no thread of ours may take the lock again); forked (a child without our threads).
enum class Stage { kReady, kEnding, kEnded, kForked };
Stage CurrentStage();
// First thing in every call that reaches the core: FailedPrecondition after a fork or while the interpreter ends.
void Enter();

// Lets other Python threads run for a scope.
class NoGil {
 public:
  NoGil();
  ~NoGil();
  NoGil(const NoGil&) = delete;
  NoGil& operator=(const NoGil&) = delete;

 private:
  PyThreadState* state_ = nullptr;
};

// Our frames on a thread's stack, with the lock or without. A thread that runs Python code beneath them (an exception
// is being made, a callback) may have to give up the lock there, and once the interpreter is gone it is ended on the
// spot, which would unwind them without the lock: the end waits until they are left.
class InCall {
 public:
  InCall();
  ~InCall();
  InCall(const InCall&) = delete;
  InCall& operator=(const InCall&) = delete;
};

// An InCall around code that may run Python. Throws std::runtime_error where the interpreter has ended.
class RunsPython {
 public:
  RunsPython();

 private:
  const InCall in_call_;
};

// A call that is under way, so that the interpreter's end can ask it to stop and wait for it.
class RunningCall {
 public:
  explicit RunningCall(CancelToken cancel);
  ~RunningCall();
  RunningCall(const RunningCall&) = delete;
  RunningCall& operator=(const RunningCall&) = delete;

 private:
  uint64_t id_ = 0;
};

// Destroys what may join threads or touch disks without holding the lock; after a fork, or when the interpreter went
// while it still worked, lets it be.
struct Release {
  template <class T>
  void operator()(T* object) const {
    if (CurrentStage() == Stage::kForked) return;
    std::optional<NoGil> nogil;
    if (PyGILState_Check()) nogil.emplace();  // a job's thread may be the last to let go, and has no lock
    delete object;
  }
};
template <class T>
std::shared_ptr<T> Held(std::unique_ptr<T> object) {
  return std::shared_ptr<T>(object.release(), Release());
}

// The Python side of progress: takes the lock for each callback, turns a callback's exception into a cancel, keeps it,
// and lets Ctrl-C stop a call on the main thread.
class Listener {
 public:
  // `progress` is None, True (a tqdm bar), False, or a callable that takes a Progress.
  static std::shared_ptr<Listener> For(const py::object& progress, CancelToken cancel);
  // Without the lock.
  void Tell(const Progress& now);
  // Runs `call` with the lock; an exception is kept and cancels.
  void Call(const std::function<void()>& call);
  // Without the lock: the call is over.
  void Over();
  // With the lock: throws what a callback threw, once.
  void Rethrow();

 private:
  explicit Listener(CancelToken cancel) : cancel_(std::move(cancel)) {}
  CancelToken cancel_;
  py::object callback_;
  bool bar_ = false;
  std::shared_ptr<py::error_already_set> caught_;  // touched with the lock only
};

// Runs `work(run)`, which returns absl::StatusOr<T>, without the lock.
template <class Work>
auto Blocking(const py::object& progress, Work work) {
  Enter();
  const InCall in_call;
  RunOptions run;
  const std::shared_ptr<Listener> listener = Listener::For(progress, run.cancel);
  run.progress = [&listener](const Progress& now) { listener->Tell(now); };
  auto result = [&] {
    NoGil nogil;
    RunningCall running(run.cancel);
    auto value = work(static_cast<const RunOptions&>(run), *listener);
    listener->Over();
    return value;
  }();
  listener->Rethrow();
  return ValueOrThrow(std::move(result));
}

// A short call without the lock: disks, decoding.
template <class Work>
auto Unlocked(Work work) {
  Enter();
  const InCall in_call;
  NoGil nogil;
  return work();
}

// Audio as Python sees it: samples [channels, frames] float32, owned by numpy or by a buffer of the core.
struct PyAudio {
  py::object samples;                  // numpy array, C-contiguous, float32, 2-D
  int rate_hz = 0;
  std::shared_ptr<AudioBuffer> buffer; // what `samples` looks into, or empty

  static PyAudio Of(std::shared_ptr<AudioBuffer> buffer);
  static PyAudio FromArray(const py::object& samples, int rate_hz);
  // The buffer itself, or one that looks into the caller's array.
  std::shared_ptr<const AudioBuffer> Buffer() const;
};
// A part of something that `owner` holds.
template <class Owner>
PyAudio AudioOf(const std::shared_ptr<Owner>& owner, const AudioBuffer& part) {
  return PyAudio::Of(std::shared_ptr<AudioBuffer>(owner, const_cast<AudioBuffer*>(&part)));
}

// An AudioInput with what it borrows: an Audio, or a str or os.PathLike.
struct KeptInput {
  std::shared_ptr<const AudioBuffer> audio;
  std::filesystem::path path;
  AudioInput input() const { return audio ? AudioInput(*audio) : AudioInput(path); }
  static KeptInput From(const py::object& source);
};

// A read-only numpy array that looks into `values`, which `owner` keeps alive. shape: [size] or [rows, columns].
py::object View(const std::vector<double>& values, py::handle owner);
py::object View(const float* values, std::vector<py::ssize_t> shape, py::handle owner);

// The text of `value` as JSON; a str that is JSON already when `value` is one and `text_is_json`.
std::string JsonOf(const py::object& value, bool text_is_json);
py::object FromJsonText(const std::string& json);
// A page part for notebooks, written by grymsynth/_html.py.
py::object Html(const char* what, const py::object& self);
std::filesystem::path PathOf(const py::object& path);

void BindAudio(py::module_& m);
void BindCheckpoint(py::module_& m);
void BindEngine(py::module_& m);
void BindEvaluation(py::module_& m);
void BindFeatures(py::module_& m);
void BindGeneration(py::module_& m);
void BindGenerationStream(py::module_& m);
void BindJob(py::module_& m);
void BindMemory(py::module_& m);
void BindMidi(py::module_& m);
void BindModel(py::module_& m);
void BindPatterns(py::module_& m);
void BindProcessed(py::module_& m);
void BindProcessor(py::module_& m);
void BindStream(py::module_& m);
void BindSummary(py::module_& m);
void BindWorkflow(py::module_& m);

}  // namespace grym::python
