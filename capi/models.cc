// Models: what is registered, and who would do a task.
#include "grymsynth/model.h"

#include "call.h"
#include "grymsynth/model_orchestrator.h"
#include "json_text.h"

using namespace grym::capi;  // NOLINT: this file is the edge of that namespace

namespace {

const char* ParamTypeName(grym::ParamType type) {
  switch (type) {
    case grym::ParamType::kBool: return "bool";
    case grym::ParamType::kInt: return "int";
    case grym::ParamType::kFloat: return "float";
    case grym::ParamType::kString: return "string";
    case grym::ParamType::kChoice: return "choice";
  }
  return "string";
}

void WriteTexts(const std::vector<std::string>& texts, JsonText& json) {
  json.Begin('[');
  for (const std::string& text : texts) json.Text(text);
  json.End(']');
}

void WriteParam(const grym::ParamSpec& param, JsonText& json) {
  json.Begin('{').Key("name").Text(param.name).Key("type").Text(ParamTypeName(param.type));
  json.Key("unit").Text(param.unit).Key("minimum").Number(param.minimum).Key("maximum").Number(param.maximum);
  WriteTexts(param.choices, json.Key("choices"));
  json.Key("default").Text(param.default_value).Key("text").Text(param.text).End('}');
}

std::string InfoToJson(const grym::ModelInfo& info) {
  JsonText json;
  json.Begin('{').Key("id").Text(info.id).Key("version").Text(info.version).Key("name").Text(info.name);
  json.Key("description").Text(info.description).Key("licence").Text(info.licence);
  json.Key("capabilities").Begin('[');
  for (const grym::Capability capability : info.capabilities) json.Text(grym::CapabilityName(capability));
  json.End(']').Key("params").Begin('[');
  for (const grym::ParamSpec& param : info.params) WriteParam(param, json);
  json.End(']');
  WriteTexts(info.request_fields, json.Key("request_fields"));
  json.Key("rate_hz").Integer(info.rate_hz).Key("channels").Integer(info.channels).Key("device").Text(info.device);
  json.Key("weights_bytes").Integer(info.weights_bytes).Key("own_budget_bytes").Integer(info.own_budget_bytes);
  json.Key("seconds_per_audio_second").Number(info.seconds_per_audio_second);
  return json.End('}').Take();
}

std::string ChainToJson(const grym::ModelChain& chain) {
  JsonText json;
  json.Begin('{').Key("reason").Text(chain.reason).Key("links").Begin('[');
  for (const grym::ChainLink& link : chain.links) {
    json.Begin('{').Key("model").Text(link.model).Key("capability").Text(grym::CapabilityName(link.capability));
    json.Key("weights_bytes").Integer(link.need.weights_bytes).Key("peak_bytes").Integer(link.need.peak_bytes);
    json.Key("cores").Integer(link.need.cores).Key("seconds").Number(link.need.seconds);
    json.Key("rate_hz").Integer(link.rate_hz).Key("channels").Integer(link.channels).End('}');
  }
  json.End(']');
  WriteTexts(chain.rejected, json.Key("rejected"));
  return json.End('}').Take();
}

absl::StatusOr<grym::Capability> CapabilityOf(const std::string& name) {
  const absl::StatusOr<grym::Capability> known = grym::TaskCapability(name);
  if (known.ok()) return *known;
  return Bad("task/" + std::string(known.status().message()));
}

absl::StatusOr<grym::AudioTask> TaskFromJson(const char* text) {
  GRYM_C_RETURN_IF_ERROR(CheckSet(text, "task_json"));
  GRYM_C_ASSIGN_OR_RETURN(const auto members, JsonMembers(text, "task"));
  grym::AudioTask task;
  for (const auto& [name, value] : members) {
    if (name == "capability") {
      GRYM_C_ASSIGN_OR_RETURN(const std::string capability, JsonString(value, "task/capability"));
      GRYM_C_ASSIGN_OR_RETURN(task.capability, CapabilityOf(capability));
    } else if (name == "model") {
      GRYM_C_ASSIGN_OR_RETURN(task.model, JsonString(value, "task/model"));
    } else if (name == "request") {
      GRYM_C_ASSIGN_OR_RETURN(task.request, grym::RequestFromJson(value));
    } else {
      return Bad("task: want capability, model, request, got " + Shown(name));
    }
  }
  if (!members.count("capability")) return Bad("task/capability: want a value, got none");
  return task;
}

}  // namespace

grym_status grym_engine_models(grym_engine* engine, grym_models** out) {
  return Guard([&]() -> absl::Status {
    GRYM_C_RETURN_IF_ERROR(ClearOut(out));
    GRYM_C_ASSIGN_OR_RETURN(auto found, Find(engine, "engine"));
    *out = NewHandleOf<grym_models>(found->orchestrator().Models());
    return absl::OkStatus();
  });
}

size_t grym_models_count(const grym_models* models) {
  return GuardValue<size_t>(0, [&]() -> absl::StatusOr<size_t> {
    GRYM_C_ASSIGN_OR_RETURN(auto found, Find(models, "models"));
    return found->size();
  });
}

const char* grym_models_id(const grym_models* models, size_t index) {
  return GuardValue<const char*>("", [&]() -> absl::StatusOr<const char*> {
    GRYM_C_ASSIGN_OR_RETURN(auto found, Find(models, "models"));
    GRYM_C_RETURN_IF_ERROR(CheckIndex(index, found->size(), "index"));
    return (*found)[index].id.c_str();
  });
}

grym_status grym_models_info_json(const grym_models* models, size_t index, grym_text** out) {
  return Guard([&]() -> absl::Status {
    GRYM_C_RETURN_IF_ERROR(ClearOut(out));
    GRYM_C_ASSIGN_OR_RETURN(auto found, Find(models, "models"));
    GRYM_C_RETURN_IF_ERROR(CheckIndex(index, found->size(), "index"));
    return TextInto(InfoToJson((*found)[index]), out);
  });
}

grym_status grym_models_destroy(grym_models* models) { return Destroy(models, "models"); }

grym_status grym_engine_route(grym_engine* engine, const char* task_json, grym_text** out) {
  return Guard([&]() -> absl::Status {
    GRYM_C_RETURN_IF_ERROR(ClearOut(out));
    GRYM_C_ASSIGN_OR_RETURN(auto found, Find(engine, "engine"));
    GRYM_C_ASSIGN_OR_RETURN(const grym::AudioTask task, TaskFromJson(task_json));
    GRYM_C_ASSIGN_OR_RETURN(const grym::ModelChain chain, found->orchestrator().RouteTask(task));
    return TextInto(ChainToJson(chain), out);
  });
}
