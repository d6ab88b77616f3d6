#include "generation/arrange.h"

#include <algorithm>
#include <cmath>

#include "base/random.h"
#include "generation/bassline.h"
#include "generation/comping.h"
#include "generation/groove.h"
#include "generation/humanise.h"
#include "generation/instruments.h"
#include "generation/melody.h"
#include "grymsynth/audio_features.h"

namespace grym {
namespace {

// Which figure each letter plays; equal letters play alike.
std::map<std::string, const char*> FiguresOf(const PiecePlan& plan, const PartTable& table) {
  std::map<std::string, const char*> figures;
  const int64_t count = std::ssize(table.figures);
  Random random(plan.seed, std::string("figures ") + table.stem);
  const int64_t home = random.Below(count);
  for (const FormSection& section : plan.form) {
    int64_t index = home;
    if (section.letter == "B" || section.letter == "D") index = home + 1;
    if (section.letter == "C" || section.letter == "S") index = home + 2;
    figures[section.letter] = table.figures[static_cast<size_t>(index % count)];
  }
  return figures;
}

// Held until the piece ends; what the patch's own decay and the last fade leave of it.
void LastChord(const PiecePlan& plan, const ChordTrack& chords, const PartTable& table, std::vector<DraftNote>* notes) {
  const ChordTones& chord = chords.spans().back().chord;
  const double beats = std::max(0.25, (plan.duration_s - plan.body_beats * plan.beat_s()) * 0.85 / plan.beat_s());
  const double velocity = 0.62 + 0.25 * plan.form.back().energy;
  const auto add = [&](int pitch, double level, double spread) {
    notes->push_back({plan.body_beats, beats, pitch, std::clamp(velocity * level, 0.05, 1.0), spread, 0.2, 0});
  };
  if (table.role == Role::kBass) return add(NearestPitch(chord.root, table.low + 5, table.low, table.low + 11), 1, 0);
  if (table.role == Role::kLead) {
    const int near = notes->empty() ? (table.low + table.high) / 2 : notes->back().pitch;
    return add(NearestPitch(plan.key.tonic, near, table.low, table.high), 0.9, 0);
  }
  const bool rolled = table.role == Role::kArp;
  const std::vector<int> voicing = VoiceChord(chord, {}, table.low, table.high, table.voices);
  for (size_t i = 0; i < voicing.size(); ++i) {
    add(voicing[i], 0.9, static_cast<double>(i) * (rolled ? 0.06 : 0.012) / plan.beat_s() * 0.5);
  }
}

// From the last chord on every part fades with the piece, so that nothing is cut off.
void AddLastFade(const PiecePlan& plan, InstrumentPart* part) {
  const double from = plan.body_beats * plan.beat_s(), to = plan.duration_s;
  const double ring = to - from;
  part->automation.push_back(
      {"gain_db", {{from + 0.3 * ring, 0.0f}, {from + 0.6 * ring, -9.0f}, {to - 0.2 * ring, -60.0f}}});
}

// Filters open through a build and a first section, and breathe a little with the energy of each section.
void AddMovement(const PiecePlan& plan, const PartTable& table, InstrumentPart* part) {
  Automation cutoff{"cutoff", {}};
  const bool electronic = plan.genre.risers || plan.genre.vinyl;
  const double base = plan.cutoff * table.cutoff;
  for (const FormSection& section : plan.form) {
    const double from = section.first_bar * plan.meter * plan.beat_s();
    const double to = (section.first_bar + section.bars) * plan.meter * plan.beat_s();
    const double open = base * std::exp2(0.8 * (section.energy - 0.75));
    const bool opens = electronic && (section.letter == "U" || section.letter == "I");
    cutoff.points.push_back({from + 0.01, static_cast<float>(open * (opens ? 0.45 : 1))});
    cutoff.points.push_back({to - 0.01, static_cast<float>(open * (opens ? 1.3 : 1))});
  }
  if (table.role != Role::kBass || base < 1) part->automation.push_back(cutoff);
  if (plan.cutoff * table.cutoff < 0.95) {
    part->settings["high_cut_hz"] = static_cast<float>(std::clamp(11000 * plan.cutoff * table.cutoff, 1500.0, 16000.0));
  }
}

InstrumentPart EffectPart(const char* stem, const char* patch, double gain_db) {
  InstrumentPart part;
  part.stem = stem;
  part.patch = patch;
  part.gain_db = static_cast<float>(gain_db);
  part.reverb_db = -16;
  part.midi_channel = 15;
  part.midi_program = 97;
  return part;
}

// Risers into full sections, an impact where they begin, a falling sweep into quiet ones.
void AddTransitions(const PiecePlan& plan, Score* score) {
  InstrumentPart riser = EffectPart("effects", "riser", -11), sweep = EffectPart("effects", "noise_sweep", -15);
  InstrumentPart impact = EffectPart("effects", "impact", -9);
  const double bar_s = plan.beat_s() * plan.meter;
  for (size_t i = 0; i + 1 < plan.form.size(); ++i) {
    const FormSection& section = plan.form[i];
    const FormSection& next = plan.form[i + 1];
    const double at = next.first_bar * bar_s;
    const float velocity = static_cast<float>(0.5 + 0.3 * next.energy);
    if (next.energy > section.energy + 0.08 && section.bars >= 2) {
      const double length = bar_s * (section.bars >= 8 ? 4 : section.bars >= 4 ? 2 : 1);
      riser.notes.push_back({at - length, length * 0.98, 60, velocity, 0, 0.5f});
      if (next.energy > 0.75) impact.notes.push_back({at, std::min(3.0, 2 * bar_s), 36, velocity, 0, 0.5f});
    } else if (next.energy < section.energy - 0.2) {
      sweep.notes.push_back({at, bar_s * 1.5, 60, 0.6f, 0, 0.5f});
    }
  }
  for (InstrumentPart* part : {&riser, &sweep, &impact}) {
    if (part->notes.empty()) continue;
    AddLastFade(plan, part);
    score->parts.push_back(*part);
  }
}

// The patches are levelled note by note, so what plays less than a drum kit needs more to be heard beside it. Measured
// on rendered stems: drums first, bass 4 dB below, lead and chords 5 to 7, pads and figures 9 to 11.
double RoleGainDb(Role role) {
  switch (role) {
    case Role::kDrums: return -3;
    case Role::kBass: return 2;
    case Role::kChords: return 3.5;
    case Role::kPad: return 2.5;
    case Role::kArp: return 4;
    case Role::kLead: return 7;
    case Role::kEffects: return 0;
  }
  return 0;
}

DraftPart DraftOf(const PiecePlan& plan, const ChordTrack& chords, const PartTable& table) {
  DraftPart draft;
  draft.role = table.role;
  Random random(plan.seed, std::string("patch ") + table.stem);
  draft.head.stem = table.stem;
  draft.head.patch = table.patches[static_cast<size_t>(random.Below(std::ssize(table.patches)))];
  draft.head.gain_db = static_cast<float>(table.gain_db + RoleGainDb(table.role));
  draft.head.pan = static_cast<float>(table.pan);
  draft.head.reverb_db = static_cast<float>(table.reverb_db);
  draft.head.delay_db = static_cast<float>(table.delay_db);
  draft.head.sidechain = table.sidechain && !std::string_view(plan.genre.kit).empty();
  draft.head.midi_program = MidiProgramOf(draft.head.patch);
  draft.pull_ms = table.role == Role::kChords ? 0.5 * plan.genre.layback_ms : table.role == Role::kBass ? -1 : 0;
  const std::map<std::string, const char*> figures = FiguresOf(plan, table);
  if (table.role == Role::kBass) draft.notes = WriteBass(plan, chords, table, figures);
  else if (table.role == Role::kLead) draft.notes = WriteMelody(plan, chords, table, figures);
  else draft.notes = WriteComping(plan, chords, table, figures);
  const bool plays_last = plan.form.back().energy >= table.enters && plan.form.back().energy <= table.leaves;
  if (plays_last && (table.role != Role::kLead || !draft.notes.empty())) LastChord(plan, chords, table, &draft.notes);
  return draft;
}

}  // namespace

Score ArrangePiece(const PiecePlan& plan, const ChordTrack& chords) {
  Score score;
  score.duration_s = plan.duration_s;
  score.tempo_bpm = plan.tempo_bpm;
  score.meter = plan.meter;
  score.key = KeyName(plan.key.tonic + (plan.key.minor ? 12 : 0));
  score.genre = plan.genre.name;
  score.delay_s = plan.genre.delay_beats * plan.beat_s();
  score.reverb_seconds =
      static_cast<float>(std::min(plan.genre.reverb_seconds, 0.4 * plan.duration_s));  // short pieces end dry
  for (int beat = 0; beat * plan.beat_s() < plan.duration_s; ++beat) score.beats_s.push_back(beat * plan.beat_s());
  for (const FormSection& section : plan.form) {
    const double bar_s = plan.beat_s() * plan.meter;
    score.sections.push_back({section.name, section.first_bar * bar_s, (section.first_bar + section.bars) * bar_s,
                              section.first_bar, section.bars, static_cast<float>(section.energy)});
  }
  if (!score.sections.empty()) score.sections.back().end_s = plan.duration_s;

  const BeatGrid grid = BeatGrid::Steady(plan.tempo_bpm);
  DraftPart drums = WriteDrums(plan);
  drums.head.gain_db += static_cast<float>(RoleGainDb(Role::kDrums));
  if (!drums.notes.empty()) {
    score.parts.push_back(PlayPart(plan, grid, drums));
    AddLastFade(plan, &score.parts.back());
  }
  int channel = 0;
  for (const PartTable& table : plan.genre.parts) {
    DraftPart draft = DraftOf(plan, chords, table);
    if (draft.notes.empty()) continue;
    draft.head.midi_channel = channel;
    channel = channel == 8 ? 10 : std::min(channel + 1, 15);
    InstrumentPart part = PlayPart(plan, grid, draft);
    AddMovement(plan, table, &part);
    AddLastFade(plan, &part);
    score.parts.push_back(std::move(part));
  }
  if (plan.genre.risers) AddTransitions(plan, &score);
  if (plan.genre.vinyl) {
    InstrumentPart vinyl = EffectPart("texture", "vinyl", -11);
    vinyl.reverb_db = -60;
    vinyl.notes.push_back({0, plan.duration_s * 0.98, 60, 0.7f, 0, 0.5f});
    AddLastFade(plan, &vinyl);
    score.parts.push_back(vinyl);
  }
  score.mastering.glue = plan.genre.glue;
  score.mastering.warmth = plan.genre.warmth;
  score.mastering.width = plan.genre.width;
  score.mastering.tilt_db = plan.genre.tilt_db;
  return score;
}

}  // namespace grym
