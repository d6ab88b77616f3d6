#include "grymsynth/audio_processor.h"

#include <algorithm>
#include <utility>

#include "analysis/analyze.h"
#include "analysis/enhance/enhance.h"
#include "analysis/style.h"
#include "audio/block_source.h"
#include "base/format.h"
#include "base/progress.h"
#include "base/status.h"
#include "patterns/detect.h"

namespace grym {
namespace {

absl::StatusOr<AudioFeatures> AnalyzeInput(const AudioInput& input, const RunOptions& run, int threads,
                                           const AnalysisParts& parts = {}) {
  GRYM_ASSIGN_OR_RETURN(const std::unique_ptr<BlockSource> source, OpenInput(input));
  return AnalyzeSource(*source, run, threads, parts);
}

// The samples that the result is made of. The caller asked for them all, so more is let in than a load does of itself:
// three hours of stereo at 44.1 kHz.
absl::StatusOr<AudioBuffer> HoldInput(const AudioInput& input, const RunOptions& run) {
  AudioLimits limits;
  limits.decoded_bytes = int64_t{4} << 30;
  if (input.path()) return LoadAudio(*input.path(), limits, run);
  AudioBuffer audio = *input.audio();
  audio.ReplaceNonFinite();
  return audio;
}

absl::Status RequireFrames(const AudioBuffer& audio, std::string_view what) {
  if (audio.frames() > 0) return absl::OkStatus();
  return Error(absl::StatusCode::kInvalidArgument, "no_frames",
               Formatted("%s: want at least one frame, got an empty recording", std::string(what)));
}

class BuiltInProcessor final : public AudioProcessor {
 public:
  explicit BuiltInProcessor(int threads) : threads_(threads) {}
  absl::StatusOr<AudioFeatures> AnalyzeParts(const AudioInput& input, const AnalysisParts& parts,
                                             const RunOptions& run) override {
    return AnalyzeInput(input, run, threads_, parts);
  }

  absl::StatusOr<AudioPatterns> DetectPatterns(const AudioInput& input, const RunOptions& run) override {
    ProgressReporter progress(run);
    GRYM_ASSIGN_OR_RETURN(const AudioFeatures features, AnalyzeInput(input, PartOf(run, 0, 0.95), threads_));
    GRYM_RETURN_IF_ERROR(progress.Check());
    progress.Report(0.95, "patterns");
    AudioPatterns patterns = DetectPatternsIn(features);
    progress.Report(1, "done");
    return patterns;
  }

  absl::StatusOr<StyleClassification> ClassifyStyle(const AudioInput& input, const RunOptions& run) override {
    GRYM_ASSIGN_OR_RETURN(const AudioFeatures features, AnalyzeInput(input, run, threads_));
    return ClassifyStyleOf(features);
  }

  absl::StatusOr<EnhancedAudio> Enhance(const AudioInput& input, const EnhanceParams& params,
                                        const RunOptions& run) override {
    if (input.audio()) return EnhanceAudio(*input.audio(), params, run);
    GRYM_ASSIGN_OR_RETURN(AudioBuffer audio, HoldInput(input, PartOf(run, 0, 0.1)));
    return EnhanceAudio(std::move(audio), params, PartOf(run, 0.1, 1));
  }

  absl::StatusOr<ProcessedAudio> Process(const AudioInput& input, const ProcessOptions& options,
                                         const RunOptions& run) override {
    ProgressReporter progress(run);
    GRYM_RETURN_IF_ERROR(progress.Check());
    ProcessedAudio result;
    GRYM_ASSIGN_OR_RETURN(AudioBuffer audio, HoldInput(input, PartOf(run, 0, 0.05)));
    GRYM_RETURN_IF_ERROR(RequireFrames(audio, "process"));
    if (options.rate_hz && *options.rate_hz != audio.rate_hz()) {
      const RunOptions resample_run = PartOf(run, 0.05, 0.1);
      GRYM_ASSIGN_OR_RETURN(audio, Resample(audio, *options.rate_hz, ResampleQuality::kBest, resample_run));
      GRYM_RETURN_IF_ERROR(RequireFrames(audio, "process"));
    }
    GRYM_RETURN_IF_ERROR(progress.Check());
    GRYM_ASSIGN_OR_RETURN(EnhancedAudio enhanced,
                          EnhanceAudio(std::move(audio), options.enhance, PartOf(run, 0.1, 0.5)));
    result.audio = std::move(enhanced.audio);
    result.stages = std::move(enhanced.stages);
    result.warnings = std::move(enhanced.warnings);
    GRYM_ASSIGN_OR_RETURN(result.features, AnalyzeInput(AudioInput(result.audio), PartOf(run, 0.5, 0.95), threads_));
    GRYM_RETURN_IF_ERROR(progress.Check());
    progress.Report(0.95, "patterns");
    result.patterns = DetectPatternsIn(result.features);
    result.style = ClassifyStyleOf(result.features);
    progress.Report(1, "done");
    return result;
  }

 private:
  int threads_;
};

}  // namespace

std::unique_ptr<AudioProcessor> AudioProcessor::Create(const AudioProcessorOptions& options) {
  return std::make_unique<BuiltInProcessor>(options.threads);
}

}  // namespace grym
