// The extension module grymsynth._grymsynth_torch: hands the opener of native models to the core's module, and looks
// into checkpoints. It shares no types with that module but the opener in a capsule.
#include <pybind11/pybind11.h>

#include "grymsynth/torch_models.h"

namespace py = pybind11;

namespace {

constexpr char kCapsuleName[] = "grymsynth.ModelOpener " GRYM_PYTHON_ABI;

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
