// Models, opened from checkpoint folders or registered, and routes.
#include "grymsynth/model.h"

#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <random>

#include "face.h"
#include "generation_stream.h"
#include "grymsynth/engine.h"
#include "grymsynth/model_orchestrator.h"
#include "guest_models.h"
#include "opener.h"

namespace grym::python {
namespace {

const char* TypeName(ParamType type) {
  switch (type) {
    case ParamType::kBool: return "bool";
    case ParamType::kInt: return "int";
    case ParamType::kFloat: return "float";
    case ParamType::kString: return "string";
    case ParamType::kChoice: return "choice";
  }
  return "string";
}

using Model_ = std::shared_ptr<Model>;

py::object ArrayOf(FloatArray array) {
  std::vector<py::ssize_t> shape(array.shape.begin(), array.shape.end());
  auto* kept = new std::vector<float>(std::move(array.values));
  const py::capsule owner(kept, [](void* values) { delete static_cast<std::vector<float>*>(values); });
  return py::array_t<float>(std::move(shape), kept->data(), owner);
}

absl::StatusOr<AudioBuffer> LoadedInput(const KeptInput& input, const RunOptions& run) {
  return input.audio ? *input.audio : LoadAudio(input.path, {}, RunOptions{run.cancel, {}});
}

// Runs `work(embedder, run)` on an embedder of the model's own; what it warns of is a Python warning.
template <class Work>
auto Embedding(const Model_& self, const py::object& progress, Work work) {
  std::vector<std::string> warnings;
  auto made = Blocking(progress, [&](const RunOptions& run, Listener&) -> decltype(work(std::declval<Embedder&>(), run)) {
    absl::StatusOr<std::unique_ptr<Embedder>> embedder = self->NewEmbedder();
    if (!embedder.ok()) return embedder.status();
    auto answer = work(**embedder, run);
    warnings = (*embedder)->warnings();
    return answer;
  });
  const RunsPython runs_python;
  for (const std::string& warning : warnings) {
    if (PyErr_WarnEx(PyExc_UserWarning, warning.c_str(), 1) != 0) throw py::error_already_set();
  }
  return made;
}

// As the engine does it: the seed is picked, and what the model cannot honour is told.
absl::Status PrepareRaw(const Model& model, GenerateAudioRequest& request, std::vector<std::string>& warnings) {
  if (request.seed < 0) {  // below 2^53, as the engine picks them
    std::random_device device;
    request.seed = static_cast<int64_t>((uint64_t{device()} << 32 | device()) & ((uint64_t{1} << 53) - 1));
  }
  if (const absl::Status valid = ValidateRequest(request); !valid.ok()) return valid;
  return CheckRequestForModel(model.info(), request, &warnings);
}

absl::StatusOr<GenerateAudioResult> GenerateRaw(const Model& model, GenerateAudioRequest request,
                                                const RunOptions& run) {
  std::vector<std::string> warnings;
  if (const absl::Status fits = PrepareRaw(model, request, warnings); !fits.ok()) return fits;
  absl::StatusOr<std::unique_ptr<Generator>> generator = model.NewGenerator();
  if (!generator.ok()) return generator.status();
  absl::StatusOr<GenerateAudioResult> made = (*generator)->Generate(request, run);
  if (made.ok()) made->warnings.insert(made->warnings.begin(), warnings.begin(), warnings.end());
  return made;
}

// A generator and the model that it stands on.
struct OwnGenerator {
  Model_ model;
  std::unique_ptr<Generator> generator;
};

// `open(generator)` answers a stream of it.
template <class Open>
Generation_ StreamOf(const Model_& self, Open open, std::vector<std::string> warnings = {}) {
  auto own = std::make_shared<OwnGenerator>();
  own->model = self;
  auto stream = Unlocked([&]() -> absl::StatusOr<std::unique_ptr<GenerationStream>> {
    absl::StatusOr<std::unique_ptr<Generator>> generator = self->NewGenerator();
    if (!generator.ok()) return generator.status();
    own->generator = *std::move(generator);
    return open(*own->generator);
  });
  return Held(std::make_unique<PyGeneration>(std::move(own), ValueOrThrow(std::move(stream)), std::move(warnings)));
}

void DefineStreams(py::class_<Model, Model_>& c) {
  c.def("stream", [](const Model_& self, const std::shared_ptr<GenerateAudioRequest>& request) {
    GenerateAudioRequest wanted = *request;
    std::vector<std::string> warnings;
    ThrowUnlessOk(PrepareRaw(*self, wanted, warnings));
    return StreamOf(self, [&](Generator& generator) { return generator.Stream(wanted); }, std::move(warnings));
  }, py::arg("request").none(false), R"(The model's own waveform, block after block while it is being made.

Returns: GenerationStream, an iterator of Audio.)");
  c.def("resume_stream", [](const Model_& self, const py::object& path) {
    const std::filesystem::path saved = PathOf(path);
    return StreamOf(self, [&](Generator& generator) { return generator.Resume(saved); });
  }, py::arg("path"), R"(Goes on with what GenerationStream.save wrote, in this process or another.

Raises: DataLossError for a damaged file, FailedPreconditionError (code "other_model") for another checkpoint's.)");
  c.def("generate_batch", [](const Model_& self, std::vector<GenerateAudioRequest> requests,
                             const py::object& progress) {
    std::vector<std::vector<std::string>> warnings(requests.size());
    for (size_t i = 0; i < requests.size(); ++i) ThrowUnlessOk(PrepareRaw(*self, requests[i], warnings[i]));
    std::vector<GenerateAudioResult> made = Blocking(
        progress, [&](const RunOptions& run, Listener&) -> absl::StatusOr<std::vector<GenerateAudioResult>> {
      absl::StatusOr<std::unique_ptr<Generator>> generator = self->NewGenerator();
      if (!generator.ok()) return generator.status();
      return (*generator)->GenerateBatch(requests, run);
    });
    std::vector<std::shared_ptr<GenerateAudioResult>> results;
    for (size_t i = 0; i < made.size(); ++i) {
      made[i].warnings.insert(made[i].warnings.begin(), warnings[i].begin(), warnings[i].end());
      results.push_back(std::make_shared<GenerateAudioResult>(std::move(made[i])));
    }
    return results;
  }, py::arg("requests"), py::kw_only(), py::arg("progress") = py::none(),
        "Several requests in one go where the model can; each as generate(request, raw=True) answers it.");
  c.def("encode", [](const Model_& self, const py::object& audio, const py::object& progress) {
    const KeptInput input = KeptInput::From(audio);
    return std::make_shared<AudioCodes>(Blocking(
        progress, [&](const RunOptions& run, Listener&) -> absl::StatusOr<AudioCodes> {
      absl::StatusOr<std::unique_ptr<AudioCodec>> codec = self->NewCodec();
      if (!codec.ok()) return codec.status();
      absl::StatusOr<AudioBuffer> loaded = LoadedInput(input, run);
      return loaded.ok() ? (*codec)->Encode(*loaded, run) : absl::StatusOr<AudioCodes>(loaded.status());
    }));
  }, py::arg("audio"), py::kw_only(), py::arg("progress") = py::none(),
        "AudioCodes of an Audio or a file; any rate and channel count. Raises UnimplementedError for what is no codec.");
  c.def("decode", [](const Model_& self, const std::shared_ptr<AudioCodes>& codes, const py::object& progress) {
    return PyAudio::Of(std::make_shared<AudioBuffer>(Blocking(
        progress, [&](const RunOptions& run, Listener&) -> absl::StatusOr<AudioBuffer> {
      absl::StatusOr<std::unique_ptr<AudioCodec>> codec = self->NewCodec();
      if (!codec.ok()) return codec.status();
      return (*codec)->Decode(*codes, run);
    })));
  }, py::arg("codes").none(false), py::kw_only(), py::arg("progress") = py::none(),
        "Audio of AudioCodes, at the codec's own rate.");
}

// Through the module's own engine, which gates the take and keeps its cost.
absl::StatusOr<GenerateAudioResult> GenerateGated(Engine& engine, const Model_& model, const Model_& ranker,
                                                  GenerateAudioRequest request, const RunOptions& run) {
  static GuestModels* const guests = new GuestModels;
  absl::StatusOr<GuestModels::Stay> maker = guests->Register(engine.orchestrator(), model);
  if (!maker.ok()) return maker.status();
  request.model = maker->id();
  if (!ranker) return engine.Generate(request, run);
  absl::StatusOr<GuestModels::Stay> judge = guests->Register(engine.orchestrator(), ranker);
  if (!judge.ok()) return judge.status();
  request.rank_by = judge->id();
  absl::StatusOr<GenerateAudioResult> made = engine.Generate(request, run);
  if (made.ok() && made->facts.count("ranked_by") > 0) made->facts["ranked_by"] = ranker->info().id;
  return made;
}

constexpr const char* kMakeDoc = R"(Makes audio.

Args:
  request: a GenerateAudioRequest; its `model` is not read.
  raw: the model's own waveform as it comes, before any judging or post-processing.
  rank_by: an open Model of sound and text (CLAP) that ranks the takes that the request asks for; not with `raw`.
  progress: called with a Progress; True shows a tqdm bar.
Returns: GenerateAudioResult. Without `raw`, a take that fails the gate is made once more on another seed.)";

constexpr const char* kOpenDoc = R"(Opens a checkpoint folder as published (Hugging Face layout).

Args:
  folder: config.json or model_index.json, *.safetensors, tokenizer files. Pickles are refused:
    `python -m grymsynth.convert FOLDER` converts them.
  device: "auto" (the first GPU, else the CPU), "cpu", "cuda", "cuda:N".
  dtype: of the weights: "float32", "bfloat16x3", "bfloat16", "float16", "int8", "int4"; what a model keeps in more bits
    then stands in its plan. "" is what a packed copy (save_copy) holds, which opens in no other, else "float32".
    "bfloat16x3" keeps float32 and multiplies by three products of bfloat16, each 5e-6 off and results some 90 dB, for
    CPUs with AMX; one without AVX-512 BF16 does not offer it.
  budget_bytes: of tensors at once; 0 is 6 GiB.
  component_dtypes: for some components: {"unet": "int8"}.
  may_lower_precision: whether a request over the budget may be made to fit by fewer bits.
  most_wait_s: how long a call waits, in turn, for memory that other calls hold before it is refused; 0: not at all.
    progress is told "waiting for memory" meanwhile.
Raises: FailedPreconditionError (code "no_torch") without LibTorch, NotFoundError, InvalidArgumentError, DataLossError
  for what the folder lacks or where it contradicts itself. Weights are read by the first call that needs them.)";

constexpr const char* kCopyDoc = R"(Writes the model as a folder of its own, whose weights lie as they are kept.

Opened, it converts nothing and answers the same bits; `python -m grymsynth.convert --dtype int8 FOLDER OUT` does both.

Args:
  folder: not there yet, or empty; afterwards there whole or not at all.
  progress: called with a Progress; True shows a tqdm bar.
Raises: UnimplementedError (code "no_copy") for all but MusicGen, AlreadyExistsError (code "folder_exists"),
  FailedPreconditionError (code "nothing_to_pack") for float32 and for a copy.)";

