#include "generation/melody.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "base/random.h"

namespace grym {
namespace {

// The motif of a letter: which rhythm in which bar of a phrase, and how the line moves from note to note in scale
// steps.
struct Motif {
  const char* bars[4];         // a b a c
  std::vector<int> moves;
  int start_tone = 0;          // of the chord
};

int DrawMove(Random& random, double adventure, int last) {
  if (std::abs(last) >= 3) return last > 0 ? -1 : 1;  // a leap is answered by a step back (Narmour 1990)
  const double roll = random.Uniform();
  const int sign = random.Chance(last == 0 ? 0.5 : last > 0 ? 0.6 : 0.4) ? 1 : -1;
  const double leap = 0.09 * adventure;
  if (roll < 0.13) return 0;
  if (roll < 0.76 - leap) return sign;
  if (roll < 0.95 - leap) return 2 * sign;
  return (random.Chance(0.6) ? 3 : 4) * sign;
}

class LeadWriter {
 public:
  LeadWriter(const PiecePlan& plan, const ChordTrack& chords, const PartTable& table)
      : plan_(plan), chords_(chords), table_(table) {}

  void Section(const FormSection& section, const char* figure) {
    const Motif motif = MotifOf(section.letter, figure);
    Random random(plan_.seed, "lead " + section.letter + std::to_string(section.visit) + table_.stem);
    const int phrases = (section.bars + 3) / 4;
    for (int phrase = 0; phrase < phrases; ++phrase) {
      const int first = section.first_bar + phrase * 4;
      const int bars = std::min(4, section.bars - phrase * 4);
      const bool answers = phrase % 2 == 1 || phrase + 1 == phrases;
      if (section.energy < 0.55 && phrase % 2 == 1) continue;  // quiet sections leave room
      if (!plan_.material.motif.empty() && Quotes(phrases_++)) Quote(section, first, bars, phrase, random);
      else Phrase(section, motif, first, bars, answers, phrase, random);
    }
  }

  std::vector<DraftNote> Take() { return std::move(notes_); }

 private:
  Motif MotifOf(const std::string& letter, const char* figure) const {
    Random random(plan_.seed, "motif " + letter + table_.stem);
    Motif motif;
    const auto other = [&] {
      return table_.figures[static_cast<size_t>(random.Below(static_cast<int64_t>(table_.figures.size())))];
    };
    motif.bars[0] = motif.bars[2] = figure;
    motif.bars[1] = other();
    motif.bars[3] = other();
    motif.start_tone = static_cast<int>(random.Below(3));
    int last = 0;
    for (int i = 0; i < 32; ++i) motif.moves.push_back(last = DrawMove(random, plan_.adventure, last));
    return motif;
  }

  // All pitches of the part's range that the line may use over `chord`, rising.
  std::vector<int> Ladder(const ChordTones& chord) const {
    const bool minor = plan_.key.minor;
    std::vector<int> classes;
    const auto from_tonic = [&](std::initializer_list<int> steps) {
      for (const int step : steps) classes.push_back((plan_.key.tonic + step) % 12);
    };
    switch (plan_.genre.lead_scale) {
      case LeadScale::kDiatonic: classes = ScaleOver(plan_.key, chord); break;
      case LeadScale::kPentatonic: minor ? from_tonic({0, 3, 5, 7, 10}) : from_tonic({0, 2, 4, 7, 9}); break;
      case LeadScale::kBlues: minor ? from_tonic({0, 3, 5, 6, 7, 10}) : from_tonic({0, 2, 3, 4, 7, 9}); break;
    }
    std::vector<int> ladder;
    for (int pitch = table_.low; pitch <= table_.high; ++pitch) {
      if (std::find(classes.begin(), classes.end(), pitch % 12) != classes.end()) ladder.push_back(pitch);
    }
    return ladder;
  }

  static size_t NearestRung(const std::vector<int>& ladder, int pitch) {
    size_t best = 0;
    for (size_t i = 1; i < ladder.size(); ++i) {
      if (std::abs(ladder[i] - pitch) < std::abs(ladder[best] - pitch)) best = i;
    }
    return best;
  }

