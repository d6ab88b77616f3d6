// The instruments that words name, and what each is in a piece.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "generation/genre.h"

namespace grym {

struct Instrument {
  const char* word = "";   // lower case, singular
  Role role = Role::kChords;
  const char* patch = "";  // "" for a part as such: "bass", "drums", "lead"
  int midi_program = 0;
};

const std::vector<Instrument>& AllInstruments();
// By word, lower case, plural allowed; nullptr when unknown.
const Instrument* FindInstrument(std::string_view word);
// General MIDI program of a patch.
int MidiProgramOf(std::string_view patch);

}  // namespace grym
