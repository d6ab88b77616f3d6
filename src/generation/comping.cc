#include "generation/comping.h"

#include <algorithm>

#include "base/random.h"

namespace grym {
namespace {

class CompWriter {
 public:
  CompWriter(const PiecePlan& plan, const ChordTrack& chords, const PartTable& table)
      : plan_(plan), table_(table), random_(plan.seed, std::string("comping ") + table.stem) {
    std::vector<int> previous;
    for (const ChordSpan& span : chords.spans()) {
      previous = VoiceChord(span.chord, previous, table.low, table.high, table.voices);
      voicings_.push_back({span.beat, span.beat + span.beats, previous, span.chord.root});
    }
  }

  // One long chord per span that starts in the section; a span that began before it is caught up.
  void Sustain(const FormSection& section) {
    const double from = section.first_bar * plan_.meter, to = EndOf(section);
    for (const Voicing& voicing : voicings_) {
      const double start = std::max(voicing.beat, from), end = std::min(voicing.end, to);
      if (end - start < 0.05) continue;
      for (size_t i = 0; i < voicing.pitches.size(); ++i) {
        Note(start, (end - start) * 0.995, voicing.pitches[i], (0.62 + 0.18 * section.energy) * (i ? 0.92 : 1), 0);
      }
    }
  }

  void Bar(const FormSection& section, int bar, const char* figure) {
    const int steps = plan_.steps_per_bar();
    for (int step = 0; step < steps; ++step) {
      const char symbol = FigureStep(figure, section.first_bar + bar, step, steps);
      if (symbol == '.' || symbol == '-') continue;
      const double beat = (section.first_bar + bar) * plan_.meter + step * 0.25;
      if (beat >= plan_.body_beats - 1e-9) return;
      const bool droppable = step % 4 != 0 && !(symbol >= '0' && symbol <= '7');
      if (droppable && random_.Chance(0.06 * plan_.adventure)) continue;
      const double beats = FigureHold(figure, section.first_bar + bar, step, steps) * 0.25;
      Symbol(symbol, beat, std::min(beats, plan_.body_beats - beat), section, step);
    }
  }

  std::vector<DraftNote> Take() { return std::move(notes_); }

 private:
  struct Voicing {
    double beat, end;
    std::vector<int> pitches;
    int root;
  };

  double EndOf(const FormSection& section) const {
    return std::min<double>((section.first_bar + section.bars) * plan_.meter, plan_.body_beats);
  }

  const Voicing& At(double beat) const {
    size_t i = 0;
    while (i + 1 < voicings_.size() && voicings_[i + 1].beat <= beat + 1e-9) ++i;
    return voicings_[i];
  }

  void Note(double beat, double beats, int pitch, double velocity, double spread) {
    notes_.push_back({beat, beats, pitch, std::clamp(velocity, 0.05, 1.0), spread, 0, 0});
  }

  void Symbol(char symbol, double beat, double beats, const FormSection& section, int step) {
    const Voicing& voicing = At(beat);
    if (voicing.pitches.empty()) return;
    const double level = (0.85 + 0.15 * section.energy) * (step % 4 == 0 ? 1.0 : 0.92);
    const double sounded = beats * (beats <= 0.26 ? 0.7 : 0.95);
    const int count = static_cast<int>(voicing.pitches.size());
    if (symbol >= '0' && symbol <= '7') {
      const int index = symbol - '0';
      int pitch = voicing.pitches[static_cast<size_t>(index % count)] + 12 * (index / count);
      if (pitch > table_.high + 3) pitch -= 12;
      Note(beat, std::max(sounded, 0.3), pitch, 0.72 * level, 0);
    } else if (symbol == 'B') {
      Note(beat, sounded, NearestPitch(voicing.root, table_.low - 6, table_.low - 14, table_.low), 0.75 * level, 0);
    } else {
      const bool strum = symbol == 'D' || symbol == 'U';
      const double strength = symbol == 'X' ? 0.92 : symbol == 'o' ? 0.45 : symbol == 'U' ? 0.6 : 0.75;
      const double rolled = strum ? 0.011 / plan_.beat_s() : 0;  // 11 ms a string
      for (int i = 0; i < count; ++i) {
        const int order = symbol == 'U' ? count - 1 - i : i;
        Note(beat, sounded, voicing.pitches[static_cast<size_t>(i)], strength * level * (i + 1 == count ? 1.0 : 0.93),
             order * rolled);
      }
    }
  }

  const PiecePlan& plan_;
  const PartTable& table_;
  Random random_;
  std::vector<Voicing> voicings_;
  std::vector<DraftNote> notes_;
};

}  // namespace

std::vector<DraftNote> WriteComping(const PiecePlan& plan, const ChordTrack& chords, const PartTable& table,
                                    const std::map<std::string, const char*>& figures) {
  CompWriter writer(plan, chords, table);
  for (const FormSection& section : plan.form) {
    if (section.energy < table.enters || section.energy > table.leaves) continue;
    const auto figure = figures.find(section.letter);
    if (figure == figures.end()) continue;
    if (figure->second[0] == '~') {
      writer.Sustain(section);
      continue;
    }
    for (int bar = 0; bar < section.bars; ++bar) writer.Bar(section, bar, figure->second);
  }
  return writer.Take();
}

}  // namespace grym