  int NearestChordTone(const ChordTones& chord, int near) const {
    int best = near, distance = 100;
    for (const int interval : chord.intervals) {
      const int pitch = NearestPitch((chord.root + interval) % 12, near, table_.low, table_.high);
      if (std::abs(pitch - near) < distance) {
        distance = std::abs(pitch - near);
        best = pitch;
      }
    }
    return best;
  }

  // One step of the line; on strong beats and long notes it lands on a tone of the chord.
  int Step(int from, int move, const ChordTones& chord, bool strong) const {
    const std::vector<int> ladder = Ladder(chord);
    int rung = static_cast<int>(NearestRung(ladder, from)) + move;
    const int top = static_cast<int>(ladder.size()) - 1;
    if (rung > top) rung = 2 * top - rung;
    if (rung < 0) rung = -rung;
    const int pitch = ladder[static_cast<size_t>(std::clamp(rung, 0, top))];
    if (!strong || chord.contains(pitch)) return pitch;
    const int tone = NearestChordTone(chord, pitch);
    return tone == from && move != 0 ? NearestChordTone(chord, pitch + (move > 0 ? 3 : -3)) : tone;
  }

  void Add(double beat, double beats, int pitch, double velocity) {
    if (beat >= plan_.body_beats - 1e-9) return;
    beats = std::min(beats, plan_.body_beats - beat);
    notes_.push_back({beat, beats * (beats > 0.3 ? 0.96 : 0.88), pitch, std::clamp(velocity, 0.1, 1.0), 0, 0.4, 0});
    last_ = pitch;
  }

  void Phrase(const FormSection& section, const Motif& motif, int first, int bars, bool answers, int phrase,
              Random& random) {
    const int steps = plan_.steps_per_bar();
    const ChordTones& opening = chords_.At(first * plan_.meter).chord;
    const int middle = (table_.low + table_.high) / 2 + (section.energy > 0.85 ? 3 : 0);
    const size_t start = static_cast<size_t>(motif.start_tone) % opening.intervals.size();
    int pitch = NearestPitch((opening.root + opening.intervals[start]) % 12, last_ < 0 ? middle : (middle + last_) / 2,
                             table_.low, table_.high);
    size_t move = 0;
    const bool invert = phrase % 4 == 2, lift = phrase % 2 == 1;
    for (int bar = 0; bar < bars; ++bar) {
      const bool closing = bar + 1 == bars;
      const char* figure = motif.bars[bar % 4];
      if (bar == 2) move = 0;  // the motif again, on the new chord
      for (int step = 0; step < steps; ++step) {
        const char symbol = FigureStep(figure, 0, step, steps);
        if (symbol == '.' || symbol == '-') continue;
        const int hold = FigureHold(figure, 0, step, steps);
        const double beat = (first + bar) * plan_.meter + step * 0.25;
        if (beat >= plan_.body_beats - 1e-9) return;
        const ChordTones& chord = chords_.At(beat).chord;
        const bool strong = step % 4 == 0 || hold >= 4;
        int by = motif.moves[move++ % motif.moves.size()];
        if (invert) by = -by;
        if (lift && bar == 0 && step == 0) by += 1;
        if (section.visit > 0 && random.Chance(0.12 * plan_.adventure)) by += random.Chance(0.5) ? 1 : -1;
        if (bar > 0 || step > 0) pitch = Step(pitch, by, chord, strong);
        const double accent = symbol == 'X' ? 0.95 : strong ? 0.84 : 0.72;
        const double arc = 0.92 + 0.08 * std::sin(3.14159 * (bar + static_cast<double>(step) / steps) / bars);
        if (closing && step >= steps / 2 - 2) {  // the phrase comes to rest
          Rest(beat, (first + bar + 1) * plan_.meter - beat, pitch, answers, accent * arc);
          break;
        }
        Ornamented(beat, hold * 0.25, pitch, accent * arc * (0.85 + 0.15 * section.energy), section, random);
      }
    }
  }

