#include "generation/bassline.h"

#include <algorithm>
#include <cstdlib>

#include "base/random.h"

namespace grym {
namespace {

class BassWriter {
 public:
  BassWriter(const PiecePlan& plan, const ChordTrack& chords, const PartTable& table)
      : plan_(plan), chords_(chords), table_(table), random_(plan.seed, std::string("bass ") + table.stem) {}

  void Bar(const FormSection& section, int bar, const char* figure) {
    const int steps = plan_.steps_per_bar();
    for (int step = 0; step < steps; ++step) {
      const char symbol = FigureStep(figure, section.first_bar + bar, step, steps);
      if (symbol == '.' || symbol == '-') continue;
      const double beat = (section.first_bar + bar) * plan_.meter + step * 0.25;
      if (beat >= plan_.body_beats - 1e-9) return;
      const int hold = FigureHold(figure, section.first_bar + bar, step, steps);
      const double accent = step == 0 ? 1.0 : step % 4 == 0 ? 0.93 : 0.85;
      const double level = (symbol == 'r' ? 0.55 : 0.82) * accent * (0.85 + 0.15 * section.energy);
      const int pitch = symbol == 'W' ? Walk(beat, step) : Pitch(symbol, beat);
      const double beats = std::min(hold * 0.25, plan_.body_beats - beat);
      const double sounded = beats * (symbol == 'W' ? 0.92 : hold == 1 ? 0.8 : 0.95);
      notes_.push_back({beat, sounded, pitch, level, 0, step % 4 == 2 ? 0.5 : 0.2, 0});
      last_ = pitch;
    }
  }

  std::vector<DraftNote> Take() { return std::move(notes_); }

 private:
  int RootOf(const ChordTones& chord) const {
    // Roots sit low, so that octaves and fifths above stay in range.
    return NearestPitch(chord.root, table_.low + 5, table_.low, table_.low + 11);
  }

  int Interval(const ChordTones& chord, size_t index, int fallback) const {
    return index < chord.intervals.size() ? chord.intervals[index] : fallback;
  }

  int Fit(int pitch) const {
    while (pitch > table_.high) pitch -= 12;
    while (pitch < table_.low) pitch += 12;
    return pitch;
  }

  // A scale step below or above the next root; a half step where the piece dares.
  int StepInto(double beat) {
    const ChordTones& next = chords_.After(beat).chord;
    const ChordTones& now = chords_.At(beat).chord;
    const int target = RootOf(next);
    if (next.root == now.root) return Fit(RootOf(now) + (random_.Chance(0.5) ? 7 : 12));
    if (random_.Chance(0.15 * plan_.adventure)) return Fit(target + (random_.Chance(0.6) ? -1 : 1));
    const std::vector<int> scale = ScaleOver(plan_.key, now);
    const int direction = last_ <= target ? -1 : 1;
    for (int distance = 1; distance <= 2; ++distance) {
      const int pitch = target + direction * distance;
      if (std::find(scale.begin(), scale.end(), (pitch % 12 + 12) % 12) != scale.end()) return Fit(pitch);
    }
    return Fit(target + direction * 2);
  }

  int Pitch(char symbol, double beat) {
    const ChordTones& chord = chords_.At(beat).chord;
    const int root = RootOf(chord);
    switch (symbol) {
      case 'F': return Fit(root + Interval(chord, 2, 7));
      case 'T': return Fit(root + Interval(chord, 1, 4));
      case 'S': return Fit(root + (chord.intervals.size() > 3 ? chord.intervals[3] % 12 : 12));
      case 'O': return root + 12 <= table_.high + 2 ? root + 12 : root;
      case 'L': return StepInto(beat);
      default: return root;
    }
  }

  // Walking: root on the chord's first beat, its tones and scale steps between, a step into the next chord at its end.
  int Walk(double beat, int step) {
    const ChordSpan& span = chords_.At(beat);
    if (beat - span.beat < 0.5 || last_ < 0) return NearestPitch(span.chord.root, last_ < 0 ? table_.low + 7 : last_,
                                                                 table_.low, table_.high - 3);
    if (span.beat + span.beats - beat <= 1.01) return StepInto(beat);
    if (step == 8 && random_.Chance(0.75)) {
      const int tone = 1 + static_cast<int>(random_.Below(2));
      const int pitch_class = (span.chord.root + Interval(span.chord, static_cast<size_t>(tone), 7)) % 12;
      return NearestPitch(pitch_class, last_ + (random_.Chance(0.5) ? 3 : -3), table_.low, table_.high);
    }
    const std::vector<int> scale = ScaleOver(plan_.key, span.chord);
    const int direction = last_ > (table_.low + table_.high) / 2 + 4 ? -1 : random_.Chance(0.6) ? 1 : -1;
    for (int distance = 1; distance <= 4; ++distance) {
      const int pitch = last_ + direction * distance;
      if (std::find(scale.begin(), scale.end(), (pitch % 12 + 12) % 12) != scale.end()) return Fit(pitch);
    }
    return Fit(last_ + direction);
  }

  const PiecePlan& plan_;
  const ChordTrack& chords_;
  const PartTable& table_;
  Random random_;
  int last_ = -1;
  std::vector<DraftNote> notes_;
};

}  // namespace

std::vector<DraftNote> WriteBass(const PiecePlan& plan, const ChordTrack& chords, const PartTable& table,
                                 const std::map<std::string, const char*>& figures) {
  BassWriter writer(plan, chords, table);
  for (const FormSection& section : plan.form) {
    if (section.energy < table.enters || section.energy > table.leaves) continue;
    const auto figure = figures.find(section.letter);
    if (figure == figures.end()) continue;
    for (int bar = 0; bar < section.bars; ++bar) writer.Bar(section, bar, figure->second);
  }
  return writer.Take();
}

}  // namespace grym
