#include "generation/instruments.h"

namespace grym {

const std::vector<Instrument>& AllInstruments() {
  static const std::vector<Instrument> instruments = {
      // Longer words first: a prompt is searched in this order.
      {"electric piano", Role::kChords, "epiano", 4}, {"rhodes", Role::kChords, "epiano", 4},
      {"wurlitzer", Role::kChords, "epiano", 4},      {"epiano", Role::kChords, "epiano", 4},
      {"grand piano", Role::kChords, "piano", 0},     {"piano", Role::kChords, "piano", 0},
      {"clavinet", Role::kChords, "clav", 7},         {"clav", Role::kChords, "clav", 7},
      {"organ", Role::kChords, "organ", 16},          {"music box", Role::kArp, "music_box", 10},
      {"vibraphone", Role::kLead, "vibes", 11},       {"vibe", Role::kLead, "vibes", 11},
      {"bell", Role::kArp, "bell_fm", 14},            {"celesta", Role::kArp, "music_box", 8},
      {"distorted guitar", Role::kChords, "guitar_distorted", 30},
      {"nylon guitar", Role::kChords, "guitar_nylon", 24},
      {"classical guitar", Role::kChords, "guitar_nylon", 24},
      {"acoustic guitar", Role::kChords, "guitar_steel", 25},
      {"steel guitar", Role::kChords, "guitar_steel", 25},
      {"electric guitar", Role::kChords, "guitar_clean", 27},
      {"clean guitar", Role::kChords, "guitar_clean", 27},
      {"guitar", Role::kChords, "guitar_steel", 25},  {"upright bass", Role::kBass, "bass_upright", 32},
      {"double bass", Role::kBass, "bass_upright", 32}, {"sub bass", Role::kBass, "bass_sub", 38},
      {"acid bass", Role::kBass, "bass_acid", 38},    {"reese bass", Role::kBass, "bass_reese", 39},
      {"reese", Role::kBass, "bass_reese", 39},       {"fm bass", Role::kBass, "bass_fm", 39},
      {"synth bass", Role::kBass, "bass_saw", 38},    {"bass guitar", Role::kBass, "bass_finger", 33},
      {"electric bass", Role::kBass, "bass_finger", 33}, {"bassline", Role::kBass, "", 33},
      {"bass", Role::kBass, "", 33},                  {"violin", Role::kLead, "strings", 40},
      {"cello", Role::kLead, "strings", 42},          {"string", Role::kPad, "strings", 48},
      {"choir", Role::kPad, "choir", 52},             {"vocal", Role::kPad, "choir", 52},
      {"supersaw", Role::kPad, "supersaw", 81},       {"synth pad", Role::kPad, "pad_warm", 89},
      {"pad", Role::kPad, "", 89},                    {"harp", Role::kArp, "harp", 46},
      {"pluck", Role::kArp, "pluck", 45},             {"arpeggio", Role::kArp, "", 81},
      {"arp", Role::kArp, "", 81},                    {"arpeggiator", Role::kArp, "", 81},
      {"flute", Role::kLead, "flute", 73},            {"saxophone", Role::kLead, "sax", 66},
      {"sax", Role::kLead, "sax", 66},                {"trumpet", Role::kLead, "brass", 56},
      {"horn", Role::kLead, "brass", 61},             {"brass", Role::kLead, "brass", 61},
      {"whistle", Role::kLead, "whistle", 78},        {"synth lead", Role::kLead, "lead_saw", 81},
      {"lead", Role::kLead, "", 81},                  {"melody", Role::kLead, "", 81},
      {"synth", Role::kLead, "lead_saw", 81},         {"chord", Role::kChords, "", 0},
      {"key", Role::kChords, "epiano", 4},            {"keyboard", Role::kChords, "epiano", 4},
      {"808", Role::kDrums, "kit_808", 0},            {"909", Role::kDrums, "kit_909", 0},
      {"brush", Role::kDrums, "kit_brush", 0},        {"drum machine", Role::kDrums, "kit_909", 0},
      {"acoustic drum", Role::kDrums, "kit_acoustic", 0}, {"percussion", Role::kDrums, "", 0},
      {"drum", Role::kDrums, "", 0},                  {"beat", Role::kDrums, "", 0},
      {"vinyl", Role::kEffects, "vinyl", 122},        {"riser", Role::kEffects, "riser", 97},
      {"effect", Role::kEffects, "", 97}};
  return instruments;
}

const Instrument* FindInstrument(std::string_view word) {
  for (int pass = 0; pass < 3; ++pass) {  // as it stands, then without a plural "s" or "es"
    for (const Instrument& instrument : AllInstruments()) {
      if (word == instrument.word) return &instrument;
    }
    if (word.size() < 4 || word.back() != 's') return nullptr;
    word.remove_suffix(1);
    if (pass == 1 && !word.empty() && word.back() == 'e') word.remove_suffix(1);
  }
  return nullptr;
}

int MidiProgramOf(std::string_view patch) {
  if (patch == "lead_square") return 80;
  if (patch == "lead_soft") return 85;
  if (patch == "pad_glass") return 92;
  for (const Instrument& instrument : AllInstruments()) {
    if (patch == instrument.patch) return instrument.midi_program;
  }
  return 0;
}

}  // namespace grym
