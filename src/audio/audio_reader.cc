// Audio files read whole, in blocks, or by their header alone.
#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <utility>
#include <vector>

#include "audio/sample.h"
#include "audio/sound_decoder.h"
#include "audio/source_file.h"
#include "audio/stream_header.h"
#include "base/format.h"
#include "base/fs.h"
#include "base/progress.h"
#include "base/status.h"
#include "grymsynth/audio_file.h"

namespace grym {
namespace {

constexpr int64_t kDecodeFrames = 16384;  // decoded at a time
constexpr int64_t kCountFrames = 1024;    // when nothing is kept: blocks that the allocator has at hand
// A coder that claims more audio per byte than this is counted before memory is taken for it. Speech at 24 kbit/s in
// Vorbis is 1:60 against float32.
constexpr int64_t kPlausibleExpansion = 128;
constexpr int64_t kSmallDecodedBytes = 16 << 20;

// How much shorter than declared the whole may be.
int64_t ToleranceOf(const StreamHeader& header) {
  return header.frame_tolerance * static_cast<int64_t>(header.views.size());
}

// OGG: what is to be played is the codec's knowledge. MP3: an Info frame may say how much the encoder added.
void TakeDecoderLength(const SoundDecoder& decoder, StreamHeader& header) {
  const AudioContainer container = header.info.container;
  if (container == AudioContainer::kOggVorbis || container == AudioContainer::kOggOpus) {
    header.info.frames = decoder.frames();
    header.info.rate_hz = decoder.rate_hz();
  } else if (container == AudioContainer::kMp3) {
    const int64_t added = header.info.frames - decoder.frames();
    if (added >= 0 && added <= 2 * ToleranceOf(header)) header.info.frames = decoder.frames();
  }
}

}  // namespace

struct AudioReader::Impl {
  std::shared_ptr<const SourceFile> file;
  StreamHeader header;
  std::unique_ptr<SoundDecoder> decoder;
  int64_t position = 0;
  int64_t replaced = 0;
  bool ended = false;
  absl::Status poisoned;
  std::vector<float> interleaved;

