// OGG with one Vorbis or Opus stream, its first packets and its last page looked at by us.
#include <algorithm>
#include <optional>
#include <string>

#include "absl/strings/str_format.h"
#include "audio/byte_order.h"
#include "audio/ogg_page.h"
#include "audio/stream_header.h"
#include "audio/vorbis_comment.h"
#include "base/status.h"

namespace grym {
namespace {

constexpr size_t kMaxOggCommentBytes = 4 << 20;  // pictures come as comments; beyond it they are not read

// The stream's second packet, empty if longer than the limit or not whole.
std::string OggCommentPacket(const SourceFile& file, int64_t offset, uint32_t serial) {
  std::string packet;
  while (packet.size() <= kMaxOggCommentBytes) {
    const std::optional<OggPage> page = ReadOggPage(file, offset);
    if (!page || page->serial != serial) return "";
    size_t at = 0;
    for (const char segment : page->lacing) {
      packet.append(page->body, at, static_cast<uint8_t>(segment));
      at += static_cast<uint8_t>(segment);
      if (static_cast<uint8_t>(segment) < 255) return packet;
    }
    offset += page->bytes();
  }
  return "";
}

// The last whole page and where it ends.
std::optional<OggPage> LastOggPage(const SourceFile& file, int64_t& end) {
  const int64_t window = std::min<int64_t>(file.size(), 2 * OggPage::kMaxBytes);
  const int64_t begin = file.size() - window;
  const std::string tail = file.ReadString(begin, window);
  for (size_t at = tail.rfind("OggS"); at != std::string::npos;
       at = at == 0 ? std::string::npos : tail.rfind("OggS", at - 1)) {
    std::optional<OggPage> page = ReadOggPage(file, begin + static_cast<int64_t>(at));
    if (!page) continue;
    end = begin + static_cast<int64_t>(at) + page->bytes();
    return page;
  }
  return std::nullopt;
}

absl::Status TakeVorbisHead(const SourceFile& file, const std::string& packet, StreamHeader& header) {
  if (packet.size() < 30) return DamagedAudio(file, "the Vorbis header is too short");
  header.info.container = AudioContainer::kOggVorbis;
  header.info.encoding = "vorbis";
  header.info.channels = static_cast<uint8_t>(packet[11]);
  const auto rate_hz = static_cast<int64_t>(LittleEndian(packet, 12, 4));
  GRYM_RETURN_IF_ERROR(CheckStreamShape(file, header.info.channels, rate_hz));
  header.info.rate_hz = static_cast<int>(rate_hz);
  return absl::OkStatus();
}

absl::Status TakeOpusHead(const SourceFile& file, const std::string& packet, StreamHeader& header) {
  if (packet.size() < 19) return DamagedAudio(file, "the Opus header is too short");
  header.info.container = AudioContainer::kOggOpus;
  header.info.encoding = "opus";
  header.info.channels = static_cast<uint8_t>(packet[9]);
  header.info.rate_hz = 48000;
  return CheckStreamShape(file, header.info.channels, header.info.rate_hz);
}

}  // namespace

absl::StatusOr<StreamHeader> ReadOggHeader(const SourceFile& file) {
  const std::optional<OggPage> first = ReadOggPage(file, 0);
  if (!first || !(first->flags & OggPage::kFirst) || first->lacing.empty()) {
    return DamagedAudio(file, "its first OGG page is cut off or damaged");
  }
  StreamHeader header;
  size_t comment_skip = 0;
  if (first->body.compare(0, 7, "\x01vorbis") == 0) {
    GRYM_RETURN_IF_ERROR(TakeVorbisHead(file, first->body, header));
    comment_skip = 7;
  } else if (first->body.compare(0, 8, "OpusHead") == 0) {
    GRYM_RETURN_IF_ERROR(TakeOpusHead(file, first->body, header));
    comment_skip = 8;
  } else {
    return UnsupportedAudio(file, "want Vorbis or Opus in the OGG, got a stream that starts with \"" +
                                      Printable(first->body.substr(0, 8)) + "\"");
  }
  const std::string second = file.ReadString(first->bytes(), 6);
  if (second.size() == 6 && second.compare(0, 4, "OggS") == 0 && (static_cast<uint8_t>(second[5]) & OggPage::kFirst)) {
    return UnsupportedAudio(file, "want one stream in the OGG, got several side by side");
  }
  int64_t end = 0;
  const std::optional<OggPage> last = LastOggPage(file, end);
  if (!last) return DamagedAudio(file, "no whole OGG page near its end: cut off or damaged");
  if (last->serial != first->serial)
    return UnsupportedAudio(file, "want one stream in the OGG, got a chain of several");
  // An OGG says its length only by its last page. Without the mark on it the rest is missing.
  if (!(last->flags & OggPage::kLast)) {
    return DamagedAudio(file, absl::StrFormat("cut off: no end-of-stream page in %d bytes", file.size()));
  }
  const std::string comment = OggCommentPacket(file, first->bytes(), first->serial);
  if (comment.size() > comment_skip &&
      !ReadVorbisComment(std::string_view(comment).substr(comment_skip), header.info.metadata)) {
    return DamagedAudio(file, "the comments do not fit their packet");
  }
  header.info.frames = -1;  // the decoder counts: it knows what the codec skips at the start
  header.view.length = end;
  return header;
}

}  // namespace grym
