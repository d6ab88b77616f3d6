// Every family of models, by name: one line each in register_all.cc.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/json.h"
#include "checkpoint/model_folder.h"
#include "runtime/model_context.h"

namespace grym {

struct ModelFamily {
  const char* name;  // as ModelFolder tells it
  absl::StatusOr<std::shared_ptr<const Model>> (*open)(const ModelFolder& folder, const ModelContext& context);
};
const std::vector<ModelFamily>& ModelFamilies();

// What a config would make, where it is right: every field in use, given or default, and those that nothing reads.
struct ConfigReading {
  Json fields;
  std::vector<std::string> ignored_fields;
};
struct ConfigFamily {
  const char* name;
  absl::StatusOr<ConfigReading> (*read)(const Json& config, const std::string& where);
};
const std::vector<ConfigFamily>& ConfigFamilies();

}  // namespace grym
