#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "base/format.h"
#include "base/status.h"
#include "patterns/embedding.h"
#include "patterns/kinds.h"

namespace grym {
namespace {

constexpr double kShortestNote_s = 0.06;
constexpr double kLongestGap_s = 0.08;  // of silence inside a note
constexpr double kLongestRest_s = 1.5;  // between two notes of one motif
constexpr float kVoicedConfidence = 0.3f;
constexpr size_t kLongestMotif = 10, kShortestMotif = 4;  // notes
constexpr size_t kMaxMotifs = 3;
// Motifs that a melody of the same steps in another order would have: above this a motif is taken for chance.
constexpr double kMostByChance = 0.05;

struct HeardNote {
  double start_s = 0, end_s = 0;
  int pitch = 0;  // MIDI number
};

// Runs of voiced frames that round to one semitone. Vibrato and slides shorter than a note are taken into the note that
// they touch.
std::vector<HeardNote> NotesOf(const AudioFeatures& features) {
  const Pitch& pitch = features.pitch;
  const size_t frames = std::min({pitch.times_s.size(), pitch.f0_hz.size(), pitch.confidence.size()});
  const double tuning_hz = features.tuning_hz > 300 && features.tuning_hz < 600 ? features.tuning_hz : 440;
  std::vector<HeardNote> notes;
  double centre = 0;
  for (size_t i = 0; i < frames; ++i) {
    if (!(pitch.f0_hz[i] > 20) || !(pitch.f0_hz[i] < 8000) || pitch.confidence[i] < kVoicedConfidence) continue;
    const double midi = 69 + 12 * std::log2(pitch.f0_hz[i] / tuning_hz);
    const double now_s = pitch.times_s[i];
    const double hop_s = i + 1 < frames ? pitch.times_s[i + 1] - now_s : 0;
    const bool goes_on = !notes.empty() && now_s - notes.back().end_s <= kLongestGap_s && std::abs(midi - centre) < 0.7;
    if (goes_on) {
      notes.back().end_s = now_s + hop_s;
      centre += 0.1 * (midi - centre);
    } else {
      if (!notes.empty() && notes.back().end_s - notes.back().start_s < kShortestNote_s) notes.pop_back();
      centre = midi;
      const int rounded = static_cast<int>(std::lround(midi));
      if (!notes.empty() && notes.back().pitch == rounded && now_s - notes.back().end_s <= kLongestGap_s) {
        notes.back().end_s = now_s + hop_s;
      } else {
        notes.push_back({now_s, now_s + hop_s, rounded});
      }
    }
  }
  if (!notes.empty() && notes.back().end_s - notes.back().start_s < kShortestNote_s) notes.pop_back();
  return notes;
}

// Notes of the same pitch struck again: split at onsets well inside.
std::vector<HeardNote> SplitAtOnsets(const std::vector<HeardNote>& notes, const std::vector<double>& onsets_s) {
  std::vector<HeardNote> split;
  for (HeardNote note : notes) {
    auto onset = std::lower_bound(onsets_s.begin(), onsets_s.end(), note.start_s + kShortestNote_s);
    for (; onset != onsets_s.end() && *onset < note.end_s - kShortestNote_s; ++onset) {
      if (*onset - note.start_s < kShortestNote_s) continue;
      split.push_back({note.start_s, *onset, note.pitch});
      note.start_s = *onset;
    }
    split.push_back(note);
  }
  return split;
}

// What two occurrences must share between note i and the next: the interval, and whether the next distance between
// onsets is shorter, alike or longer. -1 where the melody pauses.
std::vector<int> MotifTokens(const std::vector<HeardNote>& notes) {
  std::vector<int> tokens;
  for (size_t i = 0; i + 1 < notes.size(); ++i) {
    if (notes[i + 1].start_s - notes[i].end_s > kLongestRest_s) {
      tokens.push_back(-1);
      continue;
    }
    const int interval = std::clamp(notes[i + 1].pitch - notes[i].pitch, -24, 24);
    int pace = 1;
    if (i + 2 < notes.size()) {
      const double ratio =
          (notes[i + 2].start_s - notes[i + 1].start_s) / std::max(notes[i + 1].start_s - notes[i].start_s, 1e-3);
      pace = ratio < 0.62 ? 0 : ratio > 1.6 ? 2 : 1;
    }
    tokens.push_back((interval + 24) * 3 + pace);
  }
  return tokens;
}

struct Motif {
  size_t notes = 0;
  std::vector<size_t> first_notes;  // of each occurrence
};

// The last token's pace looks beyond the motif, so it counts by its interval alone.
std::vector<int> MotifKey(const std::vector<int>& tokens, size_t first, size_t length) {
  std::vector<int> key(tokens.begin() + static_cast<int64_t>(first),
                       tokens.begin() + static_cast<int64_t>(first + length));
  key.back() /= 3;
  return key;
}

// Seconds are one class and thirds are one: in a scale it is the place that makes them large or small.
int IntervalStep(int interval_token) {
  const int interval = interval_token - 24, size = std::abs(interval);
  const int step = size == 0 ? 0 : size <= 2 ? 1 : size <= 4 ? 2 : size;
  return interval < 0 ? -step : step;
}

// Expected number of motifs like this one that return as often in as many notes whose intervals and paces are drawn
// one by one: a scale comes back in any melody that moves by steps, a tune does not. Its own returns count once in what
// is drawn from. Source: Karlin and Altschul 1990 (E-values of repeats), with the tail of Poisson's distribution for
// more than one return.
double ByChance(const std::vector<int>& tokens, const std::vector<int>& key, const std::vector<size_t>& places) {
  std::map<int, double> steps, paces;
  double drawn = 0, all = 0;
  size_t next = 1;  // of the places after the first
  for (size_t i = 0; i < tokens.size(); ++i) {
    while (next < places.size() && i >= places[next] + key.size()) ++next;
    if (tokens[i] < 0) continue;
    all += 1;
    if (next < places.size() && i >= places[next]) continue;
    steps[IntervalStep(tokens[i] / 3)] += 1;
    paces[tokens[i] % 3] += 1;
    drawn += 1;
  }
  double alike = 1;
  for (size_t i = 0; i < key.size(); ++i) {
    const bool last = i + 1 == key.size();  // counts by its interval alone, see MotifKey
    alike *= steps[IntervalStep(last ? key[i] : key[i] / 3)] / drawn;
    if (!last) alike *= paces[key[i] % 3] / drawn;
  }
  const double expected = all * alike;
  double term = std::exp(-expected), fewer = 0;
  for (size_t k = 0; k + 1 < places.size(); ++k) {
    fewer += term;
    term *= expected / static_cast<double>(k + 1);
  }
  // `term` is now the chance of exactly as many more; rounding would leave nothing of 1 - fewer where it is small.
  const double at_least = expected < 0.5 ? term / (1 - expected / static_cast<double>(places.size())) : 1 - fewer;
  return all * at_least;
}

// The motif with the most notes in all its occurrences among those that are no chance; a motif of equal steps on one
// pitch is no motif.
Motif BestMotif(const std::vector<int>& tokens, const std::vector<bool>& taken) {
  Motif best;
  size_t best_worth = 0;
  for (size_t notes = kLongestMotif; notes >= kShortestMotif; --notes) {
    const size_t length = notes - 1;
    std::map<std::vector<int>, std::vector<size_t>> seen;
    for (size_t first = 0; first + length <= tokens.size(); ++first) {
      bool usable = true, moves = false;
      for (size_t i = first; i < first + length && usable; ++i) {
        usable = tokens[i] >= 0 && !taken[i];
        moves = moves || tokens[i] / 3 != 24;
      }
      if (!usable || !moves) continue;
      std::vector<size_t>& places = seen[MotifKey(tokens, first, length)];
      if (places.empty() || first >= places.back() + notes) places.push_back(first);
    }
    for (const auto& [key, places] : seen) {
      // One more note outweighs nothing by itself: a longer motif wins where it returns as often.
      const size_t worth = places.size() < 2 ? 0 : (places.size() - 1) * notes * notes;
      if (worth > best_worth && ByChance(tokens, key, places) <= kMostByChance) {
        best_worth = worth;
        best = {notes, places};
      }
    }
  }
  return best;
}

AudioPattern DescribeMotif(const AudioFeatures& features, const std::vector<HeardNote>& notes, const Motif& motif) {
  AudioPattern pattern;
  pattern.kind = PatternKind::kMelodic;
  pattern.tempo_bpm = features.tempo_bpm;
  pattern.meter = features.meter;
  pattern.key = features.key.value_or("");
  const size_t first = motif.first_notes[0];
  // Without a tempo a beat is taken as half a second.
  const double beat_s = features.tempo_bpm > 0 ? 60 / features.tempo_bpm : 0.5;
  std::vector<std::string> spoken;
  for (size_t i = 0; i < motif.notes; ++i) {
    const HeardNote& note = notes[first + i];
    const double next_s = i + 1 < motif.notes ? notes[first + i + 1].start_s : note.end_s;
    pattern.intervals.push_back(note.pitch - notes[first].pitch);
    pattern.durations_beats.push_back(std::max(0.25, std::round((next_s - note.start_s) / beat_s * 4) / 4));
    if (i > 0) spoken.push_back(Formatted("%+d", note.pitch - notes[first + i - 1].pitch));
  }
  std::set<int> levels;
  for (const size_t at : motif.first_notes) {
    pattern.spans.push_back({notes[at].start_s, notes[at + motif.notes - 1].end_s});
    pattern.transpositions.push_back(notes[at].pitch - notes[first].pitch);
    levels.insert(pattern.transpositions.back());
  }
  const double share = static_cast<double>(motif.notes * motif.first_notes.size()) / static_cast<double>(notes.size());
  const auto returns = static_cast<double>(motif.first_notes.size());
  pattern.strength = std::clamp(
      (1 - 1 / returns) * (0.3 + 0.4 * std::min(1.0, share) + 0.03 * static_cast<double>(motif.notes)), 0.0, 1.0);
  pattern.embedding = MelodicEmbedding(pattern.intervals, pattern.durations_beats);
  pattern.description = Formatted("motif of %d notes (%s semitones), %s", motif.notes, Join(spoken, " "),
                                        Times(motif.first_notes.size()));
  pattern.evidence = {
      {"motif_notes", static_cast<double>(motif.notes), Formatted("%d notes in a row return", motif.notes)},
      {"occurrences", returns, "with the same intervals and pace " + Times(motif.first_notes.size())},
      {"share_of_notes", share, Formatted("%.0f %% of the notes heard belong to it", 100 * share)},
      {"pitch_levels", static_cast<double>(levels.size()),
       levels.size() == 1 ? "always at the same pitch" : Formatted("at %d pitches", levels.size())}};
  return pattern;
}

}  // namespace

void FindMelodic(const AudioFeatures& features, const BarGrid&, std::vector<AudioPattern>& found) {
  const std::vector<HeardNote> notes = SplitAtOnsets(NotesOf(features), features.onsets_s);
  if (notes.size() < 2 * kShortestMotif) return;
  const std::vector<int> tokens = MotifTokens(notes);
  std::vector<bool> taken(tokens.size(), false);
  for (size_t round = 0; round < kMaxMotifs; ++round) {
    const Motif motif = BestMotif(tokens, taken);
    if (motif.first_notes.size() < 2) return;
    found.push_back(DescribeMotif(features, notes, motif));
    for (const size_t first : motif.first_notes) {
      for (size_t i = first; i < std::min(first + motif.notes, taken.size()); ++i) taken[i] = true;
    }
  }
}

}  // namespace grym
