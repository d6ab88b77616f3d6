// The extension module grymsynth._grymsynth_torch: hands the opener of native models to the core's module, and looks
// into checkpoints. It shares no types with that module but the opener in a capsule.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <memory>
#include <string>

#include "grymsynth/error.h"
#include "grymsynth/torch_models.h"

namespace py = pybind11;

namespace {

constexpr char kCapsuleName[] = "grymsynth.ModelOpener " GRYM_PYTHON_ABI;

// (canonical code, stable code, message) of an error, or None: grymsynth/_native.py raises it.
py::object Failure(const absl::Status& status) {
  if (status.ok()) return py::none();
  return py::make_tuple(static_cast<int>(status.code()), grym::ErrorCode(status), std::string(status.message()));
}

template <class T>
py::object Answer(absl::StatusOr<T> value) {
  if (!value.ok()) return py::make_tuple(Failure(value.status()), py::none());
  return py::make_tuple(py::none(), py::cast(*std::move(value)));
}

template <class Work>
auto WithoutLock(Work work) {
  py::gil_scoped_release nogil;
  return work();
}

}  // namespace

PYBIND11_MODULE(_grymsynth_torch, m) {
  m.attr("torch_version") = GRYM_TORCH_VERSION;
  m.def("opener", [] {
    auto* opener = new grym::ModelOpener(grym::TorchModelOpener());
    return py::capsule(opener, kCapsuleName, [](PyObject* capsule) {
      delete static_cast<grym::ModelOpener*>(PyCapsule_GetPointer(capsule, kCapsuleName));
    });
  });
}
