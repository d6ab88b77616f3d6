// What AudioProcessor takes and gives besides audio and features.
#include "grymsynth/audio_processor.h"

#include <pybind11/stl.h>

#include "face.h"

namespace grym::python {
namespace {

void BindResults(py::module_& m) {
  py::class_<ScoredLabel>(m, "ScoredLabel")
      .def_readonly("label", &ScoredLabel::label)
      .def_readonly("score", &ScoredLabel::score, "[0, 1].")
      .def("__repr__", [](const ScoredLabel& scored) {
        return py::str("ScoredLabel({!r}, {:.3f})").format(scored.label, scored.score);
      });
  py::class_<StyleClassification, std::shared_ptr<StyleClassification>>(m, "StyleClassification", "Best first.")
      .def_readonly("genres", &StyleClassification::genres)
      .def_readonly("moods", &StyleClassification::moods)
      .def_readonly("textures", &StyleClassification::textures)
      .def_readonly("method", &StyleClassification::method, "What decided: \"rules\", or a model's name.")
      .def_readonly("unsure", &StyleClassification::unsure)
      .def("to_json", [](const StyleClassification& style) { return StyleToJson(style); });
  py::class_<EnhanceStage>(m, "EnhanceStage")
      .def_readonly("name", &EnhanceStage::name)
      .def_readonly("applied", &EnhanceStage::applied)
      .def_readonly("change_db", &EnhanceStage::change_db)
      .def_readonly("text", &EnhanceStage::text)
      .def("__repr__", [](const EnhanceStage& stage) {
        return py::str("EnhanceStage({!r}, applied={}, change_db={:.2f}, {!r})")
            .format(stage.name, stage.applied, stage.change_db, stage.text);
      });
  py::class_<EnhancedAudio, std::shared_ptr<EnhancedAudio>>(m, "EnhancedAudio")
      .def_property_readonly("audio", [](const std::shared_ptr<EnhancedAudio>& self) {
        return AudioOf(self, self->audio);
      })
      .def_readonly("stages", &EnhancedAudio::stages, "In the order they ran.")
      .def_readonly("warnings", &EnhancedAudio::warnings, "What was asked for and could not be had.")
      .def("_repr_html_", [](const py::object& self) { return Html("enhanced", self); });
  py::class_<ProcessedAudio, std::shared_ptr<ProcessedAudio>>(m, "ProcessedAudio")
      .def_property_readonly("audio", [](const std::shared_ptr<ProcessedAudio>& self) {
        return AudioOf(self, self->audio);
      })
      .def_property_readonly("features", [](const std::shared_ptr<ProcessedAudio>& self) {
        return std::shared_ptr<AudioFeatures>(self, &self->features);
      })
      .def_property_readonly("patterns", [](const std::shared_ptr<ProcessedAudio>& self) {
        return std::shared_ptr<AudioPatterns>(self, &self->patterns);
      })
      .def_property_readonly("style", [](const std::shared_ptr<ProcessedAudio>& self) {
        return std::shared_ptr<StyleClassification>(self, &self->style);
      })
      .def_readonly("stages", &ProcessedAudio::stages)
      .def_readonly("warnings", &ProcessedAudio::warnings, "Of the repairs.");
}

void BindParams(py::module_& m) {
  const EnhanceParams d;
  py::class_<EnhanceParams>(m, "EnhanceParams", "Which repairs run, and how far; level 0 is the identity, bit for bit.")
      .def(py::init([](double level, bool denoise, bool declip, bool dehum, bool balance, double tilt_db_per_octave,
                       std::optional<std::array<double, 10>> match_band_energy_db, bool dynamics, bool stereo,
                       std::optional<double> target_lufs, double true_peak_dbtp) {
        return EnhanceParams{level,    denoise,  declip, dehum,       balance,       tilt_db_per_octave,
                             match_band_energy_db, dynamics, stereo, target_lufs, true_peak_dbtp};
      }), py::kw_only(), py::arg("level") = d.level, py::arg("denoise") = d.denoise, py::arg("declip") = d.declip,
           py::arg("dehum") = d.dehum, py::arg("balance") = d.balance,
           py::arg("tilt_db_per_octave") = d.tilt_db_per_octave, py::arg("match_band_energy_db") = py::none(),
           py::arg("dynamics") = d.dynamics, py::arg("stereo") = d.stereo, py::arg("target_lufs") = py::none(),
           py::arg("true_peak_dbtp") = d.true_peak_dbtp)
      .def_readwrite("level", &EnhanceParams::level, "[0, 1].")
      .def_readwrite("denoise", &EnhanceParams::denoise)
      .def_readwrite("declip", &EnhanceParams::declip)
      .def_readwrite("dehum", &EnhanceParams::dehum)
      .def_readwrite("balance", &EnhanceParams::balance)
      .def_readwrite("tilt_db_per_octave", &EnhanceParams::tilt_db_per_octave)
      .def_readwrite("match_band_energy_db", &EnhanceParams::match_band_energy_db)
      .def_readwrite("dynamics", &EnhanceParams::dynamics)
      .def_readwrite("stereo", &EnhanceParams::stereo)
      .def_readwrite("target_lufs", &EnhanceParams::target_lufs, "None keeps the loudness.")
      .def_readwrite("true_peak_dbtp", &EnhanceParams::true_peak_dbtp, "[-20, 0].");
  py::class_<ProcessOptions>(m, "ProcessOptions")
      .def(py::init([](std::optional<int> rate_hz, const EnhanceParams& enhance) {
        return ProcessOptions{rate_hz, enhance};
      }), py::kw_only(), py::arg("rate_hz") = py::none(), py::arg("enhance") = EnhanceParams())
      .def_readwrite("rate_hz", &ProcessOptions::rate_hz, "None keeps the input's.")
      .def_readwrite("enhance", &ProcessOptions::enhance);
}

}  // namespace

void BindProcessed(py::module_& m) {
  BindResults(m);
  BindParams(m);
}

}  // namespace grym::python
