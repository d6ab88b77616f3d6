#include "generation/humanise.h"

#include <algorithm>
#include <cmath>

#include "base/random.h"

namespace grym {

double SwungBeat(double beat, double swing, double swing_beats) {
  const double pair = 2 * swing_beats;
  const double whole = std::floor(beat / pair + 1e-9) * pair;
  const double inside = (beat - whole) / pair;  // [0, 1)
  const double warped = inside < 0.5 ? inside * 2 * swing : swing + (inside - 0.5) * 2 * (1 - swing);
  return whole + warped * pair;
}

InstrumentPart PlayPart(const PiecePlan& plan, const BeatGrid& grid, const DraftPart& draft) {
  InstrumentPart part = draft.head;
  const Genre& genre = plan.genre;
  Random random(plan.seed, "players " + part.stem + part.patch);
  const double spread_s = genre.timing_ms * 1e-3 * plan.humanise;
  const double velocity_spread = genre.velocity_spread * plan.humanise;
  double chord_beat = -1, chord_shift_s = 0;
  for (const DraftNote& note : draft.notes) {
    // Notes of one chord move together: one hand plays them.
    if (draft.role == Role::kDrums || std::abs(note.beat - chord_beat) > 1e-6) {
      chord_beat = note.beat;
      chord_shift_s = std::clamp(random.Normal(), -2.5, 2.5) * spread_s;
    }
    const double finger_s = random.Uniform(-0.2, 0.2) * spread_s;
    const bool backbeat = draft.role == Role::kDrums && (note.pitch == 37 || note.pitch == 38 || note.pitch == 39);
    const double lean_s = (draft.pull_ms + (backbeat ? genre.layback_ms : 0)) * 1e-3;
    const double start = grid.At(SwungBeat(note.beat, genre.swing, genre.swing_beats) + note.spread_beats);
    const double end = grid.At(SwungBeat(note.beat + note.beats, genre.swing, genre.swing_beats));
    ScoreNote played;
    played.start_s = std::max(0.0, start + chord_shift_s + finger_s + lean_s);
    if (played.start_s >= plan.duration_s) continue;
    played.duration_s = std::clamp(end - start, 0.02, std::max(0.02, plan.duration_s - played.start_s));
    played.pitch = std::clamp(note.pitch, 0, 127);
    const double strength = note.velocity * (1 + std::clamp(random.Normal(), -2.0, 2.0) * velocity_spread);
    played.velocity = static_cast<float>(std::clamp(strength, 0.04, 1.0));
    played.detail = static_cast<float>(std::clamp(note.detail + 0.1 * random.Normal(), 0.0, 1.0));
    played.glide_from = static_cast<float>(note.glide_from);
    part.notes.push_back(played);
  }
  std::stable_sort(part.notes.begin(), part.notes.end(), [](const ScoreNote& a, const ScoreNote& b) {
    return a.start_s != b.start_s ? a.start_s < b.start_s : a.pitch < b.pitch;
  });
  return part;
}

}  // namespace grym
