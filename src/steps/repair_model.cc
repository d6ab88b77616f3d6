#include "steps/repair_model.h"

#include "absl/strings/numbers.h"
#include "base/hash.h"
#include "base/status.h"
#include "grymsynth/audio_processor.h"
#include "model/provenance.h"

namespace grym {
namespace {

constexpr const char* kRepairVersion = "1";

struct Repair {
  const char* name;
  bool EnhanceParams::*flag;
  const char* text;
};
constexpr Repair kRepairs[] = {
    {"denoise", &EnhanceParams::denoise, "spectral, against a noise profile of the quietest frames"},
    {"declip", &EnhanceParams::declip, "rebuild clipped peaks"},
    {"dehum", &EnhanceParams::dehum, "remove mains hum and its harmonics"},
    {"balance", &EnhanceParams::balance, "tilt the long-term spectrum towards tilt_db_per_octave"},
    {"dynamics", &EnhanceParams::dynamics, "compress gently what jumps out"},
    {"stereo", &EnhanceParams::stereo, "widen a narrow image, tame an out-of-phase one"},
};

ModelInfo RepairInfo() {
  ModelInfo info;
  info.id = "repair";
  info.version = kRepairVersion;
  info.name = "Repairs";
  info.description =
      "Denoise, de-clip, de-hum, balance, dynamics, stereo, loudness and a true-peak limiter; adds nothing";
  info.licence = "Apache-2.0";
  info.capabilities = {Capability::kEnhance};
  const EnhanceParams defaults;
  for (const Repair& repair : kRepairs) {
    info.params.push_back(
        {repair.name, ParamType::kBool, "", 0, 0, {}, defaults.*repair.flag ? "true" : "false", repair.text});
  }
  info.params.push_back({"tilt_db_per_octave", ParamType::kFloat, "dB", -12, 6, {}, "-4.5",
                         "target slope of the long-term spectrum above 100 Hz"});
  info.params.push_back({"true_peak_dbtp", ParamType::kFloat, "dB", -20, 0, {}, "-1", "ceiling of the limiter"});
  info.request_fields = {"reference_audio", "enhancement_level", "target_lufs"};
  info.rate_hz = info.channels = 0;  // those of the recording
  info.seconds_per_audio_second = 0.05;
  return info;
}

EnhanceParams ParamsOf(const GenerateAudioRequest& request) {
  EnhanceParams params;
  params.level = request.enhancement_level;
  params.target_lufs = request.target_lufs;
  const auto given = [&](const char* name) {
    const auto found = request.parameters.find(name);
    return found == request.parameters.end() ? nullptr : &found->second;
  };
  for (const Repair& repair : kRepairs) {
    if (const std::string* value = given(repair.name)) params.*repair.flag = *value == "true";
  }
  // Checked against ModelInfo::params before, so the numbers parse.
  if (const std::string* tilt = given("tilt_db_per_octave")) (void)absl::SimpleAtod(*tilt, &params.tilt_db_per_octave);
  if (const std::string* peak = given("true_peak_dbtp")) (void)absl::SimpleAtod(*peak, &params.true_peak_dbtp);
  return params;
}

class RepairGenerator : public Generator {
 public:
  explicit RepairGenerator(const ModelInfo& info) : info_(info) {}

  absl::StatusOr<GenerateAudioResult> Generate(const GenerateAudioRequest& request, const RunOptions& run) override {
    GRYM_RETURN_IF_ERROR(ValidateRequest(request));
    GenerateAudioResult made;
    GRYM_RETURN_IF_ERROR(CheckRequestForModel(info_, request, &made.warnings));
    if (!request.reference_buffer && request.reference_audio.empty()) {
      return Error(absl::StatusCode::kInvalidArgument, "missing_reference",
                   "repair: want a reference recording to clean, got none");
    }
    const AudioInput input = request.reference_buffer ? AudioInput(*request.reference_buffer)
                                                      : AudioInput(std::filesystem::path(request.reference_audio));
    GRYM_ASSIGN_OR_RETURN(EnhancedAudio cleaned, processor_->Enhance(input, ParamsOf(request), run));
    made.peak_bytes = 2 * static_cast<int64_t>(cleaned.audio.planar().size_bytes());
    made.audio = std::move(cleaned.audio);
    made.stages = std::move(cleaned.stages);
    for (std::string& warning : cleaned.warnings) made.warnings.push_back("repair: " + std::move(warning));
    GenerateAudioRequest resolved = request;
    resolved.model = info_.id;
    SignResult(info_, request, made.provenance);
    made.provenance.request_json = RequestToJson(resolved);
    return made;
  }

 private:
  const ModelInfo& info_;
  std::unique_ptr<AudioProcessor> processor_ = AudioProcessor::Create();
};

class RepairModel : public Model {
 public:
  const ModelInfo& info() const override { return info_; }
  // Input, output, one spectrum and the decoder's slack: about eight times the samples of 48 kHz stereo.
  ResourceNeed Need(const GenerateAudioRequest& request) const override {
    ResourceNeed need;
    need.peak_bytes = static_cast<int64_t>(request.duration_s * 48000 * 2 * sizeof(float) * 8);
    return need;
  }
  absl::StatusOr<std::unique_ptr<Generator>> NewGenerator() const override {
    return std::make_unique<RepairGenerator>(info_);
  }

 private:
  const ModelInfo info_ = RepairInfo();
};

}  // namespace

std::shared_ptr<const Model> MakeRepairModel() { return std::make_shared<RepairModel>(); }

}  // namespace grym
