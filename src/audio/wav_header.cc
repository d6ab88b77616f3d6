// RIFF/WAVE, RIFX and RF64 (EBU Tech 3306): chunks walked by us; the decoder sees a header that we wrote.
#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>

#include "audio/byte_order.h"
#include "audio/riff_tags.h"
#include "audio/stream_header.h"
#include "base/format.h"
#include "base/status.h"

namespace grym {
namespace {

constexpr int64_t kMaxChunks = 100000;
constexpr int64_t kMaxTagChunkBytes = 4 << 20;  // seven tags of 64 KiB, escaped, and room
constexpr uint32_t kSizeIn64 = 0xffffffff;      // RF64: "see ds64"

// What a program that writes to a pipe puts for a size that it cannot know yet: all ones (ffmpeg), 2^31 less a header
// (sox, arecord), or 0 where it meant to come back. A file so close to 2^31 that is really cut passes for one of them.
bool IsUnknownSize(int64_t bytes) {
  return bytes >= 0xffff0000 || (bytes >= 0x7fff0000 && bytes <= int64_t{0x80000000});
}

constexpr uint16_t kWavPcm = 1, kWavFloat = 3, kWavALaw = 6, kWavMuLaw = 7, kWavExtensible = 0xfffe;

struct WavChunks {
  bool rf64 = false, big_endian = false;
  bool to_the_end = false;  // the data have no size, they reach as far as the file
  std::string format;
  int64_t data_begin = -1, data_bytes = 0, ds64_data_bytes = -1;
  AudioMetadata metadata;
};

uint64_t WavNumber(const WavChunks& chunks, std::string_view bytes, size_t offset, int count) {
  return chunks.big_endian ? BigEndian(bytes, offset, count) : LittleEndian(bytes, offset, count);
}

absl::Status TakeWavChunk(const SourceFile& file, std::string_view id, int64_t begin, int64_t bytes,
                          WavChunks& chunks) {
  if (id == "ds64" && chunks.rf64) {
    const std::string body = file.ReadString(begin, 28);
    if (body.size() < 24) return DamagedAudio(file, "ds64: the chunk is too short");
    chunks.ds64_data_bytes = static_cast<int64_t>(LittleEndian(body, 8, 8));
    if (chunks.ds64_data_bytes == -1) chunks.ds64_data_bytes = 0;  // all ones: not known
    if (chunks.ds64_data_bytes < 0) return DamagedAudio(file, "ds64: the size of the data is negative");
  } else if (id == "fmt ") {
    if (!chunks.format.empty()) return DamagedAudio(file, "two fmt chunks");
    if (bytes < 16 || bytes > 4096)
      return DamagedAudio(file, Formatted("fmt: want 16 to 4096 bytes, got %d", bytes));
    chunks.format = file.ReadString(begin, bytes);
  } else if (id == "data") {
    if (chunks.data_begin >= 0) return DamagedAudio(file, "two data chunks");
    chunks.data_begin = begin;
    chunks.data_bytes = bytes;
  } else if (id == "LIST" && bytes >= 4 && bytes <= kMaxTagChunkBytes) {
    const std::string body = file.ReadString(begin, bytes);
    if (body.compare(0, 4, "INFO") == 0) {
      AudioMetadata info;
      ReadInfoBody(body, info);
      if (chunks.metadata.title.empty()) chunks.metadata.title = info.title;
      if (chunks.metadata.licence.empty()) chunks.metadata.licence = info.licence;
      if (chunks.metadata.software.empty()) chunks.metadata.software = info.software;
    }
  } else if (id == "iXML" && bytes <= kMaxTagChunkBytes) {
    ReadIxmlBody(file.ReadString(begin, bytes), chunks.metadata);
  }
  return absl::OkStatus();
}

// Whether what begins at `at` is chunks up to the end of the file, and not samples.
bool OnlyWavChunksFollow(const SourceFile& file, const WavChunks& chunks, int64_t at) {
  for (int64_t count = 0; at + 8 <= file.size() && count < kMaxChunks; ++count) {
    const std::string head = file.ReadString(at, 8);
    for (const char c : head.substr(0, 4)) {
      if (c < ' ' || c > '~') return false;
    }
    at += 8;
    const auto bytes = static_cast<int64_t>(WavNumber(chunks, head, 4, 4));
    if (bytes > file.size() - at) return false;
    at += bytes + bytes % 2;
  }
  return true;  // fewer than eight bytes are the padding of a careless writer
}

absl::Status WalkWavChunks(const SourceFile& file, WavChunks& chunks) {
  int64_t at = 12;
  for (int64_t count = 0; at < file.size(); ++count) {
    const std::string head = file.ReadString(at, 8);
    // A writer that forgets to pad, or pads the end, leaves a few bytes that are no chunk.
    if (head.size() < 8 && chunks.data_begin >= 0) return absl::OkStatus();
    if (head.size() < 8)
      return DamagedAudio(file, Formatted("cut off after %d bytes, before the data chunk", file.size()));
    if (count == kMaxChunks) return DamagedAudio(file, Formatted("more than %d chunks", kMaxChunks));
    const std::string id = head.substr(0, 4);
    int64_t bytes = static_cast<int64_t>(WavNumber(chunks, head, 4, 4));
    // A size of 64 bits was written by a program that came back to write it: there nothing but 0 is unknown.
    const bool in_ds64 = chunks.rf64 && id == "data" && bytes == kSizeIn64;
    if (in_ds64) bytes = chunks.ds64_data_bytes;
    const int64_t there = file.size() - at - 8;
    if (id == "data" && (bytes == 0 ? !OnlyWavChunksFollow(file, chunks, at + 8)
                                    : !in_ds64 && bytes > there && IsUnknownSize(bytes))) {
      chunks.to_the_end = true;
      bytes = there;
    }
    if (bytes < 0) return DamagedAudio(file, "RF64 without a ds64 chunk before its data");
    if (bytes > there) {
      return DamagedAudio(
          file, Formatted("cut off: chunk \"%s\" says %d bytes, the file has %d", Printable(id), bytes, there));
    }
    GRYM_RETURN_IF_ERROR(TakeWavChunk(file, id, at + 8, bytes, chunks));
    at += 8 + bytes + bytes % 2;
  }
  return absl::OkStatus();
}

struct WavEncoding {
  uint16_t tag = 0;
  int bytes_per_sample = 0;
  const char* name = nullptr;
};

absl::StatusOr<WavEncoding> EncodingOfWav(const SourceFile& file, uint16_t tag, int bytes_per_sample) {
  static constexpr const char* kIntegers[] = {"", "pcm_u8", "pcm_16", "pcm_24", "pcm_32"};
  if (tag == kWavPcm && bytes_per_sample >= 1 && bytes_per_sample <= 4)
    return WavEncoding{tag, bytes_per_sample, kIntegers[bytes_per_sample]};
  if (tag == kWavFloat && bytes_per_sample == 4) return WavEncoding{tag, 4, "float_32"};
  if (tag == kWavFloat && bytes_per_sample == 8) return WavEncoding{tag, 8, "float_64"};
  if (tag == kWavALaw && bytes_per_sample == 1) return WavEncoding{tag, 1, "a_law"};
  if (tag == kWavMuLaw && bytes_per_sample == 1) return WavEncoding{tag, 1, "mu_law"};
  return UnsupportedAudio(
      file, Formatted("want PCM, float, A-law or mu-law, got WAV format %d with %d bytes a sample", tag,
                            bytes_per_sample));
}

// A header as the decoder likes it, in 32 or 64 bits.
std::string CanonicalWavHeader(const WavChunks& chunks, const WavEncoding& encoding, int channels, int rate_hz) {
  const bool wide = chunks.data_bytes > std::numeric_limits<uint32_t>::max() - 1024;
  std::string header = wide ? "RF64" : chunks.big_endian ? "RIFX" : "RIFF";
  const auto put = [&](uint64_t value, int count) {
    chunks.big_endian ? PutBigEndian(header, value, count) : PutLittleEndian(header, value, count);
  };
  const int block = channels * encoding.bytes_per_sample;
  put(wide ? kSizeIn64 : static_cast<uint64_t>(chunks.data_bytes + 36), 4);
  header += "WAVE";
  if (wide) {
    header += "ds64";
    put(28, 4);
    put(static_cast<uint64_t>(chunks.data_bytes + 72), 8);
    put(static_cast<uint64_t>(chunks.data_bytes), 8);
    put(static_cast<uint64_t>(chunks.data_bytes / block), 8);
    put(0, 4);
  }
  header += "fmt ";
  put(16, 4);
  put(encoding.tag, 2);
  put(static_cast<uint64_t>(channels), 2);
  put(static_cast<uint64_t>(rate_hz), 4);
  put(static_cast<uint64_t>(rate_hz) * static_cast<uint64_t>(block) & 0xffffffff, 4);
  put(static_cast<uint64_t>(block), 2);
  put(static_cast<uint64_t>(encoding.bytes_per_sample) * 8, 2);
  header += "data";
  put(wide ? kSizeIn64 : static_cast<uint64_t>(chunks.data_bytes), 4);
  return header;
}

}  // namespace

absl::StatusOr<StreamHeader> ReadWavHeader(const SourceFile& file) {
  WavChunks chunks;
  const std::string head = file.ReadString(0, 12);
  chunks.rf64 = head.compare(0, 4, "RF64") == 0;
  chunks.big_endian = head.compare(0, 4, "RIFX") == 0;
  const auto riff_bytes = static_cast<int64_t>(WavNumber(chunks, head, 4, 4));
  GRYM_RETURN_IF_ERROR(WalkWavChunks(file, chunks));
  if (chunks.format.empty()) return DamagedAudio(file, Formatted("no fmt chunk in %d bytes", file.size()));
  if (chunks.data_begin < 0) return DamagedAudio(file, Formatted("no data chunk in %d bytes", file.size()));
  // Some writers count the first eight bytes too, which is harmless; more than the file is a cut.
  if (!chunks.rf64 && !chunks.to_the_end && riff_bytes > file.size()) {
    return DamagedAudio(
        file, Formatted("cut off: the header says %d bytes, the file has %d", riff_bytes + 8, file.size()));
  }
  auto tag = static_cast<uint16_t>(WavNumber(chunks, chunks.format, 0, 2));
  const auto channels = static_cast<int64_t>(WavNumber(chunks, chunks.format, 2, 2));
  const auto rate_hz = static_cast<int64_t>(WavNumber(chunks, chunks.format, 4, 4));
  const auto block = static_cast<int64_t>(WavNumber(chunks, chunks.format, 12, 2));
  const auto bits = static_cast<int64_t>(WavNumber(chunks, chunks.format, 14, 2));
  GRYM_RETURN_IF_ERROR(CheckStreamShape(file, channels, rate_hz));
  if (tag == kWavExtensible) {
    if (chunks.format.size() < 26) return DamagedAudio(file, "fmt: the extensible format has no subformat");
    tag = static_cast<uint16_t>(WavNumber(chunks, chunks.format, 24, 2));
  }
  if (block % channels != 0 || bits > 8 * (block / channels)) {
    return DamagedAudio(
        file, Formatted("fmt: %d bytes a frame do not hold %d channels of %d bits", block, channels, bits));
  }
  GRYM_ASSIGN_OR_RETURN(const WavEncoding encoding, EncodingOfWav(file, tag, static_cast<int>(block / channels)));
  // Where the writer was stopped the last frame may be in part.
  if (chunks.to_the_end && block > 0) chunks.data_bytes -= chunks.data_bytes % block;
  if (chunks.data_bytes % block != 0) {
    return DamagedAudio(
        file, Formatted("data: %d bytes are no whole number of frames of %d bytes", chunks.data_bytes, block));
  }
  StreamHeader header;
  header.info.container = chunks.rf64 ? AudioContainer::kRf64 : AudioContainer::kWav;
  header.info.encoding = encoding.name;
  header.info.channels = static_cast<int>(channels);
  header.info.rate_hz = static_cast<int>(rate_hz);
  header.info.frames = chunks.data_bytes / block;
  header.info.metadata = std::move(chunks.metadata);
  if (chunks.data_bytes > 0) {
    header.views.push_back({CanonicalWavHeader(chunks, encoding, header.info.channels, header.info.rate_hz),
                            {{chunks.data_begin, chunks.data_bytes}},
                            0});
  }
  return header;
}

}  // namespace grym
