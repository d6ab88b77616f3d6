#include "steps/step_values.h"

#include "base/status.h"
#include "grymsynth/audio_file.h"

namespace grym {

JsonLimits ResultLimits() {
  JsonLimits limits;
  limits.bytes = size_t{64} << 20;
  limits.string_bytes = size_t{8} << 20;
  return limits;
}

AudioLimits TakeLimits() {
  AudioLimits limits;
  limits.file_bytes = limits.decoded_bytes = int64_t{4} << 30;
  return limits;
}

absl::StatusOr<std::filesystem::path> RecordingOf(const OperationCall& call, std::string_view input) {
  const Json* value = call.input(input);
  if (value && value->is_string() && !value->text().empty()) return std::filesystem::path(value->text());
  if (value && value->at("audio").is_object()) return call.files->Find(value->at("audio"));
  const std::string came = value ? value->type_name() : "nothing";
  return Error(absl::StatusCode::kInvalidArgument, "bad_input",
               call.step + ": input \"" + std::string(input) + "\": want a path or a result with audio, got " + came);
}

std::string AudioFileOf(const OperationCall& call, std::string_view input) {
  const Json* value = call.input(input);
  return value ? value->at("audioFile").text() : "";
}

absl::StatusOr<Json> PutAudio(ContentStore& files, const AudioBuffer& audio, const CancelToken& cancel) {
  SaveOptions options;
  options.container = AudioContainer::kWav;
  options.format = SampleFormat::kFloat32;
  const auto write = [&](const std::filesystem::path& path) {
    return SaveAudio(path, audio, options, RunOptions{cancel, {}});
  };
  GRYM_ASSIGN_OR_RETURN(Json reference, files.PutWritten(write, cancel));
  reference["rateHz"] = audio.rate_hz();
  reference["channels"] = audio.channels();
  reference["seconds"] = audio.duration_s();
  return reference;
}

absl::StatusOr<AudioBuffer> GetAudio(const ContentStore& files, const Json& reference, const CancelToken& cancel) {
  GRYM_ASSIGN_OR_RETURN(const std::filesystem::path path, files.Find(reference));
  return LoadAudio(path, TakeLimits(), RunOptions{cancel, {}});
}

absl::StatusOr<Json> HearThrough(ModelOrchestrator& orchestrator, Capability capability, std::vector<AudioInput> inputs,
                                 const RunOptions& run) {
  AudioTask task;
  task.capability = capability;
  task.inputs = std::move(inputs);
  GRYM_ASSIGN_OR_RETURN(const ModelChain chain, orchestrator.RouteTask(task));
  GRYM_ASSIGN_OR_RETURN(const ProcessingResult heard, orchestrator.ExecuteChain(chain, run));
  return Json::Parse(heard.json, ResultLimits());
}

}  // namespace grym
