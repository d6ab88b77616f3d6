#include "workflow/document.h"

#include <algorithm>

#include "base/hash.h"
#include "base/status.h"
#include "workflow/parameter_schema.h"
#include "workflow/schema_reader.h"
#include "workflow/step_schema.h"

namespace grym {
namespace {

bool IsWorkflowId(const std::string& id) {
  const auto plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); };
  if (id.empty() || id.size() > 128 || !plain(id[0])) return false;
  return std::all_of(id.begin(), id.end(), [&](char c) { return plain(c) || c == '.' || c == '_' || c == '-'; });
}

void ReadHead(const Json& json, Workflow::Document& document, SchemaReader& reader) {
  reader.Members(json, "",
                 {"id", "name", "description", "initialStep", "steps", "parameters", "metadata", "parameterSchemas",
                  "limits", "durability", "output"});
  document.id = reader.Text(json, "", "id", true);
  if (json.at("id").is_string() && !IsWorkflowId(document.id)) {
    reader.Report("/id", "bad_id",
                  "want [A-Za-z0-9][A-Za-z0-9._-]{0,127}, got \"" + Printable(document.id, 140) + "\"");
  }
  document.name = reader.Text(json, "", "name", true);
  document.description = reader.Text(json, "", "description", false);
  document.initial_step = reader.Text(json, "", "initialStep", true);
  reader.Member(json, "", "metadata", "object", false);
  if (const Json* parameters = reader.Member(json, "", "parameters", "object", false))
    document.parameters = parameters->members();
}

void ReadParameterSchemas(const Json& json, Workflow::Document& document, const DocumentNames& names,
                          SchemaReader& reader) {
  const Json* schemas = reader.Member(json, "", "parameterSchemas", "object", false);
  if (!schemas) return;
  document.parameter_schemas = schemas->members();
  for (const auto& [name, schema] : schemas->members()) {
    const std::string pointer = "/parameterSchemas/" + PointerToken(name);
    if (!document.parameters.count(name)) {
      reader.Report(pointer, "unknown_parameter",
                    "want a parameter of the workflow, got \"" + Printable(name, 64) + "\"",
                    ClosestLegal(name, names.parameters));
      continue;
    }
    const size_t before = reader.problems().size();
    CheckParameterSchema(schema, pointer, reader);
    const Json& fallback = document.parameters.at(name);
    if (reader.problems().size() == before && !fallback.is_null()) {
      CheckAgainstSchema(fallback, schema, "/parameters/" + PointerToken(name), reader);
    }
  }
}

void ReadLimits(const Json& json, Workflow::Document& document, SchemaReader& reader) {
  if (const Json* limits = reader.Member(json, "", "limits", "object", false)) {
    reader.Members(*limits, "/limits", {"maxVisits", "executionMs"});
    document.max_visits = reader.Integer(*limits, "/limits", "maxVisits", 1, kMaxStepVisits, kDefaultStepVisits);
    document.execution_ms = reader.Integer(*limits, "/limits", "executionMs", 1, int64_t{30} * 24 * 3600 * 1000, 0);
  }
  const std::string durability = reader.Choice(json, "", "durability", {"full", "normal", "none"}, false);
  if (durability == "none") {
    reader.Report("/durability", "not_supported_yet", "durability \"none\" is part of the schema but not supported yet",
                  "normal");
  }
  document.durability_full = durability != "normal";
}

void ReadOutput(const Json& json, Workflow::Document& document, SchemaReader& reader) {
  const Json* output = reader.Member(json, "", "output", "object", false);
  if (!output) return;
  for (const auto& [name, value] : output->members()) {
    const std::string pointer = "/output/" + PointerToken(name);
    const absl::StatusOr<Path> path = ParsePath(value.text());
    if (!path.ok() || path->size() < 2 || (path->at(0) != "context" && path->at(0) != "parameters")) {
      reader.Report(pointer, "bad_path",
                    "want a path that starts context. or parameters., got " + Printable(value.Dump(), 80));
    } else {
      document.output[name] = *path;
    }
  }
}

void ReadSteps(const Json& json, Workflow::Document& document, const DocumentNames& names, SchemaReader& reader) {
  const Json* steps = reader.Member(json, "", "steps", "object", true);
  if (!steps) return;
  if (steps->size() == 0) reader.Report("/steps", "missing_member", "want at least one step, got none");
  if (steps->size() > kMaxDocumentSteps) {
    return reader.Report("/steps", "too_many", "want at most 1000 steps, got " + std::to_string(steps->size()));
  }
  for (const auto& [key, value] : steps->members()) {
    if (reader.full()) return;
    const std::string pointer = "/steps/" + PointerToken(Printable(key, 100));
    if (!value.is_object()) {
      reader.Report(pointer, "wrong_type", std::string("want a step object, got ") + value.type_name());
      continue;
    }
    StepDefinition step = ReadStep(value, pointer, names, reader);
    reader.CheckName(pointer, key);
    if (value.at("id").is_string() && step.id != key) {
      reader.Report(pointer + "/id", "key_mismatch",
                    "want the key \"" + Printable(key, 64) + "\", got \"" + Printable(step.id, 64) + "\"", key);
    }
    document.steps.emplace(key, std::move(step));
  }
  if (json.at("initialStep").is_string()) CheckTarget("/initialStep", document.initial_step, names, reader);
}

}  // namespace

absl::StatusOr<Workflow::Document> ParseDocument(std::string_view text, std::filesystem::path folder) {
  JsonLimits limits;
  limits.bytes = kMaxDocumentBytes;
  limits.depth = kMaxDocumentDepth;
  limits.string_bytes = kMaxDocumentString;
  absl::StatusOr<Json> json = Json::Parse(text, limits);
  if (!json.ok()) {
    return ProblemsError("bad_json", "workflow", {{"", "bad_json", std::string(json.status().message()), ""}});
  }
  SchemaReader reader;
  Workflow::Document document;
  if (!json->is_object()) {
    reader.Report("", "wrong_type", std::string("want a workflow object, got ") + json->type_name());
    return ProblemsError("invalid_workflow", "workflow", reader.problems());
  }
  ReadHead(*json, document, reader);
  DocumentNames names;
  for (const auto& [name, value] : json->at("steps").members()) names.steps.push_back(name);
  for (const auto& [name, value] : document.parameters) names.parameters.push_back(name);
  ReadSteps(*json, document, names, reader);
  ReadParameterSchemas(*json, document, names, reader);
  ReadLimits(*json, document, reader);
  ReadOutput(*json, document, reader);
  if (!reader.ok()) return ProblemsError("invalid_workflow", "workflow", reader.problems());
  // The engine fills in metadata where the author gave none, without a clock: the same text has the same digest.
  if (!json->contains("metadata")) {
    (*json)["metadata"]["createdBy"] = "grymsynth";
    (*json)["metadata"]["version"] = "1.0.0";
  }
  document.folder = std::move(folder);
  document.canonical = json->Dump();
  document.digest = Sha256Hex(document.canonical);
  return document;
}

}  // namespace grym
