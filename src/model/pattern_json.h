// Patterns as JSON values, for every document that carries them.
#pragma once
#include <string>
#include <vector>

#include "base/json.h"
#include "grymsynth/error.h"
#include "grymsynth/pattern.h"

namespace grym {

// {"kind": "harmonic", "description", "spans": [[start_s, end_s], ...], "strength", "evidence": [{name, value, text}],
//  "embedding": [128 numbers] and, where they apply, "id", "tempoBpm", "meter", "key", "chords", "chordBeats",
//  "intervals", "durationsBeats", "onsetGrid", "sectionLabel", "source"}. Members at their default are left out.
Json PatternToJson(const AudioPattern& pattern);
// Appends what is wrong to `problems`; the pattern is complete only if nothing was.
AudioPattern PatternFromJson(const Json& json, const std::string& pointer, std::vector<Problem>& problems);

// What is out of range in a pattern: strength, spans, embedding and numbers that are not finite.
void CheckPattern(const AudioPattern& pattern, const std::string& pointer, std::vector<Problem>& problems);

}  // namespace grym
