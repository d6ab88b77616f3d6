// MP3: its frames walked by us from first to last without decoding, so that its length is counted and a cut is seen.
// A file with an Xing, Info or VBRI frame says how many frames it has; one without can hide a cut that falls exactly
// between two frames, since nothing in the file tells it from a shorter piece. Files joined end to end play on, as in
// every player: what an Xing frame begins is a stream of its own, tags between frames are left out.
#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <vector>

#include "audio/byte_order.h"
#include "audio/stream_header.h"
#include "base/format.h"
#include "base/status.h"

namespace grym {
namespace {

constexpr int64_t kMpg123DelayFrames = 529;
constexpr int64_t kMaxId3Tags = 16;
constexpr int64_t kMaxMp3JunkBytes = 64 << 10;  // between the tags and the first frame, and after the last

struct Mp3Frame {
  int version = 1;  // 1 MPEG 1, 2 MPEG 2, 3 MPEG 2.5
  int rate_hz = 0;
  int channels = 0;
  int64_t bytes = 0;
  uint32_t bits = 0;  // the header itself
  int64_t frames() const { return version == 1 ? 1152 : 576; }
  bool Like(const Mp3Frame& other) const {
    return version == other.version && rate_hz == other.rate_hz && channels == other.channels;
  }
};

// Four bytes of a frame header of layer III (ISO 11172-3 section 2.4.1.3); nothing for any other.
std::optional<Mp3Frame> ParseMp3Frame(uint32_t bits) {
  static constexpr std::array<int, 16> kKilobits1 = {0,   32,  40,  48,  56,  64,  80,  96,
                                                     112, 128, 160, 192, 224, 256, 320, 0};
  static constexpr std::array<int, 16> kKilobits2 = {0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0};
  static constexpr std::array<int, 3> kRates = {44100, 48000, 32000};
  const uint32_t version = bits >> 19 & 3, layer = bits >> 17 & 3, bitrate = bits >> 12 & 15, rate = bits >> 10 & 3;
  if (bits >> 21 != 0x7ff || version == 1 || layer != 1 || bitrate == 0 || bitrate == 15 || rate == 3)
    return std::nullopt;
  Mp3Frame frame;
  frame.bits = bits;
  frame.version = version == 3 ? 1 : version == 2 ? 2 : 3;
  frame.rate_hz = kRates[rate] >> (frame.version - 1);
  frame.channels = (bits >> 6 & 3) == 3 ? 1 : 2;
  const int kilobits = frame.version == 1 ? kKilobits1[bitrate] : kKilobits2[bitrate];
  frame.bytes = (frame.version == 1 ? 144000 : 72000) * kilobits / frame.rate_hz + (bits >> 9 & 1);
  return frame;
}

std::optional<Mp3Frame> Mp3FrameAt(SourceWindow& window, int64_t offset) {
  const std::string_view head = window.At(offset, 4);
  return head.size() < 4 ? std::nullopt : ParseMp3Frame(static_cast<uint32_t>(BigEndian(head, 0, 4)));
}

size_t Mp3SideInfoBytes(const Mp3Frame& frame) {
  return frame.version == 1 ? (frame.channels == 1 ? 17 : 32) : (frame.channels == 1 ? 9 : 17);
}

// The number of frames that an Xing, Info or VBRI frame declares, 0 if it does not say; nothing for a frame of audio.
std::optional<int64_t> DeclaredMp3Frames(SourceWindow& window, int64_t offset, const Mp3Frame& frame) {
  const std::string_view body = window.At(offset, static_cast<size_t>(frame.bytes));
  const size_t xing = 4 + Mp3SideInfoBytes(frame);
  // Audio has something in its side information, or it would be silence. A checksum may stand before it.
  const size_t side_info = frame.bits >> 16 & 1 ? 4 : 6;
  if (body.substr(0, xing).find_first_not_of('\0', side_info) != std::string_view::npos) return std::nullopt;
  if (body.size() >= xing + 12 && (body.substr(xing, 4) == "Xing" || body.substr(xing, 4) == "Info"))
    return BigEndian(body, xing + 4, 4) & 1 ? static_cast<int64_t>(BigEndian(body, xing + 8, 4)) : 0;
  if (body.size() >= 36 + 18 && body.substr(36, 4) == "VBRI") return static_cast<int64_t>(BigEndian(body, 36 + 14, 4));
  return std::nullopt;
}

// From an Xing frame, or the file's first, to the next.
struct Mp3Stretch {
  bool has_header = false;  // an Xing frame, the first of its parts
  int64_t declared = 0;     // by that, 0 if it does not say
  int64_t count = 0;        // frames of audio
  std::vector<ByteRange> parts;
};

class Mp3Walk {
 public:
  explicit Mp3Walk(const SourceFile& file) : file_(file), window_(file) {}
  absl::Status Run();

