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

}  // namespace

void BindProcessor(py::module_& m) {
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
