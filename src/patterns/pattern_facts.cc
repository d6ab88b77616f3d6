#include "patterns/pattern_facts.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "patterns/embedding.h"

namespace grym {
namespace {

using NumberOf = double (*)(const AudioPattern&);
using TextOf = std::string (*)(const AudioPattern&);

double CoveredSeconds(const AudioPattern& pattern) {
  double covered_s = 0;
  for (const TimeSpan& span : pattern.spans) covered_s += span.end_s - span.start_s;
  return covered_s;
}

double ShareOfChords(const AudioPattern& pattern, bool (*counts)(const HeardChord& now, const HeardChord& next)) {
  double matching = 0, total = 0;
  for (size_t i = 0; i < pattern.chords.size(); ++i) {
    const HeardChord now = ParseChord(pattern.chords[i]),
                     next = ParseChord(pattern.chords[(i + 1) % pattern.chords.size()]);
    if (now.pitch_classes.empty()) continue;
    ++total;
    matching += counts(now, next);
  }
  return total > 0 ? matching / total : 0;
}

double DistinctChordNames(const AudioPattern& pattern) {
  std::set<std::string> names(pattern.chords.begin(), pattern.chords.end());
  names.erase("N");
  return static_cast<double>(names.size());
}

double MelodicRange(const AudioPattern& pattern) {
  if (pattern.intervals.empty()) return 0;
  const auto [low, high] = std::minmax_element(pattern.intervals.begin(), pattern.intervals.end());
  return *high - *low;
}

double MeanOverSteps(const AudioPattern& pattern, double (*value)(int step)) {
  double sum = 0;
  for (size_t i = 1; i < pattern.intervals.size(); ++i) sum += value(pattern.intervals[i] - pattern.intervals[i - 1]);
  return pattern.intervals.size() > 1 ? sum / static_cast<double>(pattern.intervals.size() - 1) : 0;
}

double PaceChanges(const AudioPattern& pattern) {
  double changes = 0;
  for (size_t i = 1; i < pattern.durations_beats.size(); ++i)
    changes += pattern.durations_beats[i] != pattern.durations_beats[i - 1];
  return changes;
}

constexpr float kHit = 0.4f;  // of the strongest step

// Hits among the grid's steps whose place in the beat (four steps) satisfies `counts`.
double CountHits(const AudioPattern& pattern, bool (*counts)(size_t place)) {
  double hits = 0;
  for (size_t step = 0; step < pattern.onset_grid.size(); ++step)
    hits += pattern.onset_grid[step] >= kHit && counts(step % 4);
  return hits;
}

double AllHits(const AudioPattern& pattern) {
  return CountHits(pattern, [](size_t) { return true; });
}

// 1 when the hits lie equally far apart, towards 0 when they crowd: 1 - coefficient of variation of their distances.
double Evenness(const AudioPattern& pattern) {
  std::vector<double> at;
  for (size_t step = 0; step < pattern.onset_grid.size(); ++step) {
    if (pattern.onset_grid[step] >= kHit) at.push_back(static_cast<double>(step));
  }
  if (at.size() < 2) return 0;
  const auto steps = static_cast<double>(pattern.onset_grid.size());
  const double mean = steps / static_cast<double>(at.size());
  double squares = 0;
  for (size_t i = 0; i < at.size(); ++i) {
    const double distance = (i + 1 < at.size() ? at[i + 1] : at[0] + steps) - at[i];
    squares += (distance - mean) * (distance - mean);
  }
  return std::max(0.0, 1 - std::sqrt(squares / static_cast<double>(at.size())) / mean);
}

struct NamedNumber {
  const char* name;
  NumberOf of;
};

constexpr NamedNumber kNumbers[] = {
    {"strength", [](const AudioPattern& p) { return p.strength; }},
    {"occurrences", [](const AudioPattern& p) { return static_cast<double>(p.spans.size()); }},
    {"covered_s", &CoveredSeconds},
    {"mean_span_s",
     [](const AudioPattern& p) {
       return p.spans.empty() ? 0 : CoveredSeconds(p) / static_cast<double>(p.spans.size());
     }},
    {"tempo_bpm", [](const AudioPattern& p) { return p.tempo_bpm; }},
    {"meter", [](const AudioPattern& p) { return static_cast<double>(p.meter); }},
    {"chords", [](const AudioPattern& p) { return static_cast<double>(p.chords.size()); }},
    {"distinct_chords", &DistinctChordNames},
    {"loop_beats", [](const AudioPattern& p) { return p.chord_beats * static_cast<double>(p.chords.size()); }},
    {"chord_beats", [](const AudioPattern& p) { return p.chord_beats; }},
    {"minor_share",
     [](const AudioPattern& p) {
       return ShareOfChords(p, [](const HeardChord& now, const HeardChord&) { return now.quality == 1; });
     }},
    {"seventh_share",
     [](const AudioPattern& p) {
       return ShareOfChords(p, [](const HeardChord& now, const HeardChord&) { return now.pitch_classes.size() > 3; });
     }},
    {"fifth_motion_share",
     [](const AudioPattern& p) {
       return ShareOfChords(p, [](const HeardChord& now, const HeardChord& next) {
         return !next.pitch_classes.empty() && (next.root - now.root + 12) % 12 == 5;
       });
     }},
    {"notes", [](const AudioPattern& p) { return static_cast<double>(p.intervals.size()); }},
    {"range_semitones", &MelodicRange},
    {"mean_step",
     [](const AudioPattern& p) {
       return MeanOverSteps(p, [](int step) { return std::abs(static_cast<double>(step)); });
     }},
    {"leap_share",
     [](const AudioPattern& p) { return MeanOverSteps(p, [](int step) { return std::abs(step) > 4 ? 1.0 : 0.0; }); }},
    {"net_motion",
     [](const AudioPattern& p) { return p.intervals.empty() ? 0.0 : p.intervals.back() - p.intervals.front(); }},
    {"pace_changes", &PaceChanges},
    {"steps", [](const AudioPattern& p) { return static_cast<double>(p.onset_grid.size()); }},
    {"hits_per_beat",
     [](const AudioPattern& p) {
       return p.onset_grid.empty() ? 0 : 4 * AllHits(p) / static_cast<double>(p.onset_grid.size());
     }},
    {"offbeat_share",
     [](const AudioPattern& p) {
       return AllHits(p) > 0 ? CountHits(p, [](size_t place) { return place != 0; }) / AllHits(p) : 0;
     }},
    {"downbeat_strength",
     [](const AudioPattern& p) { return p.onset_grid.empty() ? 0.0 : static_cast<double>(p.onset_grid[0]); }},
    {"evenness", &Evenness},
};

struct NamedText {
  const char* name;
  TextOf of;
};

constexpr NamedText kTexts[] = {
    {"key", [](const AudioPattern& p) { return p.key; }},
    {"mode",
     [](const AudioPattern& p) {
       return std::string(p.key.find("minor") != std::string::npos   ? "minor"
                          : p.key.find("major") != std::string::npos ? "major"
                                                                     : "");
     }},
    {"section_label", [](const AudioPattern& p) { return p.section_label; }},
    {"description", [](const AudioPattern& p) { return p.description; }},
};

constexpr std::string_view kEvidencePrefix = "evidence.";

}  // namespace

PatternFact FactOf(const AudioPattern& pattern, std::string_view field) {
  PatternFact fact;
  if (field.substr(0, kEvidencePrefix.size()) == kEvidencePrefix) {
    fact.type = PatternFact::Type::kNumber;
    for (const Evidence& evidence : pattern.evidence) {
      if (evidence.name == field.substr(kEvidencePrefix.size())) fact.number = evidence.value;
    }
    return fact;
  }
  for (const NamedNumber& number : kNumbers) {
    if (field != number.name) continue;
    fact.type = PatternFact::Type::kNumber;
    fact.number = number.of(pattern);
    return fact;
  }
  for (const NamedText& text : kTexts) {
    if (field != text.name) continue;
    fact.type = PatternFact::Type::kText;
    fact.text = text.of(pattern);
    return fact;
  }
  return fact;
}

std::vector<std::string> PatternFactNames() {
  std::vector<std::string> names;
  for (const NamedNumber& number : kNumbers) names.emplace_back(number.name);
  for (const NamedText& text : kTexts) names.emplace_back(text.name);
  return names;
}

}  // namespace grym
