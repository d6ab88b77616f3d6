// Workflows: read, plan, run, report.
#include "grymsynth/workflow.h"

#include "call.h"
#include "json_text.h"

using namespace grym::capi;  // NOLINT: this file is the edge of that namespace

namespace {

grym_workflow_options WorkflowDefaults() {
  grym_workflow_options to{};
  to.struct_size = sizeof to;
  to.seed = grym::WorkflowRunOptions().seed;
  return to;
}

std::string PlanToJson(const grym::WorkflowPlan& plan) {
  JsonText json;
  json.Begin('{').Key("id").Text(plan.id).Key("name").Text(plan.name).Key("steps").Begin('[');
  for (const grym::WorkflowPlanStep& step : plan.steps) {
    json.Begin('{').Key("id").Text(step.id).Key("type").Text(step.type).Key("operation").Text(step.operation);
    json.Key("next").Begin('[');
    for (const std::string& next : step.next) json.Text(next);
    json.End(']').Key("in_cycle").Bool(step.in_cycle).End('}');
  }
  return json.End(']').Key("warnings").Raw(ProblemsJson(plan.warnings)).End('}').Take();
}

const char* VisitStateName(grym::VisitState state) {
  switch (state) {
    case grym::VisitState::kRunning: return "running";
    case grym::VisitState::kCompleted: return "completed";
    case grym::VisitState::kFailed: return "failed";
    case grym::VisitState::kInterrupted: return "interrupted";
  }
  return "interrupted";
}

std::string Utf8(const std::filesystem::path& path) {
  const std::u8string text = path.u8string();
  return std::string(text.begin(), text.end());
}

std::string RunToJson(const RunBox& box) {
  const grym::WorkflowRun& run = box.run;
  JsonText json;
  json.Begin('{').Key("execution_id").Text(run.execution_id).Key("workflow_id").Text(run.workflow_id);
  json.Key("state").Text(run.state).Key("visits").Begin('[');
  for (const grym::WorkflowVisit& visit : run.visits) {
    json.Begin('{').Key("step").Text(visit.step).Key("visit").Integer(visit.visit);
    json.Key("attempts").Integer(visit.attempts).Key("state").Text(VisitStateName(visit.state));
    json.Key("outcome").Text(visit.outcome).Key("next").Text(visit.next).Key("seconds").Number(visit.seconds);
    json.Key("result").Raw(visit.result_json).End('}');
  }
  json.End(']').Key("result").Raw(run.result_json).Key("files").Text(Utf8(run.files));
  json.Key("error");
  if (run.error.ok()) {
    json.Raw("null");
  } else {
    json.Begin('{').Key("status").Text(grym_status_name(static_cast<grym_status>(run.error.code())));
    json.Key("code").Text(box.error.code).Key("message").Text(box.error.message);
    json.Key("problems").Raw(box.error.problems).End('}');
  }
  return json.End('}').Take();
}

std::string SummaryToJson(const grym::RunSummary& summary) {
  JsonText json;
  json.Begin('{').Key("input").Text(Utf8(summary.input)).Key("takes").Begin('[');
  for (const grym::TakeSummary& take : summary.takes) {
    json.Begin('{').Key("step").Text(take.step).Key("visit").Integer(take.visit).Key("seed").Integer(take.seed);
    json.Key("enhancement_level").Number(take.enhancement_level).Key("quality_score").Number(take.quality_score);
    json.Key("exported").Bool(take.exported).End('}');
  }
  json.End(']').Key("files").Begin('[');
  for (const std::filesystem::path& file : summary.files) json.Text(Utf8(file));
  json.End(']').Key("stages").Begin('[');
  for (const grym::EnhanceStage& stage : summary.stages) {
    json.Begin('{').Key("name").Text(stage.name).Key("applied").Bool(stage.applied);
    json.Key("change_db").Number(stage.change_db).Key("text").Text(stage.text).End('}');
  }
  json.End(']').Key("warnings").Begin('[');
  for (const std::string& warning : summary.warnings) json.Text(warning);
  return json.End(']').End('}').Take();
}

// A borrowed text of a run.
template <class Get>
const char* OfRun(const grym_run* run, Get get) {
  return GuardValue<const char*>("", [&]() -> absl::StatusOr<const char*> {
    GRYM_C_ASSIGN_OR_RETURN(auto found, Find(run, "run"));
    return get(*found).c_str();
  });
}

}  // namespace

