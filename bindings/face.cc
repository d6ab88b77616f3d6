#include "face.h"

#include <pybind11/numpy.h>
#include <pybind11/stl/filesystem.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <map>
#include <stdexcept>
#include <thread>

#include "grymsynth/error.h"

namespace grym::python {
namespace {

// How long the interpreter's end waits for calls that were asked to stop. Exit is promised within 2 s.
constexpr std::chrono::milliseconds kPatience(1500);

std::atomic<Stage> g_stage{Stage::kReady};

struct Calls {
  std::mutex mutex;
  std::condition_variable changed;
  std::map<uint64_t, CancelToken> running;
  uint64_t next_id = 1;
  int without_lock = 0;  // threads inside a NoGil
  int inside = 0;        // InCalls
};
// Never destroyed: threads may outlive the module. A forked child gets another, since a thread that is not there may
// have held the mutex of this one.
std::atomic<Calls*> g_calls{new Calls};
Calls& TheCalls() { return *g_calls; }

// A thread that outlived the interpreter can neither take the lock nor unwind through Python's frames.
[[noreturn]] void Park() {
  for (;;) std::this_thread::sleep_for(std::chrono::hours(1));
}

void EndCalls() {
  if (g_stage != Stage::kReady) return;
  g_stage = Stage::kEnding;
  Calls& calls = TheCalls();
  py::gil_scoped_release nogil;
  std::unique_lock<std::mutex> lock(calls.mutex);
  for (auto& [id, cancel] : calls.running) cancel.Interrupt();
  calls.changed.wait_for(
      lock, kPatience, [&] { return calls.running.empty() && calls.without_lock == 0 && calls.inside == 0; });
  g_stage = Stage::kEnded;
}

}  // namespace

Stage CurrentStage() { return g_stage; }

void Enter() {
  switch (CurrentStage()) {
    case Stage::kReady: return;
    case Stage::kForked:
      Throw(absl::FailedPreconditionError(
          "grymsynth: its threads did not survive the fork; start the process by \"spawn\" instead"));
    case Stage::kEnding:
    case Stage::kEnded: Throw(absl::FailedPreconditionError("grymsynth: the interpreter is ending"));
  }
}

NoGil::NoGil() {
  if (CurrentStage() == Stage::kEnded) return;  // the interpreter takes itself down; its lock stays where it is
  {
    Calls& calls = TheCalls();
    std::lock_guard<std::mutex> lock(calls.mutex);
    ++calls.without_lock;
  }
  state_ = PyEval_SaveThread();
}

NoGil::~NoGil() {
  if (!state_) return;
  if (CurrentStage() == Stage::kEnded) Park();
  PyEval_RestoreThread(state_);
  Calls& calls = TheCalls();
  std::lock_guard<std::mutex> lock(calls.mutex);
  --calls.without_lock;
  calls.changed.notify_all();
}

InCall::InCall() {
  Calls& calls = TheCalls();
  std::lock_guard<std::mutex> lock(calls.mutex);
  ++calls.inside;
}

InCall::~InCall() {
  Calls& calls = TheCalls();
  std::lock_guard<std::mutex> lock(calls.mutex);
  --calls.inside;
  calls.changed.notify_all();
}

// The stage is looked at once the end would wait for this call, or has passed.
RunsPython::RunsPython() {
  if (CurrentStage() == Stage::kEnded) throw std::runtime_error("grymsynth: the interpreter is ending");
}

RunningCall::RunningCall(CancelToken cancel) {
  Calls& calls = TheCalls();
  std::lock_guard<std::mutex> lock(calls.mutex);
  if (g_stage != Stage::kReady) cancel.Interrupt();
  id_ = calls.next_id++;
  calls.running.emplace(id_, std::move(cancel));
}

RunningCall::~RunningCall() {
  Calls& calls = TheCalls();
  std::lock_guard<std::mutex> lock(calls.mutex);
  calls.running.erase(id_);
  calls.changed.notify_all();
}

py::object ErrorObject(const absl::Status& status) {
  py::list problems;
  for (const Problem& problem : ErrorProblems(status)) {
    problems.append(py::make_tuple(problem.pointer, problem.code, problem.message, problem.hint));
  }
  // Messages may quote bytes of a file; what is not UTF-8 must not turn into another exception.
  const auto text = py::reinterpret_steal<py::object>(PyUnicode_DecodeUTF8(
      status.message().data(), static_cast<py::ssize_t>(status.message().size()), "replace"));
  return py::module_::import("grymsynth._errors")
      .attr("make")(StatusName(status.code()), ErrorCode(status), text, problems);
}

std::string Quoted(const std::string& text) {
  size_t end = std::min<size_t>(text.size(), 100);
  while (end > 0 && end < text.size() && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return "\"" + text.substr(0, end) + (end < text.size() ? "...\"" : "\"");
}

void Throw(const absl::Status& status) {
  const RunsPython runs_python;
  const py::object error = ErrorObject(status);
  PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(error.ptr())), error.ptr());
  throw py::error_already_set();
}

