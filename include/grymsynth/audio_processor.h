// AudioProcessor: hear a recording (features, patterns, style), clean it, or both.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "grymsynth/audio_buffer.h"
#include "grymsynth/audio_features.h"
#include "grymsynth/audio_file.h"
#include "grymsynth/export.h"
#include "grymsynth/generation.h"
#include "grymsynth/job.h"
#include "grymsynth/pattern.h"

namespace grym {

struct ScoredLabel {
  std::string label;
  double score = 0;  // [0, 1]
};

struct StyleClassification {
  std::vector<ScoredLabel> genres;    // all known ones, best first
  std::vector<ScoredLabel> moods;     // best first
  std::vector<ScoredLabel> textures;  // best first
  std::string method = "rules";       // what decided: "rules"; models name themselves
  bool unsure = false;                // the best genre barely beats the rest
};

// Which repairs run, and how far. Every stage is scaled by `level`; level 0 is the identity, bit for bit.
struct EnhanceParams {
  double level = 0.5;                  // [0, 1]
  bool denoise = true;                 // spectral, against a noise profile taken from the quietest frames
  bool declip = true;
  bool dehum = true;
  bool balance = true;                 // tilt towards `tilt_db_per_octave`, or match to `match`
  double tilt_db_per_octave = -4.5;    // target slope of the long-term spectrum above 100 Hz
  std::optional<std::array<double, 10>> match_band_energy_db;  // SpectralFeatures::band_energy_db of a reference
  bool dynamics = true;                // gentle compression of what jumps out
  bool stereo = true;                  // widen a narrow stereo image, tame an out-of-phase one; mono stays mono
  std::optional<double> target_lufs;   // unset: loudness is kept (re-applied after the stages)
  double true_peak_dbtp = -1.0;        // ceiling of the limiter, [-20, 0]
};

struct EnhancedAudio {
  AudioBuffer audio;                // rate, channels and frames of the input
  std::vector<EnhanceStage> stages; // in the order they ran
  std::vector<std::string> warnings;  // what was asked for and could not be had
};

struct ProcessOptions {
  std::optional<int> rate_hz;    // resample to this; unset keeps the input's
  EnhanceParams enhance;         // level 0 leaves the audio as it is
};

struct ProcessedAudio {
  AudioBuffer audio;  // resampled and cleaned
  AudioFeatures features;
  AudioPatterns patterns;
  StyleClassification style;
  std::vector<EnhanceStage> stages;
  std::vector<std::string> warnings;  // of the repairs
};

struct AudioProcessorOptions {
  int threads = 1;  // that one call may use to hear, its own included; more than two bring nothing. Results are equal
};

// Threads: every method may be called from several threads at once; the object holds no state between calls.
// Each method blocks; the Start forms run the same call as a job. The processor, and an AudioInput that is
// a buffer, must outlive the job's work (see Job for one that its own callback lets go of).
class GRYM_EXPORT AudioProcessor {
 public:
  static std::unique_ptr<AudioProcessor> Create(const AudioProcessorOptions& options = {});  // built-in analysers
  virtual ~AudioProcessor() = default;

  // Errors: those of the file; InvalidArgument below 1 kHz or for an empty input ("no frames").
  absl::StatusOr<AudioFeatures> Analyze(const AudioInput& input, const RunOptions& run = {}) {
    return AnalyzeParts(input, {}, run);
  }
  // Listens for `parts` alone, for less time: onsets take about an eighth of everything.
  virtual absl::StatusOr<AudioFeatures> AnalyzeParts(const AudioInput& input, const AnalysisParts& parts,
                                                     const RunOptions& run = {}) = 0;
  virtual absl::StatusOr<AudioPatterns> DetectPatterns(const AudioInput& input, const RunOptions& run = {}) = 0;
  virtual absl::StatusOr<StyleClassification> ClassifyStyle(const AudioInput& input, const RunOptions& run = {}) = 0;
  // The result holds all samples: a path is read in blocks straight into what becomes the result, up to 4 GiB (three
  // hours of stereo at 44.1 kHz), ResourceExhausted beyond; about as much again is needed while it works.
  virtual absl::StatusOr<EnhancedAudio> Enhance(const AudioInput& input, const EnhanceParams& params = {},
                                                const RunOptions& run = {}) = 0;
  virtual absl::StatusOr<ProcessedAudio> Process(const AudioInput& input, const ProcessOptions& options = {},
                                                 const RunOptions& run = {}) = 0;

  Job<AudioFeatures> StartAnalyze(AudioInput input, ProgressFn progress = {});
  Job<AudioFeatures> StartAnalyzeParts(AudioInput input, AnalysisParts parts, ProgressFn progress = {});
  Job<AudioPatterns> StartDetectPatterns(AudioInput input, ProgressFn progress = {});
  Job<StyleClassification> StartClassifyStyle(AudioInput input, ProgressFn progress = {});
  Job<EnhancedAudio> StartEnhance(AudioInput input, EnhanceParams params = {}, ProgressFn progress = {});
  Job<ProcessedAudio> StartProcess(AudioInput input, ProcessOptions options = {}, ProgressFn progress = {});
};

// JSON text (schema "grymsynth.style/1").
GRYM_EXPORT std::string StyleToJson(const StyleClassification& style);

}  // namespace grym