  absl::Status OpenDecoder();
  absl::StatusOr<int64_t> Step(int64_t max_frames);
  absl::Status CheckEnd(bool exhausted);
};

absl::Status AudioReader::Impl::OpenDecoder() {
  GRYM_ASSIGN_OR_RETURN(decoder, SoundDecoder::Open(file, header));
  position = replaced = 0;
  ended = false;
  return absl::OkStatus();
}

// At the end of the decoder's data, or once the declared number of frames was read.
absl::Status AudioReader::Impl::CheckEnd(bool exhausted) {
  const int64_t declared = header.info.frames;
  if (declared < 0) return absl::OkStatus();
  if (exhausted && position < declared - ToleranceOf(header)) {
    return DamagedAudio(*file, Formatted("cut off or damaged: the header says %d frames, only %d can be decoded",
                                               declared, position));
  }
  if (position > declared + header.frame_tolerance) {
    return DamagedAudio(*file, Formatted("lying header: it says %d frames, more can be decoded", declared));
  }
  return absl::OkStatus();
}

// Decodes the next frames into `interleaved` from its start; 0 at the checked end.
absl::StatusOr<int64_t> AudioReader::Impl::Step(int64_t max_frames) {
  if (ended) return 0;
  const int channels = header.info.channels;
  const int64_t frames = std::min(max_frames, kDecodeFrames);
  interleaved.resize(static_cast<size_t>(frames * channels));
  int64_t got = 0;
  while (got < frames) {  // a coder may deliver less than asked before its end
    GRYM_ASSIGN_OR_RETURN(const int64_t now, decoder->Read(interleaved.data() + got * channels, frames - got));
    if (now == 0) break;
    got += now;
  }
  position += got;
  ended = got < frames;
  GRYM_RETURN_IF_ERROR(CheckEnd(ended));
  if (!ended && position == header.info.frames && header.frame_tolerance == 0) {
    // The declared end: whether more follows must be known now, since a caller may not ask again.
    std::vector<float> beyond(static_cast<size_t>(channels));
    GRYM_ASSIGN_OR_RETURN(const int64_t more, decoder->Read(beyond.data(), 1));
    ended = true;
    if (more > 0) {
      position += more;
      GRYM_RETURN_IF_ERROR(CheckEnd(false));
    }
  }
  for (int64_t i = 0; i < got * channels; ++i) {
    float& sample = interleaved[static_cast<size_t>(i)];
    if (IsSample(sample)) continue;
    sample = 0;
    ++replaced;
  }
  return got;
}

AudioReader::AudioReader(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
AudioReader::AudioReader(AudioReader&&) noexcept = default;
AudioReader& AudioReader::operator=(AudioReader&&) noexcept = default;
AudioReader::~AudioReader() = default;
const AudioFileInfo& AudioReader::info() const { return impl_->header.info; }
int64_t AudioReader::position() const { return impl_->position; }
int64_t AudioReader::replaced_samples() const { return impl_->replaced; }

absl::StatusOr<AudioReader> AudioReader::Open(const std::filesystem::path& path, const AudioLimits& limits) {
  auto impl = std::make_unique<Impl>();
  GRYM_ASSIGN_OR_RETURN(impl->file, SourceFile::Open(path, limits.file_bytes));
  GRYM_ASSIGN_OR_RETURN(impl->header, ReadStreamHeader(*impl->file));
  GRYM_RETURN_IF_ERROR(impl->OpenDecoder());
  TakeDecoderLength(*impl->decoder, impl->header);
  return AudioReader(std::move(impl));
}

absl::StatusOr<AudioBuffer> AudioReader::Read(int64_t max_frames) {
  if (max_frames <= 0) {
    return Error(absl::StatusCode::kInvalidArgument, "bad_block",
                 Formatted("max_frames: want more than 0, got %d", max_frames));
  }
  Impl& reader = *impl_;
  GRYM_RETURN_IF_ERROR(reader.poisoned);
  std::vector<float> block;
  const auto channels = static_cast<int64_t>(reader.header.info.channels);
  for (int64_t left = max_frames; left > 0;) {
    const absl::StatusOr<int64_t> got = reader.Step(left);
    if (!got.ok()) {
      reader.poisoned = got.status();
      return reader.poisoned;
    }
    if (*got == 0) break;
    left -= *got;
    block.insert(block.end(), reader.interleaved.begin(), reader.interleaved.begin() + *got * channels);
  }
  return AudioBuffer::FromInterleaved(block, reader.header.info.channels, reader.header.info.rate_hz);
}

absl::Status AudioReader::Rewind() {
  Impl& reader = *impl_;
  GRYM_RETURN_IF_ERROR(reader.poisoned);
  if (reader.position == 0) return absl::OkStatus();
  // Opened anew: seeking in coded streams is where decoders differ.
  if (absl::Status opened = reader.OpenDecoder(); !opened.ok()) reader.poisoned = opened;
  return reader.poisoned;
}

absl::StatusOr<AudioFileInfo> ProbeAudioFile(const std::filesystem::path& path, const AudioLimits& limits) {
  GRYM_ASSIGN_OR_RETURN(const AudioReader reader, AudioReader::Open(path, limits));
  return reader.info();
}

namespace {

absl::Status TooMuchAudio(const std::filesystem::path& path, int64_t frames, int channels, int64_t limit_bytes,
                          bool at_least) {
  return Error(absl::StatusCode::kResourceExhausted, "audio_too_long",
               Formatted("\"%s\": want at most %d bytes decoded, got %s%.0f (%d frames of %d channels)",
                               Printable(path.string()), limit_bytes, at_least ? "at least " : "",
                               static_cast<double>(frames) * channels * sizeof(float), frames, channels));
}

// Decodes to the end and keeps nothing.
absl::StatusOr<int64_t> CountFrames(AudioReader& reader, const std::filesystem::path& path, int64_t limit_frames,
                                    int64_t limit_bytes, const RunOptions& run) {
  while (true) {
    GRYM_RETURN_IF_ERROR(run.cancel.Check());
    GRYM_ASSIGN_OR_RETURN(const AudioBuffer block, reader.Read(kCountFrames));
    if (block.empty()) return reader.position();
    if (reader.position() > limit_frames)
      return TooMuchAudio(path, reader.position(), reader.info().channels, limit_bytes, true);
  }
}

}  // namespace

absl::StatusOr<AudioBuffer> LoadAudio(const std::filesystem::path& path, const AudioLimits& limits,
                                      const RunOptions& run) {
  ProgressReporter progress(run);
  GRYM_RETURN_IF_ERROR(progress.Check());
  GRYM_ASSIGN_OR_RETURN(AudioReader reader, AudioReader::Open(path, limits));
  const int channels = reader.info().channels;
  const int64_t frame_bytes = static_cast<int64_t>(sizeof(float)) * channels;
  const int64_t limit_frames = limits.decoded_bytes / frame_bytes;
  int64_t frames = reader.info().frames;
  if (frames > limit_frames) return TooMuchAudio(path, frames, channels, limits.decoded_bytes, false);
  GRYM_ASSIGN_OR_RETURN(const int64_t file_bytes, RegularFileSize(path));
  if (frames < 0 ||
      (frames * frame_bytes > kSmallDecodedBytes && frames * frame_bytes / kPlausibleExpansion > file_bytes)) {
    GRYM_ASSIGN_OR_RETURN(frames, CountFrames(reader, path, limit_frames, limits.decoded_bytes, run));
    GRYM_RETURN_IF_ERROR(reader.Rewind());
  }
  if (reader.info().container == AudioContainer::kMp3) frames += kMp3ToleranceFrames;
  GRYM_ASSIGN_OR_RETURN(AudioBuffer audio, AudioBuffer::Create(channels, frames, reader.info().rate_hz));
  int64_t written = 0;
  while (true) {
    progress.Report(frames > 0 ? static_cast<double>(written) / static_cast<double>(frames) : 0, "read");
    GRYM_RETURN_IF_ERROR(progress.Check());
    GRYM_ASSIGN_OR_RETURN(const AudioBuffer block, reader.Read(kDecodeFrames));
    if (block.empty()) break;
    const int64_t kept = std::min(block.frames(), frames - written);
    for (int c = 0; c < channels; ++c) {
      std::copy_n(block.channel(c).begin(), kept, audio.mutable_channel(c).begin() + written);
    }
    written += kept;
  }
  return written == frames ? std::move(audio) : audio.Slice(0, written);
}

}  // namespace grym
