#include "models/register_all.h"

#include "base/status.h"
#include "models/audioldm/model.h"
#include "models/clap/config.h"
#include "models/clap/model.h"
#include "models/encodec/model.h"
#include "models/hifigan/config.h"
#include "models/musicgen/config.h"
#include "models/musicgen/native_nets.h"
#include "models/t5/config.h"
#include "models/unet/config.h"
#include "models/vae/config.h"
#include "models/wav2vec2/config.h"
#include "models/wav2vec2/model.h"

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

absl::StatusOr<ConfigReading> ReadEncodec(const Json& json, const std::string& where) {
  return Reading(EncodecConfig::Parse(json, where), &EncodecConfig::unknown_fields);
}
absl::StatusOr<ConfigReading> ReadHifiGan(const Json& json, const std::string& where) {
  return Reading(HifiGanConfig::Parse(json, where), &HifiGanConfig::unknown_fields);
}
absl::StatusOr<ConfigReading> ReadMusicgen(const Json& json, const std::string& where) {
  return Reading(ReadMusicgenConfig(json, where), &MusicgenConfig::unknown_fields);
}
absl::StatusOr<ConfigReading> ReadUnet(const Json& json, const std::string& where) {
  return Reading(ReadUnetConfig(json, where), &UnetConfig::ignored_fields);
}
absl::StatusOr<ConfigReading> ReadVae(const Json& json, const std::string& where) {
  return Reading(VaeConfig::Parse(json, where), &VaeConfig::unknown_fields);
}
absl::StatusOr<ConfigReading> ReadWav2Vec2(const Json& json, const std::string& where) {
  return Reading(ReadWav2Vec2Config(json, where), &Wav2Vec2Config::unknown_fields);
}

}  // namespace

const std::vector<ModelFamily>& ModelFamilies() {
  static const std::vector<ModelFamily> families = {
      {"AudioLDMPipeline", &OpenAudioLdm},
      {"clap", &OpenClap},
      {"encodec", &OpenEncodec},
      {"musicgen", &OpenMusicgen},
      {"musicgen_melody", &OpenMusicgen},
      {"wav2vec2", &OpenWav2Vec2},
  };
  return families;
}

const std::vector<ConfigFamily>& ConfigFamilies() {
  static const std::vector<ConfigFamily> families = {
      {"clap", &ReadClap},
      {"clap_text_model", &ReadClapText},
      {"encodec", &ReadEncodec},
      {"hifigan", &ReadHifiGan},
      {"musicgen", &ReadMusicgen},
      {"musicgen_melody", &ReadMusicgen},
      {"t5", &ReadT5},
      {"unet", &ReadUnet},
      {"vae", &ReadVae},
      {"wav2vec2", &ReadWav2Vec2},
  };
  return families;
}

}  // namespace grym