std::shared_ptr<Listener> Listener::For(const py::object& progress, CancelToken cancel) {
  std::shared_ptr<Listener> listener(new Listener(std::move(cancel)), [](Listener* done) {
    if (CurrentStage() == Stage::kEnded || CurrentStage() == Stage::kForked) return;
    py::gil_scoped_acquire gil;
    delete done;
  });
  if (progress.is_none() || progress.is(py::bool_(false))) return listener;
  if (progress.is(py::bool_(true))) {
    listener->callback_ = py::module_::import("grymsynth._progress").attr("Bar")();
    listener->bar_ = true;
  } else if (PyCallable_Check(progress.ptr())) {
    listener->callback_ = progress;
  } else {
    throw py::type_error("progress: want a callable, True or None");
  }
  return listener;
}

void Listener::Call(const std::function<void()>& call) {
  if (CurrentStage() == Stage::kEnded) return;
  py::gil_scoped_acquire gil;
  try {
    if (PyErr_CheckSignals() != 0) throw py::error_already_set();
    if (call && !caught_) call();
  } catch (py::error_already_set& error) {
    if (!caught_) caught_ = std::make_shared<py::error_already_set>(error);
    cancel_.Interrupt();
  }
}

void Listener::Tell(const Progress& now) {
  Call([&] {
    if (callback_) callback_(now);
  });
}

void Listener::Over() {
  if (CurrentStage() == Stage::kEnded) return;
  py::gil_scoped_acquire gil;
  if (bar_) Call([&] { callback_.attr("close")(); });
  callback_ = py::object();  // it may be a method of what holds the job
  bar_ = false;
}

void Listener::Rethrow() {
  if (!caught_) return;
  const std::shared_ptr<py::error_already_set> caught = std::move(caught_);
  caught_ = nullptr;
  throw py::error_already_set(*caught);
}

PyAudio PyAudio::Of(std::shared_ptr<AudioBuffer> buffer) {
  const RunsPython runs_python;
  PyAudio audio;
  audio.rate_hz = buffer->rate_hz();
  const auto frames = static_cast<py::ssize_t>(buffer->frames());
  const py::capsule owner(new std::shared_ptr<AudioBuffer>(buffer),
                          [](void* kept) { delete static_cast<std::shared_ptr<AudioBuffer>*>(kept); });
  audio.samples = py::array_t<float>({static_cast<py::ssize_t>(buffer->channels()), frames},
                                     buffer->mutable_planar().data(), owner);
  audio.buffer = std::move(buffer);
  return audio;
}

PyAudio PyAudio::FromArray(const py::object& given, int rate_hz) {
  py::object samples = given;
  if (!py::isinstance<py::array>(samples)) {
    const py::module_ numpy = py::module_::import("numpy");
    if (!py::hasattr(samples, "__dlpack__")) {
      throw py::type_error("samples: want a numpy array or an object with __dlpack__, float32 [channels, frames]");
    }
    samples = numpy.attr("from_dlpack")(samples);
  }
  auto array = py::cast<py::array>(samples);
  if (!py::isinstance<py::array_t<float>>(array)) {  // by equivalence: a dtype that was pickled is another object
    ThrowBad("samples: want float32, got " + std::string(py::str(array.dtype())) +
             "; convert it yourself, for instance samples.astype(np.float32), minding full scale at +-1");
  }
  if (array.ndim() == 1) array = array.reshape({1, -1});  // mono can be meant in one way only
  if (array.ndim() != 2) {
    ThrowBad("samples: want shape (channels, frames), got " + std::to_string(array.ndim()) + " dimensions");
  }
  if (array.shape(0) < 1 || array.shape(0) > AudioBuffer::kMaxChannels) {
    ThrowBad("samples: want 1 to 32 channels in shape (channels, frames), got (" + std::to_string(array.shape(0)) +
             ", " + std::to_string(array.shape(1)) + "); transpose it if it is (frames, channels)");
  }
  if (!(array.flags() & py::array::c_style)) {
    ThrowBad("samples: want a C-contiguous array; convert it by np.ascontiguousarray(samples)");
  }
  if (rate_hz < AudioBuffer::kMinRateHz || rate_hz > AudioBuffer::kMaxRateHz) {
    ThrowBad("rate_hz: want 1000 to 768000, got " + std::to_string(rate_hz));
  }
  PyAudio audio;
  audio.samples = array;
  audio.rate_hz = rate_hz;
  return audio;
}

