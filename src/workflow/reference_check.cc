#include "workflow/reference_check.h"

#include <algorithm>
#include <deque>

#include "base/status.h"
#include "workflow/condition.h"
#include "workflow/plan.h"
#include "workflow/reference.h"

namespace grym {
namespace {

// A place that reads a path: a step's inputs and parameters when a visit starts, its condition and branches at the end.
struct Reading {
  Path path;
  std::string pointer;
  bool tolerant = false;
  bool at_end = false;
  const StepCondition* comparison = nullptr;  // where the path is its left side
};

std::vector<Reading> StartReadings(const StepDefinition& step) {
  std::vector<Reading> readings;
  const std::string pointer = "/steps/" + step.id;
  for (size_t i = 0; i < step.inputs.size(); ++i) {
    readings.push_back(
        {step.inputs[i].path, pointer + "/inputs/" + std::to_string(i) + "/key", step.inputs[i].optional});
  }
  for (const auto& [name, value] : step.parameters.members()) {
    for (const ReferenceUse& use : ReferencesIn(value)) {
      readings.push_back({use.path, pointer + "/parameters/" + PointerToken(name), use.tolerates_missing});
    }
  }
  return readings;
}

std::vector<Reading> EndReadings(const StepDefinition& step) {
  std::vector<Reading> readings;
  const std::string pointer = "/steps/" + step.id;
  if (step.condition) {
    readings.push_back({step.condition->left, pointer + "/condition/leftOperand",
                        step.condition->if_missing.has_value(), true, &*step.condition});
    for (const ReferenceUse& use : ReferencesIn(step.condition->right)) {
      readings.push_back({use.path, pointer + "/condition/rightOperand", use.tolerates_missing, true});
    }
  }
  for (size_t i = 0; i < step.branches.size(); ++i) {
    if (step.branches[i].when != StepBranch::When::kComparison) continue;
    const StepCondition& comparison = step.branches[i].comparison;
    readings.push_back({comparison.left, pointer + "/nextSteps/conditional/" + std::to_string(i) + "/condition", false,
                        true, &comparison});
  }
  return readings;
}

// The shape at `path` from segment `first`, or nullptr where the shape rules it out; `open` where it says nothing.
const OutputField* ShapeAt(const OutputField& shape, const Path& path, size_t first, bool& open) {
  const OutputField* at = &shape;
  for (size_t i = first; i < path.size(); ++i) {
    if (at->kind == ValueKind::kAny ||
        ((at->kind == ValueKind::kObject || at->kind == ValueKind::kArray) && at->fields.empty())) {
      const bool index = std::all_of(path[i].begin(), path[i].end(), [](char c) { return c >= '0' && c <= '9'; });
      if (at->kind == ValueKind::kArray && !index) return nullptr;
      open = true;
      return at;
    }
    if (at->kind == ValueKind::kArray) {
      if (path[i].empty() || !std::all_of(path[i].begin(), path[i].end(), [](char c) { return c >= '0' && c <= '9'; }))
        return nullptr;
      at = &at->fields[0];
    } else if (at->kind == ValueKind::kObject) {
      const auto found = std::find_if(at->fields.begin(), at->fields.end(),
                                      [&](const OutputField& field) { return field.name == path[i]; });
      if (found == at->fields.end()) return nullptr;
      at = &*found;
    } else {
      return nullptr;
    }
  }
  return at;
}

class ReferenceChecker {
 public:
  ReferenceChecker(const Workflow::Document& document, const OperationSet& operations, const StepGraph& graph,
                   SchemaReader& errors, SchemaReader& warnings)
      : document_(document),
        operations_(operations),
        graph_(graph),
        errors_(errors),
        warnings_(warnings),
        published_(PublishedNames(document, operations)) {}

  // `reader` is the step that reads, or nullptr for the workflow's output.
  void Check(const StepDefinition* reader, const Reading& reading) {
    if (reading.path.empty() || reading.path[0] == "parameters") return CheckParameter(reading);
    if (reading.path[0] == "result") {  // never in an output, see ReadOutput
      const StepDefinition& step = *reader;
      if (step.type == StepType::kConditional) {
        return errors_.Report(reading.pointer, "impossible_path",
                              "step \"" + step.id + "\" is conditional: it runs no task and has no result");
      }
      return CheckShape({step.id}, "", 1, reading);
    }
    const std::string& name = reading.path[1];
    if (document_.steps.count(name)) {
      CheckStepPath(reader, name, reading);
    } else if (const auto found = published_.find(name); found != published_.end()) {
      CheckPublishedPath(reader, found->second, reading);
    } else {
      std::vector<std::string> names;
      for (const auto& [id, unused] : document_.steps) names.push_back(id);
      for (const auto& [id, unused] : published_) names.push_back(id);
      errors_.Report(reading.pointer, "unknown_step",
                     "want the name of a step's result, got \"" + Printable(name, 64) + "\"",
                     ClosestLegal(name, names));
    }
  }

