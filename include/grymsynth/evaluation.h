// Judging what was made: a score against the original, and the gate that every take must pass.
#pragma once
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

namespace grym {

// The fixed vocabulary of improvement areas, in this order.
inline constexpr const char* kImprovementAreas[] = {"loudness", "clipping", "noise",     "spectral balance", "dynamics",
                                                    "tempo",    "key",      "structure", "stereo"};

struct ScorePart {
  std::string name;   // an improvement area, or "identity" (is it still the same music?)
  double score = 0;   // [0, 1]
  double weight = 0;
  std::string text;   // the measured facts behind it
};

struct ImprovementArea {
  std::string area;                // of kImprovementAreas
  double severity = 0;             // [0, 1]
  std::vector<TimeSpan> spans;     // where; empty means throughout
  std::string text;
};

struct Comparison {
  double quality_score = 0;  // [0, 1]
  std::vector<ScorePart> parts;
  std::vector<ImprovementArea> improvement_areas;  // worst first
};

// How good `result` is as a take of `original`: the condition of the result itself (noise, hum, clipping, balance,
// loudness, dynamics, stereo) and whether it is still the same music (tempo, key, structure, content). Distance to the
// original alone is not quality: a cleaned take scores above the damaged original compared with itself.
// 0 for silence; below 0.3 for another song. A path is decoded whole, up to 4 GiB (three hours of stereo), one of the
// two at a time. Errors: those of the files; InvalidArgument for empty inputs.
GRYM_EXPORT absl::StatusOr<Comparison> Compare(const AudioInput& original, const AudioInput& result,
                                               const RunOptions& run = {});

// Numbers above 0, or InvalidArgument (code "bad_wants").
struct GateWants {
  std::optional<double> duration_s;   // within 50 ms or 1 %
  // Tempo and key fail only where another one is heard with confidence: short or free takes pass.
  std::optional<double> tempo_bpm;    // within 1 % (3 % below 10 s); octaves, and three against two or four, allowed
  std::optional<std::string> key;     // equal, its relative, or a neighbour on the circle of fifths
};

struct GateReport {
  bool passed = false;
  std::vector<std::string>
      failures;  // "non_finite", "silence", "clipping", "dc", "ticking", "duration", "tempo", "key"
  std::vector<std::string> texts;     // the numbers behind each failure
};

// Whether a take may count at all. "silence": below -60 dBFS RMS in all, or for more than half of its time.
GRYM_EXPORT absl::StatusOr<GateReport> CheckTake(const AudioBuffer& audio, const GateWants& wants = {},
                                                 const RunOptions& run = {});

// JSON text (schema "grymsynth.comparison/1"), camelCase: qualityScore, parts, improvementAreas.
GRYM_EXPORT std::string ComparisonToJson(const Comparison& comparison);

}  // namespace grym
