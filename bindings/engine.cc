// Engine: everything from one options struct.
#include "grymsynth/engine.h"

#include <pybind11/stl.h>

#include "face.h"
#include "generation_stream.h"
#include "job.h"
#include "opener.h"

namespace grym::python {

// An integer of Python's, which has no bounds of its own: so that one too large is told of in our words.
struct Whole {
  py::int_ number;
};

}  // namespace grym::python

namespace pybind11::detail {
template <>
struct type_caster<grym::python::Whole> {
  PYBIND11_TYPE_CASTER(grym::python::Whole, const_name("int"));
  bool load(handle source, bool) {
    if (!PyIndex_Check(source.ptr())) return false;
    auto number = reinterpret_steal<object>(PyNumber_Index(source.ptr()));
    if (!number) throw error_already_set();
    value.number = reinterpret_borrow<int_>(number);
    return true;
  }
};
}  // namespace pybind11::detail

namespace grym::python {
namespace {

using Engine_ = std::shared_ptr<Engine>;

constexpr const char* kGenerateDoc = R"(Makes audio: routes, runs, and gates the take (one retry on another seed).

Args:
  request: a GenerateAudioRequest.
  progress: called with a Progress about ten times a second; True shows a tqdm bar.
Returns: GenerateAudioResult.
Raises: InvalidArgumentError (code "unsupported_field" for a field that the model cannot honour), NotFoundError (code
  "no_model"), ResourceExhaustedError with both numbers.)";

constexpr const char* kRunDoc = R"(Runs a workflow to its end; a run that the journal knows goes on where it stopped.

Args:
  parameters: values by name: {"audioFile": "in.wav"}; anything that JSON can say, paths too.
  execution_id: "" starts a new run.
  output_dir: where export writes; None is the engine's data folder.
  output_name: stem of exported names; "" takes the input's.
  seed: base of every seed in the run.
  on_event: called with a WorkflowEvent.
  progress: called with a Progress; True shows a tqdm bar.
Returns: WorkflowRun; the error of a failed run is in its .error.)";

EngineOptions OptionsFrom(const py::object& data_dir, int64_t budget_bytes, int cores, int64_t exact_search_limit,
                          bool full_check, const py::object& taxonomy) {
  EngineOptions options;
  if (!data_dir.is_none()) options.data_dir = PathOf(data_dir);
  options.budget_bytes = budget_bytes;
  options.cores = cores;
  options.memory.exact_search_limit = exact_search_limit;
  options.memory.full_check = full_check;
  if (!taxonomy.is_none()) options.recognizer.taxonomy = PathOf(taxonomy);
  return options;
}

int64_t SeedOf(const Whole& seed) {
  int overflow = 0;
  const long long value = PyLong_AsLongLongAndOverflow(seed.number.ptr(), &overflow);
  if (overflow == 0) return value;
  ThrowBad("seed: want a whole number from -2^63 to 2^63 - 1, got one of " +
           std::string(py::str(seed.number.attr("bit_length")())) + " bits");
}

WorkflowRunOptions RunOptionsFrom(const py::object& parameters, const std::string& execution_id,
                                  const py::object& output_dir, const std::string& output_name, const Whole& seed) {
  WorkflowRunOptions options;
  if (!parameters.is_none()) {
    for (const auto& [key, value] : parameters.cast<py::dict>()) {
      options.parameters[py::str(key)] = JsonOf(py::reinterpret_borrow<py::object>(value), false);
    }
  }
  options.execution_id = execution_id;
  if (!output_dir.is_none()) options.output_dir = PathOf(output_dir);
  options.output_name = output_name;
  options.seed = SeedOf(seed);
  return options;
}

// Python's on_event, kept and let go with the lock.
std::shared_ptr<py::object> KeptCallable(const py::object& callable) {
  if (callable.is_none()) return nullptr;
  if (!PyCallable_Check(callable.ptr())) throw py::type_error("on_event: want a callable or None");
  return std::shared_ptr<py::object>(new py::object(callable), [](py::object* kept) {
    if (CurrentStage() == Stage::kEnded || CurrentStage() == Stage::kForked) return;
    py::gil_scoped_acquire gil;
    delete kept;
  });
}

