#include "workflow/plan.h"

#include <algorithm>
#include <cmath>

#include "base/status.h"
#include "workflow/condition.h"
#include "workflow/file_roots.h"
#include "workflow/graph.h"
#include "workflow/reference.h"
#include "workflow/reference_check.h"
#include "workflow/schema_reader.h"

namespace grym {
namespace {

constexpr const char* kKindNames[] = {"any value", "true or false", "a number", "a string", "an array", "an object"};

bool IsOfKind(const Json& value, ValueKind kind) {
  switch (kind) {
    case ValueKind::kAny:
      return true;
    case ValueKind::kBool:
      return value.is_bool();
    case ValueKind::kNumber:
      return value.is_number();
    case ValueKind::kString:
      return value.is_string();
    case ValueKind::kArray:
      return value.is_array();
    case ValueKind::kObject:
      return value.is_object();
  }
  return false;
}

void CheckOperation(const StepDefinition& step, const std::string& pointer, const OperationSet& operations,
                    SchemaReader& reader) {
  const auto found = operations.find(step.operation);
  if (found == operations.end()) {
    std::vector<std::string> names;
    for (const auto& [name, info] : operations) names.push_back(name);
    reader.Report(pointer + "/operation", "unknown_operation",
                  "step \"" + step.id + "\": want one of " + Join(names, ", ") + ", got \"" +
                      Printable(step.operation, 64) + "\"",
                  ClosestLegal(step.operation, names));
    return;
  }
  const std::vector<StepType>& types = found->second.types;
  if (std::find(types.begin(), types.end(), step.type) != types.end()) return;
  std::vector<std::string> names;
  for (const StepType type : types) names.emplace_back(StepTypeName(type));
  reader.Report(pointer + "/type", "wrong_step_type",
                "operation \"" + step.operation + "\": want a step of type " + Join(names, " or ") + ", got " +
                    StepTypeName(step.type),
                names[0]);
}

void CheckInputs(const StepDefinition& step, const std::string& pointer, const OperationInfo& info,
                 SchemaReader& errors, SchemaReader& warnings) {
  std::vector<std::string> names;
  for (const OperationInput& input : info.inputs) names.push_back(input.name);
  const std::vector<int> assigned = AssignInputs(step, info);
  std::set<int> filled;
  for (size_t i = 0; i < step.inputs.size(); ++i) {
    const std::string at = pointer + "/inputs/" + std::to_string(i);
    if (assigned[i] < 0 && !step.inputs[i].name.empty()) {
      errors.Report(at + "/name", "unknown_input",
                    "operation \"" + info.name + "\": want one of " + Join(names, ", ") + ", each once, got \"" +
                        Printable(step.inputs[i].name, 64) + "\"",
                    ClosestLegal(step.inputs[i].name, names));
    } else if (assigned[i] < 0) {
      errors.Report(at, "too_many_inputs",
                    "operation \"" + info.name + "\": want at most " + std::to_string(names.size()) + " inputs (" +
                        Join(names, ", ") + ")");
    }
    filled.insert(assigned[i]);
  }
  for (size_t i = 0; i < info.inputs.size(); ++i) {
    if (info.inputs[i].optional || filled.count(static_cast<int>(i))) continue;
    warnings.Report(pointer + "/inputs", "missing_input",
                    "operation \"" + info.name + "\" wants the input \"" + info.inputs[i].name +
                        "\"; without it the step will fail");
  }
}

void CheckParameters(const StepDefinition& step, const std::string& pointer, const OperationInfo& info,
                     SchemaReader& reader) {
  for (const auto& [name, value] : step.parameters.members()) {
    const std::string at = pointer + "/parameters/" + PointerToken(name);
    const absl::Status status =
        CheckStepParameter(info, name, IsLiteral(value) ? LiteralValue(value) : Json(), !IsLiteral(value));
    if (status.ok()) continue;
    std::vector<std::string> names;
    for (const OperationParameter& known : info.parameters) names.push_back(known.name);
    reader.Report(at, ErrorCode(status), std::string(status.message()),
                  ErrorCode(status) == "unknown_parameter" ? ClosestLegal(name, names) : "");
  }
}

void CheckOutcomes(const StepDefinition& step, const std::string& pointer, SchemaReader& warnings) {
  if (step.branches.empty() || !step.default_next.empty()) return;
  const auto covers = [&](StepBranch::When when) {
    return std::any_of(step.branches.begin(), step.branches.end(),
                       [&](const StepBranch& branch) { return branch.when == when; });
  };
  if (step.condition && covers(StepBranch::When::kTrue) && covers(StepBranch::When::kFalse)) return;
  warnings.Report(pointer + "/nextSteps", "outcome_without_branch",
                  "step \"" + step.id +
                      "\" has outcomes that no branch matches, and no default; they will end in no_branch_matches");
}

}  // namespace

const OperationInfo* OperationOf(const StepDefinition& step, const OperationSet& operations) {
  if (step.type == StepType::kConditional) return nullptr;
  const auto found = operations.find(step.operation);
  return found == operations.end() ? nullptr : &found->second;
}

std::vector<int> AssignInputs(const StepDefinition& step, const OperationInfo& info) {
  std::vector<int> assigned(step.inputs.size(), -1);
  std::vector<bool> taken(info.inputs.size(), false);
  for (size_t i = 0; i < step.inputs.size(); ++i) {
    for (size_t k = 0; k < info.inputs.size() && !step.inputs[i].name.empty(); ++k) {
      if (taken[k] || info.inputs[k].name != step.inputs[i].name) continue;
      assigned[i] = static_cast<int>(k);
      taken[k] = true;
    }
  }
  size_t next = 0;
  for (size_t i = 0; i < step.inputs.size(); ++i) {
    if (!step.inputs[i].name.empty()) continue;
    while (next < taken.size() && taken[next]) ++next;
    if (next == taken.size()) break;
    assigned[i] = static_cast<int>(next);
    taken[next] = true;
  }
  return assigned;
}

absl::Status CheckStepParameter(const OperationInfo& info, const std::string& name, const Json& value,
                                bool unknown_value) {
  const auto found = std::find_if(info.parameters.begin(), info.parameters.end(),
                                  [&](const OperationParameter& known) { return known.name == name; });
  const auto wrong = [&](const char* code, const std::string& want) {
    return Error(absl::StatusCode::kInvalidArgument, code,
                 "operation \"" + info.name + "\", parameter \"" + Printable(name, 64) + "\": want " + want + ", got " +
                     Printable(value.Dump(), 80));
  };
  if (found == info.parameters.end()) {
    std::vector<std::string> names;
    for (const OperationParameter& known : info.parameters) names.push_back(known.name);
    return Error(absl::StatusCode::kInvalidArgument, "unknown_parameter",
                 "operation \"" + info.name +
                     "\": " + (names.empty() ? "want no parameters" : "want one of " + Join(names, ", ")) + ", got \"" +
                     Printable(name, 64) + "\"");
  }
  if (unknown_value) return absl::OkStatus();
  if (!IsOfKind(value, found->kind)) return wrong("wrong_type", kKindNames[static_cast<size_t>(found->kind)]);
  if (value.is_number()) {
    if (found->whole && value.number() != std::trunc(value.number())) return wrong("wrong_type", "a whole number");
    if (found->minimum != found->maximum && (value.number() < found->minimum || value.number() > found->maximum)) {
      return wrong("out_of_range", "[" + Json(found->minimum).Dump() + ", " + Json(found->maximum).Dump() + "]");
    }
  }
  if (value.is_string() && !found->choices.empty() &&
      std::find(found->choices.begin(), found->choices.end(), value.text()) == found->choices.end()) {
    return wrong("unknown_value", "one of " + Join(found->choices, ", "));
  }
  return absl::OkStatus();
}

absl::StatusOr<WorkflowPlan> PlanDocument(const Workflow::Document& document, const OperationSet& operations) {
  SchemaReader errors, warnings;
  const StepGraph graph(document);
  for (const auto& [id, step] : document.steps) {
    const std::string pointer = "/steps/" + id;
    if (step.type != StepType::kConditional) {
      CheckOperation(step, pointer, operations, errors);
      if (const OperationInfo* info = OperationOf(step, operations)) {
        CheckInputs(step, pointer, *info, errors, warnings);
        CheckParameters(step, pointer, *info, errors);
      }
    }
    CheckOutcomes(step, pointer, warnings);
    if (!graph.is_reached(id))
      warnings.Report(pointer, "unreachable_step", "no path leads from the initial step to \"" + id + "\"");
  }
  CheckReferences(document, operations, graph, errors, warnings);
  CheckStuckLoops(document, operations, graph, warnings);
  CheckFileValues(document, operations, errors);
  if (!errors.ok()) return ProblemsError("invalid_workflow", "workflow \"" + document.id + "\"", errors.problems());

  WorkflowPlan plan;
  plan.id = document.id;
  plan.name = document.name;
  std::vector<std::string> order = graph.reached();
  for (const auto& [id, step] : document.steps) {
    if (!graph.is_reached(id)) order.push_back(id);
  }
  for (const std::string& id : order) {
    const StepDefinition& step = document.steps.at(id);
    plan.steps.push_back({id, StepTypeName(step.type), step.operation, graph.next(id), graph.in_cycle(id)});
  }
  plan.warnings = warnings.problems();
  return plan;
}

}  // namespace grym
