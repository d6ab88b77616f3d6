// Patterns.
#include "grymsynth/pattern.h"

#include <pybind11/stl.h>

#include "face.h"

namespace grym::python {

void BindPatterns(py::module_& m) {
  py::class_<Evidence>(m, "Evidence")
      .def_readonly("name", &Evidence::name)
      .def_readonly("value", &Evidence::value)
      .def_readonly("text", &Evidence::text);
  py::class_<AudioPattern, std::shared_ptr<AudioPattern>>(m, "AudioPattern", "Something that returns in the music.")
      .def_readonly("id", &AudioPattern::id, "In a PatternMemory; 0 before it is stored.")
      .def_property_readonly("kind",
                             [](const AudioPattern& pattern) { return std::string(PatternKindName(pattern.kind)); },
                             "\"rhythmic\", \"harmonic\", \"melodic\", \"timbral\" or \"structural\".")
      .def_readonly("description", &AudioPattern::description)
      .def_readonly("spans", &AudioPattern::spans, "Every occurrence, in order.")
      .def_readonly("strength", &AudioPattern::strength, "[0, 1].")
      .def_readonly("evidence", &AudioPattern::evidence)
      .def_property_readonly("embedding", [](const py::object& self) {
        return View(self.cast<const AudioPattern&>().embedding.data(), {kPatternDims}, self);
      }, "128 float32, unit length; a read-only view.")
      .def_readonly("tempo_bpm", &AudioPattern::tempo_bpm)
      .def_readonly("meter", &AudioPattern::meter)
      .def_readonly("key", &AudioPattern::key)
      .def_readonly("chords", &AudioPattern::chords)
      .def_readonly("chord_beats", &AudioPattern::chord_beats)
      .def_readonly("intervals", &AudioPattern::intervals)
      .def_readonly("durations_beats", &AudioPattern::durations_beats)
      .def_readonly("transpositions", &AudioPattern::transpositions,
                    "Melodic: semitones of each occurrence above the first, one per span.")
      .def_readonly("onset_grid", &AudioPattern::onset_grid)
      .def_readonly("section_label", &AudioPattern::section_label)
      .def_readwrite("source", &AudioPattern::source, "What it was heard in; free text, usually a path.")
      .def("__repr__", [](const AudioPattern& pattern) {
        return py::str("AudioPattern({}, {!r}, strength={:.2f}, spans={})")
            .format(std::string(PatternKindName(pattern.kind)), pattern.description, pattern.strength,
                    pattern.spans.size());
      });
  py::class_<AudioPatterns, std::shared_ptr<AudioPatterns>>(m, "AudioPatterns", "Patterns, strongest first.")
      .def(py::init([](std::vector<AudioPattern> patterns, double duration_s) {
        return AudioPatterns{std::move(patterns), duration_s};
      }), py::arg("patterns") = std::vector<AudioPattern>(), py::arg("duration_s") = 0.0)
      .def_readonly("patterns", &AudioPatterns::patterns)
      .def_readonly("duration_s", &AudioPatterns::duration_s)
      .def("to_json", [](const AudioPatterns& patterns) { return PatternsToJson(patterns); },
           "Schema \"grymsynth.patterns/1\".")
      .def_static("from_json", [](const std::string& json) { return ValueOrThrow(PatternsFromJson(json)); },
                  py::arg("json"))
      .def("__len__", [](const AudioPatterns& patterns) { return patterns.patterns.size(); })
      .def("__getitem__", [](const AudioPatterns& patterns, py::ssize_t index) {
        const auto size = static_cast<py::ssize_t>(patterns.patterns.size());
        if (index < -size || index >= size) throw py::index_error("pattern index out of range");
        return patterns.patterns[static_cast<size_t>(index < 0 ? index + size : index)];
      }, py::arg("index"));
}

}  // namespace grym::python