void TellEvents(const std::shared_ptr<py::object>& on_event, Listener& listener, WorkflowRunOptions& options) {
  if (!on_event) return;
  options.on_event = [on_event, &listener](const WorkflowEvent& event) {
    listener.Call([&] { (*on_event)(event); });
  };
}

absl::StatusOr<ModelChain> Route(const Engine_& self, const std::string& capability, const py::object& request,
                                 const std::string& model) {
  AudioTask task;
  task.capability = ValueOrThrow(TaskCapability(capability));
  if (!request.is_none()) task.request = request.cast<GenerateAudioRequest>();
  task.model = model;
  return Unlocked([&] { return self->orchestrator().RouteTask(task); });
}

template <class Class>
void DefineMaking(Class& c) {
  c.def("generate", [](const Engine_& self, const std::shared_ptr<GenerateAudioRequest>& request,
                       const py::object& progress) {
    const GenerateAudioRequest wanted = *request;
    return std::make_shared<GenerateAudioResult>(Blocking(
        progress, [&](const RunOptions& run, Listener&) { return self->Generate(wanted, run); }));
  }, py::arg("request").none(false), py::kw_only(), py::arg("progress") = py::none(), kGenerateDoc);
  c.def("start_generate", [](const Engine_& self, const std::shared_ptr<GenerateAudioRequest>& request,
                             const py::object& progress) {
    return TypedPyJob<GenerateAudioResult>::Start(
        progress, [self, wanted = *request](const RunOptions& run, Listener&) { return self->Generate(wanted, run); });
  }, py::arg("request").none(false), py::kw_only(), py::arg("progress") = py::none(),
        "The same as `generate`, as a Job.");
  c.def("stream", [](const Engine_& self, const std::shared_ptr<GenerateAudioRequest>& request) {
    const GenerateAudioRequest wanted = *request;
    return Held(std::make_unique<PyGeneration>(
        self, ValueOrThrow(Unlocked([&] { return self->Stream(wanted); }))));
  }, py::arg("request").none(false), R"(The same as `generate`, block after block and without the gate.

Returns: GenerationStream, an iterator of Audio.)");
  c.def("resume_stream", [](const Engine_& self, const std::string& model, const py::object& path) {
    const std::filesystem::path saved = PathOf(path);
    return Held(std::make_unique<PyGeneration>(
        self, ValueOrThrow(Unlocked([&] { return self->ResumeStream(model, saved); }))));
  }, py::arg("model"), py::arg("path"), "Goes on with what GenerationStream.save wrote, in this process or another.");
  c.def("hear_patterns", [](const Engine_& self, const std::shared_ptr<AudioPatterns>& patterns,
                            const py::object& audio, const std::string& model, const py::object& progress) {
    const KeptInput input = KeptInput::From(audio);
    const AudioPatterns stored = *patterns;
    Blocking(progress, [&](const RunOptions& run, Listener&) -> absl::StatusOr<bool> {
      const absl::Status heard = self->HearPatterns(stored, input.input(), model, run);
      if (!heard.ok()) return heard;
      return true;
    });
  }, py::arg("patterns").none(false), py::arg("audio"), py::kw_only(), py::arg("model"),
        py::arg("progress") = py::none(),
        R"(Lets an open embedder hear stored patterns, so that search_memory finds them.

Each is heard where it first occurs in `audio`, an Audio or a file.
Raises: FailedPreconditionError (code "not_stored") for patterns that were not learnt.)");
  c.def("search_memory", [](const Engine_& self, const std::string& words, const std::string& model, int limit,
                            const py::object& progress) {
    return Blocking(progress, [&](const RunOptions& run, Listener&) {
      return self->SearchMemory(words, model, limit, run);
    });
  }, py::arg("words"), py::kw_only(), py::arg("model"), py::arg("limit") = 10, py::arg("progress") = py::none(),
        R"(The patterns that sound most like some words, as PatternMatch, by a model that hears and reads (CLAP).

Of those that hear_patterns was called for with that model.)");
  c.def("models", [](const Engine_& self) {
    return Unlocked([&] { return self->orchestrator().Models(); });
  }, "What is registered, as ModelInfo.");
  c.def("route", [](const Engine_& self, const std::string& capability, const py::object& request,
                    const std::string& model) {
    return ValueOrThrow(Route(self, capability, request, model));
  }, py::arg("capability"), py::arg("request") = py::none(), py::kw_only(), py::arg("model") = "",
        "Who would do a task, and why. Raises NotFoundError (code \"no_model\") that says what is missing.");
}

