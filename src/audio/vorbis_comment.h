// Vorbis comments, as FLAC and OGG carry them. Source: Xiph.org Vorbis I specification, section 5.
#pragma once
#include <string>
#include <string_view>

#include "grymsynth/audio_file.h"

namespace grym {

// Vendor and "KEY=value" fields, without Vorbis' framing bit.
std::string VorbisCommentBody(const AudioMetadata& metadata);
// Fills what is there; false if the sizes inside do not fit the body.
bool ReadVorbisComment(std::string_view body, AudioMetadata& metadata);

}  // namespace grym
