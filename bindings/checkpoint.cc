// A look into published model files.
#include "grymsynth/checkpoint.h"

#include <pybind11/stl.h>

#include "face.h"

namespace grym::python {

void BindCheckpoint(py::module_& m) {
  py::class_<TensorSummary>(m, "TensorSummary", "One tensor of a checkpoint.")
      .def_readonly("dtype", &TensorSummary::dtype)
      .def_readonly("shape", &TensorSummary::shape)
      .def_readonly("bytes", &TensorSummary::bytes)
      .def_readonly("sum", &TensorSummary::sum)
      .def_readonly("absolute_sum", &TensorSummary::absolute_sum);
  m.def("summarize_tensors", [](const py::object& path, const py::object& progress) {
    const std::filesystem::path file = PathOf(path);
    return Blocking(progress, [&](const RunOptions& run, Listener&) { return SummarizeTensors(file, run); });
  }, py::arg("path"), py::kw_only(), py::arg("progress") = py::none(),
        "TensorSummary by name, of a safetensors file, the index of a sharded one, or a folder.");
}

}  // namespace grym::python
