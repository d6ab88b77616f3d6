#include "model/pattern_json.h"

#include <algorithm>
#include <cmath>

#include "base/status.h"
#include "model/json_fields.h"

namespace grym {
namespace {

constexpr const char* kKindNames[] = {"rhythmic", "harmonic", "melodic", "timbral", "structural"};
// A pattern is about 3 KB of text: room for 20,000 of them.
constexpr size_t kMaxPatternsBytes = size_t{64} << 20;

Json FloatList(const float* values, size_t count) {
  Json list = Json::Array();
  for (size_t i = 0; i < count; ++i) list.push_back(Json(ShortDouble(values[i])));
  return list;
}

void ReadSpans(JsonFields& fields, const Json* member, std::vector<TimeSpan>& spans) {
  if (!member) return;
  if (!member->is_array()) return fields.Report("spans", "wrong_type", "want an array of [start, end] in seconds");
  for (const Json& item : member->items()) {
    if (!item.is_array() || item.size() != 2 || !item.at(0).is_number() || !item.at(1).is_number()) {
      return fields.Report("spans", "wrong_type", "want [start, end] in seconds, got " + Printable(item.Dump(), 60));
    }
    spans.push_back({item.at(0).number(), item.at(1).number()});
  }
}

void ReadEvidence(JsonFields& fields, const Json* member, std::vector<Evidence>& evidence,
                  std::vector<Problem>& problems) {
  if (!member) return;
  if (!member->is_array()) return fields.Report("evidence", "wrong_type", "want an array of {name, value, text}");
  for (size_t i = 0; i < member->items().size(); ++i) {
    JsonFields item(member->items()[i], fields.PointerTo("evidence") + "/" + std::to_string(i), problems);
    Evidence one;
    item.Read("name", one.name);
    item.Read("value", one.value);
    item.Read("text", one.text);
    item.Finish();
    evidence.push_back(std::move(one));
  }
}

}  // namespace

std::string_view PatternKindName(PatternKind kind) {
  const size_t index = static_cast<size_t>(kind);
  return index < std::size(kKindNames) ? kKindNames[index] : "unknown";
}

absl::StatusOr<PatternKind> ParsePatternKind(std::string_view name) {
  std::vector<std::string> names;
  for (size_t i = 0; i < std::size(kKindNames); ++i) {
    if (name == kKindNames[i]) return static_cast<PatternKind>(i);
    names.emplace_back(kKindNames[i]);
  }
  const std::string near = NearestName(name, names);
  return Error(absl::StatusCode::kInvalidArgument, "unknown_pattern_kind",
               "pattern kind: want one of " + Join(names, ", ") + ", got \"" + Printable(name) + "\"" +
                   (near.empty() ? "" : " (did you mean \"" + near + "\"?)"));
}

Json PatternToJson(const AudioPattern& pattern) {
  Json json = Json::Object();
  json["kind"] = PatternKindName(pattern.kind);
  json["description"] = pattern.description;
  json["strength"] = pattern.strength;
  json["spans"] = Json::Array();
  for (const TimeSpan& span : pattern.spans) {
    Json pair = Json::Array();
    pair.push_back(span.start_s);
    pair.push_back(span.end_s);
    json["spans"].push_back(std::move(pair));
  }
  json["evidence"] = Json::Array();
  for (const Evidence& evidence : pattern.evidence) {
    Json item = Json::Object();
    item["name"] = evidence.name;
    item["value"] = evidence.value;
    item["text"] = evidence.text;
    json["evidence"].push_back(std::move(item));
  }
  json["embedding"] = FloatList(pattern.embedding.data(), pattern.embedding.size());
  if (pattern.id != 0) json["id"] = pattern.id;
  if (pattern.tempo_bpm != 0) json["tempoBpm"] = pattern.tempo_bpm;
  if (pattern.meter != 0) json["meter"] = pattern.meter;
  if (!pattern.key.empty()) json["key"] = pattern.key;
  if (!pattern.chords.empty()) json["chords"] = Json::ArrayOf(pattern.chords);
  if (pattern.chord_beats != 0) json["chordBeats"] = pattern.chord_beats;
  if (!pattern.intervals.empty()) json["intervals"] = Json::ArrayOf(pattern.intervals);
  if (!pattern.durations_beats.empty()) json["durationsBeats"] = Json::ArrayOf(pattern.durations_beats);
  if (!pattern.transpositions.empty()) json["transpositions"] = Json::ArrayOf(pattern.transpositions);
  if (!pattern.onset_grid.empty()) json["onsetGrid"] = FloatList(pattern.onset_grid.data(), pattern.onset_grid.size());
  if (!pattern.section_label.empty()) json["sectionLabel"] = pattern.section_label;
  if (!pattern.source.empty()) json["source"] = pattern.source;
  return json;
}

AudioPattern PatternFromJson(const Json& json, const std::string& pointer, std::vector<Problem>& problems) {
  AudioPattern pattern;
  JsonFields fields(json, pointer, problems);
  std::string kind;
  fields.Read("kind", kind);
  if (absl::StatusOr<PatternKind> parsed = ParsePatternKind(kind); parsed.ok()) {
    pattern.kind = *parsed;
  } else if (json.is_object()) {
    fields.Report("kind", "unknown_pattern_kind", std::string(parsed.status().message()));
  }
  fields.Read("description", pattern.description);
  fields.Read("strength", pattern.strength);
  ReadSpans(fields, fields.Take("spans"), pattern.spans);
  ReadEvidence(fields, fields.Take("evidence"), pattern.evidence, problems);
  std::vector<float> embedding(kPatternDims, 0.0f);
  fields.Read("embedding", embedding);
  if (embedding.size() == static_cast<size_t>(kPatternDims)) {
    std::copy(embedding.begin(), embedding.end(), pattern.embedding.begin());
  } else {
    fields.Report("embedding", "wrong_size",
                  "want " + std::to_string(kPatternDims) + " numbers, got " + std::to_string(embedding.size()));
  }
  fields.Read("id", pattern.id);
  fields.Read("tempoBpm", pattern.tempo_bpm);
  fields.Read("meter", pattern.meter);
  fields.Read("key", pattern.key);
  fields.Read("chords", pattern.chords);
  fields.Read("chordBeats", pattern.chord_beats);
  fields.Read("intervals", pattern.intervals);
  fields.Read("durationsBeats", pattern.durations_beats);
  fields.Read("transpositions", pattern.transpositions);
  fields.Read("onsetGrid", pattern.onset_grid);
  fields.Read("sectionLabel", pattern.section_label);
  fields.Read("source", pattern.source);
  fields.Finish();
  CheckPattern(pattern, pointer, problems);
  return pattern;
}

void CheckPattern(const AudioPattern& pattern, const std::string& pointer, std::vector<Problem>& problems) {
  const auto report = [&](const char* member, std::string message) {
    problems.push_back({pointer + "/" + member, "out_of_range", std::move(message), ""});
  };
  if (!(pattern.strength >= 0 && pattern.strength <= 1))
    report("strength", "want [0, 1], got " + Json(pattern.strength).Dump());
  for (const TimeSpan& span : pattern.spans) {
    if (!std::isfinite(span.start_s) || !std::isfinite(span.end_s) || span.end_s < span.start_s) {
      report("spans",
             "want finite start <= end, got [" + Json(span.start_s).Dump() + ", " + Json(span.end_s).Dump() + "]");
      break;
    }
  }
  const auto finite = [](const auto& values) {
    return std::all_of(values.begin(), values.end(), [](auto value) { return std::isfinite(value); });
  };
  if (!finite(pattern.embedding)) report("embedding", "want finite numbers");
  if (!finite(pattern.onset_grid)) report("onsetGrid", "want finite numbers");
  if (!finite(pattern.durations_beats)) report("durationsBeats", "want finite numbers");
  if (!std::isfinite(pattern.tempo_bpm)) report("tempoBpm", "want a finite number");
  if (!std::isfinite(pattern.chord_beats)) report("chordBeats", "want a finite number");
  for (const Evidence& evidence : pattern.evidence) {
    if (!std::isfinite(evidence.value))
      report("evidence", "want a finite value for \"" + Printable(evidence.name) + "\"");
  }
}

std::string PatternsToJson(const AudioPatterns& patterns) {
  Json json = Json::Object();
  json["schema"] = "grymsynth.patterns/1";
  json["durationSeconds"] = patterns.duration_s;
  json["patterns"] = Json::Array();
  for (const AudioPattern& pattern : patterns.patterns) json["patterns"].push_back(PatternToJson(pattern));
  return json.Dump();
}

absl::StatusOr<AudioPatterns> PatternsFromJson(std::string_view json) {
  JsonLimits limits;
  limits.bytes = kMaxPatternsBytes;
  GRYM_ASSIGN_OR_RETURN(const Json parsed, Json::Parse(json, limits));
  std::vector<Problem> problems;
  AudioPatterns patterns;
  JsonFields fields(parsed, "", problems);
  fields.Schema("grymsynth.patterns", 1, true);
  fields.Read("durationSeconds", patterns.duration_s);
  if (const Json* list = fields.Take("patterns"); list && list->is_array()) {
    for (size_t i = 0; i < list->items().size() && problems.size() < 100; ++i) {
      patterns.patterns.push_back(PatternFromJson(list->items()[i], "/patterns/" + std::to_string(i), problems));
    }
  } else if (parsed.is_object()) {
    fields.Report("patterns", list ? "wrong_type" : "missing_member", "want an array of patterns");
  }
  fields.Finish();
  if (!problems.empty()) return ProblemsError("invalid_patterns", "patterns", problems);
  return patterns;
}

}  // namespace grym
