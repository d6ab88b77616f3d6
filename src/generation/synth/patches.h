// The instruments by name, and the settings a score may change on them.
#pragma once
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace grym {

// One instrument. Played at velocity 0.8 in its register with gain 0 it is about -23 LUFS (a groove for a kit).
struct PatchInfo {
  std::string name;    // "bass_acid"
  std::string family;  // "drums", "bass", "keys", "pad", "pluck", "lead", "fx"
  int midi_program = 0;
  int low = 36, high = 84;  // MIDI pitches of its normal register
  bool sustained = false;   // sounds as long as a note is held
  std::string description;
};

struct PatchSetting {
  std::string name;
  float low, high;
  std::string description;  // what it does, on which patches
};

// Never empty, in a fixed order; lives as long as the program.
std::span<const PatchInfo> Patches();
const PatchInfo* FindPatch(std::string_view name);  // nullptr for an unknown one
std::span<const PatchSetting> PatchSettings();

// InvalidArgument: "unknown_patch", "unknown_setting" (names the legal ones), "bad_setting" for a value out of range.
absl::Status CheckPatch(std::string_view name, const std::map<std::string, float>& settings);

}  // namespace grym
