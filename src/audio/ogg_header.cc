// OGG with a Vorbis or Opus stream, or a chain of them (RFC 3533 section 4: one after the other, as radio leaves them).
// Its page headers are walked by us, each stream's first packets and last page looked at.
#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "audio/byte_order.h"
#include "audio/ogg_page.h"
#include "audio/stream_header.h"
#include "audio/vorbis_comment.h"
#include "base/format.h"
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

// Codec, channels and rate by the first page of a stream.
absl::Status TakeFirstPacket(const SourceFile& file, const OggPage& first, StreamHeader& header) {
  if (first.body.compare(0, 7, "\x01vorbis") == 0) return TakeVorbisHead(file, first.body, header);
  if (first.body.compare(0, 8, "OpusHead") == 0) return TakeOpusHead(file, first.body, header);
  return UnsupportedAudio(file, "want Vorbis or Opus in the OGG, got a stream that starts with \"" +
                                    Printable(first.body.substr(0, 8)) + "\"");
}

// What of a page is looked at on the way: its checksum is the decoder's to compare.
struct OggPageHead {
  uint8_t flags = 0;
  uint32_t serial = 0;
  int64_t bytes = 0;
};

std::optional<OggPageHead> OggPageHeadAt(SourceWindow& window, int64_t offset) {
  const std::string_view head = window.At(offset, 27 + 255);
  if (head.size() < 27 || head.substr(0, 5) != std::string_view("OggS\0", 5)) return std::nullopt;
  const size_t segments = static_cast<uint8_t>(head[26]);
  if (head.size() < 27 + segments) return std::nullopt;
  OggPageHead page{static_cast<uint8_t>(head[5]), static_cast<uint32_t>(LittleEndian(head, 14, 4)),
                   static_cast<int64_t>(27 + segments)};
  for (const char segment : head.substr(27, segments)) page.bytes += static_cast<uint8_t>(segment);
  return page;
}

struct OggLink {
  int64_t begin = 0, end = 0;
  OggPage first;
};

// Every stream up to `end`, the whole pages' end. DataLoss for one without its last page, Unimplemented for streams
// side by side.
absl::StatusOr<std::vector<OggLink>> FindOggLinks(const SourceFile& file, int64_t end) {
  SourceWindow window(file);
  std::vector<OggLink> links;
  bool ended = true;  // the link's last page said so
  for (int64_t at = 0; at < end;) {
    const std::optional<OggPageHead> page = OggPageHeadAt(window, at);
    if (!page) {  // damage, which the decoder tells, or junk between two streams
      const std::optional<int64_t> next = window.Find("OggS", at + 1, end);
      if (!next) break;
      at = *next;
      continue;
    }
    const bool begins = (page->flags & OggPage::kFirst) != 0;
    const bool known = !links.empty() && page->serial == links.back().first.serial;
    std::optional<OggPage> first;
    if (begins || !known) first = ReadOggPage(file, at);  // its checksum counts where a stream may begin
    if (begins != first.has_value()) {
      return DamagedAudio(file, Formatted("the page at byte %d belongs to a stream that does not begin", at));
    }
    if (begins) {
      if (!links.empty() && at == links.back().begin + links.back().first.bytes())
        return UnsupportedAudio(file, "want one stream in the OGG at a time, got several side by side");
      if (!ended) {
        return DamagedAudio(file, Formatted("cut off: no end-of-stream page in the stream before byte %d", at));
      }
      if (links.size() == kMaxJoinedStreams)
        return UnsupportedAudio(file, Formatted("want at most %d streams in a chain", kMaxJoinedStreams));
      links.push_back({at, at, std::move(*first)});
    }
    at += page->bytes;
    if (links.empty() || page->serial != links.back().first.serial) continue;
    links.back().end = std::min(at, end);
    ended = (page->flags & OggPage::kLast) != 0;
  }
  // An OGG says its length only by its last page. Without the mark on it the rest is missing.
  if (!ended) return DamagedAudio(file, Formatted("cut off: no end-of-stream page in %d bytes", file.size()));
  return links;
}

// The decoder chooses its rate by a note in the header (RFC 7845 section 5.1, "input sample rate"), which joined
// streams need not share: each of them gets the note of the first.
SourceView OpusViewLike(const OggLink& first, const OggLink& link) {
  OggPage page = link.first;
  page.body.replace(12, 4, first.first.body, 12, 4);
  const int64_t after = link.begin + link.first.bytes();
  return {page.Serialized(), {{after, link.end - after}}, 0};
}

std::string ShapeOf(const AudioFileInfo& info) {
  return Formatted("%s of %d channels at %d Hz", info.encoding, info.channels, info.rate_hz);
}

}  // namespace

absl::StatusOr<StreamHeader> ReadOggHeader(const SourceFile& file) {
  const std::optional<OggPage> first = ReadOggPage(file, 0);
  if (!first || !(first->flags & OggPage::kFirst) || first->lacing.empty()) {
    return DamagedAudio(file, "its first OGG page is cut off or damaged");
  }
  StreamHeader header;
  GRYM_RETURN_IF_ERROR(TakeFirstPacket(file, *first, header));
  int64_t end = 0;
  if (!LastOggPage(file, end)) return DamagedAudio(file, "no whole OGG page near its end: cut off or damaged");
  if (const std::string rest = file.ReadString(end, 4);
      !rest.empty() && rest == std::string("OggS").substr(0, rest.size()))
    return DamagedAudio(file, Formatted("cut off %d bytes into an OGG page", file.size() - end));
  GRYM_ASSIGN_OR_RETURN(const std::vector<OggLink> links, FindOggLinks(file, end));
  const bool opus = header.info.container == AudioContainer::kOggOpus;
  for (const OggLink& link : links) {
    StreamHeader other;
    const absl::Status read = TakeFirstPacket(file, link.first, other);
    if (!read.ok()) return Annotate(read, Formatted("stream at byte %d", link.begin));
    if (ShapeOf(other.info) != ShapeOf(header.info)) {
      return UnsupportedAudio(file, Formatted("want streams of one kind in a chained OGG, got %s, then %s at byte %d",
                                                    ShapeOf(header.info), ShapeOf(other.info), link.begin));
    }
    header.views.push_back(opus && link.begin > 0 ? OpusViewLike(links[0], link)
                                                  : SourceView{"", {{link.begin, link.end - link.begin}}, 0});
  }
  const std::string comment = OggCommentPacket(file, first->bytes(), first->serial);
  const size_t comment_skip = opus ? 8 : 7;
  if (comment.size() > comment_skip &&
      !ReadVorbisComment(std::string_view(comment).substr(comment_skip), header.info.metadata)) {
    return DamagedAudio(file, "the comments do not fit their packet");
  }
  header.info.frames = -1;  // the decoder counts: it knows what the codec skips at the start
  return header;
}

}  // namespace grym
