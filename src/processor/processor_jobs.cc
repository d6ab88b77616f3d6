#include <memory>
#include <utility>

#include "grymsynth/audio_processor.h"

namespace grym {

// A job outlives neither the processor nor a borrowed buffer; the caller keeps both, also where a callback lets go of
// its own job.
Job<AudioFeatures> AudioProcessor::StartAnalyze(AudioInput input, ProgressFn progress) {
  return StartAnalyzeParts(std::move(input), {}, std::move(progress));
}

Job<AudioFeatures> AudioProcessor::StartAnalyzeParts(AudioInput input, AnalysisParts parts, ProgressFn progress) {
  return Job<AudioFeatures>::Start(
      [this, input = std::move(input), parts](const RunOptions& run) { return AnalyzeParts(input, parts, run); },
      std::move(progress));
}

Job<AudioPatterns> AudioProcessor::StartDetectPatterns(AudioInput input, ProgressFn progress) {
  return Job<AudioPatterns>::Start(
      [this, input = std::move(input)](const RunOptions& run) { return DetectPatterns(input, run); },
      std::move(progress));
}

Job<StyleClassification> AudioProcessor::StartClassifyStyle(AudioInput input, ProgressFn progress) {
  return Job<StyleClassification>::Start(
      [this, input = std::move(input)](const RunOptions& run) { return ClassifyStyle(input, run); },
      std::move(progress));
}

Job<EnhancedAudio> AudioProcessor::StartEnhance(AudioInput input, EnhanceParams params, ProgressFn progress) {
  return Job<EnhancedAudio>::Start([this, input = std::move(input), params = std::move(params)](
                                       const RunOptions& run) { return Enhance(input, params, run); },
                                   std::move(progress));
}

Job<ProcessedAudio> AudioProcessor::StartProcess(AudioInput input, ProcessOptions options, ProgressFn progress) {
  return Job<ProcessedAudio>::Start([this, input = std::move(input), options = std::move(options)](
                                        const RunOptions& run) { return Process(input, options, run); },
                                    std::move(progress));
}

}  // namespace grym
