#include "workflow/executor.h"

#include <algorithm>
#include <chrono>
#include <thread>

#include "base/status.h"
#include "workflow/execution.h"
#include "workflow/file_roots.h"
#include "workflow/plan.h"
#include "workflow/run_errors.h"
#include "workflow/run_parameters.h"

namespace grym {
namespace {

class WallClock : public WaitClock {
 public:
  int64_t NowMs() override {
    return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
        .count();
  }
  absl::Status WaitUntil(int64_t until_ms, const CancelToken& cancel) override {
    while (NowMs() < until_ms) {
      GRYM_RETURN_IF_ERROR(cancel.Check());
      std::this_thread::sleep_for(std::chrono::milliseconds(std::clamp<int64_t>(until_ms - NowMs(), 1, 20)));
    }
    return cancel.Check();
  }
};

bool IsExecutionId(const std::string& id) {
  const auto plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); };
  if (id.empty() || id.size() > 128 || !plain(id[0])) return false;
  return std::all_of(id.begin(), id.end(), [&](char c) { return plain(c) || c == '.' || c == '_' || c == '-'; });
}

WorkflowRun RunOf(const ExecutionRecord& record, const std::set<int64_t>& run_here, const Journal& journal) {
  WorkflowRun run;
  run.execution_id = record.id;
  run.workflow_id = record.workflow_id;
  run.state = ToldState(record.state);
  for (const VisitRecord& visit : record.visits) {
    run.visits.push_back({visit.step, visit.visit, visit.attempt, visit.state, visit.outcome, visit.next,
                          run_here.count(visit.ordinal) ? visit.seconds : 0, visit.result});
  }
  run.result_json = record.result;
  run.error = ErrorFromJson(record.error);
  run.files = journal.files().folder();
  run.created_ms = record.created_ms;
  return run;
}

absl::Status CheckSame(const ExecutionRecord& record, const Workflow::Document& document, const std::string& parameters,
                       int64_t seed) {
  const char* other = record.digest != document.digest  ? "document"
                      : record.parameters != parameters ? "parameters"
                      : record.seed != seed             ? "seed"
                                                        : nullptr;
  if (!other) return absl::OkStatus();
  return Error(absl::StatusCode::kFailedPrecondition, "execution_conflict",
               "execution \"" + Printable(record.id) + "\" was started with another " + other +
                   "; it is pinned to what it started with");
}

}  // namespace

bool IsOver(const std::string& journalled) {
  return journalled == "completed" || journalled == "failed" || journalled == "cancelled" || journalled == "parked";
}

std::string ToldState(const std::string& journalled) {
  const bool waits = journalled == "needs_decision" || journalled == "parked" || journalled == "running";
  return waits ? "interrupted" : journalled;
}

WaitClock& SystemWaitClock() {
  static WallClock* const clock = new WallClock();
  return *clock;
}

absl::StatusOr<WorkflowRun> WorkflowExecutor::Run(const Workflow& workflow, const Json& given,
                                                  const std::string& execution_id, OperationRunner& runner,
                                                  Journal& journal, const ExecutorOptions& options,
                                                  const RunOptions& run) const {
  const Workflow::Document& document = workflow.document();
  GRYM_RETURN_IF_ERROR(PlanDocument(document, operations_).status());
  if (!IsExecutionId(execution_id)) {
    return Error(absl::StatusCode::kInvalidArgument, "bad_id",
                 "execution id: want [A-Za-z0-9][A-Za-z0-9._-]{0,127}, got \"" + Printable(execution_id, 140) + "\"");
  }
  GRYM_ASSIGN_OR_RETURN(Json parameters, StartParameters(document, given));
  GRYM_ASSIGN_OR_RETURN(const Journal::Claim claim, journal.Take(execution_id));
  GRYM_ASSIGN_OR_RETURN(const bool known, journal.Contains(execution_id));
  ExecutionRecord record;
  if (known) {
    GRYM_ASSIGN_OR_RETURN(record, journal.Load(execution_id));
    GRYM_RETURN_IF_ERROR(CheckSame(record, document, parameters.Dump(), options.seed));
    if (IsOver(record.state)) return RunOf(record, {}, journal);
  } else {
    record.id = execution_id;
    record.workflow_id = document.id;
    record.digest = document.digest;
    record.document = document.canonical;
    record.folder = document.folder.string();
    record.parameters = parameters.Dump();
    record.seed = options.seed;
  }
  Json trusted = Json::Object();
  for (const auto& [name, value] : given.members()) trusted[name] = parameters.at(name);
  FileRoots roots(document.folder, trusted, journal.files().folder());
  Execution execution(document, operations_, runner, journal, options, run, std::move(record),
                      std::move(parameters), std::move(roots));
  GRYM_RETURN_IF_ERROR(known ? execution.TakeUp() : execution.Begin());
  GRYM_RETURN_IF_ERROR(execution.RunToEnd());
  if (run.progress && execution.record().state == "completed") run.progress({1, 0, "done"});
  return RunOf(execution.record(), execution.run_here(), journal);
}

}  // namespace grym
