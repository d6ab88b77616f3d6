#include <cmath>
#include <limits>

#include "base/json.h"
#include "base/status.h"
#include "grymsynth/generation.h"
#include "model/json_fields.h"

namespace grym {
namespace {

// A result carries its request, and facts beside it.
constexpr size_t kMaxResultBytes = size_t{4} << 20;

// The request stands as an object where it is canonical JSON, so that a sidecar is pleasant to read; any other text
// stays a string, so that nothing is lost.
Json RequestValue(const std::string& text) {
  absl::StatusOr<Json> parsed = Json::Parse(text);
  return parsed.ok() && parsed->is_object() && parsed->Dump() == text ? *std::move(parsed) : Json(text);
}

Json ProvenanceToJson(const Provenance& provenance) {
  Json json = Json::Object();
  json["model"] = provenance.model;
  json["modelVersion"] = provenance.model_version;
  json["software"] = provenance.software;
  json["seed"] = provenance.seed;
  json["request"] = RequestValue(provenance.request_json);
  json["referenceSha256"] = provenance.reference_sha256;
  return json;
}

Provenance ReadProvenance(const Json& json, std::vector<Problem>& problems) {
  Provenance provenance;
  JsonFields fields(json, "/provenance", problems);
  fields.Read("model", provenance.model);
  fields.Read("modelVersion", provenance.model_version);
  fields.Read("software", provenance.software);
  fields.Read("seed", provenance.seed);
  if (const Json* request = fields.Take("request")) {
    if (!request->is_object() && !request->is_string())
      fields.Report("request", "wrong_type", "want a request object or its text");
    provenance.request_json = request->is_string() ? request->text() : request->Dump();
  }
  fields.Read("referenceSha256", provenance.reference_sha256);
  fields.Finish();
  return provenance;
}

void ReadAttempts(JsonFields& fields, std::vector<TakeAttempt>& attempts, std::vector<Problem>& problems) {
  const Json* list = fields.Take("attempts");
  if (!list) return;
  if (!list->is_array()) return fields.Report("attempts", "wrong_type", "want an array of {seed, passed, failures}");
  for (size_t i = 0; i < list->items().size(); ++i) {
    TakeAttempt attempt;
    JsonFields item(list->items()[i], "/attempts/" + std::to_string(i), problems);
    item.Read("seed", attempt.seed);
    item.Read("passed", attempt.passed);
    item.Read("failures", attempt.failures);
    item.Finish();
    attempts.push_back(std::move(attempt));
  }
}

// A change without a number (an unlimited level) is null.
Json StageToJson(const EnhanceStage& stage) {
  Json json = Json::Object();
  json["name"] = stage.name;
  json["applied"] = stage.applied;
  if (std::isfinite(stage.change_db)) json["changeDb"] = stage.change_db;
  json["text"] = stage.text;
  return json;
}

void ReadStages(JsonFields& fields, std::vector<EnhanceStage>& stages, std::vector<Problem>& problems) {
  const Json* list = fields.Take("stages");
  if (!list) return;
  if (!list->is_array())
    return fields.Report("stages", "wrong_type", "want an array of {name, applied, changeDb, text}");
  for (size_t i = 0; i < list->items().size(); ++i) {
    EnhanceStage stage;
    JsonFields item(list->items()[i], "/stages/" + std::to_string(i), problems);
    item.Read("name", stage.name);
    item.Read("applied", stage.applied);
    stage.change_db = std::numeric_limits<double>::quiet_NaN();
    item.Read("changeDb", stage.change_db);
    item.Read("text", stage.text);
    item.Finish();
    stages.push_back(std::move(stage));
  }
}

}  // namespace

std::string ResultToJson(const GenerateAudioResult& result) {
  Json json = Json::Object();
  json["schema"] = "grymsynth.result/1";
  json["provenance"] = ProvenanceToJson(result.provenance);
  json["warnings"] = Json::ArrayOf(result.warnings);
  json["stages"] = Json::Array();
  for (const EnhanceStage& stage : result.stages) json["stages"].push_back(StageToJson(stage));
  json["attempts"] = Json::Array();
  for (const TakeAttempt& attempt : result.attempts) {
    Json item = Json::Object();
    item["seed"] = attempt.seed;
    item["passed"] = attempt.passed;
    item["failures"] = Json::ArrayOf(attempt.failures);
    json["attempts"].push_back(std::move(item));
  }
  json["timingsSeconds"] = Json::Object();
  for (const auto& [name, seconds] : result.timings_s) json["timingsSeconds"][name] = seconds;
  json["peakBytes"] = result.peak_bytes;
  json["facts"] = Json::Object();
  for (const auto& [name, value] : result.facts) json["facts"][name] = value;
  return json.Dump();
}

absl::StatusOr<GenerateAudioResult> ResultFromJson(std::string_view json) {
  JsonLimits limits;
  limits.bytes = kMaxResultBytes;
  absl::StatusOr<Json> parsed = Json::Parse(json, limits);
  if (!parsed.ok()) return Annotate(parsed.status(), "result");
  std::vector<Problem> problems;
  GenerateAudioResult result;
  JsonFields fields(*parsed, "", problems);
  fields.Schema("grymsynth.result", 1, true);
  if (const Json* provenance = fields.Take("provenance")) result.provenance = ReadProvenance(*provenance, problems);
  fields.Read("warnings", result.warnings);
  ReadStages(fields, result.stages, problems);
  ReadAttempts(fields, result.attempts, problems);
  fields.Read("timingsSeconds", result.timings_s);
  fields.Read("peakBytes", result.peak_bytes);
  fields.Read("facts", result.facts);
  fields.Finish();
  if (!problems.empty()) return ProblemsError("invalid_result", "result", problems);
  return result;
}

}  // namespace grym