  // The last note: the tonic where the phrase answers and the chord has it, else the nearest tone of the chord.
  void Rest(double beat, double room, int near, bool answers, double velocity) {
    const ChordTones& chord = chords_.At(beat).chord;
    const int pitch = answers && chord.contains(plan_.key.tonic)
                          ? NearestPitch(plan_.key.tonic, near, table_.low, table_.high)
                          : NearestChordTone(chord, near);
    Add(beat, std::max(0.5, room - 0.75), pitch, velocity);
  }

  // Now and then a long note of a return is split into itself and its neighbour.
  void Ornamented(double beat, double beats, int pitch, double velocity, const FormSection& section, Random& random) {
    const double chance = (section.visit > 0 ? 0.12 : 0.04) * plan_.adventure;
    if (beats >= 0.99 && random.Chance(chance)) {
      const int neighbour = Step(pitch, random.Chance(0.5) ? 1 : -1, chords_.At(beat).chord, false);
      Add(beat, beats / 2, pitch, velocity);
      Add(beat + beats / 2, beats / 4, neighbour, velocity * 0.85);
      Add(beat + beats * 0.75, beats / 4, pitch, velocity * 0.85);
      return;
    }
    Add(beat, beats, pitch, velocity);
  }

  // Whether phrase `n` of the piece is one of the share that quotes.
  bool Quotes(int n) const {
    const double share = plan_.material.quoted_share;
    return std::floor((n + 1) * share + 0.5) > std::floor(n * share + 0.5);
  }

  // The given motif, moved to the chord, as often as it fits in the phrase.
  void Quote(const FormSection& section, int first, int bars, int phrase, Random& random) {
    const Material& material = plan_.material;
    double beat = first * plan_.meter;
    const double end = (first + bars) * plan_.meter;
    int turn = phrase;
    while (beat < end - 0.5) {
      const ChordTones& chord = chords_.At(beat).chord;
      const int middle = (table_.low + table_.high) / 2 - 2;
      const int base = NearestPitch(turn % 2 == 0 ? plan_.key.tonic : chord.root, middle, table_.low, table_.high);
      const double began = beat;
      for (size_t i = 0; i < material.motif.size() && beat < end - 0.2; ++i) {
        const double beats = i < material.motif_beats.size() ? material.motif_beats[i] : 1;
        const ChordTones& under = chords_.At(beat).chord;
        const std::vector<int> ladder = Ladder(under);
        int pitch = base + material.motif[i];
        while (pitch > table_.high) pitch -= 12;
        while (pitch < table_.low) pitch += 12;
        pitch = ladder[NearestRung(ladder, pitch)];
        if (beats >= 1 && !under.contains(pitch)) pitch = NearestChordTone(under, pitch);
        Add(beat, std::min(beats, end - beat), pitch, (0.75 + 0.1 * random.Uniform()) * (0.85 + 0.15 * section.energy));
        beat += beats;
      }
      // The next statement begins on a bar line, after a breath.
      const double bars_used = std::ceil((beat - began) / plan_.meter + 0.01);
      beat = began + std::max(1.0, bars_used) * plan_.meter;
      ++turn;
    }
  }

  const PiecePlan& plan_;
  const ChordTrack& chords_;
  const PartTable& table_;
  int last_ = -1, phrases_ = 0;
  std::vector<DraftNote> notes_;
};

}  // namespace

std::vector<DraftNote> WriteMelody(const PiecePlan& plan, const ChordTrack& chords, const PartTable& table,
                                   const std::map<std::string, const char*>& figures) {
  LeadWriter writer(plan, chords, table);
  for (const FormSection& section : plan.form) {
    if (section.energy < table.enters || section.energy > table.leaves || section.letter == "U") continue;
    const auto figure = figures.find(section.letter);
    if (figure != figures.end()) writer.Section(section, figure->second);
  }
  return writer.Take();
}

}  // namespace grym
