// Judging.
#include "grymsynth/evaluation.h"

#include <pybind11/stl.h>

#include "face.h"

namespace grym::python {

void BindEvaluation(py::module_& m) {
  py::class_<ScorePart>(m, "ScorePart")
      .def_readonly("name", &ScorePart::name)
      .def_readonly("score", &ScorePart::score)
      .def_readonly("weight", &ScorePart::weight)
      .def_readonly("text", &ScorePart::text)
      .def("__repr__", [](const ScorePart& part) {
        return py::str("ScorePart({!r}, {:.3f}, {!r})").format(part.name, part.score, part.text);
      });
  py::class_<ImprovementArea>(m, "ImprovementArea")
      .def_readonly("area", &ImprovementArea::area)
      .def_readonly("severity", &ImprovementArea::severity, "[0, 1].")
      .def_readonly("spans", &ImprovementArea::spans, "Where; empty means throughout.")
      .def_readonly("text", &ImprovementArea::text)
      .def("__repr__", [](const ImprovementArea& area) {
        return py::str("ImprovementArea({!r}, {:.2f}, {!r})").format(area.area, area.severity, area.text);
      });
  py::class_<Comparison, std::shared_ptr<Comparison>>(m, "Comparison")
      .def_readonly("quality_score", &Comparison::quality_score, "[0, 1].")
      .def_readonly("parts", &Comparison::parts)
      .def_readonly("improvement_areas", &Comparison::improvement_areas, "Worst first.")
      .def("to_json", [](const Comparison& comparison) { return ComparisonToJson(comparison); },
           "Schema \"grymsynth.comparison/1\".")
      .def("__repr__", [](const Comparison& comparison) {
        return py::str("Comparison(quality_score={:.3f}, improvement_areas={})")
            .format(comparison.quality_score, comparison.improvement_areas.size());
      })
      .def("_repr_html_", [](const py::object& self) { return Html("comparison", self); });
  m.def("compare", [](const py::object& original, const py::object& result, const py::object& progress) {
    const KeptInput before = KeptInput::From(original), after = KeptInput::From(result);
    return std::make_shared<Comparison>(Blocking(progress, [&](const RunOptions& run, Listener&) {
      return Compare(before.input(), after.input(), run);
    }));
  }, py::arg("original"), py::arg("result"), py::kw_only(), py::arg("progress") = py::none(),
     "How good `result` is as a take of `original`; each an Audio or a path.");
  py::class_<GateReport>(m, "GateReport")
      .def_readonly("passed", &GateReport::passed)
      .def_readonly("failures", &GateReport::failures)
      .def_readonly("texts", &GateReport::texts)
      .def("__bool__", [](const GateReport& report) { return report.passed; });
  m.def("check_take", [](const PyAudio& audio, std::optional<double> duration_s, std::optional<double> tempo_bpm,
                         std::optional<std::string> key) {
    const auto buffer = audio.Buffer();
    const GateWants wants{duration_s, tempo_bpm, std::move(key)};
    return Blocking(py::none(), [&](const RunOptions& run, Listener&) { return CheckTake(*buffer, wants, run); });
  }, py::arg("audio"), py::kw_only(), py::arg("duration_s") = py::none(), py::arg("tempo_bpm") = py::none(),
     py::arg("key") = py::none(), "Whether a take may count at all.");
}

}  // namespace grym::python
