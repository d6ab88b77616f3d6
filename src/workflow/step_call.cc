#include "workflow/step_call.h"

#include <algorithm>

#include "base/random.h"
#include "base/status.h"
#include "workflow/plan.h"
#include "workflow/reference.h"

namespace grym {
namespace {

// What an operation gets for an input that may name a recording: as text, or as the `audioFile` of a result.
absl::StatusOr<Json> WithinRoots(const OperationInput& input, const Json& value, const FileRoots& roots) {
  if (const std::string& carried = value.at("audioFile").text(); !carried.empty()) {
    GRYM_RETURN_IF_ERROR(roots.ResolveInput(carried).status());
  }
  if (!input.file || !value.is_string() || value.text().empty()) return value;
  GRYM_ASSIGN_OR_RETURN(const std::string file, roots.ResolveInput(value.text()));
  return Json(file);
}

}  // namespace

absl::StatusOr<Json> ResolveCall(const StepDefinition& step, const OperationInfo& info, const RunContext& context,
                                 const FileRoots& roots) {
  const std::vector<int> assigned = AssignInputs(step, info);
  std::vector<const StepInput*> given(info.inputs.size(), nullptr);
  for (size_t i = 0; i < step.inputs.size(); ++i) {
    if (assigned[i] >= 0) given[static_cast<size_t>(assigned[i])] = &step.inputs[i];
  }
  Json inputs = Json::Array();
  for (size_t i = 0; i < given.size(); ++i) {
    const Json* value = given[i] ? context.Find(given[i]->path) : nullptr;
    if (!value) {
      if (given[i] ? given[i]->optional : info.inputs[i].optional) continue;
      return Error(
          absl::StatusCode::kNotFound, "input_missing",
          "step \"" + step.id + "\": input \"" + info.inputs[i].name + "\" of operation \"" + info.name +
              "\": " + (given[i] ? "there is no \"" + Printable(PathText(given[i]->path)) + "\"" : "not given"));
    }
    Json input = Json::Object();
    input["name"] = info.inputs[i].name;
    input["key"] = given[i]->key;
    absl::StatusOr<Json> allowed = WithinRoots(info.inputs[i], *value, roots);
    if (!allowed.ok())
      return Annotate(allowed.status(), "step \"" + step.id + "\", input \"" + info.inputs[i].name + "\"");
    input["value"] = *std::move(allowed);
    inputs.push_back(std::move(input));
  }
  Json parameters = Json::Object();
  for (const auto& [name, written] : step.parameters.members()) {
    absl::StatusOr<Json> value = ResolveReferences(written, [&](const Path& path) { return context.Find(path); });
    if (!value.ok())
      return Annotate(value.status(), "step \"" + step.id + "\", parameter \"" + Printable(name, 64) + "\"");
    const absl::Status fits = CheckStepParameter(info, name, *value, false);
    if (!fits.ok()) return Annotate(fits, "step \"" + step.id + "\"");
    if (IsFileName(name) && value->is_string() && !value->text().empty()) {
      const absl::StatusOr<std::string> file = roots.Resolve(value->text());
      if (!file.ok())
        return Annotate(file.status(), "step \"" + step.id + "\", parameter \"" + Printable(name, 64) + "\"");
      value = Json(*file);
    }
    parameters[name] = *std::move(value);
  }
  Json call = Json::Object();
  call["operation"] = info.name;
  call["major"] = info.major_version;
  call["inputs"] = std::move(inputs);
  call["parameters"] = std::move(parameters);
  return call;
}

OperationCall CallFromJson(const Json& json) {
  OperationCall call;
  call.operation = json.at("operation").text();
  for (const Json& input : json.at("inputs").items())
    call.inputs.push_back({input.at("name").text(), input.at("key").text(), input.at("value")});
  call.parameters = json.at("parameters");
  return call;
}

int64_t VisitSeed(int64_t execution_seed, const std::string& step, int visit) {
  // Below 2^53: a sidecar's seed must survive every JSON reader.
  return static_cast<int64_t>(
      Random(static_cast<uint64_t>(execution_seed), step + "#" + std::to_string(visit)).Next() >> 11);
}

}  // namespace grym