void DefineModel(py::module_& m) {
  py::class_<Model, Model_> c(m, "Model", "A model, opened from a checkpoint folder. Any thread may use it.");
  c.def_static("open", [](const py::object& folder, const std::string& device, const std::string& dtype,
                          int64_t budget_bytes, const std::map<std::string, std::string>& component_dtypes,
                          bool may_lower_precision, double most_wait_s) {
    const std::filesystem::path path = PathOf(folder);
    const OpenModelOptions options{"",           device, dtype,               component_dtypes,
                                   budget_bytes, 0,      may_lower_precision, most_wait_s};
    const ModelOpener open = NativeOpener(/*shared=*/true);
    return std::const_pointer_cast<Model>(ValueOrThrow(Unlocked([&] { return open(path, options); })));
  }, py::arg("folder"), py::kw_only(), py::arg("device") = "auto", py::arg("dtype") = "",
               py::arg("budget_bytes") = 0, py::arg("component_dtypes") = std::map<std::string, std::string>{},
               py::arg("may_lower_precision") = false, py::arg("most_wait_s") = OpenModelOptions().most_wait_s,
               kOpenDoc);
  c.def_property_readonly("info", [](const Model& self) { return self.info(); });
  c.def("plan", [](const Model_& self, const std::shared_ptr<GenerateAudioRequest>& request) {
    const GenerateAudioRequest wanted = request ? *request : GenerateAudioRequest();
    ThrowUnlessOk(ValidateRequest(wanted));
    std::vector<std::string> warnings;
    ThrowUnlessOk(CheckRequestForModel(self->info(), wanted, &warnings));
    return FromJsonText(ValueOrThrow(Unlocked([&] { return self->Plan(wanted); })));
  }, py::arg("request") = py::none(), R"(What a request would take, as a dict; nothing is loaded or run.

Raises: ResourceExhaustedError with both numbers when no plan keeps to the budget.)");
  c.def("generate", [](const Model_& self, const std::shared_ptr<GenerateAudioRequest>& request, bool raw,
                       const Model_& rank_by, const py::object& progress) {
    if (raw && rank_by) ThrowBad("rank_by: want it without raw: a raw take is nobody's to rank");
    const GenerateAudioRequest wanted = *request;
    std::shared_ptr<Engine> engine;
    if (!raw) {
      engine = py::module_::import("grymsynth._default").attr("engine")().cast<std::shared_ptr<Engine>>();
    }
    return std::make_shared<GenerateAudioResult>(Blocking(progress, [&](const RunOptions& run, Listener&) {
      return raw ? GenerateRaw(*self, wanted, run) : GenerateGated(*engine, self, rank_by, wanted, run);
    }));
  }, py::arg("request").none(false), py::kw_only(), py::arg("raw") = false, py::arg("rank_by") = py::none(),
        py::arg("progress") = py::none(), kMakeDoc);
  c.def("embed_audio", [](const Model_& self, const py::object& audio, const py::object& progress) {
    const KeptInput input = KeptInput::From(audio);
    std::vector<float> made = Embedding(self, progress, [&](Embedder& embedder, const RunOptions& run) {
      absl::StatusOr<AudioBuffer> loaded = LoadedInput(input, run);
      return loaded.ok() ? embedder.Embed(*loaded, run) : absl::StatusOr<std::vector<float>>(loaded.status());
    });
    const auto size = static_cast<int64_t>(made.size());
    return ArrayOf({{size}, std::move(made)});
  }, py::arg("audio"), py::kw_only(), py::arg("progress") = py::none(),
        "A unit vector [dims] float32 for an Audio or a file; any rate and channel count.");
  c.def("embed_text", [](const Model_& self, const std::string& text, const py::object& progress) {
    std::vector<float> made = Embedding(self, progress, [&](Embedder& embedder, const RunOptions& run) {
      return embedder.EmbedText(text, run);
    });
    const auto size = static_cast<int64_t>(made.size());
    return ArrayOf({{size}, std::move(made)});
  }, py::arg("text"), py::kw_only(), py::arg("progress") = py::none(),
        "A unit vector [dims] float32 in the space of embed_audio; a text that is too long is cut, with a warning.\n\n"
        "Raises UnimplementedError for a model without text.");
  c.def("transcribe", [](const Model_& self, const py::object& audio, const py::object& progress) {
    const KeptInput input = KeptInput::From(audio);
    return Embedding(self, progress, [&](Embedder& embedder, const RunOptions& run) -> absl::StatusOr<std::string> {
      absl::StatusOr<AudioBuffer> loaded = LoadedInput(input, run);
      if (!loaded.ok()) return loaded.status();
      return embedder.Transcribe(*loaded, run);
    });
  }, py::arg("audio"), py::kw_only(), py::arg("progress") = py::none(),
        "What is said in an Audio or a file, as a wav2vec2 with a CTC head writes it.\n\n"
        "Raises UnimplementedError for a model that was not trained to write.");
  c.def("hidden_states", [](const Model_& self, const py::object& audio, const py::object& progress) {
    const KeptInput input = KeptInput::From(audio);
    std::vector<FloatArray> made = Embedding(self, progress, [&](Embedder& embedder, const RunOptions& run) {
      absl::StatusOr<AudioBuffer> loaded = LoadedInput(input, run);
      return loaded.ok() ? embedder.HiddenStates(*loaded, run)
                         : absl::StatusOr<std::vector<FloatArray>>(loaded.status());
    });
    py::list layers;
    for (FloatArray& layer : made) layers.append(ArrayOf(std::move(layer)));
    return layers;
  }, py::arg("audio"), py::kw_only(), py::arg("progress") = py::none(),
        "What each layer answers, the input of the first one first: a list of float32 arrays [frames, dim].");
  c.def("save_copy", [](const Model_& self, const py::object& folder, const py::object& progress) {
    const std::filesystem::path path = PathOf(folder);
    Blocking(progress, [&](const RunOptions& run, Listener&) -> absl::StatusOr<bool> {
      if (absl::Status saved = self->SaveCopy(path, run); !saved.ok()) return saved;
      return true;
    });
  }, py::arg("folder"), py::kw_only(), py::arg("progress") = py::none(), kCopyDoc);
  DefineStreams(c);
  c.def("__repr__", [](const Model& self) {
    return py::str("Model(id={!r}, device={!r})").format(self.info().id, self.info().device);
  });
}

}  // namespace

