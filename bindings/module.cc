// The extension module grymsynth._grymsynth: values and calls; the Python files beside it add errors, pages, progress
// bars and the default engine.
#include "face.h"
#include "grymsynth/version.h"

namespace grym::python {
void BindProcess(py::module_& m);
}

PYBIND11_MODULE(_grymsynth, m) {
  using namespace grym::python;  // NOLINT: the module's own words
  m.doc() = "grymsynth's C++ core.";
  m.def("version", [] { return std::string(grym::Version()); }, "Version of the library.");
  BindProcess(m);
  BindJob(m);
  BindAudio(m);
  BindMidi(m);
  BindFeatures(m);
  BindPatterns(m);
  BindProcessed(m);
  BindProcessor(m);
  BindStream(m);
  BindMemory(m);
  BindGeneration(m);
  BindGenerationStream(m);
  BindEvaluation(m);
  BindModel(m);
  BindCheckpoint(m);
  BindWorkflow(m);
  BindSummary(m);
  BindEngine(m);
}
