#include "generation/score.h"

#include <algorithm>
#include <cmath>

namespace grym {

Midi ScoreToMidi(const Score& score) {
  Midi midi;
  midi.tempi.push_back({0, score.tempo_bpm});
  midi.meters.push_back({0, score.meter, 4});
  for (size_t p = 0; p < score.parts.size(); ++p) {
    const InstrumentPart& part = score.parts[p];
    midi.tracks.push_back({part.stem.empty() ? part.patch : part.stem, std::clamp(part.midi_program, 0, 127)});
    for (const ScoreNote& note : part.notes) {
      MidiNote out;
      out.start_s = note.start_s;
      out.duration_s = note.duration_s;
      out.pitch = std::clamp(note.pitch, 0, 127);
      out.velocity = std::clamp(static_cast<int>(std::lround(127 * note.velocity)), 1, 127);
      out.channel = std::clamp(part.midi_channel, 0, 15);
      out.track = static_cast<int>(p);
      midi.notes.push_back(out);
      midi.duration_s = std::max(midi.duration_s, out.start_s + out.duration_s);
    }
  }
  std::stable_sort(midi.notes.begin(), midi.notes.end(), [](const MidiNote& a, const MidiNote& b) {
    return a.start_s != b.start_s ? a.start_s < b.start_s : a.pitch < b.pitch;
  });
  return midi;
}

}  // namespace grym
