// What can be counted or named in a pattern: the fields that a taxonomy's conditions speak about.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "grymsynth/pattern.h"

namespace grym {

struct PatternFact {
  enum class Type { kUnknown, kNumber, kText } type = Type::kUnknown;
  double number = 0;
  std::string text;
};

// Numbers: strength, occurrences, covered_s, mean_span_s, tempo_bpm, meter; harmonic: chords, distinct_chords,
// loop_beats, chord_beats, minor_share, seventh_share, fifth_motion_share; melodic: notes, range_semitones, mean_step,
// leap_share, net_motion, pace_changes; rhythmic: steps, hits_per_beat, offbeat_share, downbeat_strength, evenness.
// Texts: key, mode
// ("major", "minor" or ""), section_label, description. "evidence.NAME": the value of that evidence, 0 where absent.
// kUnknown for any other name.
PatternFact FactOf(const AudioPattern& pattern, std::string_view field);
std::vector<std::string> PatternFactNames();

}  // namespace grym
