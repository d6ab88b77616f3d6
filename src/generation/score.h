// The score: what the composer writes and the synthesiser plays. Times are seconds, humanised already.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "grymsynth/midi.h"

namespace grym {

struct ScoreNote {
  double start_s = 0;
  double duration_s = 0;   // until note-off; the patch's release follows
  int pitch = 60;  // MIDI; for drum patches the General MIDI percussion key (36 kick, 38 snare, 42 closed hat, ...)
  float velocity = 0.8f;   // (0, 1]
  float glide_from = 0;    // semitones relative to pitch at the note's start, 0 for none
  float detail = 0;        // [0, 1], patch-specific brightness or articulation of this one note
};

// A breakpoint curve, linear between points; constant before the first and after the last.
struct Automation {
  std::string target;  // "gain_db", "cutoff" (multiplier), "pan", "reverb_db"
  std::vector<std::pair<double, float>> points;  // seconds, value
};

struct InstrumentPart {
  std::string stem;         // "drums", "bass", "chords", "lead", "pad", "arp", ...; parts of one name share a stem
  std::string patch;        // a name that synth.h knows; unknown ones are InvalidArgument
  std::map<std::string, float> settings;  // patch parameters by name: "cutoff_hz", "drive", ...
  float gain_db = 0;
  float pan = 0;            // [-1, 1]
  float reverb_db = -60;    // send levels; -60 and below is off
  float delay_db = -60;
  bool sidechain = false;   // ducked by the kick
  std::vector<ScoreNote> notes;
  std::vector<Automation> automation;
  int midi_program = 0;
  int midi_channel = 0;     // 9 for drums
};

struct ScoreSection {
  std::string name;   // "intro", "verse", "A", ...
  double start_s = 0, end_s = 0;
  int first_bar = 0, bars = 0;
  float energy = 0.5f;  // [0, 1]
};

struct Mastering {
  double target_lufs = -16;
  double true_peak_dbtp = -1;
  float tilt_db = 0;          // high shelf against low shelf
  float glue = 0.5f;          // [0, 1] bus compression
  float width = 1;            // 1 leaves the image
  float warmth = 0.2f;        // [0, 1] soft saturation
};

struct Score {
  int rate_hz = 44100;
  double duration_s = 0;      // of the audio that is rendered, tail included
  double tempo_bpm = 120;
  int meter = 4;
  std::string key;            // "A minor"
  std::string genre;
  double delay_s = 0.375;     // time of the delay send
  float reverb_seconds = 1.6f;
  std::vector<double> beats_s;   // metrical grid, not humanised
  std::vector<ScoreSection> sections;
  std::vector<InstrumentPart> parts;
  Mastering mastering;
};

// As a MIDI file with named tracks, the tempo and the metre.
Midi ScoreToMidi(const Score& score);

}  // namespace grym
