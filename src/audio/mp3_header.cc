// MP3: its frames walked by us from first to last without decoding, so that its length is counted and a cut is seen.
// A file with an Xing, Info or VBRI frame says how many frames it has; one without can hide a cut that falls exactly
// between two frames, since nothing in the file tells it from a shorter piece.
#include <algorithm>
#include <array>
#include <optional>
#include <string>

#include "absl/strings/str_format.h"
#include "audio/byte_order.h"
#include "audio/stream_header.h"
#include "base/status.h"

namespace grym {
namespace {

constexpr int64_t kMaxId3Tags = 16;
constexpr int64_t kMaxMp3JunkBytes = 64 << 10;  // between the tags and the first frame, and after the last

struct Mp3Frame {
  int version = 1;  // 1 MPEG 1, 2 MPEG 2, 3 MPEG 2.5
  int rate_hz = 0;
  int channels = 0;
  int64_t bytes = 0;
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
  frame.version = version == 3 ? 1 : version == 2 ? 2 : 3;
  frame.rate_hz = kRates[rate] >> (frame.version - 1);
  frame.channels = (bits >> 6 & 3) == 3 ? 1 : 2;
  const int kilobits = frame.version == 1 ? kKilobits1[bitrate] : kKilobits2[bitrate];
  frame.bytes = (frame.version == 1 ? 144000 : 72000) * kilobits / frame.rate_hz + (bits >> 9 & 1);
  return frame;
}

// The file through a window that moves forward, for millions of small reads.
class Mp3Bytes {
 public:
  explicit Mp3Bytes(const SourceFile& file) : file_(file) {}
  // At most 16 bytes at `offset`.
  std::string_view At(int64_t offset, size_t bytes) {
    if (offset < begin_ || offset + static_cast<int64_t>(bytes) > begin_ + static_cast<int64_t>(window_.size())) {
      begin_ = offset;
      window_ = file_.ReadString(offset, 64 << 10);
    }
    return std::string_view(window_).substr(static_cast<size_t>(offset - begin_), bytes);
  }
  std::optional<Mp3Frame> FrameAt(int64_t offset) {
    const std::string_view head = At(offset, 4);
    return head.size() < 4 ? std::nullopt : ParseMp3Frame(static_cast<uint32_t>(BigEndian(head, 0, 4)));
  }

 private:
  const SourceFile& file_;
  int64_t begin_ = 0;
  std::string window_;
};

class Mp3Walk {
 public:
  explicit Mp3Walk(const SourceFile& file) : file_(file), bytes_(file) {}
  absl::Status Run();

  Mp3Frame first;
  int64_t begin = 0, end = 0, count = 0;

 private:
  absl::Status SkipId3(int64_t& at);
  bool TailAt(int64_t at);
  std::optional<int64_t> FindFirstFrame(int64_t from);