template <class Class>
void DefineOpening(Class& c) {
  c.def("open_model", [](const Engine_& self, const py::object& folder, const std::string& id,
                         const std::string& device, const std::string& dtype, int64_t budget_bytes,
                         const std::map<std::string, std::string>& component_dtypes, bool may_lower_precision,
                         double most_wait_s) {
    const std::filesystem::path path = PathOf(folder);
    const OpenModelOptions options{id,           device, dtype,               component_dtypes,
                                   budget_bytes, 0,      may_lower_precision, most_wait_s};
    if (!self->has_model_opener()) self->AddModelOpener(NativeOpener(/*shared=*/false));
    return ValueOrThrow(Unlocked([&] { return self->OpenModel(path, options); }));
  }, py::arg("folder"), py::kw_only(), py::arg("id") = "", py::arg("device") = "auto", py::arg("dtype") = "",
        py::arg("budget_bytes") = 0, py::arg("component_dtypes") = std::map<std::string, std::string>{},
        py::arg("may_lower_precision") = false, py::arg("most_wait_s") = OpenModelOptions().most_wait_s,
        "Opens a checkpoint folder (see Model.open) and registers it; answers its id, which requests go by. "
        "budget_bytes 0 is the engine's, shared by all its models.");
  c.def("close_model", [](const Engine_& self, const std::string& id) {
    ThrowUnlessOk(Unlocked([&] { return self->CloseModel(id); }));
  }, py::arg("id"), "Lets a model go; what runs with it ends as it would.");
}

template <class Class>
void DefineWorkflows(Class& c) {
  c.def("run_workflow", [](const Engine_& self, const Workflow& workflow, const py::object& parameters,
                           const std::string& execution_id, const py::object& output_dir,
                           const std::string& output_name, const Whole& seed, const py::object& on_event,
                           const py::object& progress) {
    WorkflowRunOptions options = RunOptionsFrom(parameters, execution_id, output_dir, output_name, seed);
    const auto kept = KeptCallable(on_event);
    return std::make_shared<WorkflowRun>(Blocking(progress, [&](const RunOptions& run, Listener& listener) {
      options.run = run;
      TellEvents(kept, listener, options);
      return self->RunWorkflow(workflow, options);
    }));
  }, py::arg("workflow"), py::arg("parameters") = py::none(), py::kw_only(), py::arg("execution_id") = "",
        py::arg("output_dir") = py::none(), py::arg("output_name") = "", py::arg("seed") = 0,
        py::arg("on_event") = py::none(), py::arg("progress") = py::none(), kRunDoc);
  c.def("start_workflow", [](const Engine_& self, const std::shared_ptr<Workflow>& workflow,
                             const py::object& parameters, const std::string& execution_id,
                             const py::object& output_dir, const std::string& output_name, const Whole& seed,
                             const py::object& on_event, const py::object& progress) {
    WorkflowRunOptions options = RunOptionsFrom(parameters, execution_id, output_dir, output_name, seed);
    return TypedPyJob<WorkflowRun>::Start(
        progress, [self, workflow = *workflow, options = std::move(options), kept = KeptCallable(on_event)](
                      const RunOptions& run, Listener& listener) mutable {
      options.run = run;
      TellEvents(kept, listener, options);
      return self->RunWorkflow(workflow, options);
    });
  }, py::arg("workflow"), py::arg("parameters") = py::none(), py::kw_only(), py::arg("execution_id") = "",
        py::arg("output_dir") = py::none(), py::arg("output_name") = "", py::arg("seed") = 0,
        py::arg("on_event") = py::none(), py::arg("progress") = py::none(), "The same as `run_workflow`, as a Job.");
  c.def("executions", [](const Engine_& self) {
    std::vector<std::shared_ptr<WorkflowRun>> runs;
    for (WorkflowRun& run : ValueOrThrow(Unlocked([&] { return self->Executions(); }))) {
      runs.push_back(std::make_shared<WorkflowRun>(std::move(run)));
    }
    return runs;
  }, "Journalled runs, newest first: id and state.");
  c.def("delete_execution", [](const Engine_& self, const std::string& execution_id) {
    ThrowUnlessOk(Unlocked([&] { return self->DeleteExecution(execution_id); }));
  }, py::arg("execution_id"), "Forgets a run and the takes that only it keeps in the data folder; exports stay.");
  c.def("summarize", [](const Engine_& self, const std::shared_ptr<WorkflowRun>& run) {
    return std::make_shared<RunSummary>(ValueOrThrow(Unlocked([&] { return self->Summarize(*run); })));
  }, py::arg("run"), "The takes with their scores, and the files. Raises FailedPreconditionError for a run that did "
                     "not complete or exported no take.");
  c.def("write_report", [](const Engine_& self, const std::shared_ptr<WorkflowRun>& run, const py::object& path) {
    const std::filesystem::path target = PathOf(path);
    ThrowUnlessOk(Unlocked([&] { return self->WriteReport(*run, target); }));
  }, py::arg("run"), py::arg("path"), "A self-contained HTML page over a finished enhancement run.");
}

}  // namespace

