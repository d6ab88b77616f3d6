// AudioProcessor: hear, clean, or both.
#include "grymsynth/audio_processor.h"

#include <pybind11/stl.h>

#include "face.h"
#include "job.h"

namespace grym::python {
namespace {

using Processor = std::shared_ptr<AudioProcessor>;
constexpr const char* kInputDoc = R"(

Args:
  audio: an Audio, or the path of a file, which is read in blocks and never held whole.
  progress: called with a Progress about ten times a second; True shows a tqdm bar.)";

// Both forms of one call: blocking, and as a job.
template <class T, class Class, class Call>
void DefineCall(Class& c, const char* name, Call call, const std::string& doc) {
  const std::string blocking = doc + kInputDoc;
  const std::string job = "The same as `" + std::string(name) + "`, as a Job.";
  c.def(name, [call](const Processor& self, const py::object& audio, const py::object& progress) {
    const KeptInput kept = KeptInput::From(audio);
    return std::make_shared<T>(Blocking(
        progress, [&](const RunOptions& run, Listener&) { return call(*self, kept.input(), run); }));
  }, py::arg("audio"), py::kw_only(), py::arg("progress") = py::none(), blocking.c_str());
  c.def(("start_" + std::string(name)).c_str(),
        [call](const Processor& self, const py::object& audio, const py::object& progress) {
    return TypedPyJob<T>::Start(
        progress, [self, call, kept = KeptInput::From(audio)](const RunOptions& run, Listener&) {
          return call(*self, kept.input(), run);
        });
  }, py::arg("audio"), py::kw_only(), py::arg("progress") = py::none(), job.c_str());
}

// The same for a call with parameters.
template <class T, class Params, class Class, class Call>
void DefineCallWith(Class& c, const char* name, const char* params_name, Call call, const std::string& doc) {
  const std::string blocking = doc + kInputDoc;
  const std::string job = "The same as `" + std::string(name) + "`, as a Job.";
  const auto params_of = [](const py::object& params) { return params.is_none() ? Params() : params.cast<Params>(); };
  c.def(name, [call, params_of](const Processor& self, const py::object& audio, const py::object& params,
                                const py::object& progress) {
    const KeptInput kept = KeptInput::From(audio);
    const Params chosen = params_of(params);
    return std::make_shared<T>(Blocking(
        progress, [&](const RunOptions& run, Listener&) { return call(*self, kept.input(), chosen, run); }));
  }, py::arg("audio"), py::arg(params_name) = py::none(), py::kw_only(), py::arg("progress") = py::none(),
        blocking.c_str());
  c.def(("start_" + std::string(name)).c_str(),
        [call, params_of](const Processor& self, const py::object& audio, const py::object& params,
                          const py::object& progress) {
    return TypedPyJob<T>::Start(progress, [self, call, kept = KeptInput::From(audio),
                                           chosen = params_of(params)](const RunOptions& run, Listener&) {
      return call(*self, kept.input(), chosen, run);
    });
  }, py::arg("audio"), py::arg(params_name) = py::none(), py::kw_only(), py::arg("progress") = py::none(), job.c_str());
}

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

void BindProcessor(py::module_& m) {
  BindResults(m);
  BindParams(m);
  py::class_<AudioProcessor, Processor> c(m, "AudioProcessor", R"(Hears and cleans; holds no state between calls.

Args:
  threads: that one call may use to hear, its own included; more than two bring nothing. Results are equal.)");
  c.def(py::init([](int threads) {
    Enter();
    return Held(AudioProcessor::Create({threads}));
  }), py::kw_only(), py::arg("threads") = AudioProcessorOptions().threads);
  DefineCall<AudioFeatures>(c, "analyze",
                            [](AudioProcessor& processor, const AudioInput& input, const RunOptions& run) {
    return processor.Analyze(input, run);
  }, "Measures everything: level, loudness, spectrum, tempo, beats, key, pitch, chords, sections, condition.");
  DefineCall<AudioPatterns>(c, "detect_patterns",
                            [](AudioProcessor& processor, const AudioInput& input, const RunOptions& run) {
    return processor.DetectPatterns(input, run);
  }, "Finds what returns: rhythms, chord loops, motifs, textures, sections.");
  DefineCall<StyleClassification>(c, "classify_style",
                                  [](AudioProcessor& processor, const AudioInput& input, const RunOptions& run) {
    return processor.ClassifyStyle(input, run);
  }, "Ranks genres, moods and textures.");
  DefineCallWith<EnhancedAudio, EnhanceParams>(
      c, "enhance", "params",
      [](AudioProcessor& processor, const AudioInput& input, const EnhanceParams& params, const RunOptions& run) {
        return processor.Enhance(input, params, run);
      }, "Repairs: noise, clipping, hum, balance, dynamics, stereo, loudness, true peak.");
  DefineCallWith<ProcessedAudio, ProcessOptions>(
      c, "process", "options",
      [](AudioProcessor& processor, const AudioInput& input, const ProcessOptions& options, const RunOptions& run) {
        return processor.Process(input, options, run);
      }, "The whole: resample, clean, analyse, patterns, style.");
}

}  // namespace grym::python
