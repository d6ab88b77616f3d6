// FLAC metadata blocks (RFC 9639 section 8), walked by us; the decoder sees STREAMINFO and the frames alone.
#include <string>

#include "audio/byte_order.h"
#include "audio/stream_header.h"
#include "audio/vorbis_comment.h"
#include "base/format.h"
#include "base/status.h"

namespace grym {
namespace {

constexpr int kFlacStreamInfo = 0, kFlacVorbisComment = 4, kFlacInvalid = 127;
constexpr size_t kStreamInfoBytes = 34;
constexpr int64_t kMaxFlacCommentBytes = 1 << 20;
constexpr int64_t kMaxFlacBlocks = 10000;

absl::Status TakeStreamInfo(const SourceFile& file, const std::string& body, StreamHeader& header) {
  const uint64_t packed = BigEndian(body, 10, 8);  // 20 bits rate, 3 channels - 1, 5 bits - 1, 36 frames
  const auto rate_hz = static_cast<int64_t>(packed >> 44);
  const auto channels = static_cast<int64_t>(packed >> 41 & 7) + 1;
  const auto bits = static_cast<int>(packed >> 36 & 31) + 1;
  const auto frames = static_cast<int64_t>(packed & ((uint64_t{1} << 36) - 1));
  GRYM_RETURN_IF_ERROR(CheckStreamShape(file, channels, rate_hz));
  header.info.channels = static_cast<int>(channels);
  header.info.rate_hz = static_cast<int>(rate_hz);
  header.info.frames = frames == 0 ? -1 : frames;
  header.info.encoding = Formatted("pcm_%d", bits);
  // The decoder is told "length unknown": it then reads to the end, and we see if the header lied.
  std::string& prefix = header.views.emplace_back().prefix;
  prefix = std::string("fLaC\x80\x00\x00\x22", 8) + body;
  for (size_t i = 22; i < 26; ++i) prefix[i] = '\0';
  prefix[21] = static_cast<char>(static_cast<uint8_t>(prefix[21]) & 0xf0);
  // The MD5 covers audio that the header may lie about; it is not compared while streaming.
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<StreamHeader> ReadFlacHeader(const SourceFile& file) {
  StreamHeader header;
  header.info.container = AudioContainer::kFlac;
  int64_t at = 4;
  bool last = false;
  for (int64_t count = 0; !last; ++count) {
    const std::string head = file.ReadString(at, 4);
    if (head.size() < 4)
      return DamagedAudio(file, Formatted("cut off after %d bytes, within the header", file.size()));
    last = (static_cast<uint8_t>(head[0]) & 0x80) != 0;
    const int type = static_cast<uint8_t>(head[0]) & 0x7f;
    const auto bytes = static_cast<int64_t>(BigEndian(head, 1, 3));
    const int64_t there = file.size() - at - 4;
    if (bytes > there) {
      return DamagedAudio(
          file, Formatted("cut off: metadata block %d says %d bytes, the file has %d", count, bytes, there));
    }
    if ((count == 0) != (type == kFlacStreamInfo) || type == kFlacInvalid || count == kMaxFlacBlocks) {
      return DamagedAudio(file,
                          Formatted("metadata block %d of type %d: want one STREAMINFO first", count, type));
    }
    if (type == kFlacStreamInfo) {
      if (bytes != kStreamInfoBytes)
        return DamagedAudio(file, Formatted("STREAMINFO: want 34 bytes, got %d", bytes));
      GRYM_RETURN_IF_ERROR(TakeStreamInfo(file, file.ReadString(at + 4, bytes), header));
    } else if (type == kFlacVorbisComment && bytes <= kMaxFlacCommentBytes) {
      if (!ReadVorbisComment(file.ReadString(at + 4, bytes), header.info.metadata)) {
        return DamagedAudio(file, Formatted("metadata block %d: the comments do not fit their block", count));
      }
    }
    at += 4 + bytes;
  }
  header.views[0].parts = {{at, file.size() - at}};
  if (at < file.size()) return header;
  if (header.info.frames > 0)
    return DamagedAudio(file,
                        Formatted("cut off: the header says %d frames, there is no audio", header.info.frames));
  header.info.frames = 0;
  header.views.clear();
  return header;
}

}  // namespace grym