void BindEngine(py::module_& m) {
  const EngineOptions d;
  py::class_<Engine, Engine_> c(m, "Engine", R"(Everything that has state: pattern memory, workflow journal, models.

Args:
  data_dir: where these live; None keeps them in a temporary folder that ends with the engine.
  budget_bytes: memory for models per device.
  cores: 0 takes as many as the machine has.)");
  c.def(py::init([](const py::object& data_dir, int64_t budget_bytes, int cores, int64_t exact_search_limit,
                    bool full_check, const py::object& taxonomy) {
    const EngineOptions options =
        OptionsFrom(data_dir, budget_bytes, cores, exact_search_limit, full_check, taxonomy);
    return Held(ValueOrThrow(Unlocked([&] { return Engine::Create(options); })));
  }), py::arg("data_dir") = py::none(), py::kw_only(), py::arg("budget_bytes") = d.budget_bytes,
        py::arg("cores") = d.cores, py::arg("exact_search_limit") = d.memory.exact_search_limit,
        py::arg("full_check") = d.memory.full_check, py::arg("taxonomy") = py::none());
  c.def("close", [](const Engine_& self) { ThrowUnlessOk(Unlocked([&] { return self->Close(); })); },
        R"(Stops what runs and lets go of the data folder; `with Engine(...) as engine:` does it at the end.

Workflow runs are left "interrupted" and can be resumed. Afterwards generating, workflows and the memory raise
FailedPreconditionError (code "engine_closed"), also in a job whose thread had not come so far. Safe to call twice. From a
callback of its own call it asks the call to stop and raises FailedPreconditionError (code "closed_from_callback").)");
  c.def("__enter__", [](const py::object& self) { return self; });
  c.def("__exit__", [](const Engine_& self, const py::args&) {
    ThrowUnlessOk(Unlocked([&] { return self->Close(); }));
  });
  c.def_property_readonly("processor", [](const Engine_& self) {
    return std::shared_ptr<AudioProcessor>(self, &self->processor());
  });
  c.def_property_readonly("memory", [](const Engine_& self) {
    return std::shared_ptr<PatternMemory>(self, &self->memory());
  });
  c.def_property_readonly("recognizer", [](const Engine_& self) {
    return std::shared_ptr<PatternRecognizer>(self, &self->recognizer());
  });
  DefineMaking(c);
  DefineOpening(c);
  DefineWorkflows(c);
}

}  // namespace grym::python
