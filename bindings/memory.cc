// PatternMemory and PatternRecognizer.
#include "grymsynth/pattern_memory.h"

#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <cstring>

#include "face.h"
#include "grymsynth/pattern_recognizer.h"

namespace grym::python {
namespace {

using Memory = std::shared_ptr<PatternMemory>;
using Recognizer = std::shared_ptr<PatternRecognizer>;

std::vector<AudioPattern> PatternsFrom(const py::object& patterns) {
  if (py::isinstance<AudioPatterns>(patterns)) return patterns.cast<const AudioPatterns&>().patterns;
  if (py::isinstance<AudioPattern>(patterns)) return {patterns.cast<AudioPattern>()};
  return patterns.cast<std::vector<AudioPattern>>();
}

PatternEmbedding EmbeddingFrom(const py::object& given) {
  if (py::isinstance<AudioPattern>(given)) return given.cast<const AudioPattern&>().embedding;
  const auto array = py::array_t<float, py::array::c_style | py::array::forcecast>::ensure(given);
  if (!array || array.ndim() != 1 || array.shape(0) != kPatternDims) {
    PyErr_Clear();
    ThrowBad("embedding: want an AudioPattern or 128 numbers");
  }
  PatternEmbedding embedding;
  std::memcpy(embedding.data(), array.data(), sizeof embedding);
  return embedding;
}

std::vector<PatternMatch> Query(const Memory& self, const py::object& embedding, int limit, const py::object& kind,
                                double min_similarity) {
  PatternQuery query;
  query.embedding = EmbeddingFrom(embedding);
  query.limit = limit;
  if (!kind.is_none()) query.kind = ValueOrThrow(ParsePatternKind(kind.cast<std::string>()));
  query.min_similarity = min_similarity;
  return ValueOrThrow(Unlocked([&] { return self->Query(query); }));
}

void BindStore(py::module_& m) {
  py::class_<PatternMatch>(m, "PatternMatch")
      .def_readonly("pattern", &PatternMatch::pattern)
      .def_readonly("similarity", &PatternMatch::similarity, "Cosine, [-1, 1].")
      .def_readonly("mean_score", &PatternMatch::mean_score)
      .def_readonly("outcomes", &PatternMatch::outcomes);
  py::class_<PatternMemoryStats>(m, "PatternMemoryStats")
      .def_readonly("patterns", &PatternMemoryStats::patterns)
      .def_readonly("outcomes", &PatternMemoryStats::outcomes)
      .def_readonly("file_bytes", &PatternMemoryStats::file_bytes)
      .def_readonly("schema_version", &PatternMemoryStats::schema_version)
      .def_readonly("index_loaded", &PatternMemoryStats::index_loaded)
      .def_readonly("index_approximate", &PatternMemoryStats::index_approximate);
  const PatternMemoryOptions d;
  py::class_<PatternMemory, Memory>(m, "PatternMemory",
                                     R"(Patterns and how well they worked, in one file that survives kill -9.

A context manager: leaving it closes the file.)")
      .def(py::init([](const py::object& path, int64_t exact_search_limit, bool full_check) {
        const std::filesystem::path file = PathOf(path);
        return Held(ValueOrThrow(Unlocked([&] {
          PatternMemoryOptions options;
          options.exact_search_limit = exact_search_limit;
          options.full_check = full_check;
          return PatternMemory::Open(file, options);
        })));
      }), py::arg("path"), py::kw_only(), py::arg("exact_search_limit") = d.exact_search_limit,
           py::arg("full_check") = d.full_check)
      .def("store", [](const Memory& self, const py::object& patterns) {
        const std::vector<AudioPattern> all = PatternsFrom(patterns);
        return ValueOrThrow(Unlocked([&] { return self->Store(all); }));
      }, py::arg("patterns"), "Stores AudioPatterns, a list or one, all or none. Returns their ids.")
      .def("get", [](const Memory& self, int64_t id) {
        return ValueOrThrow(Unlocked([&] { return self->Get(id); }));
      }, py::arg("id"))
      .def("remove", [](const Memory& self, int64_t id) {
        ThrowUnlessOk(Unlocked([&] { return self->Remove(id); }));
      }, py::arg("id"))
      .def("query", &Query, py::arg("embedding"), py::kw_only(), py::arg("limit") = 10, py::arg("kind") = py::none(),
           py::arg("min_similarity") = -1.0, "The most similar patterns first, as PatternMatch.")
      .def("load_index", [](const Memory& self, const py::object& progress) {
        Blocking(progress, [&](const RunOptions& run, Listener&) -> absl::StatusOr<bool> {
          const absl::Status loaded = self->LoadIndex(run);
          if (!loaded.ok()) return loaded;
          return true;
        });
      }, py::kw_only(), py::arg("progress") = py::none(),
           R"(Reads the index, which the first query does otherwise: seconds for a million patterns.

Args:
  progress: as everywhere. What was read by the time of a cancel is kept.
Raises:
  DataLossError: a vector does not read back.)")
      .def("record_outcome", [](const Memory& self, int64_t id, double score, const std::string& note) {
        ThrowUnlessOk(Unlocked([&] { return self->RecordOutcome(id, score, note); }));
      }, py::arg("id"), py::arg("score"), py::arg("note") = "", "A take that used the pattern scored so, in [0, 1].")
      .def("heard_with", [](const Memory& self, int64_t id, int limit) {
        return ValueOrThrow(Unlocked([&] { return self->HeardWith(id, limit); }));
      }, py::arg("id"), py::kw_only(), py::arg("limit") = 20, "Patterns stored in the same call, strongest first.")
      .def("best_outcomes", [](const Memory& self, const py::object& kind, int limit) {
        std::optional<PatternKind> only;
        if (!kind.is_none()) only = ValueOrThrow(ParsePatternKind(kind.cast<std::string>()));
        return ValueOrThrow(Unlocked([&] { return self->BestOutcomes(only, limit); }));
      }, py::kw_only(), py::arg("kind") = py::none(), py::arg("limit") = 20,
           "Patterns with recorded outcomes, best mean score first.")
      .def("stats", [](const Memory& self) { return ValueOrThrow(Unlocked([&] { return self->Stats(); })); })
      .def("check_integrity", [](const Memory& self) {
        ThrowUnlessOk(Unlocked([&] { return self->CheckIntegrity(); }));
      }, "Raises DataLossError that says what is wrong.")
      .def("close", [](const Memory& self) { ThrowUnlessOk(Unlocked([&] { return self->Close(); })); },
           "Flushes and closes; later calls raise FailedPreconditionError. Closing twice is harmless.")
      .def("__enter__", [](const Memory& self) { return self; })
      .def("__exit__", [](const Memory& self, const py::args&) {
        ThrowUnlessOk(Unlocked([&] { return self->Close(); }));
      });
}

}  // namespace

void BindMemory(py::module_& m) {
  BindStore(m);
  py::class_<RelatedPattern>(m, "RelatedPattern")
      .def_readonly("match", &RelatedPattern::match)
      .def_readonly("relation", &RelatedPattern::relation);
  py::class_<PatternClass>(m, "PatternClass")
      .def_readonly("path", &PatternClass::path, "Place in the taxonomy.")
      .def_readonly("score", &PatternClass::score)
      .def_readonly("reason", &PatternClass::reason);
  py::class_<PatternClassification>(m, "PatternClassification")
      .def_readonly("classes", &PatternClassification::classes, "Best first; never empty.")
      .def_readonly("taxonomy_version", &PatternClassification::taxonomy_version);
  m.def("default_taxonomy_json", [] { return std::string(DefaultTaxonomyJson()); },
        "The built-in taxonomy as JSON text: what to start an edited one from.");
  py::class_<PatternRecognizer, Recognizer>(m, "PatternRecognizer",
                                            "Finds patterns, learns them, knows their relatives.")
      .def(py::init([](const Memory& memory, const py::object& taxonomy) {
        PatternRecognizerOptions options;
        if (!taxonomy.is_none()) options.taxonomy = PathOf(taxonomy);
        return Held(ValueOrThrow(Unlocked([&] { return PatternRecognizer::Create(memory.get(), options); })));
      }), py::arg("memory"), py::kw_only(), py::arg("taxonomy") = py::none(), py::keep_alive<1, 2>())
      .def("detect_patterns", [](const Recognizer& self, const std::shared_ptr<AudioFeatures>& features) {
        return std::make_shared<AudioPatterns>(ValueOrThrow(Unlocked([&] { return self->DetectPatterns(*features); })));
      }, py::arg("features"))
      .def("learn_patterns", [](const Recognizer& self, const std::shared_ptr<AudioPatterns>& patterns) {
        ThrowUnlessOk(Unlocked([&] { return self->LearnPatterns(*patterns); }));
      }, py::arg("patterns"), "Stores them; the ids are written into `patterns`.")
      .def("get_related_patterns", [](const Recognizer& self, const AudioPattern& pattern) {
        return ValueOrThrow(Unlocked([&] { return self->GetRelatedPatterns(pattern); }));
      }, py::arg("pattern"), "Patterns that belong with this one, best first, and why.")
      .def("classify_pattern", [](const Recognizer& self, const AudioPattern& pattern) {
        return ValueOrThrow(Unlocked([&] { return self->ClassifyPattern(pattern); }));
      }, py::arg("pattern"))
      .def("find_similar_patterns",
           [](const Recognizer& self, const AudioPattern& pattern, double threshold, int limit) {
        return ValueOrThrow(Unlocked([&] { return self->FindSimilarPatterns(pattern, threshold, limit); }));
      }, py::arg("pattern"), py::arg("threshold") = 0.8, py::arg("limit") = 20);
}

}  // namespace grym::python
