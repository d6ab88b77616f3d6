#include "models/audioldm/parts.h"

#include "base/format.h"
#include "base/status.h"
#include "checkpoint/config_reader.h"
#include "grymsynth/audio_buffer.h"

namespace grym {
namespace {

absl::StatusOr<std::filesystem::path> FolderOf(const ModelFolder& folder, const std::string& name) {
  if (const ModelComponent* component = folder.Component(name)) return component->folder;
  return Error(absl::StatusCode::kNotFound, "no_component",
               "model_index.json: want a component \"" + name + "\", got none in " + folder.folder().string());
}

absl::StatusOr<std::shared_ptr<const TensorSet>> SetOf(const std::filesystem::path& folder) {
  GRYM_ASSIGN_OR_RETURN(TensorSet set, TensorSet::Open(folder));
  return std::make_shared<const TensorSet>(std::move(set));
}

absl::Status Differ(const std::string& one, int64_t first, const std::string& other, int64_t second) {
  if (first == second) return absl::OkStatus();
  return Error(absl::StatusCode::kInvalidArgument, "bad_config",
               Formatted("audioldm: want %s and %s to be equal, got %d and %d", one, other, first, second));
}

absl::Status CheckTogether(const AudioLdmParts& parts) {
  GRYM_RETURN_IF_ERROR(Differ("text_encoder's projection_dim", parts.text.projection_dim,
                              "unet's projection_class_embeddings_input_dim", parts.unet.class_dim));
  GRYM_RETURN_IF_ERROR(
      Differ("unet's in_channels", parts.unet.in_channels, "vae's latent_channels", parts.vae.latent_channels));
  GRYM_RETURN_IF_ERROR(Differ("unet's out_channels", parts.unet.out_channels, "in_channels", parts.unet.in_channels));
  GRYM_RETURN_IF_ERROR(Differ("vae's in_channels", parts.vae.in_channels, "one channel", 1));
  GRYM_RETURN_IF_ERROR(Differ("vae's out_channels", parts.vae.out_channels, "one channel", 1));
  if (parts.vocoder.model_in_dim % parts.vae.stride() != 0) {
    return Error(absl::StatusCode::kInvalidArgument, "bad_config",
                 Formatted("vocoder/config.json: \"model_in_dim\": want a multiple of the vae's stride %d, got %d",
                           parts.vae.stride(), parts.vocoder.model_in_dim));
  }
  if (parts.vocoder.sampling_rate < AudioBuffer::kMinRateHz || parts.vocoder.sampling_rate > AudioBuffer::kMaxRateHz) {
    return Error(absl::StatusCode::kInvalidArgument, "bad_config",
                 Formatted("vocoder/config.json: \"sampling_rate\": want %d to %d, got %d", AudioBuffer::kMinRateHz,
                           AudioBuffer::kMaxRateHz, parts.vocoder.sampling_rate));
  }
  if (parts.tokenizer->vocabulary_size() > parts.text.vocab_size) {
    return Error(absl::StatusCode::kInvalidArgument, "bad_config",
                 Formatted("text_encoder/config.json: \"vocab_size\": want the tokenizer's %d at least, got %d",
                           parts.tokenizer->vocabulary_size(), parts.text.vocab_size));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<AudioLdmParts> AudioLdmParts::Read(const ModelFolder& folder) {
  AudioLdmParts parts;
  GRYM_ASSIGN_OR_RETURN(const std::filesystem::path text, FolderOf(folder, "text_encoder"));
  GRYM_ASSIGN_OR_RETURN(const std::filesystem::path unet, FolderOf(folder, "unet"));
  GRYM_ASSIGN_OR_RETURN(const std::filesystem::path vae, FolderOf(folder, "vae"));
  GRYM_ASSIGN_OR_RETURN(const std::filesystem::path vocoder, FolderOf(folder, "vocoder"));
  GRYM_ASSIGN_OR_RETURN(const std::filesystem::path scheduler, FolderOf(folder, "scheduler"));
  GRYM_ASSIGN_OR_RETURN(const std::filesystem::path tokenizer, FolderOf(folder, "tokenizer"));

  GRYM_ASSIGN_OR_RETURN(const Json text_json, ReadConfig(text / "config.json"));
  GRYM_ASSIGN_OR_RETURN(parts.text, ParseClapTextConfig(text_json, "text_encoder/config.json"));
  GRYM_ASSIGN_OR_RETURN(const Json unet_json, ReadConfig(unet / "config.json"));
  GRYM_ASSIGN_OR_RETURN(parts.unet, ReadUnetConfig(unet_json, "unet/config.json"));
  GRYM_ASSIGN_OR_RETURN(const Json vae_json, ReadConfig(vae / "config.json"));
  GRYM_ASSIGN_OR_RETURN(parts.vae, VaeConfig::Parse(vae_json, "vae/config.json"));
  GRYM_ASSIGN_OR_RETURN(const Json vocoder_json, ReadConfig(vocoder / "config.json"));
  GRYM_ASSIGN_OR_RETURN(parts.vocoder, HifiGanConfig::Parse(vocoder_json, "vocoder/config.json"));
  GRYM_ASSIGN_OR_RETURN(const Json schedule_json, ReadConfig(scheduler / "scheduler_config.json"));
  constexpr char kSchedule[] = "scheduler/scheduler_config.json";
  GRYM_ASSIGN_OR_RETURN(parts.schedule, ReadSchedulerConfig(schedule_json, kSchedule));
  GRYM_ASSIGN_OR_RETURN(parts.dpm_solver, ReadSchedulerConfig(schedule_json, kSchedule, SchedulerKind::kDpmSolver));
  parts.dpm_solver = SpacedForSolver(std::move(parts.dpm_solver), parts.schedule);
  GRYM_ASSIGN_OR_RETURN(parts.tokenizer, OpenTokenizer(tokenizer));
  GRYM_RETURN_IF_ERROR(CheckTogether(parts));

  GRYM_ASSIGN_OR_RETURN(parts.text_set, SetOf(text));
  GRYM_ASSIGN_OR_RETURN(parts.unet_set, SetOf(unet));
  GRYM_ASSIGN_OR_RETURN(parts.vae_set, SetOf(vae));
  GRYM_ASSIGN_OR_RETURN(parts.vocoder_set, SetOf(vocoder));
  parts.geometry = {parts.unet.in_channels, parts.vae.stride(), parts.vocoder.model_in_dim, parts.vocoder.hop(),
                    parts.vocoder.sampling_rate};
  const auto ignore = [&parts](const std::string& where, const std::vector<std::string>& fields) {
    for (const std::string& field : fields) parts.ignored_fields.push_back(where + "/" + field);
  };
  ignore("text_encoder/config.json", parts.text.ignored);
  ignore("unet/config.json", parts.unet.ignored_fields);
  ignore("vae/config.json", parts.vae.unknown_fields);
  ignore("vocoder/config.json", parts.vocoder.unknown_fields);
  ignore(kSchedule, parts.schedule.ignored_fields);
  return parts;
}

}  // namespace grym
