// The operations that make audio: enhance (repairs alone) and generate (a take, from a recording or a prompt).
#include "base/progress.h"
#include "base/status.h"
#include "grymsynth/version.h"
#include "steps/make_take.h"
#include "steps/operations.h"
#include "steps/step_values.h"

namespace grym {
namespace {

Json StagesJson(const std::vector<EnhanceStage>& stages) {
  Json list = Json::Array();
  for (const EnhanceStage& stage : stages) {
    Json item = Json::Object();
    item["name"] = stage.name;
    item["applied"] = stage.applied;
    item["changeDb"] = stage.change_db;
    item["text"] = stage.text;
    list.push_back(std::move(item));
  }
  return list;
}

EnhanceParams ParamsOf(const Json& parameters) {
  EnhanceParams params;
  params.level = parameters.at("level").number(params.level);
  params.denoise = parameters.at("denoise").boolean(params.denoise);
  params.declip = parameters.at("declip").boolean(params.declip);
  params.dehum = parameters.at("dehum").boolean(params.dehum);
  params.balance = parameters.at("equalize").boolean(params.balance);
  params.dynamics = parameters.at("dynamics").boolean(params.dynamics);
  params.stereo = parameters.at("stereo").boolean(params.stereo);
  params.true_peak_dbtp = parameters.at("truePeakDbtp").number(params.true_peak_dbtp);
  if (parameters.at("targetLufs").is_number()) params.target_lufs = parameters.at("targetLufs").number();
  return params;
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

absl::StatusOr<Json> TakeJson(const GenerateAudioResult& made, ContentStore& files) {
  GRYM_ASSIGN_OR_RETURN(Json take, Json::Parse(ResultToJson(made), ResultLimits()));
  // What differs from run to run has no place in a result that must be the same bytes.
  take.erase("timings");
  take.erase("timingsSeconds");
  take.erase("peakBytes");
  GRYM_ASSIGN_OR_RETURN(take["audio"], PutAudio(files, made.audio));
  Json stems = Json::Array();
  for (const Stem& stem : made.stems) {
    Json item = Json::Object();
    item["name"] = stem.name;
    GRYM_ASSIGN_OR_RETURN(item["audio"], PutAudio(files, stem.audio));
    stems.push_back(std::move(item));
  }
  take["stems"] = std::move(stems);
  if (!made.mix.empty()) {
    GRYM_ASSIGN_OR_RETURN(take["mix"], PutAudio(files, made.mix));
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
  GRYM_ASSIGN_OR_RETURN(Json take, TakeJson(made, *call.files));
  GRYM_ASSIGN_OR_RETURN(take["request"], Json::Parse(made.provenance.request_json, ResultLimits()));
  take["audioFile"] = request.reference_audio;
  take["enhancementLevel"] = request.enhancement_level;
  return take;
}

absl::StatusOr<Json> RunEnhance(const StepServices& services, const OperationCall& call, const RunOptions& run) {
  GRYM_ASSIGN_OR_RETURN(const std::filesystem::path path, RecordingOf(call, "audio"));
  GRYM_ASSIGN_OR_RETURN(const AudioFileInfo info, ProbeAudioFile(path));
  ResourceDemands demands;
  demands.who = call.step;
  // Input, output, one spectrum and the decoder's slack: about eight times the samples.
  demands.bytes = 8 * 4 * std::max<int64_t>(info.frames, 0) * info.channels;
  GRYM_ASSIGN_OR_RETURN(const ResourceLease lease, services.orchestrator->BalanceResources(demands));
  GRYM_ASSIGN_OR_RETURN(const EnhancedAudio enhanced, services.processor->Enhance(path, ParamsOf(call.parameters), run));
  Json result = Json::Object();
  GRYM_ASSIGN_OR_RETURN(result["audio"], PutAudio(*call.files, enhanced.audio));
  result["stages"] = StagesJson(enhanced.stages);
  result["audioFile"] = path.string();
  return result;
}

}  // namespace grym