  const SourceFile& file_;
  Mp3Bytes bytes_;
};

absl::Status Mp3Walk::SkipId3(int64_t& at) {
  for (int64_t tags = 0; tags < kMaxId3Tags; ++tags) {
    const std::string_view head = bytes_.At(at, 10);
    if (head.substr(0, 3) != "ID3") return absl::OkStatus();
    if (head.size() < 10) return DamagedAudio(file_, "cut off within its ID3 tag");
    int64_t size = 10 + ((static_cast<uint8_t>(head[5]) & 0x10) ? 10 : 0);
    int64_t body = 0;
    for (size_t i = 6; i < 10; ++i) body = body << 7 | (static_cast<uint8_t>(head[i]) & 0x7f);
    size += body;
    if (size > file_.size() - at) {
      return DamagedAudio(
          file_, absl::StrFormat("cut off: its ID3 tag says %d bytes, the file has %d", size, file_.size() - at));
    }
    at += size;
  }
  return DamagedAudio(file_, absl::StrFormat("more than %d ID3 tags", kMaxId3Tags));
}

// Whether what follows the frames begins at `at`: nothing, a tag, or zeros up to the end.
bool Mp3Walk::TailAt(int64_t at) {
  if (at >= file_.size()) return true;
  const std::string_view head = bytes_.At(at, 11);
  for (const std::string_view tag : {"APETAGEX", "LYRICSBEGIN", "ID3"}) {
    if (head.substr(0, tag.size()) == tag) return true;
  }
  if (head.substr(0, 3) == "TAG" && file_.size() - at >= 128) return true;
  for (int64_t i = at; i < file_.size() && i < at + kMaxMp3JunkBytes; ++i) {
    if (bytes_.At(i, 1)[0] != '\0') return false;
  }
  return file_.size() - at <= kMaxMp3JunkBytes;
}

// The first of two frames in a row, or of one that ends the audio.
std::optional<int64_t> Mp3Walk::FindFirstFrame(int64_t from) {
  for (int64_t at = from; at + 4 <= file_.size() && at - from <= kMaxMp3JunkBytes; ++at) {
    const std::optional<Mp3Frame> frame = bytes_.FrameAt(at);
    if (!frame) continue;
    const std::optional<Mp3Frame> next = bytes_.FrameAt(at + frame->bytes);
    if ((next && next->Like(*frame)) || (at + frame->bytes <= file_.size() && TailAt(at + frame->bytes))) return at;
  }
  return std::nullopt;
}

absl::Status Mp3Walk::Run() {
  int64_t at = 0;
  GRYM_RETURN_IF_ERROR(SkipId3(at));
  const bool tagged = at > 0;
  const std::optional<int64_t> found = FindFirstFrame(at);
  if (!found) {
    const std::optional<Mp3Frame> lone = bytes_.FrameAt(at);
    if (lone && at + lone->bytes > file_.size()) {
      return DamagedAudio(file_, absl::StrFormat("cut off: its first frame says %d bytes, the file has %d", lone->bytes,
                                                 file_.size() - at));
    }
    const std::string words =
        absl::StrFormat("no MPEG layer III frames in the %d bytes after offset %d", file_.size() - at, at);
    return tagged ? DamagedAudio(file_, words) : NotAudio(file_, words);
  }
  begin = at = *found;
  first = *bytes_.FrameAt(begin);
  while (!TailAt(at)) {
    const std::optional<Mp3Frame> frame = bytes_.FrameAt(at);
    if (frame && frame->Like(first)) {
      if (at + frame->bytes > file_.size()) {
        return DamagedAudio(file_, absl::StrFormat("cut off: its last frame says %d bytes, the file has %d",
                                                   frame->bytes, file_.size() - at));
      }
      at += frame->bytes;
      ++count;
      end = at;
      continue;
    }
    if (file_.size() - at < 4)
      return DamagedAudio(file_, absl::StrFormat("cut off %d bytes into a frame header", file_.size() - at));
    // No search for a later frame: decoders differ in what they do with a gap, and audio would be missing.
    return DamagedAudio(file_, absl::StrFormat("cut off or damaged: no frame of the stream at byte %d", at));
  }
  return absl::OkStatus();
}

// The number of frames that an Xing, Info or VBRI frame declares; -1 for a frame of audio, -2 for one that does not
// say.
int64_t DeclaredMp3Frames(const SourceFile& file, int64_t offset, const Mp3Frame& frame) {
  const std::string body = file.ReadString(offset, frame.bytes);
  const size_t xing =
      4 + static_cast<size_t>(frame.version == 1 ? (frame.channels == 1 ? 17 : 32) : (frame.channels == 1 ? 9 : 17));
  if (body.size() >= xing + 12 && (body.compare(xing, 4, "Xing") == 0 || body.compare(xing, 4, "Info") == 0)) {
    return BigEndian(body, xing + 4, 4) & 1 ? static_cast<int64_t>(BigEndian(body, xing + 8, 4)) : -2;
  }
  if (body.size() >= 36 + 18 && body.compare(36, 4, "VBRI") == 0)
    return static_cast<int64_t>(BigEndian(body, 36 + 14, 4));
  return -1;
}

}  // namespace

absl::StatusOr<StreamHeader> ReadMp3Header(const SourceFile& file) {
  Mp3Walk walk(file);
  GRYM_RETURN_IF_ERROR(walk.Run());
  const int64_t declared = DeclaredMp3Frames(file, walk.begin, walk.first);
  const int64_t audio_frames = walk.count - (declared == -1 ? 0 : 1);
  if (declared > audio_frames + 1) {  // some writers count the frame that carries the number
    return DamagedAudio(
        file, absl::StrFormat("cut off: the header says %d MPEG frames, the file has %d", declared, audio_frames));
  }
  if (declared >= 0 && declared < audio_frames - 1) {
    return DamagedAudio(
        file, absl::StrFormat("lying header: it says %d MPEG frames, the file has %d", declared, audio_frames));
  }
  // One frame alone says neither where the next begins nor what its bit reservoir lacks: no decoder takes it.
  if (audio_frames < 1 || walk.count < 2)
    return DamagedAudio(
        file, absl::StrFormat("want two MPEG frames or more, got %d, of them %d of audio", walk.count, audio_frames));
  StreamHeader header;
  header.info.container = AudioContainer::kMp3;
  header.info.encoding = "mpeg_layer_3";
  header.info.channels = walk.first.channels;
  header.info.rate_hz = walk.first.rate_hz;
  header.info.frames = audio_frames * walk.first.frames();
  header.frame_tolerance = kMp3ToleranceFrames;
  header.view.begin = walk.begin;
  header.view.length = walk.end - walk.begin;
  return header;
}

}  // namespace grym
