// Bytes as a MIDI file. What is read can be written, and reads back as the same number of notes.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "grymsynth/midi.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto midi = grym::ParseMidi(std::string_view(reinterpret_cast<const char*>(data), size));
  if (!midi.ok()) return 0;
  const auto bytes = grym::SerializeMidi(*midi);
  if (!bytes.ok()) return 0;  // a file may hold more than we write: 1,024 tracks of its own, tempi below 3.6
  const auto again = grym::ParseMidi(*bytes);
  if (!again.ok()) {
    if (again.status().code() != absl::StatusCode::kResourceExhausted &&
        again.status().code() != absl::StatusCode::kDataLoss)
      std::abort();
    return 0;
  }
  if (again->notes.size() != midi->notes.size()) std::abort();
  return 0;
}
