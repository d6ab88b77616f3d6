#include "audio/stream_header.h"

#include "base/format.h"
#include "base/status.h"

namespace grym {

std::string_view AudioContainerName(AudioContainer container) {
  switch (container) {
    case AudioContainer::kWav: return "wav";
    case AudioContainer::kRf64: return "rf64";
    case AudioContainer::kAiff: return "aiff";
    case AudioContainer::kFlac: return "flac";
    case AudioContainer::kOggVorbis: return "ogg";
    case AudioContainer::kOggOpus: return "opus";
    case AudioContainer::kMp3: return "mp3";
  }
  return "unknown";
}

absl::Status NotAudio(const SourceFile& file, std::string_view message) {
  return Error(absl::StatusCode::kInvalidArgument, "not_audio", file.name() + ": " + std::string(message));
}

absl::Status DamagedAudio(const SourceFile& file, std::string_view message) {
  return Error(absl::StatusCode::kDataLoss, "damaged_audio", file.name() + ": " + std::string(message));
}

absl::Status UnsupportedAudio(const SourceFile& file, std::string_view message) {
  return Error(absl::StatusCode::kUnimplemented, "unsupported_audio", file.name() + ": " + std::string(message));
}

absl::Status CheckStreamShape(const SourceFile& file, int64_t channels, int64_t rate_hz) {
  if (channels < 1 || channels > AudioBuffer::kMaxChannels) {
    return DamagedAudio(file, Formatted("channels: want 1 to %d, got %d", AudioBuffer::kMaxChannels, channels));
  }
  if (rate_hz < AudioBuffer::kMinRateHz || rate_hz > AudioBuffer::kMaxRateHz) {
    return DamagedAudio(file, Formatted("sample rate: want %d to %d Hz, got %d", AudioBuffer::kMinRateHz,
                                              AudioBuffer::kMaxRateHz, rate_hz));
  }
  return absl::OkStatus();
}

absl::StatusOr<StreamHeader> ReadStreamHeader(const SourceFile& file) {
  const std::string head = file.ReadString(0, 12);
  const auto at = [&](size_t offset, std::string_view magic) { return head.compare(offset, magic.size(), magic) == 0; };
  if (head.empty()) return NotAudio(file, "the file is empty");
  if (head.size() >= 12 && (at(0, "RIFF") || at(0, "RF64") || at(0, "RIFX")) && at(8, "WAVE"))
    return ReadWavHeader(file);
  if (head.size() >= 12 && at(0, "FORM") && (at(8, "AIFF") || at(8, "AIFC"))) return ReadAiffHeader(file);
  if (head.size() >= 4 && at(0, "fLaC")) return ReadFlacHeader(file);
  if (head.size() >= 4 && at(0, "OggS")) return ReadOggHeader(file);
  const bool sync =
      head.size() >= 2 && static_cast<uint8_t>(head[0]) == 0xff && (static_cast<uint8_t>(head[1]) & 0xe0) == 0xe0;
  if ((head.size() >= 3 && at(0, "ID3")) || sync) return ReadMp3Header(file);
  // A file cut within its first twelve bytes is still told as what it was.
  for (const char* magic : {"RIFF", "RF64", "FORM", "fLaC", "OggS"}) {
    const size_t shared = head.size() < 4 ? head.size() : 4;
    if (head.size() < 12 && head.compare(0, shared, magic, shared) == 0) {
      return DamagedAudio(file, Formatted("cut off after %d bytes, within the header", file.size()));
    }
  }
  return NotAudio(file, "want WAV, RF64, AIFF, FLAC, OGG (Vorbis, Opus) or MP3, got bytes that start with \"" +
                            Printable(head.substr(0, 4)) + "\"");
}

}  // namespace grym
