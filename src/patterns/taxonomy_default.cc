#include "grymsynth/pattern_recognizer.h"

namespace grym {

std::string_view DefaultTaxonomyJson() {
  return R"json({
  "schema": "grymsynth.taxonomy/1",
  "version": "2026.2",
  "classes": [
    {"path": "rhythmic/four-on-the-floor", "score": 0.9, "when": [
      {"field": "evenness", "op": "at_least", "value": 0.9}, {"field": "hits_per_beat", "op": "between", "value": [0.9, 1.1]},
      {"field": "offbeat_share", "op": "at_most", "value": 0.1}, {"field": "meter", "op": "equals", "value": 4}]},
    {"path": "rhythmic/straight-eighths", "score": 0.85, "when": [
      {"field": "evenness", "op": "at_least", "value": 0.8}, {"field": "hits_per_beat", "op": "between", "value": [1.7, 2.3]}]},
    {"path": "rhythmic/straight-sixteenths", "score": 0.85, "when": [
      {"field": "hits_per_beat", "op": "at_least", "value": 3.4}]},
    {"path": "rhythmic/syncopated", "score": 0.8, "when": [
      {"field": "offbeat_share", "op": "at_least", "value": 0.6}, {"field": "evenness", "op": "at_most", "value": 0.8}]},
    {"path": "rhythmic/waltz", "score": 0.75, "when": [{"field": "meter", "op": "equals", "value": 3}]},
    {"path": "rhythmic/half-time", "score": 0.6, "when": [{"field": "hits_per_beat", "op": "between", "value": [0.01, 0.6]}]},
    {"path": "rhythmic/backbeat", "score": 0.55, "when": [
      {"field": "downbeat_strength", "op": "between", "value": [0.2, 0.9]}, {"field": "offbeat_share", "op": "at_most", "value": 0.5},
      {"field": "hits_per_beat", "op": "between", "value": [0.6, 2.5]}]},
    {"path": "rhythmic/groove", "score": 0.3, "when": [{"field": "occurrences", "op": "at_least", "value": 2}]},

    {"path": "harmonic/loop/four-chord", "score": 0.9, "when": [
      {"field": "distinct_chords", "op": "equals", "value": 4}, {"field": "chords", "op": "between", "value": [4, 8]}]},
    {"path": "harmonic/loop/twelve-bar", "score": 0.95, "when": [
      {"field": "evidence.chord_loop_length", "op": "equals", "value": 12}, {"field": "distinct_chords", "op": "between", "value": [3, 5]}]},
    {"path": "harmonic/loop/three-chord", "score": 0.85, "when": [{"field": "distinct_chords", "op": "equals", "value": 3}]},
    {"path": "harmonic/loop/two-chord", "score": 0.85, "when": [{"field": "distinct_chords", "op": "equals", "value": 2}]},
    {"path": "harmonic/vamp", "score": 0.85, "when": [{"field": "distinct_chords", "op": "at_most", "value": 1}]},
    {"path": "harmonic/circle-of-fifths", "score": 0.8, "when": [
      {"field": "fifth_motion_share", "op": "at_least", "value": 0.6}, {"field": "distinct_chords", "op": "at_least", "value": 3}]},
    {"path": "harmonic/jazz", "score": 0.75, "when": [{"field": "seventh_share", "op": "at_least", "value": 0.6}]},
    {"path": "harmonic/minor", "score": 0.5, "when": [{"field": "minor_share", "op": "at_least", "value": 0.6}]},
    {"path": "harmonic/major", "score": 0.5, "when": [{"field": "minor_share", "op": "at_most", "value": 0.4}]},
    {"path": "harmonic/progression", "score": 0.4, "when": [{"field": "distinct_chords", "op": "at_least", "value": 5}]},

    {"path": "melodic/arpeggio", "score": 0.85, "when": [
      {"field": "mean_step", "op": "between", "value": [3, 5.5]}, {"field": "pace_changes", "op": "at_most", "value": 1}]},
    {"path": "melodic/scale-run", "score": 0.85, "when": [
      {"field": "mean_step", "op": "between", "value": [1, 2.2]}, {"field": "range_semitones", "op": "at_least", "value": 5},
      {"field": "pace_changes", "op": "at_most", "value": 1}]},
    {"path": "melodic/leaping", "score": 0.7, "when": [{"field": "leap_share", "op": "at_least", "value": 0.5}]},
    {"path": "melodic/rising", "score": 0.6, "when": [{"field": "net_motion", "op": "at_least", "value": 4}]},
    {"path": "melodic/falling", "score": 0.6, "when": [{"field": "net_motion", "op": "at_most", "value": -4}]},
    {"path": "melodic/repeated-note", "score": 0.65, "when": [{"field": "mean_step", "op": "at_most", "value": 0.8}]},
    {"path": "melodic/hook", "score": 0.55, "when": [
      {"field": "occurrences", "op": "at_least", "value": 4}, {"field": "notes", "op": "at_most", "value": 8}]},
    {"path": "melodic/phrase", "score": 0.35, "when": [{"field": "notes", "op": "at_least", "value": 4}]},

    {"path": "timbral/bright", "score": 0.7, "when": [{"field": "description", "op": "contains", "value": "bright"}]},
    {"path": "timbral/warm", "score": 0.7, "when": [{"field": "description", "op": "contains", "value": "warm"}]},
    {"path": "timbral/dark", "score": 0.7, "when": [{"field": "description", "op": "contains", "value": "dark"}]},
    {"path": "timbral/noisy", "score": 0.65, "when": [{"field": "description", "op": "contains", "value": "noisy"}]},
    {"path": "timbral/tonal", "score": 0.6, "when": [{"field": "description", "op": "contains", "value": "tonal"}]},
    {"path": "timbral/throughout", "score": 0.5, "when": [{"field": "evidence.cluster_share", "op": "at_least", "value": 0.7}]},

    {"path": "structural/main", "score": 0.8, "when": [
      {"field": "occurrences", "op": "at_least", "value": 2}, {"field": "evidence.coverage", "op": "at_least", "value": 0.4}]},
    {"path": "structural/returning", "score": 0.7, "when": [{"field": "occurrences", "op": "at_least", "value": 2}]},
    {"path": "structural/contrast", "score": 0.6, "when": [
      {"field": "occurrences", "op": "equals", "value": 1}, {"field": "evidence.coverage", "op": "at_most", "value": 0.3}]},
    {"path": "structural/through-composed", "score": 0.6, "when": [
      {"field": "occurrences", "op": "equals", "value": 1}, {"field": "evidence.coverage", "op": "at_least", "value": 0.8}]},
    {"path": "structural/section", "score": 0.3, "when": []}
  ]
})json";
}

}  // namespace grym
