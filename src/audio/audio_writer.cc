#include "audio/audio_writer.h"

#include <cmath>
#include <cstring>
#include <utility>

#include "audio/stream_header.h"
#include "base/format.h"
#include "base/fs.h"
#include "base/status.h"
#include "base/utf8.h"
#include "grymsynth/version.h"

namespace grym {
namespace {

absl::Status BadSave(std::string_view code, std::string_view message) {
  return Error(absl::StatusCode::kInvalidArgument, code, message);
}

absl::StatusOr<AudioContainer> ContainerOf(const std::filesystem::path& path, const SaveOptions& options) {
  std::string extension = path.extension().string();
  for (char& c : extension) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  if (!options.container) {
    if (extension == ".wav") return AudioContainer::kWav;
    if (extension == ".flac") return AudioContainer::kFlac;
    if (extension == ".ogg") return AudioContainer::kOggVorbis;
    return BadSave("unknown_extension", "\"" + Printable(path.string()) + "\": want .wav, .flac or .ogg, got \"" +
                                            Printable(extension) + "\"");
  }
  switch (*options.container) {
    case AudioContainer::kWav:
    case AudioContainer::kRf64: return AudioContainer::kWav;  // RF64 by itself where the size asks for it
    case AudioContainer::kFlac: return AudioContainer::kFlac;
    case AudioContainer::kOggVorbis: return AudioContainer::kOggVorbis;
    default: break;
  }
  return BadSave("unwritable_container", Formatted("container: want wav, flac or ogg, got %s",
                                                         AudioContainerName(*options.container).data()));
}

// Text that every one of our containers can carry: NUL ends a RIFF tag, and XML has no other control characters.
absl::Status CheckMetadata(const AudioMetadata& metadata) {
  const std::pair<const char*, const std::string*> fields[] = {
      {"title", &metadata.title},      {"prompt", &metadata.prompt},   {"seed", &metadata.seed},
      {"model", &metadata.model},      {"licence", &metadata.licence}, {"parameters", &metadata.parameters},
      {"software", &metadata.software}};
  for (const auto& [name, text] : fields) {
    if (static_cast<int64_t>(text->size()) > kMaxTagBytes) {
      return BadSave("bad_metadata",
                     Formatted("metadata.%s: want at most %d bytes, got %d", name, kMaxTagBytes, text->size()));
    }
    for (size_t i = 0; i < text->size(); ++i) {
      const auto c = static_cast<uint8_t>((*text)[i]);
      if ((c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7f) {
        return BadSave("bad_metadata",
                       Formatted("metadata.%s: want no control characters, got byte %d at %d", name, c, i));
      }
    }
    if (!IsUtf8(*text)) return BadSave("bad_metadata", Formatted("metadata.%s: want UTF-8", name));
  }
  return absl::OkStatus();
}

absl::Status CheckSave(const AudioBuffer& audio, AudioContainer container, const SaveOptions& options) {
  GRYM_RETURN_IF_ERROR(CheckMetadata(options.metadata));
  if (container == AudioContainer::kFlac && options.format == SampleFormat::kFloat32) {
    return BadSave("bad_sample_format", "format: want 16 or 24 bit for FLAC, got float");
  }
  if (container == AudioContainer::kFlac && audio.channels() > 8) {
    return BadSave("bad_audio_buffer", Formatted("channels: want at most 8 for FLAC, got %d", audio.channels()));
  }
  if (container == AudioContainer::kOggVorbis && !(options.ogg_quality >= 0 && options.ogg_quality <= 1)) {
    return BadSave("bad_ogg_quality", Formatted("ogg_quality: want 0 to 1, got %g", options.ogg_quality));
  }
  for (int c = 0; c < audio.channels(); ++c) {
    const auto samples = audio.channel(c);
    for (size_t i = 0; i < samples.size(); ++i) {
      if (std::isfinite(samples[i])) continue;
      return BadSave("not_finite", Formatted("audio: want finite samples, got %s in channel %d at frame %d",
                                                   std::isnan(samples[i]) ? "NaN" : "infinity", c, i));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status AudioWriteError(const std::filesystem::path& path, int cause) {
  return FileWriteError(path, "write failed", cause);
}

absl::Status SaveAudio(const std::filesystem::path& path, const AudioBuffer& audio, const SaveOptions& options,
                       const RunOptions& run) {
  GRYM_ASSIGN_OR_RETURN(const AudioContainer container, ContainerOf(path, options));
  GRYM_RETURN_IF_ERROR(CheckSave(audio, container, options));
  SaveOptions complete = options;
  if (complete.metadata.software.empty()) complete.metadata.software = std::string(SoftwareName());
  return WriteWhole(path, [&](const std::filesystem::path& temporary) -> absl::Status {
    if (container == AudioContainer::kWav) return WriteWav(temporary, audio, complete, run.cancel);
    GRYM_RETURN_IF_ERROR(WriteCoded(temporary, audio, container, complete, run.cancel));
    // An encoder that failed half-way may still have closed its file in peace.
    GRYM_ASSIGN_OR_RETURN(const AudioFileInfo written, ProbeAudioFile(temporary, AudioLimits{INT64_MAX, INT64_MAX}));
    if (written.frames == audio.frames()) return absl::OkStatus();
    return Error(absl::StatusCode::kInternal, "cannot_encode",
                 Formatted("\"%s\": want %d frames encoded, got %d", Printable(path.string()), audio.frames(),
                                 written.frames));
  });
}

}  // namespace grym
