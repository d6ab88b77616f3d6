// Runs a workflow to its end through a journal, or takes it up where a crash left it.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/json.h"
#include "grymsynth/job.h"
#include "grymsynth/workflow.h"
#include "workflow/journal.h"
#include "workflow/operations.h"

namespace grym {

// The time that retries wait by. Wall clock, because a wait outlives the process.
class WaitClock {
 public:
  virtual ~WaitClock() = default;
  virtual int64_t NowMs() = 0;
  // Returns when the clock shows `until_ms`, or Cancelled soon after the token is.
  virtual absl::Status WaitUntil(int64_t until_ms, const CancelToken& cancel) = 0;
};
WaitClock& SystemWaitClock();

// What a caller says about an execution whose interrupted step must not run twice (effects: "once").
struct VisitDecision {
  enum class What { kRetry, kFail, kComplete };
  What what = What::kRetry;
  Json result;  // of kComplete
};

struct ExecutorOptions {
  int64_t seed = 0;
  WaitClock* clock = nullptr;  // null: SystemWaitClock()
  int recovery_limit = 5;
  std::optional<VisitDecision> decision;
  WorkflowEventFn on_event;  // after the commit that made the event
};

// Of a state as the journal keeps it: whether a run in it is answered as it was instead of run on, and how WorkflowRun
// tells it.
bool IsOver(const std::string& journalled);
std::string ToldState(const std::string& journalled);

class WorkflowExecutor {
 public:
  // `operations` must outlive the executor.
  explicit WorkflowExecutor(const OperationSet& operations = BuiltinOperations()) : operations_(operations) {}

  // Runs `workflow` as `execution_id` (new, interrupted or finished: a finished one is returned as it was). The error
  // of a failed run is in WorkflowRun::error. The call itself fails, before an execution exists, for a document with
  // errors (code "invalid_workflow"), unknown, missing or ill-typed parameters ("invalid_parameters"), an id in use by
  // another document, parameters or seed ("execution_conflict"), and when the journal cannot be written.
  // Results and errors are the same bytes for the same workflow, parameters, seed and operations, however often the
  // run was interrupted.
  absl::StatusOr<WorkflowRun> Run(const Workflow& workflow, const Json& parameters, const std::string& execution_id,
                                  OperationRunner& runner, Journal& journal, const ExecutorOptions& options = {},
                                  const RunOptions& run = {}) const;

 private:
  const OperationSet& operations_;
};

}  // namespace grym
