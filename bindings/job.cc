#include "job.h"

#include <cmath>

namespace grym::python {
namespace {

// The job's thread is not there, and may have held its locks.
void RefuseAfterFork() {
  if (CurrentStage() == Stage::kForked) Enter();
}

// Waits in slices, so that Ctrl-C is heard on the main thread.
bool Wait(const std::shared_ptr<PyJob>& job, const py::object& timeout_s) {
  const double limit = timeout_s.is_none() ? -1 : timeout_s.cast<double>();
  if (std::isnan(limit)) ThrowBad("timeout: want seconds, got nan");
  RefuseAfterFork();
  if (job->on_own_thread()) {
    Throw(absl::FailedPreconditionError("job: a callback cannot wait for its own job (busy)"));
  }
  constexpr double kSlice = 0.05;
  for (double waited = 0;; waited += kSlice) {
    const double left = timeout_s.is_none() ? kSlice : std::min(kSlice, std::max(0.0, limit - waited));
    bool done = false;
    {
      NoGil nogil;
      done = job->WaitFor(left);
    }
    if (PyErr_CheckSignals() != 0) throw py::error_already_set();
    if (done) return true;
    if (CurrentStage() == Stage::kEnded) return false;  // the lock is no longer given up meanwhile
    if (!timeout_s.is_none() && waited + left >= limit) return false;
  }
}

}  // namespace

void BindJob(py::module_& m) {
  py::class_<Progress>(m, "Progress", "How far a call is: fraction in [0, 1], eta_s (-1 while unknown), stage.")
      .def_readonly("fraction", &Progress::fraction)
      .def_readonly("eta_s", &Progress::eta_s)
      .def_readonly("stage", &Progress::stage)
      .def("__repr__", [](const Progress& now) {
        return py::str("Progress(fraction={:.6f}, eta_s={:.6f}, stage={!r})")
            .format(now.fraction, now.eta_s, now.stage);
      });

  py::class_<PyJob, std::shared_ptr<PyJob>>(m, "Job", R"(A call that runs on a thread of its own.

`await job` gives its result without blocking the loop; cancelling the await cancels the job.
Dropping the last reference stops it; a workflow stopped so can be resumed, one that was cancelled cannot.)")
      .def_property_readonly("done", [](const PyJob& job) {
        RefuseAfterFork();
        return job.done();
      }, "Whether it has ended, well or not.")
      .def_property_readonly("progress", [](const PyJob& job) {
        RefuseAfterFork();
        return job.progress();
      })
      .def("cancel", &PyJob::Cancel,
           "Asks it to stop. It ends with CancelledError, a workflow with a run whose state is \"cancelled\", unless it "
           "was done before it heard.")
      .def("wait", &Wait, py::arg("timeout") = py::none(),
           "Waits at most `timeout` seconds (None: for ever). Returns whether it has ended.")
      .def("result", [](const std::shared_ptr<PyJob>& job) {
        if (!Wait(job, py::none())) Enter();  // the interpreter has ended
        return job->Result();
      }, "Waits for the end. Returns the result, or raises the job's error; the same object each time.")
      .def("__await__", [](const py::object& self) {
        return py::module_::import("grymsynth._jobs").attr("ended")(self).attr("__await__")();
      });
}

}  // namespace grym::python
