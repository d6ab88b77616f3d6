// Metadata in a WAV file: RIFF INFO, bext (EBU Tech 3285 version 1) and iXML, written and read back.
#pragma once
#include <string>
#include <string_view>

#include "grymsynth/audio_file.h"

namespace grym {

// Whole chunks with their heads, padded to even length. The order in the file: bext, fmt, LIST INFO, iXML, data.
std::string BextChunk(const AudioMetadata& metadata, std::string_view coding_history);
std::string InfoChunk(const AudioMetadata& metadata);
std::string IxmlChunk(const AudioMetadata& metadata);

// Fill `metadata` from a chunk's body (without its head). INFO gives title, licence and software; our element in iXML
// gives every field exactly and wins.
void ReadInfoBody(std::string_view body, AudioMetadata& metadata);
void ReadIxmlBody(std::string_view body, AudioMetadata& metadata);

}  // namespace grym
