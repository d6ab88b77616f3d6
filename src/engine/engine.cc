#include "grymsynth/engine.h"

#include <mutex>
#include <optional>
#include <random>
#include <thread>

#include "base/format.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/progress.h"
#include "base/status.h"
#include "base/temp_folder.h"
#include "engine/calls.h"
#include "engine/engine_stream.h"
#include "engine/run_summary.h"
#include "engine/sound_memory.h"
#include "generation/composer.h"
#include "patterns/embedder.h"
#include "steps/make_take.h"
#include "steps/repair_model.h"
#include "steps/rules_model.h"
#include "steps/step_runner.h"
#include "workflow/document.h"
#include "workflow/executor.h"
#include "workflow/journal.h"

namespace grym {

struct Engine::Impl {
  ~Impl() {
    Close().IgnoreError();
    recognizer.reset();
    memory.reset();
    orchestrator.reset();
  }
  absl::Status Close() {
    GRYM_RETURN_IF_ERROR(calls->CloseAndWait());
    {
      std::lock_guard<std::mutex> lock(journal_mutex);
      journal.reset();
    }
    return memory ? memory->Close() : absl::OkStatus();
  }
  // The journal has one owning process, so it is opened by the first workflow, not by every engine.
  absl::StatusOr<Journal*> OpenJournal() {
    std::lock_guard<std::mutex> lock(journal_mutex);
    if (!journal) {
      GRYM_ASSIGN_OR_RETURN(journal, Journal::Open(data_dir / "runs"));
    }
    return journal.get();
  }

  absl::StatusOr<WorkflowRun> Run(const Workflow& workflow, const WorkflowRunOptions& options);

