// The header of an audio file, read and checked by ourselves before any decoder sees the file.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "audio/source_file.h"
#include "grymsynth/audio_file.h"

namespace grym {

// Longest text tag that is kept; a longer one is left out. Source: reliability table of limits.
inline constexpr int64_t kMaxTagBytes = 64 << 10;

// How far what an MP3 decodes to may lie from what its frames add up to: decoders differ in the first and last frame.
inline constexpr int64_t kMp3ToleranceFrames = 2 * 1152;

// Streams joined in one file, and stretches of one stream between tags: a day of radio has less than this.
inline constexpr size_t kMaxJoinedStreams = 4096;

struct StreamHeader {
  AudioFileInfo info;
  // What is decoded, one after the other: several for files that were joined (a chained OGG, MP3 after MP3), none for
  // zero frames. All of one kind, rate and number of channels.
  std::vector<SourceView> views;
  // How far the decoded length of a view may lie from its part of info.frames: kMp3ToleranceFrames for MP3, else 0.
  int64_t frame_tolerance = 0;
};

// Told apart by content. InvalidArgument (code "not_audio") for anything else; Unimplemented (code
// "unsupported_audio") for audio of a kind that is not read; DataLoss (code "damaged_audio") for a cut-off or lying
// file. Every size is compared with the file's before it is used.
absl::StatusOr<StreamHeader> ReadStreamHeader(const SourceFile& file);

// One per container. The file's first bytes are known to fit.
absl::StatusOr<StreamHeader> ReadWavHeader(const SourceFile& file);
absl::StatusOr<StreamHeader> ReadAiffHeader(const SourceFile& file);
absl::StatusOr<StreamHeader> ReadFlacHeader(const SourceFile& file);
absl::StatusOr<StreamHeader> ReadOggHeader(const SourceFile& file);
absl::StatusOr<StreamHeader> ReadMp3Header(const SourceFile& file);

// Errors that name the file.
absl::Status NotAudio(const SourceFile& file, std::string_view message);
absl::Status DamagedAudio(const SourceFile& file, std::string_view message);
absl::Status UnsupportedAudio(const SourceFile& file, std::string_view message);
// DataLoss unless there are 1-32 channels at 1-768 kHz.
absl::Status CheckStreamShape(const SourceFile& file, int64_t channels, int64_t rate_hz);

}  // namespace grym
