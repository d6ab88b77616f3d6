#include "generation/material.h"

#include <algorithm>
#include <cmath>

#include "grymsynth/audio_features.h"

namespace grym {
namespace {

constexpr const char* kMaterialNames[] = {"C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B"};

// The triad or seventh chord that covers most of twelve weights; roots that sound in the bass count more.
ChordTones BestChord(const std::vector<double>& weights, int bass_class) {
  static const char* const kSuffixes[] = {"", "m", "7", "m7", "maj7", "dim"};
  ChordTones best;
  double best_score = -1e9;
  for (int root = 0; root < 12; ++root) {
    for (const char* suffix : kSuffixes) {
      const auto chord = ChordFromLabel(std::string(kMaterialNames[root]) + suffix);
      if (!chord.ok()) continue;
      double inside = 0, outside = 0;
      for (int i = 0; i < 12; ++i) (chord->contains(i) ? inside : outside) += weights[static_cast<size_t>(i)];
      const double score = inside - outside - 0.08 * static_cast<double>(chord->intervals.size()) * (inside + outside) +
                           (root == bass_class ? 0.2 * (inside + outside) : 0);
      if (score > best_score) {
        best_score = score;
        best = *chord;
      }
    }
  }
  return best;
}

// The highest note at each start, until the first rest of a beat or eight beats.
void TakeMotif(const std::vector<MidiNote>& notes, double beat_s, Material* material) {
  std::vector<MidiNote> line;
  for (const MidiNote& note : notes) {
    if (!line.empty() && note.start_s - line.back().start_s < 0.05) {
      if (note.pitch > line.back().pitch) line.back() = note;
    } else if (line.empty() || note.start_s >= line.back().start_s + 0.9 * line.back().duration_s ||
               note.pitch > line.back().pitch) {
      line.push_back(note);  // a lower note under one that is held is accompaniment
    }
  }
  for (size_t i = 0; i < line.size(); ++i) {
    const double start = (line[i].start_s - line[0].start_s) / beat_s;
    const double next =
        i + 1 < line.size() ? (line[i + 1].start_s - line[0].start_s) / beat_s : start + line[i].duration_s / beat_s;
    if (start >= 8 || material->motif.size() >= 24) break;
    material->motif.push_back(line[i].pitch - line[0].pitch);
    material->motif_beats.push_back(std::clamp(std::round((next - start) * 4) / 4, 0.25, 4.0));
  }
}

}  // namespace

Material MaterialFromPatterns(const std::vector<AudioPattern>& patterns) {
  Material material;
  std::vector<const AudioPattern*> sorted;
  for (const AudioPattern& pattern : patterns) sorted.push_back(&pattern);
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const AudioPattern* a, const AudioPattern* b) { return a->strength > b->strength; });
  for (const AudioPattern* pattern : sorted) {
    if (material.tempo_bpm <= 0 && pattern->tempo_bpm >= 30 && pattern->tempo_bpm <= 300)
      material.tempo_bpm = pattern->tempo_bpm;
    if (material.meter == 0 && (pattern->meter == 3 || pattern->meter == 4)) material.meter = pattern->meter;
    if (!material.has_key && !pattern->key.empty()) {
      if (const auto key = ParseKey(pattern->key); key.ok()) {
        material.has_key = true;
        material.key = {*key % 12, *key >= 12};
      }
    }
    if (material.chords.empty() && pattern->chords.size() >= 2) {
      for (const std::string& label : pattern->chords) {
        if (const auto chord = ChordFromLabel(label); chord.ok()) material.chords.push_back(*chord);
      }
      material.chord_beats = pattern->chord_beats > 0 ? std::clamp(std::round(pattern->chord_beats), 1.0, 16.0) : 4;
    }
    if (material.motif.empty() && pattern->intervals.size() >= 3) {
      material.motif.assign(pattern->intervals.begin(),
                            pattern->intervals.begin() + std::min<std::ptrdiff_t>(24, std::ssize(pattern->intervals)));
      for (const double beats : pattern->durations_beats)
        material.motif_beats.push_back(std::clamp(std::round(beats * 4) / 4, 0.25, 4.0));
    }
    if (material.grid.empty() && pattern->onset_grid.size() >= 8) {
      const size_t bar = static_cast<size_t>(pattern->meter == 3 ? 12 : 16);
      for (size_t i = 0; i < std::min(bar, pattern->onset_grid.size()); ++i) {
        material.grid += pattern->onset_grid[i] >= 0.66f ? 'X' : pattern->onset_grid[i] >= 0.33f ? 'x' : '.';
      }
      material.grid.resize(bar, '.');
    }
  }
  return material;
}

Material MaterialFromMidi(const Midi& midi) {
  Material material;
  std::vector<MidiNote> notes;
  for (const MidiNote& note : midi.notes) {
    if (note.channel != 9) notes.push_back(note);
  }
  if (notes.empty()) return material;
  material.tempo_bpm = midi.tempi.empty() ? 120 : std::clamp(midi.tempi[0].tempo_bpm, 30.0, 300.0);
  material.meter = !midi.meters.empty() && midi.meters[0].numerator == 3 ? 3 : 4;
  const double beat_s = 60 / material.tempo_bpm, bar_s = beat_s * material.meter;
  std::vector<double> profile(12, 0.0);
  for (const MidiNote& note : notes) profile[static_cast<size_t>(note.pitch % 12)] += note.duration_s;
  material.key = KeyOfProfile(profile);
  material.has_key = true;
  const double origin = notes.front().start_s;
  const double end = notes.back().start_s + notes.back().duration_s;
  const int bars = std::clamp(static_cast<int>(std::ceil((end - origin) / bar_s - 0.25)), 1, 32);
  for (int bar = 0; bar < bars; ++bar) {
    std::vector<double> weights(12, 0.0);
    const double from = origin + bar * bar_s, to = from + bar_s;
    int lowest = 128;
    for (const MidiNote& note : notes) {
      const double shared = std::min(to, note.start_s + note.duration_s) - std::max(from, note.start_s);
      if (shared <= 0.01) continue;
      weights[static_cast<size_t>(note.pitch % 12)] += shared;
      lowest = std::min(lowest, note.pitch);
    }
    if (lowest < 128) material.chords.push_back(BestChord(weights, lowest % 12));
    else if (!material.chords.empty()) material.chords.push_back(material.chords.back());
  }
  material.chord_beats = material.meter;
  TakeMotif(notes, beat_s, &material);
  return material;
}

void TransposeMaterial(const MusicalKey& key, Material* material) {
  if (!material->has_key) return;
  const int by = ((key.tonic - material->key.tonic) % 12 + 12) % 12;
  for (ChordTones& chord : material->chords) {
    chord.root = (chord.root + by) % 12;
    size_t letters = chord.label.size() > 1 && chord.label[1] == '#' ? 2 : 1;
    chord.label = kMaterialNames[chord.root] + chord.label.substr(letters);
  }
  material->key = key;
}

}  // namespace grym
