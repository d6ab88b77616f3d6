#include "workflow/run_context.h"

#include "workflow/plan.h"

namespace grym {

RunContext::RunContext(const Workflow::Document& document, const OperationSet& operations, Json parameters)
    : operations_(operations), published_(PublishedNames(document, operations)) {
  root_["parameters"] = std::move(parameters);
  root_["context"] = Json::Object();
}

void RunContext::Complete(const StepDefinition& step, int visit, const Json& result) {
  if (step.type == StepType::kConditional) return;  // runs no task, so it has no result
  Json& context = root_["context"];
  Json& entry = context[step.id];
  entry["visits"][std::to_string(visit)]["result"] = result;
  entry["result"] = result;
  if (!step.as.empty()) context[step.as]["result"] = result;
  const OperationInfo* info = OperationOf(step, operations_);
  if (!info) return;
  for (const auto& [name, member] : info->publishes) {
    const auto published = published_.find(name);
    // A step or an `as` of that name goes first.
    if (published == published_.end() || published->second.member != member ||
        !published->second.writers.count(step.id))
      continue;
    if (const Json* value = result.find(member)) context[name]["result"] = *value;
  }
}

void RunContext::Fail(const StepDefinition& step, const Json& error) { root_["context"][step.id]["error"] = error; }

const Json* RunContext::Find(const Path& path) const { return LookUp(root_, path); }

const Json* RunContext::FindAtEnd(const Path& path, const StepDefinition& step, const Json& result) const {
  if (step.type == StepType::kConditional) return Find(path);
  if (path[0] == "result") return LookUp(result, path, 1);
  const bool own =
      path.size() >= 3 && path[0] == "context" && (path[1] == step.id || path[1] == step.as) && path[2] == "result";
  return own ? LookUp(result, path, 3) : Find(path);
}

const Json& RunContext::LastResult(const std::string& step) const { return root_.at("context").at(step).at("result"); }

}  // namespace grym
