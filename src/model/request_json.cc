#include "base/json.h"
#include "base/status.h"
#include "grymsynth/generation.h"
#include "model/json_fields.h"
#include "model/pattern_json.h"
#include "model/request_rules.h"

namespace grym {
namespace {

template <class T>
void PutIfSet(Json& json, const char* name, const std::optional<T>& value) {
  if (value) json[name] = Json(*value);
}

void ReadQuality(JsonFields& fields, QualityTier& quality) {
  std::string name = QualityName(quality);
  fields.Read("quality", name);
  const std::vector<std::string> names = QualityNames();
  for (size_t i = 0; i < names.size(); ++i) {
    if (names[i] == name) {
      quality = static_cast<QualityTier>(i);
      return;
    }
  }
  fields.Report("quality", "unknown_value",
                "want one of " + Join(names, ", ") + ", got \"" + Printable(name, 60) + "\"", NearestName(name, names));
}

void ReadRequestPatterns(JsonFields& fields, std::vector<AudioPattern>& patterns, std::vector<Problem>& problems) {
  const Json* list = fields.Take("patterns");
  if (!list) return;
  if (!list->is_array())
    return fields.Report("patterns", "wrong_type", std::string("want an array of patterns, got ") + list->type_name());
  // One more than the limit is enough to be told that there are too many.
  for (size_t i = 0; i < list->items().size() && i <= kMaxPatterns && problems.size() < 100; ++i) {
    patterns.push_back(PatternFromJson(list->items()[i], "/patterns/" + std::to_string(i), problems));
  }
}

// Each problem once: what could not be read keeps its default, which the rules accept.
void ReadRequestFields(const Json& json, GenerateAudioRequest& request, std::vector<Problem>& problems) {
  JsonFields fields(json, "", problems);
  fields.Schema("grymsynth.request", 1, false);
  fields.Read("prompt", request.prompt);
  fields.Read("negativePrompt", request.negative_prompt);
  fields.Read("durationSeconds", request.duration_s);
  fields.Read("seed", request.seed);
  fields.Read("model", request.model);
  fields.Read("temperature", request.temperature);
  fields.Read("topK", request.top_k);
  fields.Read("topP", request.top_p);
  fields.Read("guidance", request.guidance);
  fields.Read("steps", request.steps);
  fields.Read("tempoBpm", request.tempo_bpm);
  fields.Read("key", request.key);
  fields.Read("meter", request.meter);
  fields.Read("structure", request.structure);
  fields.Read("instruments", request.instruments);
  fields.Read("mood", request.mood);
  fields.Read("referenceAudio", request.reference_audio);
  fields.Read("referenceMidi", request.reference_midi);
  fields.Read("referenceStrength", request.reference_strength);
  fields.Read("wantStems", request.want_stems);
  ReadQuality(fields, request.quality);
  fields.Read("allowUnsupported", request.allow_unsupported);
  fields.Read("takes", request.takes);
  fields.Read("rankBy", request.rank_by);
  fields.Read("enhancementLevel", request.enhancement_level);
  fields.Read("preserveOriginalCharacteristics", request.preserve_original_characteristics);
  fields.Read("focusAreas", request.focus_areas);
  fields.Read("targetLufs", request.target_lufs);
  ReadRequestPatterns(fields, request.patterns, problems);
  fields.Read("parameters", request.parameters);
  fields.Finish();
}

}  // namespace

std::string RequestToJson(const GenerateAudioRequest& request) {
  Json json = Json::Object();
  json["schema"] = "grymsynth.request/1";
  json["prompt"] = request.prompt;
  json["negativePrompt"] = request.negative_prompt;
  json["durationSeconds"] = request.duration_s;
  json["seed"] = request.seed;
  json["model"] = request.model;
  PutIfSet(json, "temperature", request.temperature);
  PutIfSet(json, "topK", request.top_k);
  PutIfSet(json, "topP", request.top_p);
  PutIfSet(json, "guidance", request.guidance);
  PutIfSet(json, "steps", request.steps);
  PutIfSet(json, "tempoBpm", request.tempo_bpm);
  PutIfSet(json, "key", request.key);
  PutIfSet(json, "meter", request.meter);
  json["structure"] = request.structure;
  json["instruments"] = Json::ArrayOf(request.instruments);
  json["mood"] = request.mood;
  json["referenceAudio"] = request.reference_audio;
  json["referenceMidi"] = request.reference_midi;
  json["referenceStrength"] = request.reference_strength;
  json["wantStems"] = request.want_stems;
  json["quality"] = QualityName(request.quality);
  json["allowUnsupported"] = request.allow_unsupported;
  PutIfSet(json, "takes", request.takes);
  if (!request.rank_by.empty()) json["rankBy"] = request.rank_by;
  json["enhancementLevel"] = request.enhancement_level;
  json["preserveOriginalCharacteristics"] = request.preserve_original_characteristics;
  json["focusAreas"] = Json::ArrayOf(request.focus_areas);
  PutIfSet(json, "targetLufs", request.target_lufs);
  json["patterns"] = Json::Array();
  for (const AudioPattern& pattern : request.patterns) json["patterns"].push_back(PatternToJson(pattern));
  json["parameters"] = Json::Object();
  for (const auto& [name, value] : request.parameters) json["parameters"][name] = value;
  return json.Dump();
}

absl::StatusOr<GenerateAudioRequest> RequestFromJson(std::string_view json) {
  JsonLimits limits;
  limits.bytes = kMaxRequestBytes;
  absl::StatusOr<Json> parsed = Json::Parse(json, limits);
  if (!parsed.ok()) return Annotate(parsed.status(), "request");
  GenerateAudioRequest request;
  std::vector<Problem> problems;
  ReadRequestFields(*parsed, request, problems);
  // Patterns were checked as they were read; the rules look at everything else.
  std::vector<AudioPattern> patterns = std::move(request.patterns);
  request.patterns.clear();
  for (Problem& problem : CheckRequest(request)) problems.push_back(std::move(problem));
  if (patterns.size() > kMaxPatterns) {
    problems.push_back({"/patterns", "too_many", "want at most " + std::to_string(kMaxPatterns) + " patterns", ""});
  }
  request.patterns = std::move(patterns);
  if (!problems.empty()) return ProblemsError("invalid_request", "request", problems);
  return request;
}

}  // namespace grym
