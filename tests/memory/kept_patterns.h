// What the kept pattern memories (tests/data/v<schema version>/patterns.db) hold. Each was made by the code of its
// version: StoreKept into a new file, then closed. They never change, and so neither does this.
#pragma once
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "base/status.h"
#include "grymsynth/pattern_memory.h"

namespace grym::testing {

// The first two were heard together, the others one by one; the last is removed again.
inline std::vector<AudioPattern> KeptPatterns() {
  std::vector<AudioPattern> patterns(4);
  for (size_t i = 0; i < patterns.size(); ++i) {
    AudioPattern& pattern = patterns[i];
    pattern.kind = static_cast<PatternKind>(i);
    pattern.description = "kept \xe2\x99\xaa " + std::to_string(i);
    pattern.spans = {{0.25 * static_cast<double>(i), 2}, {8, 9.5}};
    pattern.strength = 0.5 + 0.125 * static_cast<double>(i);
    pattern.evidence = {{"autocorrelation", 0.75, "because"}};
    pattern.embedding[10 * i] = 0.6f;
    pattern.embedding[10 * i + 1] = -0.8f;
    pattern.tempo_bpm = 120.5;
    pattern.meter = 4;
    pattern.key = "A minor";
    pattern.section_label = "B";
    pattern.source = "/music/\xc3\xa9tude.wav";
    pattern.chords = {"Am", "F"};
    pattern.chord_beats = 4;
    pattern.intervals = {2, -3};
    pattern.durations_beats = {0.5, 1.25};
    pattern.transpositions = {-12, 5};
    pattern.onset_grid = {1, 0.5f, 0, 0.25f};
  }
  return patterns;
}

inline absl::Status StoreKept(PatternMemory& memory) {
  const std::vector<AudioPattern> patterns = KeptPatterns();
  const std::span<const AudioPattern> all(patterns);
  GRYM_RETURN_IF_ERROR(memory.Store(all.first(2)).status());
  GRYM_RETURN_IF_ERROR(memory.Store(all.subspan(2, 1)).status());
  GRYM_RETURN_IF_ERROR(memory.Store(all.subspan(3)).status());
  GRYM_RETURN_IF_ERROR(memory.RecordOutcome(2, 0.75, "good"));
  GRYM_RETURN_IF_ERROR(memory.RecordOutcome(2, 0.25));
  return memory.Remove(4);
}

}  // namespace grym::testing
