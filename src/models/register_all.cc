#include "models/register_all.h"

#include "base/status.h"
#include "models/clap/config.h"
#include "models/clap/model.h"
#include "models/t5/config.h"

namespace grym {
namespace {

template <class Config>
absl::StatusOr<ConfigReading> Reading(absl::StatusOr<Config> config, std::vector<std::string> Config::*ignored) {
  if (!config.ok()) return config.status();
  return ConfigReading{std::move(config->resolved), std::move((*config).*ignored)};
}

absl::StatusOr<ConfigReading> ReadT5(const Json& json, const std::string& where) {
  return Reading(T5Config::Parse(json, where), &T5Config::unknown_fields);
}
absl::StatusOr<ConfigReading> ReadClap(const Json& json, const std::string& where) {
  return Reading(ParseClapConfig(json, where), &ClapConfig::ignored);
}
absl::StatusOr<ConfigReading> ReadClapText(const Json& json, const std::string& where) {
  return Reading(ParseClapTextConfig(json, where), &ClapTextConfig::ignored);
}

}  // namespace

const std::vector<ModelFamily>& ModelFamilies() {
  static const std::vector<ModelFamily> families = {
      {"clap", &OpenClap},
  };
  return families;
}

const std::vector<ConfigFamily>& ConfigFamilies() {
  static const std::vector<ConfigFamily> families = {
      {"clap", &ReadClap},
      {"clap_text_model", &ReadClapText},
      {"t5", &ReadT5},
  };
  return families;
}

}  // namespace grym