absl::StatusOr<grym::WorkflowRunOptions> grym::capi::WorkflowRunOptionsFromC(const grym_workflow_options* options) {
  GRYM_C_ASSIGN_OR_RETURN(const grym_workflow_options from, ReadOptions(options, WorkflowDefaults(), "options"));
  WorkflowRunOptions to;
  if (from.parameters_json) {
    GRYM_C_ASSIGN_OR_RETURN(to.parameters, JsonMembers(from.parameters_json, "parameters_json"));
  }
  to.execution_id = TextOr(from.execution_id);
  if (from.output_dir) to.output_dir = PathFromUtf8(from.output_dir);
  to.output_name = TextOr(from.output_name);
  to.seed = from.seed;
  if (from.on_event) {
    to.on_event = [tell = from.on_event, user_data = from.on_event_user_data](const WorkflowEvent& event) {
      try {
        tell(event.sequence, event.kind.c_str(), event.step.c_str(), event.visit, event.text.c_str(), user_data);
      } catch (...) {
        // As with progress: a C++ caller's exception must not unwind through the engine.
      }
    };
  }
  return to;
}

grym_status grym_workflow_from_json(const char* json_utf8, grym_workflow** out) {
  return Guard([&]() -> absl::Status {
    GRYM_C_RETURN_IF_ERROR(ClearOut(out));
    GRYM_C_RETURN_IF_ERROR(CheckSet(json_utf8, "json_utf8"));
    GRYM_C_ASSIGN_OR_RETURN(grym::Workflow workflow, grym::Workflow::FromJson(json_utf8));
    *out = NewHandleOf<grym_workflow>(std::move(workflow));
    return absl::OkStatus();
  });
}

grym_status grym_workflow_from_file(const char* path_utf8, grym_workflow** out) {
  return Guard([&]() -> absl::Status {
    GRYM_C_RETURN_IF_ERROR(ClearOut(out));
    GRYM_C_RETURN_IF_ERROR(CheckSet(path_utf8, "path_utf8"));
    GRYM_C_ASSIGN_OR_RETURN(grym::Workflow workflow, grym::Workflow::FromFile(PathFromUtf8(path_utf8)));
    *out = NewHandleOf<grym_workflow>(std::move(workflow));
    return absl::OkStatus();
  });
}

grym_status grym_workflow_from_template(const char* name, grym_workflow** out) {
  return Guard([&]() -> absl::Status {
    GRYM_C_RETURN_IF_ERROR(ClearOut(out));
    GRYM_C_RETURN_IF_ERROR(CheckSet(name, "name"));
    GRYM_C_ASSIGN_OR_RETURN(grym::Workflow workflow, grym::Workflow::Template(name));
    *out = NewHandleOf<grym_workflow>(std::move(workflow));
    return absl::OkStatus();
  });
}

const char* grym_workflow_id(const grym_workflow* workflow) {
  return GuardValue<const char*>("", [&]() -> absl::StatusOr<const char*> {
    GRYM_C_ASSIGN_OR_RETURN(auto found, Find(workflow, "workflow"));
    return found->id().c_str();
  });
}

grym_status grym_workflow_to_json(const grym_workflow* workflow, grym_text** out) {
  return Guard([&]() -> absl::Status {
    GRYM_C_RETURN_IF_ERROR(ClearOut(out));
    GRYM_C_ASSIGN_OR_RETURN(auto found, Find(workflow, "workflow"));
    return TextInto(found->ToJson(), out);
  });
}

grym_status grym_workflow_plan_json(const grym_workflow* workflow, grym_text** out) {
  return Guard([&]() -> absl::Status {
    GRYM_C_RETURN_IF_ERROR(ClearOut(out));
    GRYM_C_ASSIGN_OR_RETURN(auto found, Find(workflow, "workflow"));
    GRYM_C_ASSIGN_OR_RETURN(const grym::WorkflowPlan plan, found->Plan());
    return TextInto(PlanToJson(plan), out);
  });
}

grym_status grym_workflow_destroy(grym_workflow* workflow) { return Destroy(workflow, "workflow"); }

