// The running of one visit: attempts, waits, deadlines, conditions.
#include <algorithm>
#include <cmath>

#include "base/random.h"
#include "base/status.h"
#include "workflow/attempt_timer.h"
#include "workflow/condition.h"
#include "workflow/execution.h"
#include "workflow/plan.h"
#include "workflow/reference.h"
#include "workflow/run_errors.h"
#include "workflow/step_call.h"

namespace grym {
namespace {

constexpr size_t kMaxResultText = size_t{64} << 20;

// Source: workflow-semantics, section 7: wait n is random in [0, min(maxMs, initialMs * factor^(n-1))]. The draw comes
// from the visit, so that a run can be repeated.
int64_t WaitMs(const RetryPolicy& retry, int64_t seed, int failed_attempt) {
  const double most = std::min(static_cast<double>(retry.max_ms),
                               static_cast<double>(retry.initial_ms) * std::pow(retry.factor, failed_attempt - 1));
  if (!retry.full_jitter) return static_cast<int64_t>(most);
  return static_cast<int64_t>(Random(static_cast<uint64_t>(seed), "wait" + std::to_string(failed_attempt)).Uniform() *
                              most);
}

}  // namespace

int64_t Execution::LimitMs(const StepDefinition& step, const VisitRecord& visit) const {
  // By the journal's wall clock: a deadline is not moved by a restart.
  const auto left = [&](int64_t limit_ms, int64_t since_ms) {
    const int64_t gone = clock_.NowMs() - since_ms;
    return limit_ms > gone ? limit_ms - gone : -1;
  };
  int64_t limit = step.timeout_ms;
  const auto tighten = [&](int64_t other) { limit = limit == 0 ? other : std::min(limit, other); };
  if (step.deadline_ms > 0) tighten(left(step.deadline_ms, visit.started_ms));
  if (document_.execution_ms > 0) tighten(left(document_.execution_ms, record_.created_ms));
  return limit;
}

void Execution::ReportProgress(double inner, const std::string& stage) {
  if (!run_.progress) return;
  const VisitRecord* current = running();
  const int to_end = current ? graph_.StepsToEnd(current->step) : 0;
  const double done = static_cast<double>(record_.visits.size()) - 1 + inner;
  const double all = static_cast<double>(record_.visits.size()) + std::max(0, to_end);
  // A loop taken makes the way longer, never the progress shorter.
  progress_ = std::clamp(done / all, progress_, 1.0);
  const double gone = std::chrono::duration<double>(Clock::now() - started_).count();
  run_.progress({progress_, progress_ > 0.01 ? gone * (1 - progress_) / progress_ : -1, stage});
}

absl::StatusOr<Json> Execution::RunAttempt(const StepDefinition& step, const VisitRecord& visit) {
  if (step.type == StepType::kConditional) return Json();
  JsonLimits limits;
  limits.bytes = limits.string_bytes = kMaxResultText;
  limits.depth = 512;
  GRYM_ASSIGN_OR_RETURN(const Json journalled, Json::Parse(visit.call, limits));
  OperationCall call = CallFromJson(journalled);
  call.execution_id = record_.id;
  call.step = visit.step;
  call.visit = visit.visit;
  call.attempt = visit.attempt;
  call.visit_key = record_.id + "/" + visit.step + "/" + std::to_string(visit.visit);
  call.previous_result = context_.LastResult(visit.step);
  call.execution_seed = record_.seed;
  call.seed = VisitSeed(record_.seed, visit.step, visit.visit);
  call.files = &journal_.files();
  const int64_t limit_ms = LimitMs(step, visit);
  if (limit_ms < 0) return LimitError("timeout", "no time is left to start an attempt");
  AttemptTimer timer(run_.cancel, limit_ms);
  RunOptions inner;
  inner.cancel = timer.token();
  if (run_.progress) {
    inner.progress = [this, &visit](const Progress& told) {
      ReportProgress(told.fraction, visit.step + ": " + told.stage);
    };
  }
  absl::StatusOr<Json> result = runner_.Run(call, inner);
  if (timer.Stop()) return LimitError("timeout", "want an answer within " + std::to_string(limit_ms) + " ms, got none");
  if (result.ok() && result->Dump().size() > kMaxResultText) {
    return LimitError("result_too_large",
                      "want a result of at most " + std::to_string(kMaxResultText) + " bytes; put audio into files");
  }
  return result;
}

absl::Status Execution::RunVisit(VisitRecord visit) {
  const StepDefinition& step = document_.steps.at(visit.step);
  if (visit.retry_at_ms > 0) {
    const absl::Status waited = clock_.WaitUntil(visit.retry_at_ms, run_.cancel);
    if (!waited.ok()) return StopRun(std::move(visit));
  }
  if (run_.cancel.cancelled()) return StopRun(std::move(visit));
  ReportProgress(0, visit.step);
  const Clock::time_point started = Clock::now();
  absl::StatusOr<Json> result = RunAttempt(step, visit);
  visit.seconds = std::chrono::duration<double>(Clock::now() - started).count();
  // A cancel that came before the commit wins over a late result.
  if (run_.cancel.cancelled()) return StopRun(std::move(visit));
  if (!result.ok())
    return AfterFailure(std::move(visit),
                        Annotate(result.status(), "step \"" + visit.step + "\" visit " + std::to_string(visit.visit)));
  Transition transition;
  transition.recoveries = 0;
  Complete(std::move(visit), *std::move(result), transition);
  return Commit(transition);
}

absl::Status Execution::AfterFailure(VisitRecord visit, const absl::Status& status) {
  const RetryPolicy& retry = document_.steps.at(visit.step).retry;
  const std::string error_class = ErrorClass(status);
  const bool wanted = IsRetryable(status) && std::find(retry.on.begin(), retry.on.end(), error_class) != retry.on.end();
  const int most = error_class == "resource" ? std::min(2, retry.max_attempts) : retry.max_attempts;
  Transition transition;
  if (!wanted || visit.attempt >= most) {
    FailVisit(std::move(visit), status, transition);
    return Commit(transition);
  }
  visit.retry_at_ms = clock_.NowMs() + WaitMs(retry, VisitSeed(record_.seed, visit.step, visit.visit), visit.attempt);
  visit.error = ErrorToJson(status, visit.step, visit.visit, visit.attempt).Dump();
  transition.events.push_back({"attempt_failed", visit.step, visit.visit, visit.attempt, ErrorCode(status)});
  ++visit.attempt;
  Keep(visit, transition);
  return Commit(transition);
}

absl::Status Execution::StopRun(VisitRecord visit) {
  if (run_.cancel.interrupted()) {
    // The visit stays as running, so that a resume takes it up as after a crash; but an orderly stop is no sign of a
    // crashing input, so it takes back the recovery that the resume will count.
    interrupted_ = true;
    Transition transition;
    transition.recoveries = record_.recoveries - 1;
    transition.events.push_back({"interrupted", visit.step, visit.visit, visit.attempt, ""});
    return Commit(transition);
  }
  Transition transition;
  const absl::Status status = Error(absl::StatusCode::kCancelled, "cancelled", "cancelled by the caller");
  visit.state = VisitState::kInterrupted;
  visit.ended_ms = clock_.NowMs();
  visit.retry_at_ms = 0;
  Keep(visit, transition);
  Finish("cancelled", status, &visit, transition);
  return Commit(transition);
}

absl::StatusOr<bool> Execution::Judge(const StepDefinition& step, const StepCondition& condition,
                                      const Json& result) const {
  const auto find = [&](const Path& path) { return context_.FindAtEnd(path, step, result); };
  GRYM_ASSIGN_OR_RETURN(const Json right, ResolveReferences(condition.right, find));
  return EvaluateCondition(condition.op, find(condition.left), condition.left_text, right, condition.if_missing);
}

absl::StatusOr<std::string> Execution::ChooseNext(const StepDefinition& step, const Json& result,
                                                  std::string& outcome) const {
  absl::Status error;
  if (step.condition) {
    const absl::StatusOr<bool> held = Judge(step, *step.condition, result);
    error = held.status();
    outcome = !held.ok() ? "error" : *held ? "true" : "false";
  }
  for (const StepBranch& branch : step.branches) {
    bool matches = false;
    if (branch.when == StepBranch::When::kComparison) {
      // A condition that could not be judged is answered by an "error" branch alone.
      if (!error.ok()) continue;
      const absl::StatusOr<bool> held = Judge(step, branch.comparison, result);
      error = held.status();
      matches = held.ok() && *held;
    } else {
      matches = branch.when == StepBranch::When::kError
                    ? !error.ok()
                    : outcome == (branch.when == StepBranch::When::kTrue ? "true" : "false");
    }
    if (matches) return branch.target;
  }
  if (!error.ok()) return error;
  if (!step.default_next.empty() || step.branches.empty()) return step.default_next;
  return Error(absl::StatusCode::kInvalidArgument, "no_branch_matches",
               "no branch matches the outcome \"" + outcome + "\", and there is no default");
}

}  // namespace grym
