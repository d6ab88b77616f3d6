#include "workflow/execution.h"

#include <algorithm>

#include "base/status.h"
#include "workflow/plan.h"
#include "workflow/run_errors.h"
#include "workflow/step_call.h"

namespace grym {
namespace {

std::string Where(const VisitRecord& visit) {
  return "step \"" + visit.step + "\" visit " + std::to_string(visit.visit);
}

// The way from the last visit of `target` back to it, "a -> b -> a"; of a long one the first twenty.
std::string LoopInto(const std::vector<VisitRecord>& visits, const std::string& target) {
  constexpr size_t kMostNamed = 20;
  size_t start = visits.size();
  while (start > 0 && visits[start - 1].step != target) --start;
  if (start == 0) return "";
  std::string way;
  for (size_t i = start - 1; i < visits.size() && i < start - 1 + kMostNamed; ++i) way += visits[i].step + " -> ";
  if (visits.size() - start + 1 > kMostNamed) way += "... -> ";
  return "; the loop is " + way + target;
}

// Journalled text: ours, so it parses.
Json Journalled(const std::string& text) {
  JsonLimits limits;
  limits.bytes = limits.string_bytes = size_t{256} << 20;
  limits.depth = 512;
  absl::StatusOr<Json> json = Json::Parse(text, limits);
  return json.ok() ? *std::move(json) : Json();
}

}  // namespace

Execution::Execution(const Workflow::Document& document, const OperationSet& operations, OperationRunner& runner,
                     Journal& journal, const ExecutorOptions& options, const RunOptions& run, ExecutionRecord record,
                     Json parameters, FileRoots roots)
    : document_(document),
      operations_(operations),
      runner_(runner),
      journal_(journal),
      options_(options),
      run_(run),
      clock_(options.clock ? *options.clock : SystemWaitClock()),
      graph_(document),
      roots_(std::move(roots)),
      record_(std::move(record)),
      context_(document, operations, std::move(parameters)) {
  for (const VisitRecord& visit : record_.visits) {
    const StepDefinition& step = document_.steps.at(visit.step);
    if (visit.state == VisitState::kCompleted) context_.Complete(step, visit.visit, Journalled(visit.result));
    if (visit.state == VisitState::kFailed) context_.Fail(step, Journalled(visit.error));
  }
}

VisitRecord* Execution::running() {
  return !record_.visits.empty() && record_.visits.back().state == VisitState::kRunning ? &record_.visits.back()
                                                                                        : nullptr;
}

int Execution::VisitsOf(const std::string& step) const {
  return static_cast<int>(std::count_if(record_.visits.begin(), record_.visits.end(),
                                        [&](const VisitRecord& visit) { return visit.step == step; }));
}

void Execution::Keep(const VisitRecord& visit, Transition& transition) {
  const auto put = [&](std::vector<VisitRecord>& visits) {
    const auto found = std::find_if(visits.begin(), visits.end(),
                                    [&](const VisitRecord& kept) { return kept.ordinal == visit.ordinal; });
    if (found == visits.end()) {
      visits.push_back(visit);
    } else {
      *found = visit;
    }
  };
  put(record_.visits);
  put(transition.visits);
}

absl::Status Execution::Commit(Transition& transition) {
  transition.at_ms = clock_.NowMs();
  transition.execution_id = record_.id;
  transition.durable = document_.durability_full;
  if (transition.recoveries) record_.recoveries = *transition.recoveries;
  std::vector<WorkflowEvent> events;
  GRYM_RETURN_IF_ERROR(journal_.Commit(transition, &events));
  if (options_.on_event) {
    for (const WorkflowEvent& event : events) options_.on_event(event);
  }
  return absl::OkStatus();
}

absl::Status Execution::Begin() {
  Transition transition;
  transition.execution_id = record_.id;
  transition.durable = document_.durability_full;
  transition.at_ms = record_.created_ms = clock_.NowMs();
  transition.events.push_back({"started", "", 0, 0, document_.id});
  record_.state = "running";
  const ExecutionRecord fresh = record_;
  Enter(document_.initial_step, transition);
  std::vector<WorkflowEvent> events;
  GRYM_RETURN_IF_ERROR(journal_.Create(fresh, transition, &events));
  if (options_.on_event) {
    for (const WorkflowEvent& event : events) options_.on_event(event);
  }
  return absl::OkStatus();
}

absl::Status Execution::TakeUp() {
  VisitRecord* current = running();
  if (!current)
    return Error(absl::StatusCode::kDataLoss, "journal_damaged",
                 "execution \"" + Printable(record_.id) + "\": unfinished, but no visit is running");
  VisitRecord visit = *current;
  const StepDefinition& step = document_.steps.at(visit.step);
  Transition transition;
  if (record_.state == "needs_decision" && !options_.decision) return absl::OkStatus();
  record_.error.clear();
  if (options_.decision && (record_.state == "needs_decision" || step.effects_once))
    return Decide(visit, *options_.decision);
  if (step.effects_once) {
    const absl::Status status =
        Error(absl::StatusCode::kFailedPrecondition, "needs_decision",
              Where(visit) + " was interrupted and must not run twice: retry, fail or complete it");
    Finish("needs_decision", status, &visit, transition);
    return Commit(transition);
  }
  if (record_.recoveries >= options_.recovery_limit) {
    Finish("parked",
           LimitError("recovery_limit", Where(visit) + ": interrupted " + std::to_string(record_.recoveries) +
                                            " times without completing"),
           &visit, transition);
    return Commit(transition);
  }
  const OperationInfo* info = OperationOf(step, operations_);
  if (step.type != StepType::kConditional &&
      (!info || info->major_version != Journalled(visit.call).at("major").integer())) {
    Finish("parked",
           Error(absl::StatusCode::kFailedPrecondition, "operation_unavailable",
                 Where(visit) + ": operation \"" + step.operation + "\" of that major version is gone"),
           &visit, transition);
    return Commit(transition);
  }
  ++visit.attempt;
  Keep(visit, transition);
  transition.recoveries = record_.recoveries + 1;
  transition.state = record_.state = "running";
  transition.events.push_back({"resumed", visit.step, visit.visit, visit.attempt, ""});
  return Commit(transition);
}

absl::Status Execution::Decide(VisitRecord visit, const VisitDecision& decision) {
  Transition transition;
  transition.state = record_.state = "running";
  if (decision.what == VisitDecision::What::kFail) {
    FailVisit(visit,
              Error(absl::StatusCode::kFailedPrecondition, "decided_fail",
                    Where(visit) + ": failed by decision of the caller"),
              transition);
  } else if (decision.what == VisitDecision::What::kComplete) {
    transition.recoveries = 0;
    Complete(visit, decision.result, transition);
  } else {
    ++visit.attempt;
    Keep(visit, transition);
    transition.recoveries = record_.recoveries + 1;
    transition.events.push_back({"resumed", visit.step, visit.visit, visit.attempt, "by decision of the caller"});
  }
  return Commit(transition);
}

absl::Status Execution::RunToEnd() {
  while (record_.state == "running" && !interrupted_) {
    VisitRecord* current = running();
    if (!current)
      return Error(absl::StatusCode::kInternal, "no_running_visit",
                   "execution \"" + Printable(record_.id) + "\" has no visit to run");
    GRYM_RETURN_IF_ERROR(RunVisit(*current));
  }
  return absl::OkStatus();
}

void Execution::Enter(std::string target, Transition& transition) {
  // A limit may lead to another step at its limit; each is passed once.
  for (size_t hops = 0;; ++hops) {
    const StepDefinition& step = document_.steps.at(target);
    const int visits = VisitsOf(target);
    const int most = step.loop_max_visits > 0 ? step.loop_max_visits : kDefaultLoopVisits;
    if (visits >= most) {
      if (!step.loop_on_limit.empty() && hops <= document_.steps.size()) {
        transition.events.push_back({"loop_limit", target, visits, 0, step.loop_on_limit});
        if (!record_.visits.empty()) {
          record_.visits.back().next = step.loop_on_limit;
          Keep(VisitRecord(record_.visits.back()), transition);
        }
        target = step.loop_on_limit;
        continue;
      }
      return Finish("failed",
                    LimitError("loop_limit_exceeded", "step \"" + target + "\": want at most " + std::to_string(most) +
                                                          " visits, got one more" +
                                                          LoopInto(record_.visits, target)),
                    nullptr, transition);
    }
    if (static_cast<int64_t>(record_.visits.size()) >= document_.max_visits) {
      return Finish("failed",
                    LimitError("visit_limit_exceeded", "workflow \"" + document_.id + "\": want at most " +
                                                           std::to_string(document_.max_visits) +
                                                           " step visits, got one more, of \"" + target + "\"" +
                                                           LoopInto(record_.visits, target)),
                    nullptr, transition);
    }
    VisitRecord visit;
    visit.ordinal = static_cast<int64_t>(record_.visits.size()) + 1;
    visit.step = target;
    visit.visit = visits + 1;
    visit.started_ms = clock_.NowMs();
    absl::StatusOr<Json> call = Json::Object();
    if (const OperationInfo* info = OperationOf(step, operations_)) call = ResolveCall(step, *info, context_, roots_);
    if (call.ok()) {
      visit.call = call->Dump();
      Keep(visit, transition);
      transition.events.push_back({"visit_started", target, visit.visit, 1, ""});
      return;
    }
    // As FailVisit, but in a loop: a thousand steps that fail to start must not use a thousand frames.
    visit.state = VisitState::kFailed;
    visit.ended_ms = visit.started_ms;
    const Json error = ErrorToJson(call.status(), target, visit.visit, 1);
    visit.error = error.Dump();
    visit.next = step.on_error;
    Keep(visit, transition);
    context_.Fail(step, error);
    transition.events.push_back({"visit_failed", target, visit.visit, 1, ErrorCode(call.status())});
    if (step.on_error.empty()) return Finish("failed", call.status(), &visit, transition);
    target = step.on_error;
  }
}

void Execution::Complete(VisitRecord visit, Json result, Transition& transition) {
  const StepDefinition& step = document_.steps.at(visit.step);
  visit.result = result.Dump();
  visit.error.clear();
  visit.retry_at_ms = 0;
  absl::StatusOr<std::string> next = ChooseNext(step, result, visit.outcome);
  if (!next.ok()) return FailVisit(std::move(visit), Annotate(next.status(), Where(visit)), transition);
  visit.state = VisitState::kCompleted;
  visit.ended_ms = clock_.NowMs();
  visit.next = *next;
  Keep(visit, transition);
  run_here_.insert(visit.ordinal);
  context_.Complete(step, visit.visit, result);
  transition.events.push_back({"visit_completed", visit.step, visit.visit, visit.attempt, visit.outcome});
  if (!visit.next.empty()) return Enter(visit.next, transition);
  Finish("completed", absl::OkStatus(), &visit, transition);
}

void Execution::FailVisit(VisitRecord visit, const absl::Status& status, Transition& transition) {
  const StepDefinition& step = document_.steps.at(visit.step);
  visit.state = VisitState::kFailed;
  visit.retry_at_ms = 0;
  visit.ended_ms = clock_.NowMs();
  const Json error = ErrorToJson(status, visit.step, visit.visit, visit.attempt);
  visit.error = error.Dump();
  visit.next = step.on_error;
  Keep(visit, transition);
  context_.Fail(step, error);
  transition.events.push_back({"visit_failed", visit.step, visit.visit, visit.attempt, ErrorCode(status)});
  if (!step.on_error.empty()) return Enter(step.on_error, transition);
  Finish("failed", status, &visit, transition);
}

Json Execution::ResultOf(const VisitRecord& last) const {
  if (document_.output.empty()) return Journalled(last.result);
  Json result = Json::Object();
  for (const auto& [name, path] : document_.output) {
    const Json* value = context_.Find(path);
    result[name] = value ? *value : Json();
  }
  return result;
}

void Execution::Finish(const std::string& state, const absl::Status& error, const VisitRecord* last,
                       Transition& transition) {
  record_.state = state;
  transition.state = state;
  if (error.ok()) {
    record_.result = transition.result = ResultOf(*last).Dump();
  } else {
    record_.error = transition.error =
        ErrorToJson(error, last ? last->step : "", last ? last->visit : 0, last ? last->attempt : 0).Dump();
  }
  transition.events.push_back({state, "", 0, 0, error.ok() ? "" : ErrorCode(error)});
}

}  // namespace grym
