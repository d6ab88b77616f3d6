// The extension module grymsynth._grymsynth_torch: hands the opener of native models to the core's module, and looks
// into checkpoints. It shares no types with that module but the opener in a capsule.
#include <pybind11/pybind11.h>

#include <filesystem>
#include <string>

#include "grymsynth/error.h"
#include "grymsynth/torch_models.h"

namespace py = pybind11;

namespace {

constexpr char kCapsuleName[] = "grymsynth.ModelOpener " GRYM_PYTHON_ABI;

// grymsynth's own exception for a status, made by the package's Python files.
[[noreturn]] void Throw(const absl::Status& status) {
  py::list problems;
  for (const grym::Problem& problem : grym::ErrorProblems(status)) {
    problems.append(py::make_tuple(problem.pointer, problem.code, problem.message, problem.hint));
  }
  const auto text = py::reinterpret_steal<py::object>(PyUnicode_DecodeUTF8(
      status.message().data(), static_cast<py::ssize_t>(status.message().size()), "replace"));
  const py::object error = py::module_::import("grymsynth._errors")
                               .attr("make")(grym::StatusName(status.code()), grym::ErrorCode(status), text, problems);
  PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(error.ptr())), error.ptr());
  throw py::error_already_set();
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
  m.def("plan_config", [](const std::string& path) {
    const absl::StatusOr<std::string> plan = [&] {
      py::gil_scoped_release nogil;
      return grym::PlanConfig(std::filesystem::path(path));
    }();
    if (!plan.ok()) Throw(plan.status());
    return *plan;
  });
}