grym_status grym_workflow_options_init(grym_workflow_options* options, uint32_t size) {
  return InitOptions(options, size, WorkflowDefaults());
}

grym_status grym_engine_run_workflow(grym_engine* engine, const grym_workflow* workflow,
                                     const grym_workflow_options* options, grym_progress_fn progress, void* user_data,
                                     grym_run** out) {
  return Guard([&]() -> absl::Status {
    GRYM_C_RETURN_IF_ERROR(ClearOut(out));
    GRYM_C_ASSIGN_OR_RETURN(auto found, Find(engine, "engine"));
    GRYM_C_ASSIGN_OR_RETURN(auto document, Find(workflow, "workflow"));
    GRYM_C_ASSIGN_OR_RETURN(grym::WorkflowRunOptions how, WorkflowRunOptionsFromC(options));
    TellProgress(progress, user_data, how.run);
    // A cancelled run is a run too: its state says so, and it can be resumed.
    GRYM_C_ASSIGN_OR_RETURN(grym::WorkflowRun run, found->RunWorkflow(*document, how));
    *out = NewHandleOf<grym_run>(RunBox(std::move(run)));
    return absl::OkStatus();
  });
}

const char* grym_run_execution_id(const grym_run* run) {
  return OfRun(run, [](const RunBox& box) -> const std::string& { return box.run.execution_id; });
}
const char* grym_run_state(const grym_run* run) {
  return OfRun(run, [](const RunBox& box) -> const std::string& { return box.run.state; });
}
const char* grym_run_result_json(const grym_run* run) {
  return OfRun(run, [](const RunBox& box) -> const std::string& { return box.run.result_json; });
}
const char* grym_run_error(const grym_run* run) {
  return OfRun(run, [](const RunBox& box) -> const std::string& { return box.error.message; });
}
const char* grym_run_error_code(const grym_run* run) {
  return OfRun(run, [](const RunBox& box) -> const std::string& { return box.error.code; });
}
grym_status grym_run_error_status(const grym_run* run) {
  return GuardValue<grym_status>(GRYM_STATUS_INVALID_ARGUMENT, [&]() -> absl::StatusOr<grym_status> {
    GRYM_C_ASSIGN_OR_RETURN(auto found, Find(run, "run"));
    return static_cast<grym_status>(found->run.error.code());
  });
}

grym_status grym_run_to_json(const grym_run* run, grym_text** out) {
  return Guard([&]() -> absl::Status {
    GRYM_C_RETURN_IF_ERROR(ClearOut(out));
    GRYM_C_ASSIGN_OR_RETURN(auto found, Find(run, "run"));
    return TextInto(RunToJson(*found), out);
  });
}

grym_status grym_engine_delete_execution(grym_engine* engine, const char* execution_id) {
  return Guard([&]() -> absl::Status {
    GRYM_C_ASSIGN_OR_RETURN(auto found, Find(engine, "engine"));
    GRYM_C_RETURN_IF_ERROR(CheckSet(execution_id, "execution_id"));
    return found->DeleteExecution(execution_id);
  });
}

grym_status grym_engine_summary_json(grym_engine* engine, const grym_run* run, grym_text** out) {
  return Guard([&]() -> absl::Status {
    GRYM_C_RETURN_IF_ERROR(ClearOut(out));
    GRYM_C_ASSIGN_OR_RETURN(auto found, Find(engine, "engine"));
    GRYM_C_ASSIGN_OR_RETURN(auto box, Find(run, "run"));
    GRYM_C_ASSIGN_OR_RETURN(const grym::RunSummary summary, found->Summarize(box->run));
    return TextInto(SummaryToJson(summary), out);
  });
}

grym_status grym_engine_write_report(grym_engine* engine, const grym_run* run, const char* path_utf8) {
  return Guard([&]() -> absl::Status {
    GRYM_C_ASSIGN_OR_RETURN(auto found, Find(engine, "engine"));
    GRYM_C_ASSIGN_OR_RETURN(auto box, Find(run, "run"));
    GRYM_C_RETURN_IF_ERROR(CheckSet(path_utf8, "path_utf8"));
    return found->WriteReport(box->run, PathFromUtf8(path_utf8));
  });
}

grym_status grym_run_destroy(grym_run* run) { return Destroy(run, "run"); }