 private:
  void CheckParameter(const Reading& reading) {
    if (reading.path.size() < 2 || document_.parameters.count(reading.path[1])) return;
    std::vector<std::string> names;
    for (const auto& [name, unused] : document_.parameters) names.push_back(name);
    errors_.Report(reading.pointer, "unknown_parameter",
                   "want a parameter of the workflow, got \"" + Printable(reading.path[1], 64) + "\"",
                   ClosestLegal(reading.path[1], names));
  }

  void CheckStepPath(const StepDefinition* reader, const std::string& writer, const Reading& reading) {
    const Path& path = reading.path;
    const bool visits = path.size() >= 5 && path[2] == "visits" && path[4] == "result";
    const bool error = path.size() >= 3 && path[2] == "error";
    if (!visits && !error && !(path.size() >= 3 && path[2] == "result")) {
      return errors_.Report(reading.pointer, "impossible_path",
                            "want \"" + writer + ".result\", \"" + writer + ".visits.<n>.result\" or \"" + writer +
                                ".error\", got \"" + Printable(PathText(path)) + "\"");
    }
    if (!error && document_.steps.at(writer).type == StepType::kConditional) {
      return errors_.Report(reading.pointer, "impossible_path",
                            "step \"" + writer + "\" is conditional: it runs no task and has no result");
    }
    if (!error) CheckShape({writer}, "", visits ? 5 : 3, reading);
    if (reader) CheckPathsHere(*reader, {writer}, reading, !error && !visits);
  }

  void CheckPublishedPath(const StepDefinition* reader, const PublishedName& name, const Reading& reading) {
    if (reading.path.size() < 3 || reading.path[2] != "result") {
      return errors_.Report(
          reading.pointer, "impossible_path",
          "want \"" + reading.path[1] + ".result\", got \"" + Printable(PathText(reading.path)) + "\"");
    }
    CheckShape(name.writers, name.member, 3, reading);
    if (reader) CheckPathsHere(*reader, name.writers, reading, true);
  }

  // An error only if it holds for every writer: the others may be the ones that wrote.
  void CheckShape(const std::set<std::string>& writers, const std::string& member, size_t first,
                  const Reading& reading) {
    bool possible = false, comparable = false;
    for (const std::string& writer : writers) {
      const OperationInfo* info = OperationOf(document_.steps.at(writer), operations_);
      if (!info) return;  // reported as an unknown operation
      bool open = false;
      const OutputField* shape = member.empty() ? &info->output : ShapeAt(info->output, {member}, 0, open);
      if (shape) shape = ShapeAt(*shape, reading.path, first, open);
      if (!shape) continue;
      possible = true;
      const StepCondition* comparison = reading.comparison;
      if (!comparison || open || !IsLiteral(comparison->right) ||
          CanCompare(comparison->op, shape->kind, LiteralValue(comparison->right)))
        comparable = true;
    }
    if (!possible) {
      errors_.Report(reading.pointer, "impossible_path",
                     "the result of \"" + *writers.begin() + "\" has no \"" + Printable(PathText(reading.path)) + "\"");
    } else if (!comparable) {
      errors_.Report(reading.pointer, "never_type_checks",
                     std::string(OperatorName(reading.comparison->op)) + " can never compare \"" +
                         Printable(PathText(reading.path)) + "\" with " +
                         Printable(LiteralValue(reading.comparison->right).Dump(), 60));
    }
  }

  void CheckPathsHere(const StepDefinition& step, const std::set<std::string>& writers, const Reading& reading,
                      bool warn) {
    if (reading.at_end && writers.count(step.id)) return;  // its own, just completed
    const bool any = std::any_of(writers.begin(), writers.end(),
                                 [&](const std::string& writer) { return graph_.Leads(writer, step.id); });
    if (!any) {
      errors_.Report(
          reading.pointer, "unreachable_reference",
          "no path leads from \"" + Join({writers.begin(), writers.end()}, "\" or \"") + "\" to \"" + step.id + "\"");
    } else if (warn && !reading.tolerant && graph_.is_reached(step.id) && graph_.ReachesWithout(writers, step.id)) {
      warnings_.Report(
          reading.pointer, "maybe_missing",
          "\"" + Printable(PathText(reading.path)) + "\" is not written on every path to \"" + step.id + "\"");
    }
  }

