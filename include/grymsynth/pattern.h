// Patterns: what returns in the music, where, how strongly, and on what evidence.
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "grymsynth/audio_features.h"
#include "grymsynth/export.h"

namespace grym {

enum class PatternKind { kRhythmic = 0, kHarmonic = 1, kMelodic = 2, kTimbral = 3, kStructural = 4 };
GRYM_EXPORT std::string_view PatternKindName(PatternKind kind);  // "rhythmic", "harmonic", ...
GRYM_EXPORT absl::StatusOr<PatternKind> ParsePatternKind(std::string_view name);

inline constexpr int kPatternDims = 128;
using PatternEmbedding = std::array<float, kPatternDims>;  // unit length

struct Evidence {
  std::string name;  // "autocorrelation_peak", "chord_loop_length", ...
  double value = 0;
  std::string text;  // a readable sentence part
};

struct AudioPattern {
  int64_t id = 0;  // in a PatternMemory; 0 before it is stored
  PatternKind kind = PatternKind::kRhythmic;
  std::string description;         // "4-bar loop C Am F G, 4 times"
  std::vector<TimeSpan> spans;     // every occurrence, in order
  double strength = 0;             // [0, 1]
  std::vector<Evidence> evidence;
  PatternEmbedding embedding{};    // unit length; same kind and dims are comparable
  // What a composer needs to play it again; empty where it does not apply.
  double tempo_bpm = 0;
  int meter = 0;
  std::string key;                     // of the source, "" when unsure
  std::vector<std::string> chords;     // one loop, chord per step
  double chord_beats = 0;              // beats each chord lasts
  std::vector<int> intervals;          // melodic: semitones from the first note
  std::vector<double> durations_beats; // melodic: per note
  std::vector<int> transpositions;     // melodic: semitones of each occurrence above the first, one per span
  std::vector<float> onset_grid;       // rhythmic: strength per 16th of one bar (or loop), [0, 1]
  std::string section_label;           // structural
  std::string source;                  // what it was heard in; free text, usually a path
};

struct AudioPatterns {
  std::vector<AudioPattern> patterns;  // strongest first
  double duration_s = 0;
};

// JSON text (schema "grymsynth.patterns/1"). These and the kind's names live in src/model/pattern_json.cc, below the
// patterns room, because a GenerateAudioRequest carries patterns.
GRYM_EXPORT std::string PatternsToJson(const AudioPatterns& patterns);
GRYM_EXPORT absl::StatusOr<AudioPatterns> PatternsFromJson(std::string_view json);

}  // namespace grym
