#include "generation/groove.h"

#include <algorithm>

#include "base/random.h"

namespace grym {
namespace {

constexpr int kKick = 36, kSnare = 38, kClap = 39, kCrash = 49, kLowTom = 41, kMidTom = 45, kHighTom = 48,
              kOpenHat = 46;

const Groove& GrooveAt(const Genre& genre, double energy) {
  const Groove* best = &genre.grooves.front();
  for (const Groove& groove : genre.grooves) {
    if (groove.energy <= energy + 1e-9) best = &groove;
  }
  return *best;
}

double HitVelocity(char symbol, Random& random) {
  switch (symbol) {
    case 'X': return 0.95;
    case 'x': return 0.78;
    case 'o': return 0.45;
    case '?': return 0.35 + 0.2 * random.Uniform();
    default: return 0;
  }
}

class DrumWriter {
 public:
  explicit DrumWriter(const PiecePlan& plan) : plan_(plan), random_(plan.seed, "drums") {}

  void Section(const FormSection& section, bool last) {
    const bool build = section.letter == "U";
    for (int bar = 0; bar < section.bars; ++bar) {
      const bool closes = bar + 1 == section.bars;
      const bool phrase = (bar + 1) % 4 == 0;
      int fill_steps = 0;
      if (plan_.genre.fills && section.energy >= 0.3 && !build && section.bars > 1) {
        if (closes) fill_steps = section.energy > 0.6 && random_.Chance(0.6) ? 8 : 4;
        else if (phrase && random_.Chance(0.35 + 0.15 * plan_.adventure)) fill_steps = random_.Chance(0.7) ? 2 : 4;
      }
      if (last && closes) fill_steps = std::max(fill_steps, plan_.genre.fills ? 4 : 0);
      Bar(section, bar, fill_steps);
      if (build) Roll(section, bar);
    }
    const bool arrives = section.energy >= 0.6 && section.first_bar > 0;
    if (arrives) Hit(section.first_bar * plan_.meter, kCrash, 0.8);
  }

  void LastHit() {
    Hit(plan_.body_beats, kKick, 0.95);
    if (plan_.form.back().energy >= 0.4) Hit(plan_.body_beats, kCrash, 0.75);
  }

  std::vector<DraftNote> Take() { return std::move(notes_); }

 private:
  void Hit(double beat, int key, double velocity) {
    if (beat > plan_.body_beats + 1e-9) return;
    notes_.push_back({beat, 0.25, key, std::clamp(velocity, 0.05, 1.0), 0, 0, 0});
  }

  void Bar(const FormSection& section, int bar, int fill_steps) {
    const Groove& groove = GrooveAt(plan_.genre, section.energy);
    const int steps = plan_.steps_per_bar();
    const double first = (section.first_bar + bar) * plan_.meter;
    const double level = 0.8 + 0.2 * section.energy;
    for (const DrumLine& line : groove.lines) {
      const bool timekeeper = line.key == 42 || line.key == 51 || line.key == 70;
      for (int step = 0; step < steps; ++step) {
        const char symbol = FigureStep(line.steps, section.first_bar + bar, step, steps);
        if (symbol == '.' || symbol == '-') continue;
        if (symbol == '?' && !random_.Chance(0.3 * plan_.adventure)) continue;
        if (step >= steps - fill_steps && (!timekeeper || fill_steps > 4) && line.key != kKick) continue;
        // Weak hats fall out now and then, as a drummer breathes.
        if (timekeeper && symbol == 'o' && random_.Chance(0.08 * plan_.adventure)) continue;
        const double accent = step % 4 == 0 ? 1.0 : step % 2 == 0 ? 0.93 : 0.86;
        Hit(first + step * 0.25, line.key, HitVelocity(symbol, random_) * accent * level);
      }
    }
    if (!plan_.material.grid.empty() && section.energy > 0.4) {
      for (int step = 0; step < steps; ++step) {
        const char symbol = FigureStep(plan_.material.grid.c_str(), 0, step, steps);
        if (symbol != '.') Hit(first + step * 0.25, step % 4 == 0 ? 64 : 63, 0.7 * HitVelocity(symbol, random_));
      }
    }
    if (fill_steps > 0) Fill(first + (steps - fill_steps) * 0.25, fill_steps, level);
  }

  // A run over snare and toms that falls in pitch and grows in strength towards the next downbeat.
  void Fill(double beat, int steps, double level) {
    const bool machine = std::string(plan_.genre.kit) == "kit_909" || std::string(plan_.genre.kit) == "kit_808";
    const bool soft = std::string(plan_.genre.kit) == "kit_brush" || std::string(plan_.genre.kit) == "kit_lofi";
    const int shape = static_cast<int>(random_.Below(3));
    for (int step = 0; step < steps; ++step) {
      const double place = static_cast<double>(step) / steps;
      if (shape == 1 && step % 2 == 1 && random_.Chance(0.5)) continue;
      if (soft && step % 2 == 1 && !random_.Chance(0.3)) continue;
      int key = place < 0.34 ? kSnare : place < 0.6 ? kHighTom : place < 0.8 ? kMidTom : kLowTom;
      if (machine || shape == 2) key = machine && step % 2 ? kClap : kSnare;
      Hit(beat + step * 0.25, key, level * (0.55 + 0.35 * place) * (step % 2 ? 0.85 : 1) * (soft ? 0.7 : 1));
    }
    if (shape != 2) Hit(beat + (steps - 2) * 0.25, kOpenHat, 0.5 * level);
  }

  // The snare of a build: quarters, then eighths, then sixteenths, growing.
  void Roll(const FormSection& section, int bar) {
    const double place = (bar + 1.0) / section.bars;
    const int every = place > 0.75 ? 1 : place > 0.5 ? 2 : 4;
    const int steps = plan_.steps_per_bar();
    const double first = (section.first_bar + bar) * plan_.meter;
    for (int step = 0; step < steps; step += every) {
      const double grown = (bar + static_cast<double>(step) / steps) / section.bars;
      Hit(first + step * 0.25, kSnare, 0.25 + 0.5 * grown);
    }
  }

  const PiecePlan& plan_;
  Random random_;
  std::vector<DraftNote> notes_;
};

}  // namespace

DraftPart WriteDrums(const PiecePlan& plan) {
  DraftPart part;
  part.role = Role::kDrums;
  part.head.stem = "drums";
  part.head.patch = plan.genre.kit;
  part.head.gain_db = static_cast<float>(plan.genre.drums_gain_db);
  part.head.reverb_db = static_cast<float>(plan.genre.drums_reverb_db);
  part.head.midi_channel = 9;
  if (std::string(plan.genre.kit).empty() || plan.genre.grooves.empty()) return part;
  DrumWriter writer(plan);
  for (size_t i = 0; i < plan.form.size(); ++i) writer.Section(plan.form[i], i + 1 == plan.form.size());
  writer.LastHit();
  part.notes = writer.Take();
  return part;
}

}  // namespace grym
