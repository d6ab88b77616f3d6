// WAV written by ourselves: the strict chunk layout and RF64 are simpler than steering a library to them.
#include <bit>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <limits>
#include <memory>
#include <vector>

#include "audio/audio_writer.h"
#include "audio/byte_order.h"
#include "audio/quantizer.h"
#include "audio/riff_tags.h"
#include "base/format.h"
#include "base/status.h"
#include "grymsynth/version.h"

namespace grym {
namespace {

int BytesOf(SampleFormat format) { return format == SampleFormat::kPcm16 ? 2 : format == SampleFormat::kPcm24 ? 3 : 4; }

// WAVE_FORMAT_EXTENSIBLE for more than two channels, else the plain form: Microsoft asks for the long one above 16 bits
// too, but readers of plain 24-bit files are everywhere.
std::string FormatChunk(SampleFormat format, int channels, int rate_hz) {
  const int bytes = BytesOf(format);
  const bool floating = format == SampleFormat::kFloat32;
  const bool extensible = channels > 2;
  std::string body;
  PutLittleEndian(body, extensible ? 0xfffe : floating ? 3 : 1, 2);
  PutLittleEndian(body, static_cast<uint64_t>(channels), 2);
  PutLittleEndian(body, static_cast<uint64_t>(rate_hz), 4);
  PutLittleEndian(body, static_cast<uint64_t>(rate_hz) * static_cast<uint64_t>(channels * bytes), 4);
  PutLittleEndian(body, static_cast<uint64_t>(channels * bytes), 2);
  PutLittleEndian(body, static_cast<uint64_t>(bytes) * 8, 2);
  if (extensible) {
    // Speakers by the usual order where it has a name for all of them, else none.
    const uint64_t speakers = channels == 3   ? 0x7
                              : channels == 4 ? 0x33
                              : channels == 6 ? 0x3f
                              : channels == 8 ? 0x63f
                                              : 0;
    PutLittleEndian(body, 22, 2);
    PutLittleEndian(body, static_cast<uint64_t>(bytes) * 8, 2);
    PutLittleEndian(body, speakers, 4);
    PutLittleEndian(body, floating ? 3 : 1, 2);
    body += std::string("\x00\x00\x00\x00\x10\x00\x80\x00\x00\xaa\x00\x38\x9b\x71", 14);
  } else if (floating) {
    PutLittleEndian(body, 0, 2);  // no extension, but its size must be there for anything but PCM
  }
  std::string chunk = "fmt ";
  PutLittleEndian(chunk, body.size(), 4);
  return chunk + body;
}

std::string FactChunk(int64_t frames) {
  std::string chunk = "fact";
  PutLittleEndian(chunk, 4, 4);
  PutLittleEndian(chunk, static_cast<uint64_t>(std::min<int64_t>(frames, 0xffffffff)), 4);
  return chunk;
}

}  // namespace

std::string WavHeader(const AudioMetadata& metadata, SampleFormat format, int channels, int rate_hz, int64_t frames) {
  const char* layout = channels == 1 ? "mono" : channels == 2 ? "stereo" : "multichannel";
  const std::string history = Formatted("A=PCM,F=%d,W=%d,M=%s,T=%s\r\n", rate_hz, 8 * BytesOf(format), layout,
                                              std::string(SoftwareName()));
  std::string chunks = BextChunk(metadata, history) + FormatChunk(format, channels, rate_hz);
  if (format == SampleFormat::kFloat32) chunks += FactChunk(frames);
  chunks += InfoChunk(metadata) + IxmlChunk(metadata);
  const int64_t data_bytes = frames * channels * BytesOf(format);
  // Header, chunks, the head of the data and its pad byte.
  const int64_t riff_bytes = 4 + static_cast<int64_t>(chunks.size()) + 8 + data_bytes + data_bytes % 2;
  const bool wide = riff_bytes > std::numeric_limits<uint32_t>::max();
  std::string header = wide ? "RF64" : "RIFF";
  PutLittleEndian(header, wide ? 0xffffffff : static_cast<uint64_t>(riff_bytes), 4);
  header += "WAVE";
  if (wide) {
    header += "ds64";
    PutLittleEndian(header, 28, 4);
    PutLittleEndian(header, static_cast<uint64_t>(riff_bytes + 36), 8);
    PutLittleEndian(header, static_cast<uint64_t>(data_bytes), 8);
    PutLittleEndian(header, static_cast<uint64_t>(frames), 8);
    PutLittleEndian(header, 0, 4);
  }
  header += chunks + "data";
  PutLittleEndian(header, wide ? 0xffffffff : static_cast<uint64_t>(data_bytes), 4);
  return header;
}

absl::Status WriteWav(const std::filesystem::path& path, const AudioBuffer& audio, const SaveOptions& options,
                      const CancelToken& cancel) {
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.string().c_str(), "wb"), &std::fclose);
  if (!file) return AudioWriteError(path, errno);
  const auto put = [&](const std::string& bytes) {
    return std::fwrite(bytes.data(), 1, bytes.size(), file.get()) == bytes.size();
  };
  const int channels = audio.channels();
  if (!put(WavHeader(options.metadata, options.format, channels, audio.rate_hz(), audio.frames())))
    return AudioWriteError(path, errno);
  const int bytes_per_sample = BytesOf(options.format);
  Quantizer quantizer(audio, options.format == SampleFormat::kPcm24 ? 24 : 16,
                      options.dither && options.format != SampleFormat::kFloat32, options.dither_seed);
  constexpr int64_t kStepFrames = 8192;
  std::vector<int32_t> integers;
  std::string bytes;
  for (int64_t start = 0; start < audio.frames(); start += kStepFrames) {
    GRYM_RETURN_IF_ERROR(cancel.Check());
    const int64_t frames = std::min(kStepFrames, audio.frames() - start);
    integers.resize(static_cast<size_t>(frames * channels));
    if (options.format == SampleFormat::kFloat32) {
      for (int c = 0; c < channels; ++c) {
        const auto from = audio.channel(c).subspan(static_cast<size_t>(start), static_cast<size_t>(frames));
        for (size_t i = 0; i < from.size(); ++i)
          integers[i * static_cast<size_t>(channels) + static_cast<size_t>(c)] = std::bit_cast<int32_t>(from[i]);
      }
    } else {
      quantizer.Next(integers);
    }
    bytes.clear();
    for (const int32_t value : integers) PutLittleEndian(bytes, static_cast<uint32_t>(value), bytes_per_sample);
    if (!put(bytes)) return AudioWriteError(path, errno);
  }
  if (audio.frames() * channels * bytes_per_sample % 2 != 0 && !put(std::string(1, '\0')))
    return AudioWriteError(path, errno);
  return std::fclose(file.release()) == 0 ? absl::OkStatus() : AudioWriteError(path, errno);
}

}  // namespace grym
