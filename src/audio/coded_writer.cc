// FLAC and OGG Vorbis: encoded by libsndfile beside the target, then copied with our own comments. libsndfile knows
// only a few keys, and gives an OGG stream a serial number from the clock: the same request must give the same bytes.
#include <sndfile.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "audio/audio_writer.h"
#include "audio/byte_order.h"
#include "audio/ogg_page.h"
#include "audio/quantizer.h"
#include "audio/source_file.h"
#include "audio/vorbis_comment.h"
#include "base/format.h"
#include "base/random.h"
#include "base/status.h"

namespace grym {
namespace {

using OutputFile = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

absl::Status EncoderError(std::string_view what, const char* words) {
  // libsndfile numbers its own errors, but only their words are public.
  if (std::string_view(words).find("malloc") != std::string_view::npos)
    return Error(absl::StatusCode::kResourceExhausted, "out_of_memory", std::string(what) + ": no memory");
  return Error(absl::StatusCode::kInvalidArgument, "cannot_encode", std::string(what) + ": " + Printable(words));
}

// The encoder's output as libsndfile sees it. It keeps the cause of a write that failed, which libsndfile loses.
struct EncoderSink {
  OutputFile file;
  int cause = 0;  // errno of the first write that failed
};

int SeekFile(std::FILE* file, int64_t offset, int whence) {
#ifdef _WIN32
  return _fseeki64(file, offset, whence);
#else
  return fseeko(file, offset, whence);
#endif
}
int64_t TellFile(std::FILE* file) {
#ifdef _WIN32
  return _ftelli64(file);
#else
  return ftello(file);
#endif
}

sf_count_t SinkTell(void* user) { return TellFile(static_cast<EncoderSink*>(user)->file.get()); }
sf_count_t SinkSeek(sf_count_t offset, int whence, void* user) {
  return SeekFile(static_cast<EncoderSink*>(user)->file.get(), offset, whence) == 0 ? SinkTell(user) : -1;
}
sf_count_t SinkLength(void* user) {
  const sf_count_t position = SinkTell(user), length = SinkSeek(0, SEEK_END, user);
  SinkSeek(position, SEEK_SET, user);
  return length;
}
sf_count_t SinkRead(void* to, sf_count_t bytes, void* user) {
  return static_cast<sf_count_t>(
      std::fread(to, 1, static_cast<size_t>(bytes), static_cast<EncoderSink*>(user)->file.get()));
}
sf_count_t SinkWrite(const void* from, sf_count_t bytes, void* user) {
  auto* sink = static_cast<EncoderSink*>(user);
  const auto written = static_cast<sf_count_t>(std::fwrite(from, 1, static_cast<size_t>(bytes), sink->file.get()));
  if (written != bytes && sink->cause == 0) sink->cause = errno;
  return written;
}

absl::Status EncodeSamples(SNDFILE* sound, const AudioBuffer& audio, AudioContainer container,
                           const SaveOptions& options, const CancelToken& cancel) {
  constexpr int64_t kStepFrames = 4096;  // libsndfile keeps a step of OGG on the stack
  const bool flac = container == AudioContainer::kFlac;
  const int bits = options.format == SampleFormat::kPcm24 ? 24 : 16;
  Quantizer quantizer(audio, bits, options.dither && flac, options.dither_seed);
  const auto channels = static_cast<size_t>(audio.channels());
  std::vector<int32_t> integers;
  std::vector<float> floats;
  for (int64_t start = 0; start < audio.frames(); start += kStepFrames) {
    GRYM_RETURN_IF_ERROR(cancel.Check());
    const int64_t frames = std::min(kStepFrames, audio.frames() - start);
    sf_count_t written = 0;
    if (flac) {
      integers.resize(static_cast<size_t>(frames) * channels);
      quantizer.Next(integers);
      for (int32_t& value : integers) value = static_cast<int32_t>(static_cast<uint32_t>(value) << (32 - bits));
      written = sf_writef_int(sound, integers.data(), frames);
    } else {
      floats.resize(static_cast<size_t>(frames) * channels);
      for (size_t c = 0; c < channels; ++c) {
        const auto from =
            audio.channel(static_cast<int>(c)).subspan(static_cast<size_t>(start), static_cast<size_t>(frames));
        for (size_t i = 0; i < from.size(); ++i) floats[i * channels + c] = from[i];
      }
      written = sf_writef_float(sound, floats.data(), frames);
    }
    if (written != frames) return EncoderError("encoding", sf_strerror(sound));
  }
  return absl::OkStatus();
}

absl::Status Encode(const std::filesystem::path& path, const AudioBuffer& audio, AudioContainer container,
                    const SaveOptions& options, const CancelToken& cancel) {
  SF_INFO info{};
  info.channels = audio.channels();
  info.samplerate = audio.rate_hz();
  info.format = container == AudioContainer::kOggVorbis
                    ? SF_FORMAT_OGG | SF_FORMAT_VORBIS
                    : SF_FORMAT_FLAC | (options.format == SampleFormat::kPcm24 ? SF_FORMAT_PCM_24 : SF_FORMAT_PCM_16);
  const std::string shape = Formatted("%s of %d channels at %d Hz", AudioContainerName(container).data(),
                                            audio.channels(), audio.rate_hz());
  EncoderSink sink{OutputFile(std::fopen(path.string().c_str(), "w+b"), &std::fclose)};
  if (!sink.file) return AudioWriteError(path, errno);
  SF_VIRTUAL_IO callbacks{SinkLength, SinkSeek, SinkRead, SinkWrite, SinkTell};
  std::unique_ptr<SNDFILE, int (*)(SNDFILE*)> sound(sf_open_virtual(&callbacks, SFM_WRITE, &info, &sink), &sf_close);
  absl::Status status;
  if (!sound) {
    status = EncoderError("opening", sf_strerror(nullptr));
  } else {
    double quality = options.ogg_quality;
    if (container == AudioContainer::kOggVorbis)
      sf_command(sound.get(), SFC_SET_VBR_ENCODING_QUALITY, &quality, sizeof(quality));
    status = EncodeSamples(sound.get(), audio, container, options, cancel);
    if (const int closed = sf_close(sound.release()); closed != 0 && status.ok())
      status = EncoderError("closing", sf_error_number(closed));
  }
  if (std::fclose(sink.file.release()) != 0 && sink.cause == 0) sink.cause = errno;
  if (sink.cause != 0) return AudioWriteError(path, sink.cause);
  return status.ok() ? status : Annotate(status, shape);
}

bool PutBytes(std::FILE* to, std::string_view bytes) {
  return std::fwrite(bytes.data(), 1, bytes.size(), to) == bytes.size();
}

bool CopyRest(const SourceFile& from, int64_t offset, std::FILE* to) {
  constexpr int64_t kStepBytes = 1 << 20;
  for (; offset < from.size(); offset += kStepBytes) {
    if (!PutBytes(to, from.ReadString(offset, kStepBytes))) return false;
  }
  return true;
}

// STREAMINFO and the frames as encoded, with our comments between.
absl::Status CopyFlac(const SourceFile& encoded, const AudioMetadata& metadata, std::FILE* to) {
  int64_t at = 4;
  std::string stream_info;
  for (bool last = false; !last;) {
    const std::string head = encoded.ReadString(at, 4);
    if (head.size() < 4)
      return Error(absl::StatusCode::kInternal, "cannot_encode", "flac: the encoder left a broken header");
    last = (static_cast<uint8_t>(head[0]) & 0x80) != 0;
    const auto bytes = static_cast<int64_t>(BigEndian(head, 1, 3));
    if ((static_cast<uint8_t>(head[0]) & 0x7f) == 0) stream_info = encoded.ReadString(at + 4, bytes);
    at += 4 + bytes;
  }
  const std::string comments = VorbisCommentBody(metadata);
  std::string header("fLaC\x00\x00\x00\x22", 8);
  header += stream_info + '\x84';
  PutBigEndian(header, comments.size(), 3);
  header += comments;
  return PutBytes(to, header) && CopyRest(encoded, at, to) ? absl::OkStatus() : AudioWriteError(encoded.name(), errno);
}

// A FLAC without frames: libFLAC writes none, so the header is all there is.
std::string EmptyFlac(const AudioBuffer& audio, const SaveOptions& options) {
  const uint64_t bits = options.format == SampleFormat::kPcm24 ? 24 : 16;
  std::string header("fLaC\x00\x00\x00\x22", 8);
  PutBigEndian(header, 4096, 2);  // smallest and largest block
  PutBigEndian(header, 4096, 2);
  PutBigEndian(header, 0, 6);  // smallest and largest frame: unknown
  PutBigEndian(header,
               static_cast<uint64_t>(audio.rate_hz()) << 44 | static_cast<uint64_t>(audio.channels() - 1) << 41 |
                   (bits - 1) << 36,
               8);
  header += std::string(16, '\0') + '\x84';
  const std::string comments = VorbisCommentBody(options.metadata);
  PutBigEndian(header, comments.size(), 3);
  return header + comments;
}

// Lays packets out in pages of the stream, the last packet ending its page.
std::vector<OggPage> PagesOf(const std::vector<std::string>& packets, uint32_t serial, uint32_t& sequence) {
  std::vector<OggPage> pages;
  OggPage page;
  const auto finish = [&](bool continued) {
    page.serial = serial;
    page.sequence = sequence++;
    pages.push_back(std::move(page));
    page = OggPage();
    page.flags = continued ? OggPage::kContinued : 0;
  };
  for (const std::string& packet : packets) {
    for (size_t at = 0; at <= packet.size(); at += 255) {
      if (page.lacing.size() == 255) {
        page.granule = -1;
        finish(at > 0);
      }
      const size_t segment = std::min<size_t>(255, packet.size() - at);
      page.lacing.push_back(static_cast<char>(segment));
      page.body.append(packet, at, segment);
    }
  }
  finish(false);
  return pages;
}

// The three header packets with our comments as the second, then the audio pages renumbered.
absl::Status CopyOgg(const SourceFile& encoded, const AudioMetadata& metadata, std::FILE* to) {
  const std::string comments = "\x03vorbis" + VorbisCommentBody(metadata) + '\x01';
  const auto serial = static_cast<uint32_t>(HashName(comments));
  std::vector<std::string> packets(1);
  uint32_t sequence = 0;
  bool written = true;
  int64_t at = 0;
  while (at < encoded.size() && written) {
    std::optional<OggPage> page = ReadOggPage(encoded, at);
    if (!page) return Error(absl::StatusCode::kInternal, "cannot_encode", "ogg: the encoder left a broken page");
    at += page->bytes();
    page->serial = serial;
    if (packets.size() > 3 || at == page->bytes()) {  // audio, or the first page, which stands alone
      page->sequence = sequence++;
      written = PutBytes(to, page->Serialized());
      continue;
    }
    size_t begin = 0;
    for (const char segment : page->lacing) {
      packets.back().append(page->body, begin, static_cast<uint8_t>(segment));
      begin += static_cast<uint8_t>(segment);
      if (static_cast<uint8_t>(segment) < 255) packets.emplace_back();
    }
    if (packets.size() < 3) continue;
    // packets: comments, set-up, and the empty start of what follows on the next page (RFC 3533, Vorbis I appendix
    // A.2).
    for (const OggPage& made : PagesOf({comments, packets[1]}, serial, sequence))
      written = written && PutBytes(to, made.Serialized());
    packets.resize(4);
  }
  return written ? absl::OkStatus() : AudioWriteError(encoded.name(), errno);
}

}  // namespace

absl::Status WriteCoded(const std::filesystem::path& path, const AudioBuffer& audio, AudioContainer container,
                        const SaveOptions& options, const CancelToken& cancel) {
  OutputFile file(std::fopen(path.string().c_str(), "wb"), &std::fclose);
  if (!file) return AudioWriteError(path, errno);
  if (container == AudioContainer::kFlac && audio.empty()) {
    if (!PutBytes(file.get(), EmptyFlac(audio, options))) return AudioWriteError(path, errno);
    return std::fclose(file.release()) == 0 ? absl::OkStatus() : AudioWriteError(path, errno);
  }
  std::filesystem::path beside = path;
  beside += ".encoded";
  const std::shared_ptr<void> remove(nullptr, [&beside](void*) {
    std::error_code ignored;
    std::filesystem::remove(beside, ignored);
  });
  GRYM_RETURN_IF_ERROR(Encode(beside, audio, container, options, cancel));
  GRYM_ASSIGN_OR_RETURN(const auto encoded, SourceFile::Open(beside, INT64_MAX));
  GRYM_RETURN_IF_ERROR(container == AudioContainer::kFlac ? CopyFlac(*encoded, options.metadata, file.get())
                                                          : CopyOgg(*encoded, options.metadata, file.get()));
  return std::fclose(file.release()) == 0 ? absl::OkStatus() : AudioWriteError(path, errno);
}

}  // namespace grym
