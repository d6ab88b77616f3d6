// AIFF and AIFF-C (Apple 1991), chunks walked by us; the decoder sees a header that we wrote.
#include <cmath>
#include <string>

#include "audio/byte_order.h"
#include "audio/stream_header.h"
#include "base/format.h"
#include "base/status.h"

namespace grym {
namespace {

constexpr int64_t kMaxAiffChunks = 100000;
constexpr size_t kMaxCommonBytes = 512;

struct AiffChunks {
  std::string common;
  int64_t sound_begin = -1, sound_bytes = 0;  // of the samples
  AudioMetadata metadata;
};

absl::Status TakeAiffChunk(const SourceFile& file, std::string_view id, int64_t begin, int64_t bytes,
                           AiffChunks& chunks) {
  if (id == "COMM") {
    if (!chunks.common.empty()) return DamagedAudio(file, "two COMM chunks");
    if (bytes < 18) return DamagedAudio(file, Formatted("COMM: want 18 bytes or more, got %d", bytes));
    chunks.common = file.ReadString(begin, std::min<int64_t>(bytes, kMaxCommonBytes));
  } else if (id == "SSND") {
    if (chunks.sound_begin >= 0) return DamagedAudio(file, "two SSND chunks");
    if (bytes < 8) return DamagedAudio(file, Formatted("SSND: want 8 bytes or more, got %d", bytes));
    const auto offset = static_cast<int64_t>(BigEndian(file.ReadString(begin, 4), 0, 4));
    if (offset > bytes - 8)
      return DamagedAudio(file, Formatted("SSND: the offset %d passes its %d bytes", offset, bytes));
    chunks.sound_begin = begin + 8 + offset;
    chunks.sound_bytes = bytes - 8 - offset;
  } else if (id == "NAME" && bytes <= kMaxTagBytes) {
    chunks.metadata.title = file.ReadString(begin, bytes);
  } else if (id == "(c) " && bytes <= kMaxTagBytes) {
    chunks.metadata.licence = file.ReadString(begin, bytes);
  }
  return absl::OkStatus();
}

absl::Status WalkAiffChunks(const SourceFile& file, AiffChunks& chunks) {
  int64_t at = 12;
  for (int64_t count = 0; at < file.size(); ++count) {
    const std::string head = file.ReadString(at, 8);
    if (head.size() < 8 && chunks.sound_begin >= 0 && !chunks.common.empty()) return absl::OkStatus();
    if (head.size() < 8)
      return DamagedAudio(file, Formatted("cut off after %d bytes, within its chunks", file.size()));
    if (count == kMaxAiffChunks) return DamagedAudio(file, Formatted("more than %d chunks", kMaxAiffChunks));
    const auto bytes = static_cast<int64_t>(BigEndian(head, 4, 4));
    const int64_t there = file.size() - at - 8;
    if (bytes > there) {
      return DamagedAudio(file, Formatted("cut off: chunk \"%s\" says %d bytes, the file has %d",
                                                Printable(head.substr(0, 4)), bytes, there));
    }
    GRYM_RETURN_IF_ERROR(TakeAiffChunk(file, head.substr(0, 4), at + 8, bytes, chunks));
    at += 8 + bytes + bytes % 2;
  }
  return absl::OkStatus();
}

// IEEE 754 extended precision, 80 bits, as a whole number of Hz; -1 for what is none.
int64_t ExtendedToRate(std::string_view bytes) {
  const auto exponent = static_cast<int>(BigEndian(bytes, 0, 2));
  const uint64_t mantissa = BigEndian(bytes, 2, 8);
  if (exponent < 16383 || exponent > 16383 + 31) return -1;  // below 1 Hz, beyond 2^32, negative or not a number
  return std::llround(std::ldexp(static_cast<double>(mantissa), exponent - 16383 - 63));
}

struct AiffEncoding {
  const char* name = nullptr;
  int bytes_per_sample = 0;
};

absl::StatusOr<AiffEncoding> EncodingOfAiff(const SourceFile& file, const std::string& type, int bits) {
  static constexpr const char* kSigned[] = {"", "pcm_s8", "pcm_16", "pcm_24", "pcm_32"};
  const bool plain = type == "NONE" || type == "twos" || type == "sowt";
  if (plain && bits >= 1 && bits <= 32) return AiffEncoding{kSigned[(bits + 7) / 8], (bits + 7) / 8};
  if (type == "raw " && bits == 8) return AiffEncoding{"pcm_u8", 1};
  if (type == "in24") return AiffEncoding{"pcm_24", 3};
  if (type == "in32") return AiffEncoding{"pcm_32", 4};
  if (type == "fl32" || type == "FL32") return AiffEncoding{"float_32", 4};
  if (type == "fl64" || type == "FL64") return AiffEncoding{"float_64", 8};
  if (type == "alaw" || type == "ALAW") return AiffEncoding{"a_law", 1};
  if (type == "ulaw" || type == "ULAW") return AiffEncoding{"mu_law", 1};
  return UnsupportedAudio(
      file, Formatted("want PCM, float, A-law or mu-law, got AIFF compression \"%s\" of %d bits", Printable(type),
                            bits));
}

// The extended float of a whole number of Hz.
std::string RateToExtended(uint64_t rate_hz) {
  int exponent = 63;
  while (!(rate_hz >> 63)) {
    rate_hz <<= 1;
    --exponent;
  }
  std::string bytes;
  PutBigEndian(bytes, static_cast<uint64_t>(16383 + exponent), 2);
  PutBigEndian(bytes, rate_hz, 8);
  return bytes;
}

std::string CanonicalAiffHeader(const AudioFileInfo& info, const AiffEncoding& encoding, const std::string& type,
                                int64_t data_bytes) {
  std::string common;
  PutBigEndian(common, static_cast<uint64_t>(info.channels), 2);
  PutBigEndian(common, static_cast<uint64_t>(info.frames), 4);
  PutBigEndian(common, static_cast<uint64_t>(encoding.bytes_per_sample) * 8, 2);
  common += RateToExtended(static_cast<uint64_t>(info.rate_hz));
  common += type + std::string(2, '\0');  // an empty name, padded
  std::string header = "FORM";
  PutBigEndian(header, static_cast<uint64_t>(4 + 12 + 8 + static_cast<int64_t>(common.size()) + 16 + data_bytes), 4);
  header += "AIFCFVER";
  PutBigEndian(header, 4, 4);
  PutBigEndian(header, 0xa2805140, 4);  // the one version there is
  header += "COMM";
  PutBigEndian(header, common.size(), 4);
  header += common + "SSND";
  PutBigEndian(header, static_cast<uint64_t>(data_bytes + 8), 4);
  PutBigEndian(header, 0, 8);
  return header;
}

}  // namespace

absl::StatusOr<StreamHeader> ReadAiffHeader(const SourceFile& file) {
  AiffChunks chunks;
  const bool compressed = file.ReadString(8, 4) == "AIFC";
  const auto form_bytes = static_cast<int64_t>(BigEndian(file.ReadString(4, 4), 0, 4));
  GRYM_RETURN_IF_ERROR(WalkAiffChunks(file, chunks));
  if (form_bytes > file.size()) {
    return DamagedAudio(
        file, Formatted("cut off: the header says %d bytes, the file has %d", form_bytes + 8, file.size()));
  }
  if (chunks.common.empty()) return DamagedAudio(file, Formatted("no COMM chunk in %d bytes", file.size()));
  const auto channels = static_cast<int64_t>(BigEndian(chunks.common, 0, 2));
  const auto frames = static_cast<int64_t>(BigEndian(chunks.common, 2, 4));
  const auto bits = static_cast<int>(BigEndian(chunks.common, 6, 2));
  const int64_t rate_hz = ExtendedToRate(std::string_view(chunks.common).substr(8, 10));
  GRYM_RETURN_IF_ERROR(CheckStreamShape(file, channels, rate_hz));
  if (compressed && chunks.common.size() < 22) return DamagedAudio(file, "COMM: no compression type");
  const std::string type = compressed ? chunks.common.substr(18, 4) : "NONE";
  GRYM_ASSIGN_OR_RETURN(const AiffEncoding encoding, EncodingOfAiff(file, type, bits));
  const int64_t data_bytes = frames * channels * encoding.bytes_per_sample;
  if (data_bytes > chunks.sound_bytes) {
    return DamagedAudio(file, Formatted("lying header: COMM says %d frames, SSND has %d bytes for %d", frames,
                                              chunks.sound_bytes, data_bytes));
  }
  StreamHeader header;
  header.info.container = AudioContainer::kAiff;
  header.info.encoding = encoding.name;
  header.info.channels = static_cast<int>(channels);
  header.info.rate_hz = static_cast<int>(rate_hz);
  header.info.frames = frames;
  header.info.metadata = std::move(chunks.metadata);
  if (frames > 0) {
    header.views.push_back(
        {CanonicalAiffHeader(header.info, encoding, type, data_bytes), {{chunks.sound_begin, data_bytes}}, 0});
  }
  return header;
}

}  // namespace grym
