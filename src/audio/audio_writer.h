// Writers of one container each, to a path that WriteWhole puts in place. The audio is finite and within limits.
#pragma once
#include <cstdint>
#include <filesystem>
#include <string>

#include "absl/status/status.h"
#include "grymsynth/audio_file.h"

namespace grym {

// Everything of a WAV file before its samples. RF64 (EBU Tech 3306) with a ds64 chunk where 32 bits do not hold the
// sizes.
std::string WavHeader(const AudioMetadata& metadata, SampleFormat format, int channels, int rate_hz, int64_t frames);
absl::Status WriteWav(const std::filesystem::path& path, const AudioBuffer& audio, const SaveOptions& options,
                      const CancelToken& cancel);
// FLAC and OGG Vorbis.
absl::Status WriteCoded(const std::filesystem::path& path, const AudioBuffer& audio, AudioContainer container,
                        const SaveOptions& options, const CancelToken& cancel);

// What a write that failed is told as; `cause` is an errno value.
absl::Status AudioWriteError(const std::filesystem::path& path, int cause);

}  // namespace grym
