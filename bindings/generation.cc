// One request and one result for everything that makes audio.
#include "grymsynth/generation.h"

#include <pybind11/stl.h>

#include <cstdint>
#include <utility>

#include "face.h"

namespace grym::python {
namespace {

using Request = GenerateAudioRequest;
using Result = std::shared_ptr<GenerateAudioResult>;

constexpr const char* kTiers[] = {"draft", "standard", "best"};

QualityTier TierOf(const std::string& name) {
  for (int i = 0; i < 3; ++i) {
    if (name == kTiers[i]) return static_cast<QualityTier>(i);
  }
  ThrowBad("quality: want one of draft standard best, got " + Quoted(name));
}

// A recording to start from: an Audio, or a path.
void SetReference(Request& request, const py::object& reference) {
  request.reference_buffer.reset();
  request.reference_audio.clear();
  if (reference.is_none()) return;
  const KeptInput kept = KeptInput::From(reference);
  if (kept.audio) {
    request.reference_buffer = *kept.audio;
  } else {
    const std::u8string text = kept.path.u8string();
    request.reference_audio.assign(text.begin(), text.end());
  }
}

std::string PathText(const py::object& path) {
  if (path.is_none()) return "";
  const std::u8string text = PathOf(path).u8string();
  return std::string(text.begin(), text.end());
}

std::vector<AudioPattern> RequestPatterns(const py::object& patterns) {
  if (patterns.is_none()) return {};
  if (py::isinstance<AudioPatterns>(patterns)) return patterns.cast<const AudioPatterns&>().patterns;
  return patterns.cast<std::vector<AudioPattern>>();
}

// The model's own parameters go as text; a bool is "true" or "false".
std::map<std::string, std::string> ParametersOf(const py::dict& given) {
  std::map<std::string, std::string> parameters;
  for (const auto& [key, value] : given) {
    parameters[py::str(key)] = py::isinstance<py::bool_>(value) ? (value.cast<bool>() ? "true" : "false")
                                                                : std::string(py::str(value));
  }
  return parameters;
}

// One field of a request, set by keyword.
struct Field {
  const char* name;
  void (*set)(Request&, const py::object&);
};
template <auto member>
void SetMember(Request& request, const py::object& value) {
  request.*member = value.cast<std::remove_reference_t<decltype(request.*member)>>();
}
constexpr Field kFields[] = {
    {"prompt", SetMember<&Request::prompt>},
    {"negative_prompt", SetMember<&Request::negative_prompt>},
    {"duration_s", SetMember<&Request::duration_s>},
    {"seed", SetMember<&Request::seed>},
    {"model", SetMember<&Request::model>},
    {"temperature", SetMember<&Request::temperature>},
    {"top_k", SetMember<&Request::top_k>},
    {"top_p", SetMember<&Request::top_p>},
    {"guidance", SetMember<&Request::guidance>},
    {"steps", SetMember<&Request::steps>},
    {"tempo_bpm", SetMember<&Request::tempo_bpm>},
    {"key", SetMember<&Request::key>},
    {"meter", SetMember<&Request::meter>},
    {"structure", SetMember<&Request::structure>},
    {"instruments", SetMember<&Request::instruments>},
    {"mood", SetMember<&Request::mood>},
    {"reference_audio", SetReference},
    {"reference_midi", [](Request& request, const py::object& path) { request.reference_midi = PathText(path); }},
    {"reference_strength", SetMember<&Request::reference_strength>},
    {"want_stems", SetMember<&Request::want_stems>},
    {"quality", [](Request& request, const py::object& name) { request.quality = TierOf(name.cast<std::string>()); }},
    {"takes", SetMember<&Request::takes>},
    {"rank_by", SetMember<&Request::rank_by>},
    {"allow_unsupported", SetMember<&Request::allow_unsupported>},
    {"enhancement_level", SetMember<&Request::enhancement_level>},
    {"preserve_original_characteristics", SetMember<&Request::preserve_original_characteristics>},
    {"focus_areas", SetMember<&Request::focus_areas>},
    {"target_lufs", SetMember<&Request::target_lufs>},
    {"patterns", [](Request& request, const py::object& patterns) { request.patterns = RequestPatterns(patterns); }},
    {"parameters", [](Request& request, const py::object& given) {
       request.parameters = ParametersOf(given.cast<py::dict>());
     }},
};

// For an integer that was refused: InvalidArgument if the field takes integers, only none as large.
void ThrowIfTooLarge(const Field& field, const py::handle& value) {
  const auto takes = [&field](int64_t integer) {
    try {
      Request scratch;
      field.set(scratch, py::int_(integer));
      return true;
    } catch (const py::cast_error&) {
      return false;
    }
  };
  if (!takes(0)) return;
  ThrowBad(std::string(field.name) + ": want a whole number of at most " + (takes(INT64_MAX) ? "63" : "31") +
           " bits and a sign, got one of " + std::string(py::str(value.attr("bit_length")())) + " bits");
}

Request RequestFrom(const py::kwargs& given) {
  Request request;
  for (const auto& [key, value] : given) {
    const std::string name = py::str(key);
    const Field* found = nullptr;
    for (const Field& field : kFields) {
      if (name == field.name) found = &field;
    }
    if (!found) throw py::type_error("GenerateAudioRequest: unknown field \"" + name + "\"");
    try {
      found->set(request, py::reinterpret_borrow<py::object>(value));
    } catch (const py::cast_error&) {
      if (PyLong_Check(value.ptr())) ThrowIfTooLarge(*found, value);
      throw py::type_error("GenerateAudioRequest: " + name + " has the wrong type: " +
                           std::string(py::str(py::type::of(value))));
    }
  }
  return request;
}

// A field as an attribute: read and written as the constructor takes it.
template <class Class, class Member>
void Attribute(Class& c, const char* name, Member member, const char* doc = "") {
  c.def_readwrite(name, member, doc);
}

void BindRequest(py::module_& m) {
  py::class_<Request, std::shared_ptr<Request>> c(m, "GenerateAudioRequest",
                                                R"(What to make. Keywords only; what is left out is the generator's to choose.

Args:
  prompt: what it should sound like.
  duration_s: (0, 600], default 8; the composer takes 0.001 or more.
  seed: -1, the default, lets the engine pick one; the result says which.
  model: id; "" lets the engine choose.
  tempo_bpm, key, meter, structure, instruments, mood: exact wishes, "F major", "ABAB".
  reference_audio: an Audio or a path to start from; reference_strength in [0, 1].
  enhancement_level: [0, 1], for a reference; preserve_original_characteristics keeps its tempo, key and balance.
  want_stems: whether the result has stems.
  takes: so many, 1 to 8, each on a seed of its own; the best by the prompt is the result, the rest are its other_takes.
  rank_by: id of the open model of sound and text that ranks them (CLAP); "" takes the first that is open.
  allow_unsupported: a field that the model cannot honour is then a warning, not an error.
  parameters: the model's own, by name.)");
  c.def(py::init(&RequestFrom));
  Attribute(c, "prompt", &Request::prompt);
  Attribute(c, "negative_prompt", &Request::negative_prompt);
  Attribute(c, "duration_s", &Request::duration_s, "(0, 600].");
  Attribute(c, "seed", &Request::seed);
  Attribute(c, "model", &Request::model);
  Attribute(c, "temperature", &Request::temperature);
  Attribute(c, "top_k", &Request::top_k);
  Attribute(c, "top_p", &Request::top_p);
  Attribute(c, "guidance", &Request::guidance);
  Attribute(c, "steps", &Request::steps);
  Attribute(c, "tempo_bpm", &Request::tempo_bpm);
  Attribute(c, "key", &Request::key);
  Attribute(c, "meter", &Request::meter);
  Attribute(c, "structure", &Request::structure);
  Attribute(c, "instruments", &Request::instruments);
  Attribute(c, "mood", &Request::mood);
  Attribute(c, "reference_strength", &Request::reference_strength);
  Attribute(c, "want_stems", &Request::want_stems);
  Attribute(c, "takes", &Request::takes, "[1, 8]");
  Attribute(c, "rank_by", &Request::rank_by);
  Attribute(c, "allow_unsupported", &Request::allow_unsupported);
  Attribute(c, "enhancement_level", &Request::enhancement_level);
  Attribute(c, "preserve_original_characteristics", &Request::preserve_original_characteristics);
  Attribute(c, "focus_areas", &Request::focus_areas);
  Attribute(c, "target_lufs", &Request::target_lufs);
  Attribute(c, "parameters", &Request::parameters);
  Attribute(c, "patterns", &Request::patterns);
  c.def_property("quality",
                 [](const Request& request) { return std::string(kTiers[static_cast<int>(request.quality)]); },
                 [](Request& request, const std::string& name) { request.quality = TierOf(name); },
                 "\"draft\", \"standard\" or \"best\".");
  c.def_property("reference_audio", [](const Request& request) -> py::object {
    if (request.reference_buffer) {
      return py::cast(PyAudio::Of(std::make_shared<AudioBuffer>(*request.reference_buffer)));
    }
    if (request.reference_audio.empty()) return py::none();
    return py::str(request.reference_audio);
  }, &SetReference, "An Audio (read back as a copy) or a path.");
  c.def_property("reference_midi", [](const Request& request) { return request.reference_midi; },
                 [](Request& request, const py::object& path) { request.reference_midi = PathText(path); });
  c.def("validate", [](const Request& request) { ThrowUnlessOk(ValidateRequest(request)); },
        "Raises InvalidArgumentError whose .problems lists every field out of its range.");
  c.def("to_json", [](const Request& request) { return RequestToJson(request); }, "Schema \"grymsynth.request/1\".");
  c.def_static("from_json", [](const std::string& json) { return ValueOrThrow(RequestFromJson(json)); },
               py::arg("json"));
  c.def("__repr__", [](const Request& request) {
    return py::str("GenerateAudioRequest(prompt={!r}, seed={}, duration_s={}, model={!r})")
        .format(request.prompt, request.seed, request.duration_s, request.model);
  });
}

// A take, and the result that holds it.
struct PyTake {
  Result whole;
  size_t index = 0;
  const RankedTake* operator->() const { return &whole->other_takes[index]; }
};

py::dict StemsOf(const Result& self) {
  py::dict stems;
  for (const Stem& stem : self->stems) stems[py::str(stem.name)] = AudioOf(self, stem.audio);
  return stems;
}

}  // namespace

void BindGeneration(py::module_& m) {
  BindRequest(m);
  py::class_<Provenance>(m, "Provenance", "Enough to render the same bytes again.")
      .def_readonly("model", &Provenance::model)
      .def_readonly("model_version", &Provenance::model_version)
      .def_readonly("software", &Provenance::software)
      .def_readonly("seed", &Provenance::seed, "The one used.")
      .def_readonly("request_json", &Provenance::request_json, "Every field resolved.")
      .def_readonly("reference_sha256", &Provenance::reference_sha256)
      .def("__repr__", [](const Provenance& provenance) {
        return py::str("Provenance(model={!r}, seed={})").format(provenance.model, provenance.seed);
      });
  py::class_<TakeAttempt>(m, "TakeAttempt", "The gate's record of one try.")
      .def_readonly("seed", &TakeAttempt::seed)
      .def_readonly("passed", &TakeAttempt::passed)
      .def_readonly("failures", &TakeAttempt::failures);
  py::class_<PyTake>(m, "RankedTake", "One of several takes.")
      .def_property_readonly("seed", [](const PyTake& take) { return take->seed; })
      .def_property_readonly("score", [](const PyTake& take) { return take->score; },
                             "[-1, 1], how near sound and prompt are; 0 where no model ranked.")
      .def_property_readonly("audio", [](const PyTake& take) { return AudioOf(take.whole, take->audio); })
      .def("__repr__", [](const PyTake& take) {
        return py::str("RankedTake(seed={}, score={:.4f})").format(take->seed, take->score);
      });
  py::class_<GenerateAudioResult, Result>(m, "GenerateAudioResult")
      .def_property_readonly("audio", [](const Result& self) { return AudioOf(self, self->audio); })
      .def_property_readonly("stems", &StemsOf, "Audio by name; their sum is the mix before mastering.")
      .def_property_readonly("mix", [](const Result& self) -> std::optional<PyAudio> {
        if (self->mix.empty()) return std::nullopt;
        return AudioOf(self, self->mix);
      }, "Before mastering; None unless stems were asked for.")
      .def_property_readonly("other_takes", [](const Result& self) {
        std::vector<PyTake> takes;
        for (size_t i = 0; i < self->other_takes.size(); ++i) takes.push_back({self, i});
        return takes;
      }, "Of several takes those beside the result, which is the best; the best of them first.")
      .def_property_readonly("midi", [](const Result& self) {
        return self->midi ? std::shared_ptr<Midi>(self, &*self->midi) : nullptr;
      })
      .def_readonly("provenance", &GenerateAudioResult::provenance)
      .def_readonly("warnings", &GenerateAudioResult::warnings)
      .def_readonly("stages", &GenerateAudioResult::stages, "Repairs of the reference recording; empty without one.")
      .def_readonly("attempts", &GenerateAudioResult::attempts)
      .def_readonly("timings_s", &GenerateAudioResult::timings_s)
      .def_readonly("peak_bytes", &GenerateAudioResult::peak_bytes)
      .def_readonly("facts", &GenerateAudioResult::facts, "\"tempo_bpm\", \"key\", \"genre\", ... as texts.")
      .def("to_json", [](const GenerateAudioResult& result) { return ResultToJson(result); },
           "Schema \"grymsynth.result/1\", without audio.")
      .def("__repr__", [](const GenerateAudioResult& result) {
        return py::str("GenerateAudioResult(model={!r}, seed={}, duration_s={:.2f}, stems={})")
            .format(result.provenance.model, result.provenance.seed, result.audio.duration_s(), result.stems.size());
      })
      .def("_repr_html_", [](const py::object& self) { return Html("result", self); });
}

}  // namespace grym::python
