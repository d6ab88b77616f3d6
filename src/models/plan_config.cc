#include "base/status.h"
#include "checkpoint/config_reader.h"
#include "checkpoint/model_folder.h"
#include "grymsynth/torch_models.h"
#include "models/register_all.h"

namespace grym {
namespace {

absl::StatusOr<Json> PlanOf(const std::string& family, const Json& config, const std::string& where) {
  std::vector<std::string> names;
  for (const ConfigFamily& known : ConfigFamilies()) {
    names.push_back(known.name);
    if (family != known.name) continue;
    GRYM_ASSIGN_OR_RETURN(ConfigReading reading, known.read(config, where));
    Json plan = Json::Object();
    plan["family"] = family;
    plan["fields"] = std::move(reading.fields);
    plan["ignoredFields"] = Json::ArrayOf(reading.ignored_fields);
    return plan;
  }
  return Error(absl::StatusCode::kUnimplemented, "unknown_family",
               where + ": want one of " + Join(names, ", ") + ", got \"" + Printable(family) + "\"");
}

}  // namespace

absl::StatusOr<std::string> PlanConfig(const std::filesystem::path& path) {
  GRYM_ASSIGN_OR_RETURN(const ModelFolder folder, ModelFolder::Open(path));
  Json plan = Json::Object();
  if (folder.components().empty()) {
    GRYM_ASSIGN_OR_RETURN(plan, PlanOf(folder.family(), folder.config(), folder.config_path().filename().string()));
  } else {
    plan["family"] = folder.family();
    Json& components = plan["components"] = Json::Object();
    for (const ModelComponent& component : folder.components()) {
      if (component.family.empty()) continue;  // a scheduler, a tokenizer
      GRYM_ASSIGN_OR_RETURN(const Json config, ReadConfig(component.folder / "config.json"));
      GRYM_ASSIGN_OR_RETURN(components[component.name],
                            PlanOf(component.family, config, component.name + "/config.json"));
    }
  }
  plan["schema"] = "grymsynth.config/1";
  plan["ignoredFiles"] = Json::ArrayOf(folder.ignored());
  return plan.Dump();
}

}  // namespace grym
