// The operations that make audio: enhance (repairs alone) and generate (a take, from a recording or a prompt).
#include "base/progress.h"
#include "base/status.h"
#include "grymsynth/version.h"
#include "steps/make_take.h"
#include "steps/operations.h"
#include "steps/step_values.h"

namespace grym {
namespace {

// What `enhance` asks of the model "repair", whose own parameters are named in snake case.
GenerateAudioRequest RepairRequestOf(const OperationCall& call, const std::filesystem::path& recording) {
  GenerateAudioRequest request;
  request.model = "repair";
  request.seed = call.seed;
  request.reference_audio = recording.string();
  request.enhancement_level = call.parameters.at("level").number(request.enhancement_level);
  if (call.parameters.at("targetLufs").is_number()) request.target_lufs = call.parameters.at("targetLufs").number();
  constexpr const char* kOwn[][2] = {{"denoise", "denoise"}, {"declip", "declip"}, {"dehum", "dehum"},
                                     {"balance", "balance"}, {"dynamics", "dynamics"}, {"stereo", "stereo"},
                                     {"tiltDbPerOctave", "tilt_db_per_octave"}, {"truePeakDbtp", "true_peak_dbtp"}};
  for (const auto& [written, own] : kOwn) {
    if (call.parameters.contains(written)) request.parameters[own] = call.parameters.at(written).Dump();
  }
  return request;
}

// A request in JSON from the step's parameters, which have the request's own names.
absl::StatusOr<GenerateAudioRequest> RequestOf(const OperationCall& call) {
  Json json = call.parameters.is_object() ? call.parameters : Json::Object();
  // compare answers areas as objects; a request wants their names.
  Json focus = Json::Array();
  for (const Json& area : json.at("focusAreas").items()) focus.push_back(area.is_object() ? area.at("area") : area);
  if (json.contains("focusAreas")) json["focusAreas"] = std::move(focus);
  if (!json.contains("focusAreas") && call.input("feedback")) {
    Json& areas = json["focusAreas"] = Json::Array();
    for (const Json& area : call.input("feedback")->at("improvementAreas").items()) areas.push_back(area.at("area"));
  }
  if (!json.contains("wantStems")) json["wantStems"] = true;
  if (json.at("seed").integer(-1) < 0) json["seed"] = call.seed;
  if (const Json* patterns = call.input("patterns")) {
    Json& list = json["patterns"] = patterns->at("patterns");
    for (const Json& related : patterns->at("related").items()) list.push_back(related.at("pattern"));
  }
  std::string reference = AudioFileOf(call, "patterns");
  if (reference.empty()) reference = AudioFileOf(call, "features");
  if (!reference.empty()) json["referenceAudio"] = reference;
  absl::StatusOr<GenerateAudioRequest> request = RequestFromJson(json.Dump());
  return request.ok() ? std::move(request) : Annotate(request.status(), call.step);
}

absl::StatusOr<Json> TakeJson(const GenerateAudioResult& made, ContentStore& files, const CancelToken& cancel) {
  GRYM_ASSIGN_OR_RETURN(Json take, Json::Parse(ResultToJson(made), ResultLimits()));
  // What differs from run to run has no place in a result that must be the same bytes.
  take.erase("timings");
  take.erase("timingsSeconds");
  take.erase("peakBytes");
  GRYM_ASSIGN_OR_RETURN(take["audio"], PutAudio(files, made.audio, cancel));
  Json stems = Json::Array();
  for (const Stem& stem : made.stems) {
    Json item = Json::Object();
    item["name"] = stem.name;
    GRYM_ASSIGN_OR_RETURN(item["audio"], PutAudio(files, stem.audio, cancel));
    stems.push_back(std::move(item));
  }
  take["stems"] = std::move(stems);
  if (!made.mix.empty()) {
    GRYM_ASSIGN_OR_RETURN(take["mix"], PutAudio(files, made.mix, cancel));
  }
  if (made.midi) {
    GRYM_ASSIGN_OR_RETURN(const std::string bytes, SerializeMidi(*made.midi));
    GRYM_ASSIGN_OR_RETURN(take["midi"], files.PutBytes(bytes));
  }
  take["durationSeconds"] = made.audio.duration_s();
  return take;
}

}  // namespace

absl::StatusOr<Json> RunGenerate(const StepServices& services, const OperationCall& call, const RunOptions& run) {
  GRYM_ASSIGN_OR_RETURN(const GenerateAudioRequest request, RequestOf(call));
  GRYM_ASSIGN_OR_RETURN(const GenerateAudioResult made, MakeTake(*services.orchestrator, request, run));
  GRYM_ASSIGN_OR_RETURN(Json take, TakeJson(made, *call.files, run.cancel));
  GRYM_ASSIGN_OR_RETURN(take["request"], Json::Parse(made.provenance.request_json, ResultLimits()));
  take["audioFile"] = request.reference_audio;
  take["enhancementLevel"] = request.enhancement_level;
  return take;
}

absl::StatusOr<Json> RunEnhance(const StepServices& services, const OperationCall& call, const RunOptions& run) {
  GRYM_ASSIGN_OR_RETURN(const std::filesystem::path path, RecordingOf(call, "audio"));
  AudioTask task;
  task.capability = Capability::kEnhance;
  task.request = RepairRequestOf(call, path);
  GRYM_ASSIGN_OR_RETURN(const ModelChain chain, services.orchestrator->RouteTask(task));
  GRYM_ASSIGN_OR_RETURN(const ProcessingResult repaired, services.orchestrator->ExecuteChain(chain, run));
  GRYM_ASSIGN_OR_RETURN(const Json told, Json::Parse(ResultToJson(repaired.generated), ResultLimits()));
  Json result = Json::Object();
  GRYM_ASSIGN_OR_RETURN(result["audio"], PutAudio(*call.files, repaired.generated.audio, run.cancel));
  result["stages"] = told.at("stages");
  if (told.at("warnings").size() > 0) result["warnings"] = told.at("warnings");
  result["audioFile"] = path.string();
  return result;
}

}  // namespace grym
