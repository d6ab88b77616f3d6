// What the steps of a run see: parameters, results by step, and published names.
#pragma once
#include <map>
#include <string>

#include "base/json.h"
#include "workflow/document.h"
#include "workflow/journal.h"
#include "workflow/operations.h"
#include "workflow/reference_check.h"

namespace grym {

class RunContext {
 public:
  RunContext(const Workflow::Document& document, const OperationSet& operations, Json parameters);

  // After a visit was completed, or for good failed: in the order of the run, also when a run is taken up again.
  void Complete(const StepDefinition& step, int visit, const Json& result);
  void Fail(const StepDefinition& step, const Json& error);

  // A path from the roots, nullptr where it is missing. Good until the next call of Complete or Fail.
  const Json* Find(const Path& path) const;
  // The same at the end of a visit that is not completed yet: `result` and the step's own names mean `result`.
  const Json* FindAtEnd(const Path& path, const StepDefinition& step, const Json& result) const;

  // Of the step's last completed visit; null when there is none.
  const Json& LastResult(const std::string& step) const;

 private:
  const OperationSet& operations_;
  const std::map<std::string, PublishedName> published_;
  Json root_;  // {"parameters": ..., "context": {name: {"result", "error", "visits": {"1": {"result"}}}}}
};

}  // namespace grym