std::shared_ptr<const AudioBuffer> PyAudio::Buffer() const {
  if (buffer) return buffer;
  const auto array = py::cast<py::array>(samples);
  // The last to let go may be a job's thread, without the lock, or one that outlived the interpreter.
  const std::shared_ptr<const void> owner(new py::object(samples), [](const void* kept) {
    auto* object = static_cast<py::object*>(const_cast<void*>(kept));
    if (CurrentStage() == Stage::kEnded || CurrentStage() == Stage::kForked) {
      object->release();
    } else {
      py::gil_scoped_acquire gil;
      *object = py::object();
    }
    delete object;
  });
  const std::span<const float> all(static_cast<const float*>(array.data()), static_cast<size_t>(array.size()));
  return std::make_shared<const AudioBuffer>(
      ValueOrThrow(AudioBuffer::Borrow(all, static_cast<int>(array.shape(0)), rate_hz, owner)));
}

KeptInput KeptInput::From(const py::object& source) {
  KeptInput kept;
  if (py::isinstance<PyAudio>(source)) {
    kept.audio = source.cast<const PyAudio&>().Buffer();
  } else if (py::isinstance<py::str>(source) || py::hasattr(source, "__fspath__")) {
    kept.path = PathOf(source);
  } else {
    throw py::type_error("audio: want an Audio, or the path of a file as str or os.PathLike");
  }
  return kept;
}

std::filesystem::path PathOf(const py::object& path) {
  try {
    return path.cast<std::filesystem::path>();
  } catch (const py::cast_error&) {
    throw py::type_error("path: want str or os.PathLike, got " +
                         std::string(py::str(py::type::of(path).attr("__name__"))));
  }
}

namespace {
py::object ReadOnly(py::array array) {
  const RunsPython runs_python;
  array.attr("setflags")(py::arg("write") = false);
  return array;
}
}  // namespace

py::object View(const std::vector<double>& values, py::handle owner) {
  return ReadOnly(py::array_t<double>(static_cast<py::ssize_t>(values.size()), values.data(), owner));
}
py::object View(const float* values, std::vector<py::ssize_t> shape, py::handle owner) {
  return ReadOnly(py::array_t<float>(std::move(shape), values, owner));
}

std::string JsonOf(const py::object& value, bool text_is_json) {
  const py::object text = text_is_json && py::isinstance<py::str>(value)
                              ? value
                              : py::module_::import("grymsynth._json").attr("text")(value);
  try {
    return text.cast<std::string>();
  } catch (const py::cast_error&) {
    ThrowBad("want text that UTF-8 can say, got lone surrogates, as Python makes them of a file name in other bytes");
  }
}
py::object FromJsonText(const std::string& json) {
  if (json.empty()) return py::none();
  const RunsPython runs_python;
  return py::module_::import("json").attr("loads")(json);
}
py::object Html(const char* what, const py::object& self) {
  const RunsPython runs_python;
  return py::module_::import("grymsynth._html").attr(what)(self);
}

void BindProcess(py::module_& m) {
  py::module_::import("atexit").attr("register")(py::cpp_function(&EndCalls));
  const py::module_ os = py::module_::import("os");
  if (py::hasattr(os, "register_at_fork")) {
    os.attr("register_at_fork")(py::arg("after_in_child") = py::cpp_function([] {
      g_stage = Stage::kForked;
      g_calls = new Calls;
    }));
  }
  m.def("_running_calls", [] {
    Calls& calls = TheCalls();
    std::lock_guard<std::mutex> lock(calls.mutex);
    return calls.running.size();
  }, "Number of calls under way, jobs included.");
}

}  // namespace grym::python
