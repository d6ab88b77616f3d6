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

template <class Params>
Params ParamsOf(const py::object& params) {
  return params.is_none() ? Params() : params.cast<Params>();
}
// Names between spaces as in C, or a sequence of names.
template <>
AnalysisParts ParamsOf(const py::object& params) {
  if (params.is_none()) return {};
  const py::object given = py::isinstance<py::str>(params) ? py::object(params.attr("split")()) : params;
  if (!py::isinstance<py::sequence>(given) || py::isinstance<py::bytes>(given)) {
    throw py::type_error("parts: want a str or a sequence of str, got " + std::string(py::str(py::type::of(given))));
  }
  std::vector<std::string> names;
  for (const py::handle name : given) {
    if (!py::isinstance<py::str>(name)) {
      throw py::type_error("parts: want a str or a sequence of str, got one of " + std::string(py::str(py::type::of(name))));
    }
    names.push_back(name.cast<std::string>());
  }
  return ValueOrThrow(AnalysisPartsFromNames(names));
}

// The same for a call with parameters.
template <class T, class Params, class Class, class Call>
void DefineCallWith(Class& c, const char* name, const char* params_name, Call call, const std::string& doc) {
  const std::string blocking = doc + kInputDoc;
  const std::string job = "The same as `" + std::string(name) + "`, as a Job.";
  c.def(name, [call](const Processor& self, const py::object& audio, const py::object& params,
                                const py::object& progress) {
    const KeptInput kept = KeptInput::From(audio);
    const Params chosen = ParamsOf<Params>(params);
    return std::make_shared<T>(Blocking(
        progress, [&](const RunOptions& run, Listener&) { return call(*self, kept.input(), chosen, run); }));
  }, py::arg("audio"), py::arg(params_name) = py::none(), py::kw_only(), py::arg("progress") = py::none(),
        blocking.c_str());
  c.def(("start_" + std::string(name)).c_str(),
        [call](const Processor& self, const py::object& audio, const py::object& params,
               const py::object& progress) {
    return TypedPyJob<T>::Start(progress, [self, call, kept = KeptInput::From(audio),
                                           chosen = ParamsOf<Params>(params)](const RunOptions& run, Listener&) {
      return call(*self, kept.input(), chosen, run);
    });
  }, py::arg("audio"), py::arg(params_name) = py::none(), py::kw_only(), py::arg("progress") = py::none(), job.c_str());
}

}  // namespace

void BindProcessor(py::module_& m) {
  py::class_<AudioProcessor, Processor> c(m, "AudioProcessor", R"(Hears and cleans; holds no state between calls.

Args:
  threads: that one call may use to hear, its own included; more than two bring nothing. Results are equal.)");
  c.def(py::init([](int threads) {
    Enter();
    return Held(AudioProcessor::Create({threads}));
  }), py::kw_only(), py::arg("threads") = AudioProcessorOptions().threads);
  DefineCallWith<AudioFeatures, AnalysisParts>(
      c, "analyze", "parts",
      [](AudioProcessor& processor, const AudioInput& input, const AnalysisParts& parts, const RunOptions& run) {
        return processor.AnalyzeParts(input, parts, run);
      }, R"(Measures everything, or what `parts` names alone, in less time: onsets take about an eighth of everything.

`parts` holds some of "level", "loudness", "spectrum", "onsets", "rhythm", "pitch", "key", "chords", "sections"; what
these rest on is heard too, the rest of the features stays at its defaults and `.parts` says what was heard.)");
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
