// Every family of models, by name: one line each in register_all.cc.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "checkpoint/model_folder.h"
#include "runtime/model_context.h"

namespace grym {

struct ModelFamily {
  const char* name;  // as ModelFolder tells it
  absl::StatusOr<std::shared_ptr<const Model>> (*open)(const ModelFolder& folder, const ModelContext& context);
};
const std::vector<ModelFamily>& ModelFamilies();

}  // namespace grym
