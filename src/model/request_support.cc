#include "model/request_support.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/json.h"
#include "base/status.h"
#include "grymsynth/model.h"
#include "model/json_fields.h"

namespace grym {
namespace {

struct RequestField {
  const char* name;
  bool (*is_set)(const GenerateAudioRequest& request, const GenerateAudioRequest& fresh);
};

using Request = GenerateAudioRequest;
constexpr RequestField kRequestFields[] = {
    {"negative_prompt", [](const Request& r, const Request&) { return !r.negative_prompt.empty(); }},
    {"temperature", [](const Request& r, const Request&) { return r.temperature.has_value(); }},
    {"top_k", [](const Request& r, const Request&) { return r.top_k.has_value(); }},
    {"top_p", [](const Request& r, const Request&) { return r.top_p.has_value(); }},
    {"guidance", [](const Request& r, const Request&) { return r.guidance.has_value(); }},
    {"steps", [](const Request& r, const Request&) { return r.steps.has_value(); }},
    {"tempo_bpm", [](const Request& r, const Request&) { return r.tempo_bpm.has_value(); }},
    {"key", [](const Request& r, const Request&) { return r.key.has_value(); }},
    {"meter", [](const Request& r, const Request&) { return r.meter.has_value(); }},
    {"structure", [](const Request& r, const Request&) { return !r.structure.empty(); }},
    {"instruments", [](const Request& r, const Request&) { return !r.instruments.empty(); }},
    {"mood", [](const Request& r, const Request&) { return !r.mood.empty(); }},
    {"reference_audio",
     [](const Request& r, const Request&) { return !r.reference_audio.empty() || r.reference_buffer.has_value(); }},
    {"reference_midi", [](const Request& r, const Request&) { return !r.reference_midi.empty(); }},
    {"reference_strength",
     [](const Request& r, const Request& fresh) { return r.reference_strength != fresh.reference_strength; }},
    {"want_stems", [](const Request& r, const Request&) { return r.want_stems; }},
    {"takes", [](const Request& r, const Request&) { return r.takes.has_value(); }},
    {"rank_by", [](const Request& r, const Request&) { return !r.rank_by.empty(); }},
    {"quality", [](const Request& r, const Request& fresh) { return r.quality != fresh.quality; }},
    {"enhancement_level",
     [](const Request& r, const Request& fresh) { return r.enhancement_level != fresh.enhancement_level; }},
    {"preserve_original_characteristics",
     [](const Request& r, const Request& fresh) {
       return r.preserve_original_characteristics != fresh.preserve_original_characteristics;
     }},
    {"focus_areas", [](const Request& r, const Request&) { return !r.focus_areas.empty(); }},
    {"target_lufs", [](const Request& r, const Request&) { return r.target_lufs.has_value(); }},
    {"patterns", [](const Request& r, const Request&) { return !r.patterns.empty(); }},
};

// "" when `text` is a value of the parameter, else what was wanted.
std::string WantedValue(const ParamSpec& spec, const std::string& text) {
  const auto range = [&](const char* kind) {
    const std::string unit = spec.unit.empty() ? "" : " " + spec.unit;
    if (spec.minimum == spec.maximum) return std::string(kind) + unit;
    return std::string(kind) + " in [" + Json(spec.minimum).Dump() + ", " + Json(spec.maximum).Dump() + "]" + unit;
  };
  const auto inside = [&](double value) {
    return spec.minimum == spec.maximum || (value >= spec.minimum && value <= spec.maximum);
  };
  const char* const begin = text.data();
  const char* const end = begin + text.size();
  switch (spec.type) {
    case ParamType::kBool:
      return text == "true" || text == "false" ? "" : "true or false";
    case ParamType::kInt: {
      int64_t value = 0;
      const auto [stop, error] = std::from_chars(begin, end, value);
      return error == std::errc() && stop == end && inside(static_cast<double>(value)) ? "" : range("a whole number");
    }
    case ParamType::kFloat: {
      double value = 0;
      const auto [stop, error] = std::from_chars(begin, end, value);
      return error == std::errc() && stop == end && std::isfinite(value) && inside(value) ? "" : range("a number");
    }
    case ParamType::kChoice:
      return std::find(spec.choices.begin(), spec.choices.end(), text) != spec.choices.end()
                 ? ""
                 : "one of " + Join(spec.choices, ", ");
    case ParamType::kString:
      return "";
  }
  return "a known type";
}

}  // namespace

const std::vector<std::string>& RequestFieldNames() {
  static const std::vector<std::string>* const names = [] {
    auto* made = new std::vector<std::string>();
    for (const RequestField& field : kRequestFields) made->emplace_back(field.name);
    return made;
  }();
  return *names;
}

std::vector<std::string> SetRequestFields(const GenerateAudioRequest& request) {
  const GenerateAudioRequest fresh;
  std::vector<std::string> names;
  for (const RequestField& field : kRequestFields) {
    if (field.is_set(request, fresh)) names.emplace_back(field.name);
  }
  return names;
}

absl::Status CheckRequestForModel(const ModelInfo& info, const GenerateAudioRequest& request,
                                  std::vector<std::string>* warnings) {
  std::vector<Problem> unsupported, bad_values;
  for (const std::string& name : SetRequestFields(request)) {
    if (std::find(info.request_fields.begin(), info.request_fields.end(), name) != info.request_fields.end()) continue;
    unsupported.push_back({"/" + name, "unsupported_field", "model \"" + info.id + "\" cannot honour " + name, ""});
  }
  std::vector<std::string> param_names;
  for (const ParamSpec& spec : info.params) param_names.push_back(spec.name);
  for (const auto& given : request.parameters) {
    const std::string& name = given.first;
    const std::string& value = given.second;
    const std::string pointer = "/parameters/" + PointerToken(name);
    const auto spec = std::find_if(info.params.begin(), info.params.end(),
                                   [&](const ParamSpec& known) { return known.name == name; });
    if (spec == info.params.end()) {
      unsupported.push_back({pointer, "unsupported_field",
                             "model \"" + info.id + "\" has no parameter \"" + Printable(name, 64) + "\"",
                             NearestName(name, param_names)});
      continue;
    }
    const std::string wanted = WantedValue(*spec, value);
    if (!wanted.empty()) {
      bad_values.push_back({pointer, "bad_parameter",
                            "model \"" + info.id + "\", parameter \"" + name + "\": want " + wanted + ", got \"" +
                                Printable(value, 60) + "\"",
                            ""});
    }
  }
  if (request.allow_unsupported) {
    if (warnings) {
      for (const Problem& problem : unsupported) warnings->push_back(problem.message);
    }
    unsupported.clear();
  }
  const bool any_unsupported = !unsupported.empty();
  unsupported.insert(unsupported.end(), bad_values.begin(), bad_values.end());
  if (unsupported.empty()) return absl::OkStatus();
  return ProblemsError(any_unsupported ? "unsupported_field" : "bad_parameter", "request", unsupported);
}

}  // namespace grym
