// A piece while it is written: notes in beats, before the players touch them.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "generation/form.h"
#include "generation/genre.h"
#include "generation/harmony.h"
#include "generation/score.h"

namespace grym {

struct DraftNote {
  double beat = 0;
  double beats = 1;
  int pitch = 60;
  double velocity = 0.8;
  double spread_beats = 0;  // strummed or rolled: this much later than the beat
  double detail = 0;
  double glide_from = 0;
};

struct DraftPart {
  InstrumentPart head;           // everything but the notes
  Role role = Role::kChords;
  double pull_ms = 0;       // lies behind (positive) or ahead of the beat
  std::vector<DraftNote> notes;
};

// What patterns or a MIDI file bring along.
struct Material {
  std::vector<ChordTones> chords;     // one loop
  double chord_beats = 4;
  std::vector<int> motif;             // semitones from its first note
  std::vector<double> motif_beats;    // per note of the motif
  double quoted_share = 1;            // of the phrases that state the motif, [0, 1], evenly spread
  std::string grid;                   // a rhythm as steps ('X', 'x', '.'), a bar
  double tempo_bpm = 0;
  int meter = 0;
  bool has_key = false;
  MusicalKey key;
};

// Everything decided before the first note is written.
struct PiecePlan {
  uint64_t seed = 0;
  Genre genre;                        // a copy, fitted to the request
  double tempo_bpm = 120;
  MusicalKey key;
  int meter = 4;
  double duration_s = 8;
  int bars = 4;                       // before the last chord, which sounds in bar `bars`
  double body_beats = 16;             // the last chord's beat; less than bars * meter in very short pieces
  std::vector<std::string> names;     // of the sections
  std::vector<FormSection> form;
  double adventure = 1;               // [0, 2]: temperature
  double humanise = 1;                // scales timing and velocity spread
  double cutoff = 1;                  // brightness
  double energy_shift = 0;
  Material material;
  std::vector<std::string> warnings;

  double beat_s() const { return 60.0 / tempo_bpm; }
  int steps_per_bar() const { return meter * 4; }
  const FormSection& SectionAt(double beat) const;
};

// The symbol of `figure` at sixteenth `step` of bar `bar` counted from the section's start; figures of one bar repeat,
// longer ones run on, and in a metre of three a bar of four gives up its last beat.
char FigureStep(const char* figure, int bar, int step, int steps_per_bar);
// How many sixteenths the symbol at `step` holds: itself and the '-' that follow in this bar.
int FigureHold(const char* figure, int bar, int step, int steps_per_bar);

}  // namespace grym