  const Workflow::Document& document_;
  const OperationSet& operations_;
  const StepGraph& graph_;
  SchemaReader& errors_;
  SchemaReader& warnings_;
  const std::map<std::string, PublishedName> published_;
};

// Follows inputs and references back from the conditions of a step.
class LoopTracer {
 public:
  LoopTracer(const Workflow::Document& document, const OperationSet& operations)
      : document_(document), operations_(operations), published_(PublishedNames(document, operations)) {}

  bool CanChange(const StepDefinition& decider, const std::set<std::string>& cycle) {
    const OperationInfo* info = OperationOf(decider, operations_);
    if (info && info->nondeterministic) return true;
    std::set<std::string> seen = {decider.id};
    std::deque<std::string> open;
    bool own_result = false;
    for (const Reading& reading : EndReadings(decider)) {
      if (reading.path[0] == "result") own_result = true;
      for (const std::string& writer : WritersOf(reading.path)) {
        if (writer == decider.id) own_result = true;
        if (seen.insert(writer).second) open.push_back(writer);
      }
    }
    if (own_result) Follow(decider, seen, open);
    while (!open.empty()) {
      const std::string step = std::move(open.front());
      open.pop_front();
      if (cycle.count(step)) return true;
      Follow(document_.steps.at(step), seen, open);
    }
    return false;
  }

 private:
  void Follow(const StepDefinition& step, std::set<std::string>& seen, std::deque<std::string>& open) const {
    for (const Reading& reading : StartReadings(step)) {
      for (const std::string& writer : WritersOf(reading.path)) {
        if (seen.insert(writer).second) open.push_back(writer);
      }
    }
  }
  std::set<std::string> WritersOf(const Path& path) const {
    if (path.size() < 2 || path[0] != "context") return {};
    if (document_.steps.count(path[1])) return {path[1]};
    const auto found = published_.find(path[1]);
    return found == published_.end() ? std::set<std::string>() : found->second.writers;
  }

  const Workflow::Document& document_;
  const OperationSet& operations_;
  const std::map<std::string, PublishedName> published_;
};

}  // namespace

std::map<std::string, PublishedName> PublishedNames(const Workflow::Document& document,
                                                    const OperationSet& operations) {
  std::map<std::string, PublishedName> names;
  for (const auto& [id, step] : document.steps) {
    if (!step.as.empty()) names[step.as].writers.insert(id);
  }
  std::map<std::string, PublishedName> by_operations;
  for (const auto& [id, step] : document.steps) {
    const OperationInfo* info = OperationOf(step, operations);
    if (!info) continue;
    for (const auto& [name, member] : info->publishes) {
      if (document.steps.count(name) || names.count(name)) continue;
      by_operations[name].writers.insert(id);
      by_operations[name].member = member;
    }
  }
  names.merge(by_operations);
  return names;
}

void CheckReferences(const Workflow::Document& document, const OperationSet& operations, const StepGraph& graph,
                     SchemaReader& errors, SchemaReader& warnings) {
  ReferenceChecker checker(document, operations, graph, errors, warnings);
  for (const auto& [id, step] : document.steps) {
    for (const Reading& reading : StartReadings(step)) checker.Check(&step, reading);
    for (const Reading& reading : EndReadings(step)) checker.Check(&step, reading);
  }
  // A step that did not run leaves a null there; one that cannot write it is a mistake.
  for (const auto& [name, path] : document.output) {
    checker.Check(nullptr, {path, "/output/" + PointerToken(name), true});
  }
}

void CheckStuckLoops(const Workflow::Document& document, const OperationSet& operations, const StepGraph& graph,
                     SchemaReader& warnings) {
  LoopTracer tracer(document, operations);
  for (const std::set<std::string>& cycle : graph.cycles()) {
    std::string first_decider;
    bool changes = false;
    for (const std::string& id : cycle) {
      const StepDefinition& step = document.steps.at(id);
      if (EndReadings(step).empty()) continue;
      if (first_decider.empty()) first_decider = id;
      if (tracer.CanChange(step, cycle)) changes = true;
    }
    if (changes) continue;
    const std::string steps = Join({cycle.begin(), cycle.end()}, "\", \"");
    if (first_decider.empty()) {
      warnings.Report("/steps/" + *cycle.begin(), "stuck_loop",
                      "the cycle \"" + Printable(steps, 300) + "\" has no condition: only its limit ends it");
    } else {
      warnings.Report("/steps/" + first_decider + "/condition", "stuck_loop",
                      "nothing in the cycle \"" + Printable(steps, 300) + "\" writes what the condition of \"" +
                          first_decider + "\" depends on: it comes out the same every round");
    }
  }
}

}  // namespace grym
