#include "models/register_all.h"

#include "base/status.h"
#include "models/t5/config.h"

namespace grym {
namespace {

template <class Config>
absl::StatusOr<ConfigReading> ReadConfigOf(const Json& json, const std::string& where) {
  GRYM_ASSIGN_OR_RETURN(Config config, Config::Parse(json, where));
  return ConfigReading{std::move(config.resolved), std::move(config.unknown_fields)};
}

}  // namespace

const std::vector<ModelFamily>& ModelFamilies() {
  static const std::vector<ModelFamily> families = {
  };
  return families;
}

const std::vector<ConfigFamily>& ConfigFamilies() {
  static const std::vector<ConfigFamily> families = {
      {"t5", &ReadConfigOf<T5Config>},
  };
  return families;
}

}  // namespace grym
