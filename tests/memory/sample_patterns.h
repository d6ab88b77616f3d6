// Random patterns with every field filled, from a seed.
#pragma once
#include <cmath>
#include <string>

#include "base/random.h"
#include "grymsynth/pattern.h"

namespace grym::testing {

inline PatternEmbedding RandomEmbedding(Random& random) {
  PatternEmbedding embedding;
  double squares = 0;
  for (float& value : embedding) {
    value = static_cast<float>(random.Normal());
    squares += double{value} * value;
  }
  for (float& value : embedding) value = static_cast<float>(value / std::sqrt(squares));
  return embedding;
}

// `spread` 0 is the centre itself.
inline PatternEmbedding Near(const PatternEmbedding& centre, double spread, Random& random) {
  PatternEmbedding near = RandomEmbedding(random);
  double squares = 0;
  for (size_t d = 0; d < near.size(); ++d) {
    near[d] = centre[d] + static_cast<float>(spread) * near[d];
    squares += double{near[d]} * near[d];
  }
  for (float& value : near) value = static_cast<float>(value / std::sqrt(squares));
  return near;
}

inline AudioPattern RandomPattern(Random& random) {
  AudioPattern pattern;
  pattern.kind = static_cast<PatternKind>(random.Below(5));
  pattern.description = "pattern \xe2\x99\xaa \"" + std::to_string(random.Below(1000)) + "\"\n";
  for (int64_t i = random.Below(4); i >= 0; --i) {
    const double start_s = random.Uniform(0, 100);
    pattern.spans.push_back({start_s, start_s + random.Uniform(0.1, 8)});
  }
  pattern.strength = random.Uniform();
  for (int64_t i = random.Below(3); i > 0; --i)
    pattern.evidence.push_back({"evidence_" + std::to_string(i), random.Normal(), "because"});
  pattern.embedding = RandomEmbedding(random);
  pattern.tempo_bpm = random.Chance(0.5) ? random.Uniform(60, 180) : 0;
  pattern.meter = random.Chance(0.5) ? 4 : 0;
  pattern.key = random.Chance(0.5) ? "A minor" : "";
  if (random.Chance(0.5)) pattern.chords = {"Am", "F", "C", "G"};
  pattern.chord_beats = pattern.chords.empty() ? 0 : 4;
  for (int64_t i = random.Below(6); i > 0; --i) {
    pattern.intervals.push_back(static_cast<int>(random.Below(25)) - 12);
    pattern.durations_beats.push_back(random.Uniform(0.25, 2));
  }
  if (!pattern.intervals.empty()) {
    for (size_t i = 0; i < pattern.spans.size(); ++i) pattern.transpositions.push_back(static_cast<int>(5 * i) - 12);
  }
  for (int64_t i = random.Below(17); i > 0; --i) pattern.onset_grid.push_back(static_cast<float>(random.Uniform()));
  pattern.section_label = random.Chance(0.3) ? "B" : "";
  pattern.source = "/music/\xc3\xa9tude.wav";
  return pattern;
}

}  // namespace grym::testing
