// Texts, making and workflows with memory that runs out.
#include "no_memory/walks.h"

namespace grym::testing {
namespace {

constexpr char kOneStep[] =
    R"({"id":"w","name":"w","initialStep":"s","steps":{"s":{"id":"s","type":"analysis","operation":"features",
  "inputs":[{"source":"parameter","key":"audioFile"}],"parameters":{},"nextSteps":{}}},
  "parameters":{"audioFile":null}})";

}  // namespace

void AddTextWalks(Bench& bench, std::vector<Walk>& walks) {
  static grym_text* text = nullptr;
  static grym_patterns* patterns = nullptr;
  static grym_workflow* workflow = nullptr;
  static grym_models* models = nullptr;
  walks.push_back({"patterns_from_json",
                   [&] { return grym_patterns_from_json(bench.patterns_json.c_str(), &patterns); },
                   [] { return Describe(patterns); }});
  walks.push_back({"patterns_to_json", [&] { return grym_patterns_to_json(bench.patterns, &text); },
                   [] { return Take(text); }});
  walks.push_back({"workflow_from_template", [] { return grym_workflow_from_template("audio-enhancement", &workflow); },
                   [] {
                     grym_workflow_to_json(workflow, &text);
                     grym_workflow_destroy(workflow);
                     return Take(text);
                   }});
  walks.push_back({"workflow_from_json", [] { return grym_workflow_from_json(kOneStep, &workflow); },
                   [] {
                     grym_workflow_to_json(workflow, &text);
                     grym_workflow_destroy(workflow);
                     return Take(text);
                   }});
  static grym_workflow* planned = nullptr;
  Bench::Want(grym_workflow_from_template("audio-enhancement", &planned));
  walks.push_back({"workflow_plan_json", [] { return grym_workflow_plan_json(planned, &text); },
                   [] { return Take(text); }});
  walks.push_back({"route", [&] { return grym_engine_route(bench.engine, R"({"capability": "generate"})", &text); },
                   [] { return Take(text); }});
  walks.push_back({"models", [&] { return grym_engine_models(bench.engine, &models); },
                   [] {
                     const std::string count = std::to_string(grym_models_count(models));
                     grym_models_destroy(models);
                     return count;
                   }});
}

void AddMakingWalks(Bench& bench, std::vector<Walk>& walks) {
  static grym_result* result = nullptr;
  static grym_job* job = nullptr;
  static grym_features* features = nullptr;
  static grym_engine* engine = nullptr;
  static grym_generate_options options;
  Bench::Want(grym_generate_options_init(&options, sizeof options));
  options.prompt = "ambient";
  options.duration_s = 1;
  options.seed = 3;
  walks.push_back({"engine_create", [] { return grym_engine_create(nullptr, &engine); },
                   [] { return std::string(grym_status_name(grym_engine_destroy(engine))); },
                   [&] { return bench.LostFolders(); }, 5});
  walks.push_back({"generate", [&] { return grym_engine_generate(bench.engine, &options, nullptr, nullptr, &result); },
                   [] { return Describe(result); }});
  walks.push_back({"generate_json",
                   [&] {
                     return grym_engine_generate_json(
                         bench.engine, R"({"prompt": "ambient", "durationSeconds": 1, "seed": 3})", nullptr, nullptr,
                         nullptr, &result);
                   },
                   [] { return Describe(result); }, [] { return std::string(); }, 11});
  walks.push_back({"a job",
                   [&] {
                     const grym_status status =
                         grym_engine_start_analyze(bench.engine, bench.audio, nullptr, nullptr, nullptr, &job);
                     if (status != GRYM_STATUS_OK) return status;
                     return grym_job_take_features(job, &features);
                   },
                   [] { return Describe(features); },
                   [] {
                     const grym_status gone = grym_job_destroy(job);
                     job = nullptr;
                     return std::string(grym_status_name(gone));
                   },
                   5});
}

void AddWorkflowWalks(Bench& bench, std::vector<Walk>& walks) {
  static grym_workflow* workflow = nullptr;
  static grym_run* run = nullptr;
  static grym_workflow_options options;
  static std::string parameters, id;
  static int number = 0;
  Bench::Want(grym_workflow_from_json(kOneStep, &workflow));
  Bench::Want(grym_workflow_options_init(&options, sizeof options));
  parameters = "{\"audioFile\": \"" + bench.wav + "\"}";
  options.parameters_json = parameters.c_str();
  walks.push_back({"run_workflow",
                   [&] { return grym_engine_run_workflow(bench.engine, workflow, &options, nullptr, nullptr, &run); },
                   [] {
                     const std::string result = std::string(grym_run_state(run)) + grym_run_result_json(run);
                     grym_run_destroy(run);
                     return result;
                   },
                   [] {  // a fresh execution each time
                     id = "walk-" + std::to_string(++number);
                     options.execution_id = id.c_str();
                     return std::string();
                   },
                   23});
  // Cut short and then taken up again under the same id, it ends as if nothing had been.
  walks.push_back({"run_workflow, taken up",
                   [&] {
                     return grym_engine_run_workflow(bench.engine, workflow, &options, nullptr, nullptr, &run);
                   },
                   [] {
                     const std::string result = std::string(grym_run_state(run)) + grym_run_result_json(run);
                     grym_run_destroy(run);
                     return result;
                   },
                   [&] {
                     std::string state = "completed";
                     if (!id.empty()) {
                       Bench::Want(grym_engine_run_workflow(bench.engine, workflow, &options, nullptr, nullptr, &run));
                       state = grym_run_state(run);
                       grym_run_destroy(run);
                     }
                     id = "again-" + std::to_string(++number);
                     options.execution_id = id.c_str();
                     return state;
                   },
                   41,
                   3});  // two runs instead of one, each with pages of the journal
}

}  // namespace grym::testing