  Mp3Frame first;
  std::vector<Mp3Stretch> stretches;

 private:
  absl::Status SkipId3(int64_t& at);
  bool TailAt(int64_t at);
  int64_t TagBytesAt(int64_t at);
  std::optional<int64_t> FindFirstFrame(int64_t from);
  absl::Status NoFrameFrom(int64_t at, bool tagged);
  absl::StatusOr<int64_t> PassTags(int64_t at);
  absl::Status TakeFrame(int64_t at, const Mp3Frame& frame);

  const SourceFile& file_;
  SourceWindow window_;
  size_t parts_ = 0;
};

absl::Status Mp3Walk::SkipId3(int64_t& at) {
  for (int64_t tags = 0; tags < kMaxId3Tags; ++tags) {
    const std::string_view head = window_.At(at, 10);
    if (head.substr(0, 3) != "ID3") return absl::OkStatus();
    if (head.size() < 10) return DamagedAudio(file_, "cut off within its ID3 tag");
    int64_t size = 10 + ((static_cast<uint8_t>(head[5]) & 0x10) ? 10 : 0);
    int64_t body = 0;
    for (size_t i = 6; i < 10; ++i) body = body << 7 | (static_cast<uint8_t>(head[i]) & 0x7f);
    size += body;
    if (size > file_.size() - at) {
      return DamagedAudio(
          file_, Formatted("cut off: its ID3 tag says %d bytes, the file has %d", size, file_.size() - at));
    }
    at += size;
  }
  return DamagedAudio(file_, Formatted("more than %d ID3 tags", kMaxId3Tags));
}

// Whether what follows the frames begins at `at`: nothing, a tag, or zeros up to the end.
bool Mp3Walk::TailAt(int64_t at) {
  if (at >= file_.size() || TagBytesAt(at) > 0) return true;
  const int64_t left = file_.size() - at;
  if (left > kMaxMp3JunkBytes) return false;
  return window_.At(at, static_cast<size_t>(left)).find_first_not_of('\0') == std::string_view::npos;
}

// Bytes of the tag that begins at `at`, perhaps more than there are; 0 if none does.
int64_t Mp3Walk::TagBytesAt(int64_t at) {
  const int64_t left = file_.size() - at;
  const std::string_view head = window_.At(at, 32);
  if (head.substr(0, 3) == "ID3" && head.size() >= 10) {
    int64_t body = 0;
    for (size_t i = 6; i < 10; ++i) body = body << 7 | (static_cast<uint8_t>(head[i]) & 0x7f);
    return 10 + ((static_cast<uint8_t>(head[5]) & 0x10) ? 10 : 0) + body;
  }
  if (head.substr(0, 4) == "TAG+" && left >= 227 + 128) return 227;
  if (head.substr(0, 3) == "TAG" && left >= 128) return 128;
  if (head.substr(0, 8) == "APETAGEX" && head.size() == 32) {
    const bool is_header = (static_cast<uint8_t>(head[23]) & 0x20) != 0;  // its size counts the footer, but not itself
    return 32 + (is_header ? static_cast<int64_t>(LittleEndian(head, 12, 4)) : 0);
  }
  for (const std::string_view tag : {"APETAGEX", "ID3"}) {
    if (head.substr(0, tag.size()) == tag) return left;
  }
  if (head.substr(0, 11) != "LYRICSBEGIN") return 0;
  for (const std::string_view closing : {"LYRICSEND", "LYRICS200"}) {
    if (const auto found = window_.Find(closing, at, at + kMaxMp3JunkBytes)) return *found + 9 - at;
  }
  return left;
}

// The first of two frames in a row, or of one that ends the audio.
std::optional<int64_t> Mp3Walk::FindFirstFrame(int64_t from) {
  for (int64_t at = from; at + 4 <= file_.size() && at - from <= kMaxMp3JunkBytes; ++at) {
    const std::optional<Mp3Frame> frame = Mp3FrameAt(window_, at);
    if (!frame) continue;
    const std::optional<Mp3Frame> next = Mp3FrameAt(window_, at + frame->bytes);
    if ((next && next->Like(*frame)) || (at + frame->bytes <= file_.size() && TailAt(at + frame->bytes))) return at;
  }
  return std::nullopt;
}

absl::Status Mp3Walk::NoFrameFrom(int64_t at, bool tagged) {
  const std::optional<Mp3Frame> lone = Mp3FrameAt(window_, at);
  if (lone && at + lone->bytes > file_.size()) {
    return DamagedAudio(file_, Formatted("cut off: its first frame says %d bytes, the file has %d", lone->bytes,
                                               file_.size() - at));
  }
  const std::string words =
      Formatted("no MPEG layer III frames in the %d bytes after offset %d", file_.size() - at, at);
  return tagged ? DamagedAudio(file_, words) : NotAudio(file_, words);
}

// At a place where no frame of the stream begins: where the next one does, behind tags, or the file's size if only a
// tail is left.
absl::StatusOr<int64_t> Mp3Walk::PassTags(int64_t at) {
  int64_t after = at;
  for (int64_t tags = 0, bytes = 0; tags < kMaxId3Tags && (bytes = TagBytesAt(after)) > 0; ++tags) {
    after += bytes;
    if (after >= file_.size()) return file_.size();
  }
  const std::optional<int64_t> found = after > at ? FindFirstFrame(after) : std::nullopt;
  const std::optional<Mp3Frame> frame = Mp3FrameAt(window_, found.value_or(at));
  if (frame && frame->Like(first)) return *found;
  const std::optional<Mp3Frame> next =
      frame ? Mp3FrameAt(window_, found.value_or(at) + frame->bytes) : std::optional<Mp3Frame>();
  if (next && next->Like(*frame)) {
    return UnsupportedAudio(file_, Formatted("want MPEG frames of one kind, got %d channels at %d Hz, then %d at "
                                                   "%d Hz from byte %d", first.channels, first.rate_hz, frame->channels,
                                                   frame->rate_hz, found.value_or(at)));
  }
  if (after > at || TailAt(at)) return file_.size();
  if (file_.size() - at < 4)
    return DamagedAudio(file_, Formatted("cut off %d bytes into a frame header", file_.size() - at));
  // No search for a later frame: decoders differ in what they do with a gap, and audio would be missing.
  return DamagedAudio(file_, Formatted("cut off or damaged: no frame of the stream at byte %d", at));
}

absl::Status Mp3Walk::TakeFrame(int64_t at, const Mp3Frame& frame) {
  if (at + frame.bytes > file_.size()) {
    return DamagedAudio(file_, Formatted("cut off: its last frame says %d bytes, the file has %d", frame.bytes,
                                               file_.size() - at));
  }
  const std::optional<int64_t> declared = DeclaredMp3Frames(window_, at, frame);
  if (declared || stretches.empty()) stretches.emplace_back();
  Mp3Stretch& stretch = stretches.back();
  stretch.has_header |= declared.has_value();
  stretch.declared = declared.value_or(stretch.declared);
  stretch.count += declared ? 0 : 1;
  // A stretch that must be given another header loses its own, so that frame stands alone.
  const bool goes_on = !stretch.parts.empty() && stretch.count > 1 &&
                       stretch.parts.back().begin + stretch.parts.back().length == at;
  if (goes_on) {
    stretch.parts.back().length += frame.bytes;
    return absl::OkStatus();
  }
  if (++parts_ > 2 * kMaxJoinedStreams)
    return UnsupportedAudio(file_, Formatted("want at most %d stretches of frames", 2 * kMaxJoinedStreams));
  stretch.parts.push_back({at, frame.bytes});
  return absl::OkStatus();
}

absl::Status Mp3Walk::Run() {
  int64_t at = 0;
  GRYM_RETURN_IF_ERROR(SkipId3(at));
  const std::optional<int64_t> found = FindFirstFrame(at);
  if (!found) return NoFrameFrom(at, at > 0);
  at = *found;
  first = *Mp3FrameAt(window_, at);
  while (at < file_.size()) {
    const std::optional<Mp3Frame> frame = Mp3FrameAt(window_, at);
    if (!frame || !frame->Like(first)) {
      GRYM_ASSIGN_OR_RETURN(at, PassTags(at));
      continue;
    }
    GRYM_RETURN_IF_ERROR(TakeFrame(at, *frame));
    at += frame->bytes;
  }
  return absl::OkStatus();
}

// An Xing frame with the number of frames, which the decoder would else guess from the size of the first, and a frame
// of silence. Told their number, libmpg123 takes 529 frames of its own delay away; they come back from the silence.
std::string CountedMp3Header(const Mp3Frame& like, int64_t count) {
  constexpr uint32_t kXing64Kilobits1 = 5, kXing64Kilobits2 = 8;
  const uint32_t bitrate = like.version == 1 ? kXing64Kilobits1 : kXing64Kilobits2;
  // Without checksum (bit 16), padding (bit 9) and what is the matter of one frame alone (the low byte but the mode).
  const uint32_t bits = (like.bits & ~0xf2ffu) | 1u << 16 | bitrate << 12 | (like.bits & 0xc0);
  std::string frame;
  PutBigEndian(frame, bits, 4);
  frame.resize(static_cast<size_t>(ParseMp3Frame(bits)->bytes));
  std::string numbers = "Xing";
  PutBigEndian(numbers, 1, 4);
  PutBigEndian(numbers, static_cast<uint64_t>(count + 1), 4);
  std::string header = frame;
  header.replace(4 + Mp3SideInfoBytes(like), numbers.size(), numbers);
  return header + frame;
}

// Nothing if there is no audio in the stretch.
absl::StatusOr<std::optional<SourceView>> ViewOfStretch(const SourceFile& file, const Mp3Frame& like,
                                                        const Mp3Stretch& stretch) {
  // Some writers count the frame that carries the number.
  if (stretch.declared > stretch.count + 1) {
    return DamagedAudio(file, Formatted("cut off: the header says %d MPEG frames, the file has %d",
                                              stretch.declared, stretch.count));
  }
  if (stretch.count == 0) return std::nullopt;
  SourceView view;
  view.parts = stretch.parts;
  // A number that is too small is no damage: something was joined to it.
  if (stretch.declared > 0 && stretch.declared >= stretch.count - 1) return view;
  if (stretch.has_header) view.parts.erase(view.parts.begin());
  view.prefix = CountedMp3Header(like, stretch.count);
  view.prefix_frames = like.frames() - kMpg123DelayFrames;
  return view;
}

}  // namespace

absl::StatusOr<StreamHeader> ReadMp3Header(const SourceFile& file) {
  Mp3Walk walk(file);
  GRYM_RETURN_IF_ERROR(walk.Run());
  StreamHeader header;
  int64_t audio_frames = 0, frames = 0;
  for (const Mp3Stretch& stretch : walk.stretches) {
    GRYM_ASSIGN_OR_RETURN(std::optional<SourceView> view, ViewOfStretch(file, walk.first, stretch));
    if (view) header.views.push_back(std::move(*view));
    audio_frames += stretch.count;
    frames += stretch.count + (stretch.has_header ? 1 : 0);
  }
  // One frame alone says neither where the next begins nor what its bit reservoir lacks: no decoder takes it.
  if (audio_frames < 1 || frames < 2)
    return DamagedAudio(
        file, Formatted("want two MPEG frames or more, got %d, of them %d of audio", frames, audio_frames));
  if (header.views.size() > kMaxJoinedStreams)
    return UnsupportedAudio(file, Formatted("want at most %d joined streams", kMaxJoinedStreams));
  header.info.container = AudioContainer::kMp3;
  header.info.encoding = "mpeg_layer_3";
  header.info.channels = walk.first.channels;
  header.info.rate_hz = walk.first.rate_hz;
  header.info.frames = audio_frames * walk.first.frames();
  header.frame_tolerance = kMp3ToleranceFrames;
  return header;
}

}  // namespace grym