  std::optional<TempFolder> temporary;  // goes last
  std::filesystem::path data_dir;
  std::shared_ptr<RunningCalls> calls = std::make_shared<RunningCalls>();
  std::unique_ptr<AudioProcessor> processor;
  std::unique_ptr<PatternMemory> memory;
  std::unique_ptr<PatternRecognizer> recognizer;
  std::unique_ptr<ModelOrchestrator> orchestrator;
  std::mutex journal_mutex;
  std::unique_ptr<Journal> journal;
  int64_t budget_bytes = 0;
  std::mutex openers_mutex;
  std::vector<ModelOpener> openers;
};

namespace {

std::string NewExecutionId() {
  std::random_device device;
  return Formatted("run-%08x%08x", device(), device());
}

absl::StatusOr<Json> ParametersJson(const std::map<std::string, std::string>& texts) {
  Json parameters = Json::Object();
  for (const auto& [name, text] : texts) {
    absl::StatusOr<Json> value = Json::Parse(text);
    if (!value.ok()) return Annotate(value.status(), "parameter \"" + Printable(name) + "\"");
    parameters[name] = *std::move(value);
  }
  return parameters;
}

// Minutes of work end in an export, so a folder that takes no files is told of before them. A run that is over is
// answered as it was, whatever has become of the folder since.
absl::Status CheckExportFolders(const Workflow::Document& document, const std::filesystem::path& output_dir,
                                const Journal& journal, const std::string& execution_id) {
  GRYM_ASSIGN_OR_RETURN(const bool known, journal.Contains(execution_id));
  if (known) {
    GRYM_ASSIGN_OR_RETURN(const std::vector<ExecutionRecord> records, journal.List());
    for (const ExecutionRecord& record : records) {
      if (record.id == execution_id && IsOver(record.state)) return absl::OkStatus();
    }
  }
  for (const auto& [id, step] : document.steps) {
    const Json& own = step.parameters.at("path");
    if (step.operation != "export" || own.is_object()) continue;  // a reference is known once the step is reached
    const absl::Status writable = CheckWritable(own.text().empty() ? output_dir : std::filesystem::path(own.text()));
    if (!writable.ok()) return Annotate(writable, "step \"" + Printable(id) + "\": export");
  }
  return absl::OkStatus();
}

}  // namespace

std::string JsonText(std::string_view text) { return Json(text).Dump(); }

Engine::Engine(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Engine::~Engine() = default;
absl::Status Engine::Close() { return impl_->Close(); }

absl::StatusOr<std::unique_ptr<Engine>> Engine::Create(const EngineOptions& options) {
  if (options.budget_bytes <= 0) {
    return Error(absl::StatusCode::kInvalidArgument, "bad_budget",
                 Formatted("engine/budget_bytes: want more than 0, got %d", options.budget_bytes));
  }
  auto impl = std::make_unique<Impl>();
  std::error_code ignored;
  if (!options.data_dir.empty()) impl->data_dir = std::filesystem::absolute(options.data_dir, ignored);
  if (options.data_dir.empty()) {
    GRYM_ASSIGN_OR_RETURN(TempFolder temporary, TempFolder::Make("engine"));
    impl->temporary.emplace(std::move(temporary));
    impl->data_dir = impl->temporary->path();
  } else {
    std::error_code error;
    std::filesystem::create_directories(impl->data_dir, error);
    if (!std::filesystem::is_directory(impl->data_dir, error)) {
      return Error(
          absl::StatusCode::kInvalidArgument, "bad_data_dir",
          "engine/data_dir: want a folder that can be made, got \"" + Printable(options.data_dir.string()) + "\"");
    }
  }
  const int cores = options.cores > 0 ? options.cores : static_cast<int>(std::thread::hardware_concurrency());
  impl->budget_bytes = options.budget_bytes;
  impl->processor = AudioProcessor::Create({cores});
  GRYM_ASSIGN_OR_RETURN(impl->memory, PatternMemory::Open(impl->data_dir / "patterns.db", options.memory));
  GRYM_ASSIGN_OR_RETURN(impl->recognizer, PatternRecognizer::Create(impl->memory.get(), options.recognizer));
  impl->orchestrator = ModelOrchestrator::Create({options.budget_bytes, options.cores});
  for (const std::shared_ptr<const Model>& model :
       {MakeComposer(), MakeRepairModel(), MakeRulesModel(), MakeRulesEmbedder()}) {
    GRYM_RETURN_IF_ERROR(impl->orchestrator->Register(model));
  }
  return std::unique_ptr<Engine>(new Engine(std::move(impl)));
}

AudioProcessor& Engine::processor() { return *impl_->processor; }
PatternMemory& Engine::memory() { return *impl_->memory; }
PatternRecognizer& Engine::recognizer() { return *impl_->recognizer; }
ModelOrchestrator& Engine::orchestrator() { return *impl_->orchestrator; }

void Engine::AddModelOpener(ModelOpener opener) {
  std::lock_guard<std::mutex> lock(impl_->openers_mutex);
  impl_->openers.push_back(std::move(opener));
}

bool Engine::has_model_opener() const {
  std::lock_guard<std::mutex> lock(impl_->openers_mutex);
  return !impl_->openers.empty();
}

absl::StatusOr<std::string> Engine::OpenModel(const std::filesystem::path& folder, const OpenModelOptions& options) {
  RunningCalls::Ticket ticket(impl_->calls);
  GRYM_RETURN_IF_ERROR(ticket.Begin({}));
  std::vector<ModelOpener> openers;
  {
    std::lock_guard<std::mutex> lock(impl_->openers_mutex);
    openers = impl_->openers;
  }
  absl::Status refused = Error(absl::StatusCode::kFailedPrecondition, "no_opener",
                               "open model " + Printable(folder.string()) +
                                   ": want a library that opens checkpoints, got none: link grymsynth_torch and call "
                                   "RegisterTorch (in C grym_torch_register); it needs LibTorch");
  OpenModelOptions told = options;
  told.device_budget_bytes = impl_->budget_bytes;
  for (const ModelOpener& open : openers) {
    absl::StatusOr<std::shared_ptr<const Model>> model = open(folder, told);
    if (!model.ok()) {
      refused = model.status();
      if (absl::IsUnimplemented(refused)) continue;  // a family of another opener's, perhaps
      return refused;
    }
    const std::string id = (*model)->info().id;
    GRYM_RETURN_IF_ERROR(impl_->orchestrator->Register(*std::move(model)));
    return id;
  }
  return refused;
}

absl::Status Engine::CloseModel(std::string_view id) {
  for (const char* own : {"composer", "repair", "rules", "rules-embedder"}) {
    if (id != own) continue;
    return Error(absl::StatusCode::kFailedPrecondition, "built_in",
                 "close model: \"" + std::string(own) + "\" is the engine's own");
  }
  return impl_->orchestrator->Unregister(id);
}

absl::StatusOr<GenerateAudioResult> Engine::Generate(const GenerateAudioRequest& request, const RunOptions& run) {
  RunningCalls::Ticket ticket(impl_->calls);
  GRYM_RETURN_IF_ERROR(ticket.Begin(run.cancel));
  return MakeTake(*impl_->orchestrator, request, run);
}

Job<GenerateAudioResult> Engine::StartGenerate(GenerateAudioRequest request, ProgressFn progress) {
  auto ticket = std::make_shared<RunningCalls::Ticket>(impl_->calls);
  auto work = [impl = impl_.get(), ticket,
               request = std::move(request)](const RunOptions& run) mutable -> absl::StatusOr<GenerateAudioResult> {
    const auto counted = std::move(ticket);
    GRYM_RETURN_IF_ERROR(counted->Begin(run.cancel));
    return MakeTake(*impl->orchestrator, std::move(request), run);
  };
  return Job<GenerateAudioResult>::Start(std::move(work), std::move(progress));
}

absl::StatusOr<std::unique_ptr<GenerationStream>> Engine::Stream(const GenerateAudioRequest& request) {
  return EngineStream::Open(*impl_->orchestrator, impl_->calls, request);
}

absl::StatusOr<std::unique_ptr<GenerationStream>> Engine::ResumeStream(std::string_view model,
                                                                       const std::filesystem::path& saved) {
  return EngineStream::Resume(*impl_->orchestrator, impl_->calls, model, saved);
}

absl::Status Engine::HearPatterns(const AudioPatterns& patterns, const AudioInput& audio, std::string_view model,
                                  const RunOptions& run) {
  RunningCalls::Ticket ticket(impl_->calls);
  GRYM_RETURN_IF_ERROR(ticket.Begin(run.cancel));
  return HearStoredPatterns(*impl_->orchestrator, *impl_->memory, patterns, audio, model, run);
}

absl::StatusOr<std::vector<PatternMatch>> Engine::SearchMemory(std::string_view words_utf8, std::string_view model,
                                                               int limit, const RunOptions& run) {
  RunningCalls::Ticket ticket(impl_->calls);
  GRYM_RETURN_IF_ERROR(ticket.Begin(run.cancel));
  return SearchByWords(*impl_->orchestrator, *impl_->memory, words_utf8, model, limit, run);
}

absl::StatusOr<WorkflowRun> Engine::Impl::Run(const Workflow& workflow, const WorkflowRunOptions& options) {
  GRYM_ASSIGN_OR_RETURN(const Json parameters, ParametersJson(options.parameters));
  GRYM_ASSIGN_OR_RETURN(Journal * opened, OpenJournal());
  StepServices services;
  services.memory = memory.get();
  services.recognizer = recognizer.get();
  services.orchestrator = orchestrator.get();
  services.processor = processor.get();
  std::error_code ignored;
  services.output_dir =
      options.output_dir.empty() ? data_dir / "exports" : std::filesystem::absolute(options.output_dir, ignored);
  services.output_name = options.output_name;
  StepRunner runner(services);
  ExecutorOptions executor_options;
  executor_options.seed = options.seed;
  executor_options.on_event = options.on_event;
  const std::string id = options.execution_id.empty() ? NewExecutionId() : options.execution_id;
  GRYM_RETURN_IF_ERROR(CheckExportFolders(workflow.document(), services.output_dir, *opened, id));
  return WorkflowExecutor().Run(workflow, parameters, id, runner, *opened, executor_options, options.run);
}

absl::StatusOr<WorkflowRun> Engine::RunWorkflow(const Workflow& workflow, const WorkflowRunOptions& options) {
  RunningCalls::Ticket ticket(impl_->calls);
  GRYM_RETURN_IF_ERROR(ticket.Begin(options.run.cancel));
  return impl_->Run(workflow, options);
}

Job<WorkflowRun> Engine::StartWorkflow(const Workflow& workflow, WorkflowRunOptions options) {
  auto ticket = std::make_shared<RunningCalls::Ticket>(impl_->calls);
  ProgressFn progress = options.run.progress;
  auto work = [impl = impl_.get(), ticket, workflow,
               options = std::move(options)](const RunOptions& run) mutable -> absl::StatusOr<WorkflowRun> {
    const auto counted = std::move(ticket);
    GRYM_RETURN_IF_ERROR(counted->Begin(run.cancel));
    options.run = run;
    return impl->Run(workflow, options);
  };
  return Job<WorkflowRun>::Start(std::move(work), std::move(progress));
}

absl::StatusOr<std::vector<WorkflowRun>> Engine::Executions() {
  RunningCalls::Ticket ticket(impl_->calls);
  GRYM_RETURN_IF_ERROR(ticket.Begin({}));
  GRYM_ASSIGN_OR_RETURN(Journal * journal, impl_->OpenJournal());
  GRYM_ASSIGN_OR_RETURN(const std::vector<ExecutionRecord> records, journal->List());
  std::vector<WorkflowRun> runs;
  for (const ExecutionRecord& record : records) {
    WorkflowRun run;
    run.execution_id = record.id;
    run.workflow_id = record.workflow_id;
    run.state = ToldState(record.state);
    run.files = journal->files().folder();
    run.created_ms = record.created_ms;
    runs.push_back(std::move(run));
  }
  return runs;
}

absl::Status Engine::DeleteExecution(const std::string& execution_id) {
  RunningCalls::Ticket ticket(impl_->calls);
  GRYM_RETURN_IF_ERROR(ticket.Begin({}));
  GRYM_ASSIGN_OR_RETURN(Journal * journal, impl_->OpenJournal());
  return journal->Delete(execution_id);
}

absl::StatusOr<RunSummary> Engine::Summarize(const WorkflowRun& run) { return SummarizeRun(run); }

absl::Status Engine::WriteReport(const WorkflowRun& run, const std::filesystem::path& path) {
  GRYM_ASSIGN_OR_RETURN(const std::string html, ReportOfRun(run));
  return WriteFile(path, html);
}

}  // namespace grym
