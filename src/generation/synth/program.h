// A patch as the synthesiser sees it: how its voices are made and what its part's signal then passes through.
#pragma once
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "generation/synth/drums.h"
#include "generation/synth/fm.h"
#include "generation/synth/modal.h"
#include "generation/synth/patches.h"
#include "generation/synth/pluck.h"
#include "generation/synth/subtractive.h"
#include "generation/synth/texture.h"

namespace grym::synth {

enum class Formant { kNone, kChoir, kSax, kBrass, kClav };

// In the order of the signal. Zero is off.
struct ChainSpec {
  Formant formant = Formant::kNone;
  float drive = 0;       // [0, 1]: up to 30 dB into a soft clipper
  bool cabinet = false;  // guitar speaker after the drive
  float low_cut_hz = 0, high_cut_hz = 0;
  float chorus = 0;  // [0, 1]
  float rotor = 0;   // [0, 1]: rotating speaker
  float tremolo = 0, tremolo_hz = 5.5f;
  float width = 1;  // of the stereo image
  float mono_below_hz = 0;
  float duck = 0.65f;  // depth of the side chain, when the part asks for it
};

struct Program {
  PatchInfo info;
  float level_db = 0;
  ChainSpec chain;
  std::variant<SubtractiveSpec, FmSpec, PluckSpec, ModalSpec, DrumKit, TextureSpec> sound;
  float tune = 0;    // semitones
  float length = 1;  // multiplier of drum decays
};

std::vector<Program> DrumPrograms();
std::vector<Program> BassPrograms();
std::vector<Program> KeysPrograms();
std::vector<Program> PadPrograms();
std::vector<Program> StringPrograms();
std::vector<Program> LeadPrograms();
std::vector<Program> TexturePrograms();

// A copy of the patch with the settings applied. Errors as CheckPatch.
absl::StatusOr<Program> MakeProgram(std::string_view name, const std::map<std::string, float>& settings);

// nullptr for a drum key that the kit does not have. `program` must outlive the voice.
std::unique_ptr<Voice> MakeVoice(const Program& program, const NoteInfo& note);

}  // namespace grym::synth
