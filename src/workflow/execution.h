// One execution at work: where it stands, and the transitions that move it on.
#pragma once
#include <chrono>
#include <set>
#include <string>

#include "absl/status/statusor.h"
#include "workflow/executor.h"
#include "workflow/file_roots.h"
#include "workflow/graph.h"
#include "workflow/run_context.h"

namespace grym {

class Execution {
 public:
  // Everything is borrowed for the run.
  Execution(const Workflow::Document& document, const OperationSet& operations, OperationRunner& runner,
            Journal& journal, const ExecutorOptions& options, const RunOptions& run, ExecutionRecord record,
            Json parameters, FileRoots roots);

  absl::Status Begin();   // a new execution: journals it and its first visit
  absl::Status TakeUp();  // one that a process left unfinished
  absl::Status RunToEnd();
  const ExecutionRecord& record() const { return record_; }
  const std::set<int64_t>& run_here() const { return run_here_; }  // ordinals of visits completed by this process

 private:
  using Clock = std::chrono::steady_clock;

  // Each adds to `transition`; Commit makes it so.
  void Enter(std::string target, Transition& transition);
  void Complete(VisitRecord visit, Json result, Transition& transition);
  void FailVisit(VisitRecord visit, const absl::Status& status, Transition& transition);
  void Finish(const std::string& state, const absl::Status& error, const VisitRecord* last, Transition& transition);
  void Keep(const VisitRecord& visit, Transition& transition);
  absl::Status Commit(Transition& transition);

  absl::Status RunVisit(VisitRecord visit);
  absl::Status Decide(VisitRecord visit, const VisitDecision& decision);
  absl::StatusOr<Json> RunAttempt(const StepDefinition& step, const VisitRecord& visit);
  // The failed attempt is the visit's end, or its next attempt is journalled.
  absl::Status AfterFailure(VisitRecord visit, const absl::Status& status);
  // Cancelled for good, or left as it stands for a resume.
  absl::Status StopRun(VisitRecord visit);
  // The next step, "" for the end; an error for a condition that cannot be judged or an outcome without a branch.
  absl::StatusOr<std::string> ChooseNext(const StepDefinition& step, const Json& result, std::string& outcome) const;
  absl::StatusOr<bool> Judge(const StepDefinition& step, const StepCondition& condition, const Json& result) const;

  VisitRecord* running();
  int VisitsOf(const std::string& step) const;
  // Of the attempt that starts now; 0: none, -1: already over.
  int64_t LimitMs(const StepDefinition& step, const VisitRecord& visit) const;
  void ReportProgress(double inner, const std::string& stage);
  Json ResultOf(const VisitRecord& last) const;

  const Workflow::Document& document_;
  const OperationSet& operations_;
  OperationRunner& runner_;
  Journal& journal_;
  const ExecutorOptions& options_;
  const RunOptions& run_;
  WaitClock& clock_;
  const StepGraph graph_;
  const FileRoots roots_;
  ExecutionRecord record_;
  RunContext context_;
  std::set<int64_t> run_here_;
  const Clock::time_point started_ = Clock::now();  // of this process's part, for the time left
  bool interrupted_ = false;
  double progress_ = 0;
};

}  // namespace grym
