// A genre as data: tempo, feel, chords, grooves, parts and mix. One table per genre in generation/genres/.
//
// Steps are sixteenths; a string of 16 (12 in 3/4) is a bar, 32 two bars; a bar of another length repeats or is cut.
// Drums:    X accent, x hit, o soft, ? soft and now and then, . nothing.
// Bass:     R root, r soft root, O octave, F fifth, T third, S seventh, L step into the next chord, W walks, - holds.
// Chords:   X accent, x chord, o soft, D U strums, B bass note, 0-7 one voice of the chord, ~ the chord while it
//           lasts, - holds, . rests.
// Lead:     X accent, x note, - holds, . rests.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace grym {

enum class Role { kDrums, kBass, kChords, kPad, kArp, kLead, kEffects };
std::string_view RoleName(Role role);  // "drums", "bass", ...

struct DrumLine {
  int key;            // General MIDI percussion
  const char* steps;
};

struct Groove {
  double energy;      // plays where the section's energy is at least this; the highest that fits is taken
  std::vector<DrumLine> lines;
};

struct PartTable {
  Role role = Role::kChords;
  const char* stem = "chords";
  std::vector<const char*> patches;  // the seed chooses
  std::vector<const char*> figures;  // the seed chooses one per section letter
  int low = 48, high = 72;           // MIDI pitches
  int voices = 4;
  double gain_db = 0, pan = 0, reverb_db = -18, delay_db = -60;
  bool sidechain = false;
  double enters = 0, leaves = 2;     // plays where enters <= energy <= leaves
  double cutoff = 1;                 // brightness, a multiplier on the patch's own
};

enum class FormFamily { kDance, kSong, kHead, kFlow };
enum class LeadScale { kDiatonic, kPentatonic, kBlues };

struct Genre {
  const char* name = "";
  std::vector<const char*> words;    // in prompts, beside the name
  double tempo_low = 100, tempo_high = 120;
  int meter = 4;
  double swing = 0.5;                // share of the first of two steps; 0.5 is straight
  double swing_beats = 0.5;          // length of a step that swings
  double minor_chance = 0.5;
  std::vector<const char*> major, minor;  // progressions: a bar per word, "a_b" two chords in a bar
  const char* cadence = "V7";        // before the last chord; "" for none
  LeadScale lead_scale = LeadScale::kDiatonic;
  FormFamily form = FormFamily::kSong;
  int phrase_bars = 4;
  const char* kit = "";              // "" for no drums
  double drums_gain_db = 0, drums_reverb_db = -22;
  std::vector<Groove> grooves;
  bool fills = true;
  std::vector<PartTable> parts;
  bool risers = false;               // risers, sweeps and impacts between sections
  bool vinyl = false;                // record noise
  double timing_ms = 5;              // standard deviation of the players
  double layback_ms = 0;             // how late snare and chords lie
  double velocity_spread = 0.08;
  double reverb_seconds = 1.6;
  double delay_beats = 0.75;
  float glue = 0.5f, warmth = 0.2f, width = 1.0f, tilt_db = 0;
};

const std::vector<Genre>& DanceGenres();     // house, techno, drum and bass, synthwave
const std::vector<Genre>& BeatGenres();      // hip hop, lo-fi, funk, reggae
const std::vector<Genre>& BandGenres();      // pop, rock, metal, blues
const std::vector<Genre>& AcousticGenres();  // jazz, classical, waltz, ambient
// All of them, in that order.
const std::vector<const Genre*>& AllGenres();
// By name or word, lower case; nullptr when unknown.
const Genre* FindGenre(std::string_view name);

}  // namespace grym
