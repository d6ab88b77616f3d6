// Standard MIDI Files: the notes, tempi and metres of a piece, read and written.
#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grymsynth/export.h"

namespace grym {

struct MidiNote {
  double start_s = 0;
  double duration_s = 0;
  int pitch = 60;     // [0, 127], 60 = middle C, 69 = A4
  int velocity = 64;  // [1, 127]
  int channel = 0;    // [0, 15]; 9 is percussion
  int track = 0;      // index into Midi::tracks
};

struct MidiTrack {
  std::string name;
  int program = 0;  // General MIDI program of the first program change, [0, 127]
};

struct MidiTempo {
  double time_s = 0;
  double tempo_bpm = 120;  // quarter notes a minute
};

struct MidiMeter {
  double time_s = 0;
  int numerator = 4;
  int denominator = 4;
};

// A piece. Notes are sorted by start, then pitch.
struct Midi {
  int ticks_per_quarter = 480;
  std::vector<MidiTrack> tracks;
  std::vector<MidiNote> notes;
  std::vector<MidiTempo> tempi;   // empty: 120 throughout
  std::vector<MidiMeter> meters;  // empty: 4/4 throughout
  double duration_s = 0;          // end of the last note or event
};

// Formats 0 and 1, ticks per quarter (SMPTE time code is Unimplemented). Limits: 16 MiB, 1,024 tracks, 4 million
// events, 24 hours. DataLoss names the byte offset of what is wrong.
GRYM_EXPORT absl::StatusOr<Midi> ParseMidi(std::string_view bytes);
GRYM_EXPORT absl::StatusOr<Midi> LoadMidi(const std::filesystem::path& path);
// Format 1: a conductor track, then one per MidiTrack. InvalidArgument names the note that is out of range.
GRYM_EXPORT absl::StatusOr<std::string> SerializeMidi(const Midi& midi);
// Written whole or not at all.
GRYM_EXPORT absl::Status SaveMidi(const std::filesystem::path& path, const Midi& midi);

}  // namespace grym