void BindModel(py::module_& m) {
  py::class_<ParamSpec>(m, "ParamSpec", "A parameter of a model's own.")
      .def_readonly("name", &ParamSpec::name)
      .def_property_readonly("type", [](const ParamSpec& param) { return std::string(TypeName(param.type)); })
      .def_readonly("unit", &ParamSpec::unit)
      .def_readonly("minimum", &ParamSpec::minimum)
      .def_readonly("maximum", &ParamSpec::maximum)
      .def_readonly("choices", &ParamSpec::choices)
      .def_readonly("default_value", &ParamSpec::default_value)
      .def_readonly("text", &ParamSpec::text);
  py::class_<ModelInfo>(m, "ModelInfo")
      .def_readonly("id", &ModelInfo::id)
      .def_readonly("version", &ModelInfo::version)
      .def_readonly("name", &ModelInfo::name)
      .def_readonly("description", &ModelInfo::description)
      .def_readonly("licence", &ModelInfo::licence)
      .def_property_readonly("capabilities", [](const ModelInfo& info) {
        std::vector<std::string> names;
        for (const Capability capability : info.capabilities) names.emplace_back(CapabilityName(capability));
        return names;
      })
      .def_readonly("params", &ModelInfo::params)
      .def_readonly("request_fields", &ModelInfo::request_fields)
      .def_readonly("rate_hz", &ModelInfo::rate_hz)
      .def_readonly("channels", &ModelInfo::channels)
      .def_readonly("device", &ModelInfo::device)
      .def_readonly("weights_bytes", &ModelInfo::weights_bytes)
      .def_readonly("seconds_per_audio_second", &ModelInfo::seconds_per_audio_second)
      .def_readonly("own_budget_bytes", &ModelInfo::own_budget_bytes)
      .def("__repr__", [](const ModelInfo& info) {
        return py::str("ModelInfo(id={!r}, version={!r})").format(info.id, info.version);
      });
  DefineModel(m);
  py::class_<ChainLink>(m, "ChainLink")
      .def_readonly("model", &ChainLink::model)
      .def_property_readonly("capability",
                             [](const ChainLink& link) { return std::string(CapabilityName(link.capability)); })
      .def_property_readonly("seconds", [](const ChainLink& link) { return link.need.seconds; })
      .def_property_readonly("peak_bytes", [](const ChainLink& link) { return link.need.peak_bytes; })
      .def_property_readonly("weights_bytes", [](const ChainLink& link) { return link.need.weights_bytes; })
      .def_readonly("rate_hz", &ChainLink::rate_hz)
      .def_readonly("channels", &ChainLink::channels);
  py::class_<ModelChain>(m, "ModelChain", "Who would do a task, and why.")
      .def_readonly("links", &ModelChain::links)
      .def_readonly("reason", &ModelChain::reason)
      .def_readonly("rejected", &ModelChain::rejected);
}

}  // namespace grym::python
