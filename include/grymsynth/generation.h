// One request and one result for everything that makes audio.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grymsynth/audio_buffer.h"
#include "grymsynth/export.h"
#include "grymsynth/midi.h"
#include "grymsynth/pattern.h"

namespace grym {

enum class QualityTier { kDraft, kStandard, kBest };

// A field that is unset is the generator's to choose. A field that the generator cannot honour is InvalidArgument
// (code "unsupported_field", naming field and model), or a warning in the result when `allow_unsupported` is set.
struct GenerateAudioRequest {
  std::string prompt;           // UTF-8, at most 1 MiB; what a model reads less of it cuts, with a warning
  std::string negative_prompt;
  double duration_s = 8;        // (0, 600]
  int64_t seed = -1;            // -1: the engine picks one; the result says which
  std::string model;            // id; "": the orchestrator chooses
  std::optional<double> temperature;  // [0, 10]
  std::optional<int> top_k;
  std::optional<double> top_p;        // (0, 1]
  std::optional<double> guidance;     // [-100, 100]
  std::optional<int> steps;           // [1, 1000]
  std::optional<double> tempo_bpm;    // [30, 300], exact
  std::optional<std::string> key;     // "F major"
  std::optional<int> meter;           // 3 or 4 beats a bar
  std::string structure;              // section letters or names: "ABAB", "intro verse chorus verse chorus outro"
  std::vector<std::string> instruments;
  std::string mood;
  // A recording to start from: a path, or a buffer that wins over the path.
  std::string reference_audio;
  std::optional<AudioBuffer> reference_buffer;
  std::string reference_midi;         // path
  double reference_strength = 0.5;    // [0, 1]
  bool want_stems = false;
  QualityTier quality = QualityTier::kStandard;
  bool allow_unsupported = false;
  // So many takes, [1, 8], each on a seed of its own (the first on `seed`), ranked by how near an embedder of sound and
  // text (Capability::kEmbedText) finds them to the prompt. The engine's to honour, for any generator.
  std::optional<int> takes;
  std::string rank_by;          // id of that model, which scores a single take too; "": of several the first open one
  // Enhanced takes (a reference recording and a generator that can work on it).
  double enhancement_level = 0.5;     // [0, 1]
  bool preserve_original_characteristics = true;
  std::vector<std::string> focus_areas;  // from the vocabulary of evaluation.h
  std::optional<double> target_lufs;
  std::vector<AudioPattern> patterns;    // what to build from
  std::map<std::string, std::string> parameters;  // the model's own, checked against ModelInfo::params
};

struct Stem {
  std::string name;  // "drums", "bass", "chords", "lead", "original", ...
  AudioBuffer audio; // length, rate and channels of the mix
};

struct Provenance {
  std::string model;              // id
  std::string model_version;
  std::string software;           // name and version
  int64_t seed = 0;               // the one used
  std::string request_json;       // every field resolved: enough to render the same bytes again
  std::string reference_sha256;   // of the reference's samples, "" without one
};

// What one repair did to a recording.
struct EnhanceStage {
  std::string name;       // "denoise", "declip", "dehum", "balance", "dynamics", "stereo", "loudness", "limiter"
  bool applied = false;
  double change_db = 0;   // what it did: noise reduced, peaks rebuilt, gain applied, ... by the stage's own measure
  std::string text;       // "noise floor -52.1 -> -63.4 dBFS"
};

struct TakeAttempt {
  int64_t seed = 0;
  bool passed = false;
  std::vector<std::string> failures;  // of the gate: "silence", "clipping", ...
};

// One of several takes.
struct RankedTake {
  int64_t seed = 0;
  double score = 0;  // [-1, 1]: cosine of sound and prompt; 0 where nobody could rank
  AudioBuffer audio;
};

struct GenerateAudioResult {
  AudioBuffer audio;
  std::vector<Stem> stems;        // their sum is the mix before mastering; empty unless asked for
  AudioBuffer mix;                // before mastering; empty unless stems were asked for
  std::optional<Midi> midi;
  Provenance provenance;
  std::vector<std::string> warnings;
  std::vector<EnhanceStage> stages;   // repairs of the reference recording, in the order they ran; empty without one
  std::vector<TakeAttempt> attempts;  // the gate's record, one or two
  std::vector<RankedTake> other_takes;  // of several, best first; the best of all is this result
  std::map<std::string, double> timings_s;
  int64_t peak_bytes = 0;         // the most that the run took at once, as its model counts: weights and work
  std::map<std::string, std::string> facts;  // "tempo_bpm": "120", "key": "A minor", "genre": "house", "structure"
};

// InvalidArgument (all problems listed) for a field out of its range; what a model can honour is not judged here.
GRYM_EXPORT absl::Status ValidateRequest(const GenerateAudioRequest& request);
// JSON text (schema "grymsynth.request/1"), camelCase names as in workflows: prompt, negativePrompt, durationSeconds,
// seed, model, temperature, topK, topP, guidance, steps, tempoBpm, key, meter, structure, instruments, mood,
// referenceAudio, referenceMidi, referenceStrength, wantStems, quality ("draft", "standard", "best"), allowUnsupported,
// takes, rankBy, enhancementLevel, preserveOriginalCharacteristics, focusAreas, targetLufs, patterns, parameters.
// Fields that are unset are left out; buffers are not written. Reading: at most 1 MiB; every member is optional; an
// unknown member, a wrong type and a value out of range are InvalidArgument (code "invalid_request"), all listed.
GRYM_EXPORT std::string RequestToJson(const GenerateAudioRequest& request);
GRYM_EXPORT absl::StatusOr<GenerateAudioRequest> RequestFromJson(std::string_view json);
// Provenance, warnings, attempts, timings and facts (schema "grymsynth.result/1"); audio is not written.
GRYM_EXPORT std::string ResultToJson(const GenerateAudioResult& result);
GRYM_EXPORT absl::StatusOr<GenerateAudioResult> ResultFromJson(std::string_view json);

}  // namespace grym
