#include "steps/rules_model.h"

#include "base/format.h"
#include "base/status.h"
#include "grymsynth/audio_processor.h"
#include "grymsynth/evaluation.h"
#include "grymsynth/version.h"

namespace grym {
namespace {

class RulesAnalyzer : public Analyzer {
 public:
  absl::StatusOr<std::string> Hear(Capability capability, std::span<const AudioInput> inputs,
                                   const RunOptions& run) override {
    const size_t wanted = capability == Capability::kCompare ? 2 : 1;
    if (inputs.size() != wanted) {
      return Error(absl::StatusCode::kInvalidArgument, "wrong_inputs",
                   Formatted("rules/%s: want %d inputs, got %d", CapabilityName(capability), wanted, inputs.size()));
    }
    switch (capability) {
      case Capability::kAnalyze: {
        GRYM_ASSIGN_OR_RETURN(const AudioFeatures features, processor_->Analyze(inputs[0], run));
        return FeaturesToJson(features);
      }
      case Capability::kClassifyStyle: {
        GRYM_ASSIGN_OR_RETURN(const StyleClassification style, processor_->ClassifyStyle(inputs[0], run));
        return StyleToJson(style);
      }
      case Capability::kDetectPatterns: {
        GRYM_ASSIGN_OR_RETURN(const AudioPatterns patterns, processor_->DetectPatterns(inputs[0], run));
        return PatternsToJson(patterns);
      }
      case Capability::kCompare: {
        GRYM_ASSIGN_OR_RETURN(const Comparison comparison, Compare(inputs[0], inputs[1], run));
        return ComparisonToJson(comparison);
      }
      default:
        return Error(absl::StatusCode::kUnimplemented, "unsupported_capability",
                     Formatted("rules: cannot do %s", CapabilityName(capability)));
    }
  }

 private:
  std::unique_ptr<AudioProcessor> processor_ = AudioProcessor::Create();
};

class RulesModel : public Model {
 public:
  RulesModel() {
    info_.id = "rules";
    info_.version = std::string(Version());
    info_.name = "Built-in analysers";
    info_.description = "Features, patterns, style and comparison by published methods; no weights";
    info_.licence = "Apache-2.0";
    info_.capabilities = {Capability::kAnalyze, Capability::kClassifyStyle, Capability::kDetectPatterns,
                          Capability::kCompare};
    info_.seconds_per_audio_second = 0.03;
  }
  const ModelInfo& info() const override { return info_; }
  ResourceNeed Need(const GenerateAudioRequest&) const override {
    return NeedToHear(Capability::kAnalyze, 0);
  }
  // Measured: ten minutes of stereo take 23 MiB, an hour 126 MiB at most; compare holds both recordings and what it
  // makes of them, about 2 MiB a second.
  ResourceNeed NeedToHear(Capability capability, double audio_s) const override {
    const double mib = capability == Capability::kCompare ? 32 + 2 * audio_s : 16 + 0.05 * audio_s;
    ResourceNeed need;
    need.peak_bytes = static_cast<int64_t>(mib * (1 << 20));
    return need;
  }
  absl::StatusOr<std::unique_ptr<Analyzer>> NewAnalyzer() const override { return std::make_unique<RulesAnalyzer>(); }

 private:
  ModelInfo info_;
};

}  // namespace

std::shared_ptr<const Model> MakeRulesModel() { return std::make_shared<RulesModel>(); }

}  // namespace grym
