// Engine: builds everything from one options struct and runs the main job.
#pragma once
#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grymsynth/audio_processor.h"
#include "grymsynth/evaluation.h"
#include "grymsynth/export.h"
#include "grymsynth/generation.h"
#include "grymsynth/job.h"
#include "grymsynth/model.h"
#include "grymsynth/model_orchestrator.h"
#include "grymsynth/pattern_memory.h"
#include "grymsynth/pattern_recognizer.h"
#include "grymsynth/workflow.h"

namespace grym {

struct EngineOptions {
  // Pattern memory, workflow journal and files live here; "" keeps them in a temporary folder that ends with the
  // engine.
  std::filesystem::path data_dir;
  int64_t budget_bytes = int64_t{6} << 30;  // per device; InvalidArgument (code "bad_budget") unless above 0
  int cores = 0;                            // 0: as many as the machine has
  PatternMemoryOptions memory;
  PatternRecognizerOptions recognizer;
};

// `text` as a JSON string literal, for WorkflowRunOptions::parameters.
GRYM_EXPORT std::string JsonText(std::string_view text);

struct WorkflowRunOptions {
  // Parameter values as JSON texts by name: {"audioFile": "\"in.wav\""}.
  std::map<std::string, std::string> parameters;
  std::string execution_id;         // "": a new one
  std::filesystem::path output_dir; // where export writes; "": the data folder
  std::string output_name;          // stem of exported names; "": from the input
  int64_t seed = 0;                 // base of every seed in the run
  WorkflowEventFn on_event;
  RunOptions run;
};

// What a finished enhancement run made, for people: the takes with their scores, and the files.
struct TakeSummary {
  std::string step;
  int visit = 1;
  int64_t seed = 0;
  double enhancement_level = 0;
  double quality_score = 0;
  bool exported = false;
};

struct RunSummary {
  std::filesystem::path input;
  std::vector<TakeSummary> takes;
  std::vector<std::filesystem::path> files;  // as exported: the take first, then stems, MIDI, sidecar
  AudioFeatures before, after;               // scalar facts; frame-wise series are left out
  std::vector<EnhanceStage> stages;          // of the exported take
  std::vector<std::string> warnings;
};

// Threads: any. Destroying it closes it.
class GRYM_EXPORT Engine {
 public:
  static absl::StatusOr<std::unique_ptr<Engine>> Create(const EngineOptions& options = {});
  ~Engine();  // as Close; not from such a callback
  // Stops and joins everything it started (workflow runs are left "interrupted" and can be resumed), and lets go of the
  // data folder for the next engine. Afterwards Generate, workflows and the memory answer FailedPrecondition. Safe to
  // call twice. From a callback of one of its own calls it asks all of them to stop and answers FailedPrecondition
  // (code "closed_from_callback"): close again once the call has ended.
  absl::Status Close();

  AudioProcessor& processor();
  PatternMemory& memory();
  PatternRecognizer& recognizer();
  ModelOrchestrator& orchestrator();

  // A way to open published checkpoint folders; asked in the order in which they were added. The native models come by
  // one call: RegisterTorch (torch_models.h).
  void AddModelOpener(ModelOpener opener);
  bool has_model_opener() const;
  // The same opener out of a library that is loaded now, for a program that starts without LibTorch: `library`, or ""
  // for libgrymsynth_native beside this program, in ../lib or where the system looks. FailedPrecondition (code
  // "no_torch") with what the system said; (code "other_build") for the library of another build.
  absl::Status LoadNativeModels(const std::filesystem::path& library = {});
  // Opens a folder and registers the model; answers its id, which requests and tasks go by. FailedPrecondition (code
  // "no_opener") when nothing was added that could; AlreadyExists for an id that is taken; the openers' own errors.
  absl::StatusOr<std::string> OpenModel(const std::filesystem::path& folder, const OpenModelOptions& options = {});
  // Lets a model go that OpenModel opened; what runs with it ends as it would. NotFound for an unknown id,
  // FailedPrecondition (code "built_in") for one of the engine's own.
  absl::Status CloseModel(std::string_view id);

  // Routes, runs, gates (one retry on another seed), and records the run's cost.
  absl::StatusOr<GenerateAudioResult> Generate(const GenerateAudioRequest& request, const RunOptions& run = {});
  Job<GenerateAudioResult> StartGenerate(GenerateAudioRequest request, ProgressFn progress = {});

  // As Generate, piece by piece, and with neither gate nor second try: what was given cannot be taken back. The stream
  // holds its model and its share of the budget, for which it waits as Generate does. It ends before the engine; once
  // that is closed, Next answers FailedPrecondition.
  absl::StatusOr<std::unique_ptr<GenerationStream>> Stream(const GenerateAudioRequest& request);
  // Goes on with what GenerationStream::Save wrote. Errors as of Generator::Resume; NotFound for an unknown model.
  absl::StatusOr<std::unique_ptr<GenerationStream>> ResumeStream(std::string_view model,
                                                                 const std::filesystem::path& saved);

  // Lets an open embedder hear stored patterns, each where it first occurs in `audio` (at least a second of it), so
  // that SearchMemory finds them. FailedPrecondition (code "not_stored") for one without an id; the model's errors.
  absl::Status HearPatterns(const AudioPatterns& patterns, const AudioInput& audio, std::string_view model,
                            const RunOptions& run = {});
  // The patterns that sound most like some words, by an embedder that hears and reads (CLAP): of those that
  // HearPatterns heard with that model. limit in [1, 1000]. Unimplemented (code "no_text") for one that only hears.
  absl::StatusOr<std::vector<PatternMatch>> SearchMemory(std::string_view words_utf8, std::string_view model,
                                                         int limit = 10, const RunOptions& run = {});

  // Runs to the end. A run whose execution_id is in the journal goes on where it stopped; a finished one is returned
  // as it was. The error of a failed run is in WorkflowRun::error; the call itself fails only when it cannot start: for
  // one, when the folder that an export step would write to takes no files.
  absl::StatusOr<WorkflowRun> RunWorkflow(const Workflow& workflow, const WorkflowRunOptions& options);
  Job<WorkflowRun> StartWorkflow(const Workflow& workflow, WorkflowRunOptions options);
  // Journalled executions, newest first: id and state.
  absl::StatusOr<std::vector<WorkflowRun>> Executions();
  // Forgets a run and the takes that only it keeps in the data folder (what was exported stays). FailedPrecondition
  // while it runs, NotFound for an unknown id.
  absl::Status DeleteExecution(const std::string& execution_id);

  // FailedPrecondition for a run that did not complete or exported no take.
  absl::StatusOr<RunSummary> Summarize(const WorkflowRun& run);
  // A self-contained HTML page over a finished enhancement run: before and after, patterns, scores per loop.
  absl::Status WriteReport(const WorkflowRun& run, const std::filesystem::path& path);

 private:
  struct Impl;
  explicit Engine(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace grym
