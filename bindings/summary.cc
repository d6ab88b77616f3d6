// What a finished run made.
#include <pybind11/stl.h>

#include "face.h"
#include "grymsynth/engine.h"

namespace grym::python {

void BindSummary(py::module_& m) {
  py::class_<TakeSummary>(m, "TakeSummary")
      .def_readonly("step", &TakeSummary::step)
      .def_readonly("visit", &TakeSummary::visit)
      .def_readonly("seed", &TakeSummary::seed)
      .def_readonly("enhancement_level", &TakeSummary::enhancement_level)
      .def_readonly("quality_score", &TakeSummary::quality_score)
      .def_readonly("exported", &TakeSummary::exported)
      .def("__repr__", [](const TakeSummary& take) {
        return py::str("TakeSummary({!r}, visit={}, seed={}, quality_score={:.3f}, exported={})")
            .format(take.step, take.visit, take.seed, take.quality_score, take.exported);
      });
  const auto path = [](const std::filesystem::path& given) {
    return py::module_::import("pathlib").attr("Path")(given.string());
  };
  py::class_<RunSummary, std::shared_ptr<RunSummary>>(m, "RunSummary", "What a finished enhancement run made.")
      .def_property_readonly("input", [path](const RunSummary& summary) { return path(summary.input); })
      .def_readonly("takes", &RunSummary::takes)
      .def_property_readonly("files", [path](const RunSummary& summary) {
        py::list files;
        for (const std::filesystem::path& file : summary.files) files.append(path(file));
        return files;
      }, "As exported: the take first, then stems, MIDI, sidecar.")
      .def_property_readonly("before", [](const std::shared_ptr<RunSummary>& self) {
        return std::shared_ptr<AudioFeatures>(self, &self->before);
      }, "AudioFeatures of the input, without frame-wise series.")
      .def_property_readonly("after", [](const std::shared_ptr<RunSummary>& self) {
        return std::shared_ptr<AudioFeatures>(self, &self->after);
      }, "AudioFeatures of the exported take, without frame-wise series.")
      .def_readonly("stages", &RunSummary::stages, "Of the exported take.")
      .def_readonly("warnings", &RunSummary::warnings)
      .def("_repr_html_", [](const py::object& self) { return Html("summary", self); });
}

}  // namespace grym::python
