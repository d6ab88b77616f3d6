#include "workflow/step_schema.h"

#include <algorithm>

#include "base/status.h"
#include "workflow/condition.h"
#include "workflow/reference.h"

namespace grym {
namespace {

constexpr int64_t kMaxWaitMs = int64_t{24} * 3600 * 1000;
const char* const kLater = "is part of the schema but not supported yet";

void Unsupported(const Json& json, const std::string& pointer, const char* name, SchemaReader& reader) {
  if (json.contains(name))
    reader.Report(pointer + "/" + name, "not_supported_yet", std::string("\"") + name + "\" " + kLater);
}

StepInput ReadInput(const Json& json, const std::string& pointer, const DocumentNames& names, SchemaReader& reader) {
  StepInput input;
  if (!json.is_object()) {
    reader.Report(pointer, "wrong_type", std::string("want {source, key}, got ") + json.type_name());
    return input;
  }
  reader.Members(json, pointer, {"source", "key", "name", "optional"});
  input.source = reader.Choice(json, pointer, "source", {"parameter", "previous_step", "context"}, true);
  input.key = reader.Text(json, pointer, "key", true);
  input.name = reader.Text(json, pointer, "name", false);
  input.optional = reader.Flag(json, pointer, "optional", false);
  if (input.source.empty() || !json.at("key").is_string()) return input;
  const bool parameter = input.source == "parameter";
  const absl::StatusOr<Path> path = ParsePath((parameter ? "parameters." : "context.") + input.key);
  if (!path.ok()) {
    reader.Report(pointer + "/key", "bad_path", std::string(path.status().message()));
    return input;
  }
  input.path = *path;
  if (parameter &&
      std::find(names.parameters.begin(), names.parameters.end(), input.path[1]) == names.parameters.end()) {
    reader.Report(pointer + "/key", "unknown_parameter",
                  "want a parameter of the workflow, got \"" + Printable(input.path[1], 64) + "\"",
                  ClosestLegal(input.path[1], names.parameters));
  }
  return input;
}

void CheckLeftPath(const std::string& pointer, const Path& path, const DocumentNames& names, SchemaReader& reader) {
  const bool own = path[0] == "result";
  if (!own && (path.size() < 2 || (path[0] != "context" && path[0] != "parameters"))) {
    reader.Report(pointer, "bad_path",
                  "want a path that starts result, context. or parameters., got \"" + Printable(PathText(path)) + "\"");
  } else if (path[0] == "parameters" &&
             std::find(names.parameters.begin(), names.parameters.end(), path[1]) == names.parameters.end()) {
    reader.Report(pointer, "unknown_parameter",
                  "want a parameter of the workflow, got \"" + Printable(path[1], 64) + "\"",
                  ClosestLegal(path[1], names.parameters));
  }
}

// Order is defined for numbers and texts alone, whatever stands on the left.
void CheckRightLiteral(const std::string& pointer, const StepCondition& condition, SchemaReader& reader) {
  if (!IsLiteral(condition.right)) return;
  const Json literal = LiteralValue(condition.right);
  if (!CanCompare(condition.op, ValueKind::kAny, literal)) {
    reader.Report(pointer, "never_type_checks",
                  std::string(OperatorName(condition.op)) + ": want a number or a string, got " + literal.type_name());
  }
}

std::optional<StepCondition> ReadCondition(const Json& json, const std::string& pointer, const DocumentNames& names,
                                           SchemaReader& reader) {
  StepCondition condition;
  reader.Members(json, pointer, {"operator", "leftOperand", "rightOperand", "ifMissing"});
  const std::string op =
      reader.Choice(json, pointer, "operator", {"equals", "contains", "greater_than", "less_than"}, true);
  condition.left_text = reader.Text(json, pointer, "leftOperand", true);
  const Json* right = json.find("rightOperand");
  if (!right) reader.Report(pointer + "/rightOperand", "missing_member", "want a value \"rightOperand\", got nothing");
  if (reader.Member(json, pointer, "ifMissing", "boolean", false))
    condition.if_missing = json.at("ifMissing").boolean();
  if (op.empty() || !json.at("leftOperand").is_string() || !right) return std::nullopt;
  ParseOperator(op, condition.op);
  const absl::StatusOr<Path> left = ParsePath(condition.left_text);
  if (!left.ok()) {
    reader.Report(pointer + "/leftOperand", "bad_path", std::string(left.status().message()));
    return std::nullopt;
  }
  condition.left = *left;
  condition.right = *right;
  CheckLeftPath(pointer + "/leftOperand", condition.left, names, reader);
  CheckReferenceForms(*right, pointer + "/rightOperand", reader);
  CheckRightLiteral(pointer + "/rightOperand", condition, reader);
  return condition;
}

void ReadBranch(const Json& json, const std::string& pointer, const DocumentNames& names, StepDefinition& step,
                SchemaReader& reader) {
  if (!json.is_object()) {
    return reader.Report(pointer, "wrong_type", std::string("want {condition, stepId}, got ") + json.type_name());
  }
  reader.Members(json, pointer, {"condition", "stepId"});
  const std::string when = reader.Text(json, pointer, "condition", true);
  StepBranch branch;
  branch.target = reader.Text(json, pointer, "stepId", true);
  if (json.at("stepId").is_string()) CheckTarget(pointer + "/stepId", branch.target, names, reader);
  if (!json.at("condition").is_string()) return;
  if (when == "true" || when == "false" || when == "error") {
    branch.when = when == "true"    ? StepBranch::When::kTrue
                  : when == "false" ? StepBranch::When::kFalse
                                    : StepBranch::When::kError;
    if (when != "error" && !step.condition) {
      reader.Report(pointer + "/condition", "condition_required",
                    "a \"" + when + "\" branch wants the step to have a condition");
    }
  } else {
    absl::StatusOr<StepCondition> comparison = ParseComparison(when);
    if (!comparison.ok())
      return reader.Report(pointer + "/condition", "bad_condition", std::string(comparison.status().message()));
    branch.when = StepBranch::When::kComparison;
    branch.comparison = *std::move(comparison);
    CheckLeftPath(pointer + "/condition", branch.comparison.left, names, reader);
    CheckRightLiteral(pointer + "/condition", branch.comparison, reader);
  }
  step.branches.push_back(std::move(branch));
}

void ReadNextSteps(const Json& json, const std::string& pointer, const DocumentNames& names, StepDefinition& step,
                   SchemaReader& reader) {
  reader.Members(json, pointer, {"default", "conditional", "parallel"});
  Unsupported(json, pointer, "parallel", reader);
  step.default_next = reader.Text(json, pointer, "default", false);
  if (json.at("default").is_string()) CheckTarget(pointer + "/default", step.default_next, names, reader);
  const Json* branches = reader.Member(json, pointer, "conditional", "array", false);
  if (!branches) return;
  if (branches->size() > kMaxDocumentSteps) {
    return reader.Report(pointer + "/conditional", "too_many",
                         "want at most " + std::to_string(kMaxDocumentSteps) + " branches");
  }
  for (size_t i = 0; i < branches->size(); ++i) {
    ReadBranch(branches->items()[i], pointer + "/conditional/" + std::to_string(i), names, step, reader);
  }
}

RetryPolicy ReadRetry(const Json& json, const std::string& pointer, SchemaReader& reader) {
  RetryPolicy retry;
  reader.Members(json, pointer, {"maxAttempts", "initialMs", "factor", "maxMs", "jitter", "on"});
  retry.max_attempts = static_cast<int>(reader.Integer(json, pointer, "maxAttempts", 1, 10, retry.max_attempts));
  retry.initial_ms = reader.Integer(json, pointer, "initialMs", 0, kMaxWaitMs, retry.initial_ms);
  retry.max_ms = reader.Integer(json, pointer, "maxMs", 0, kMaxWaitMs, retry.max_ms);
  if (const Json* factor = reader.Member(json, pointer, "factor", "number", false)) {
    retry.factor = factor->number();
    if (retry.factor < 1 || retry.factor > 100)
      reader.Report(pointer + "/factor", "out_of_range", "want [1, 100], got " + factor->Dump());
  }
  if (json.contains("jitter"))
    retry.full_jitter = reader.Choice(json, pointer, "jitter", {"full", "none"}, false) != "none";
  if (const Json* on = reader.Member(json, pointer, "on", "array", false)) {
    const std::vector<std::string> classes = {"transient", "resource", "operation"};
    retry.on.clear();
    for (size_t i = 0; i < on->size(); ++i) {
      const std::string& name = on->items()[i].text();
      if (std::find(classes.begin(), classes.end(), name) == classes.end()) {
        reader.Report(
            pointer + "/on/" + std::to_string(i), "unknown_value",
            "want a class that can be retried (" + Join(classes, ", ") + "), got \"" + Printable(name, 64) + "\"",
            ClosestLegal(name, classes));
      }
      retry.on.push_back(name);
    }
  }
  return retry;
}

void ReadLoop(const Json& json, const std::string& pointer, const DocumentNames& names, StepDefinition& step,
              SchemaReader& reader) {
  reader.Members(json, pointer, {"maxVisits", "onLimit"});
  step.loop_max_visits = static_cast<int>(reader.Integer(json, pointer, "maxVisits", 1, kMaxLoopVisits, 0));
  const std::string on_limit = reader.Text(json, pointer, "onLimit", false);
  if (on_limit.empty() || on_limit == "fail") return;
  CheckTarget(pointer + "/onLimit", on_limit, names, reader);
  step.loop_on_limit = on_limit;
  if (on_limit == step.id) reader.Report(pointer + "/onLimit", "bad_target", "want another step, got the step itself");
}

void ReadExtensions(const Json& json, const std::string& pointer, const DocumentNames& names, StepDefinition& step,
                    SchemaReader& reader) {
  for (const char* later : {"priority", "resources", "cache"}) Unsupported(json, pointer, later, reader);
  step.as = reader.Text(json, pointer, "as", false);
  if (json.at("as").is_string() && reader.CheckName(pointer + "/as", step.as) &&
      std::find(names.steps.begin(), names.steps.end(), step.as) != names.steps.end()) {
    reader.Report(pointer + "/as", "name_conflict", "\"" + step.as + "\" is the id of a step");
  }
  if (const Json* retry = reader.Member(json, pointer, "retry", "object", false))
    step.retry = ReadRetry(*retry, pointer + "/retry", reader);
  step.timeout_ms = reader.Integer(json, pointer, "timeoutMs", 1, kMaxWaitMs, 0);
  step.deadline_ms = reader.Integer(json, pointer, "deadlineMs", 1, kMaxWaitMs, 0);
  step.effects_once = reader.Choice(json, pointer, "effects", {"repeatable", "once"}, false) == "once";
  if (const Json* loop = reader.Member(json, pointer, "loop", "object", false))
    ReadLoop(*loop, pointer + "/loop", names, step, reader);
  step.on_error = reader.Text(json, pointer, "onError", false);
  if (json.at("onError").is_string()) CheckTarget(pointer + "/onError", step.on_error, names, reader);
}

}  // namespace

void CheckTarget(const std::string& pointer, const std::string& target, const DocumentNames& names,
                 SchemaReader& reader) {
  if (std::find(names.steps.begin(), names.steps.end(), target) != names.steps.end()) return;
  reader.Report(pointer, "unknown_step", "want the id of a step, got \"" + Printable(target, 64) + "\"",
                ClosestLegal(target, names.steps));
}

StepDefinition ReadStep(const Json& json, const std::string& pointer, const DocumentNames& names,
                        SchemaReader& reader) {
  StepDefinition step;
  reader.Members(json, pointer,
                 {"id", "type", "operation", "inputs", "parameters", "condition", "nextSteps", "as", "retry",
                  "timeoutMs", "deadlineMs", "priority", "resources", "effects", "cache", "loop", "onError"});
  step.id = reader.Text(json, pointer, "id", true);
  const std::vector<std::string> types = {"analysis", "generation", "conditional", "transformation"};
  const std::string type = reader.Choice(json, pointer, "type", types, true);
  if (!type.empty()) step.type = static_cast<StepType>(std::find(types.begin(), types.end(), type) - types.begin());
  step.operation = reader.Text(json, pointer, "operation", true);
  if (const Json* inputs = reader.Member(json, pointer, "inputs", "array", true)) {
    if (inputs->size() > kMaxStepInputs) {
      reader.Report(pointer + "/inputs", "too_many", "want at most 64 inputs, got " + std::to_string(inputs->size()));
    }
    for (size_t i = 0; i < inputs->size() && i < kMaxStepInputs; ++i) {
      step.inputs.push_back(ReadInput(inputs->items()[i], pointer + "/inputs/" + std::to_string(i), names, reader));
    }
  }
  if (const Json* parameters = reader.Member(json, pointer, "parameters", "object", true)) {
    step.parameters = *parameters;
    for (const auto& [name, value] : parameters->members()) {
      CheckReferenceForms(value, pointer + "/parameters/" + PointerToken(name), reader);
    }
  }
  if (const Json* condition = reader.Member(json, pointer, "condition", "object", false)) {
    step.condition = ReadCondition(*condition, pointer + "/condition", names, reader);
  }
  if (type == "conditional" && !json.contains("condition")) {
    reader.Report(pointer + "/condition", "missing_member", "a conditional step wants a condition, got none");
  }
  if (const Json* next = reader.Member(json, pointer, "nextSteps", "object", true)) {
    // A condition that is there but wrong has been reported; its branches are not reported again.
    StepDefinition probe = step;
    if (json.contains("condition") && !probe.condition) probe.condition.emplace();
    ReadNextSteps(*next, pointer + "/nextSteps", names, probe, reader);
    step.default_next = probe.default_next;
    step.branches = std::move(probe.branches);
  }
  ReadExtensions(json, pointer, names, step, reader);
  return step;
}

}  // namespace grym
