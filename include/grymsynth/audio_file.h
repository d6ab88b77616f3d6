// Audio files: probe, read whole or in blocks, write whole or not at all, resample, mix channels.
#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grymsynth/audio_buffer.h"
#include "grymsynth/export.h"
#include "grymsynth/job.h"

namespace grym {

// Told apart by content, never by name. Nothing else reaches a decoder.
enum class AudioContainer { kWav, kRf64, kAiff, kFlac, kOggVorbis, kOggOpus, kMp3 };
GRYM_EXPORT std::string_view AudioContainerName(AudioContainer container);  // "wav", "flac", "ogg", ...

// Written as RIFF INFO, bext and iXML (WAV) or Vorbis comments (FLAC, OGG); UTF-8, at most 64 KiB each.
struct AudioMetadata {
  std::string title;
  std::string prompt;
  std::string seed;        // decimal; text, since 64 bits do not fit every reader
  std::string model;       // id and version
  std::string licence;
  std::string parameters;  // JSON text: enough to render the audio again
  std::string software;    // empty: SoftwareName() when written
};

struct AudioFileInfo {
  AudioContainer container = AudioContainer::kWav;
  std::string encoding;  // "pcm_16", "float_32", "a_law", "vorbis", ...
  int channels = 0;
  int rate_hz = 0;
  int64_t frames = 0;  // as declared and checked; -1 when only decoding can tell
  AudioMetadata metadata;
};

// Limits on a file before and while it is decoded; ResourceExhausted with both numbers beyond them.
struct AudioLimits {
  int64_t file_bytes = int64_t{2} << 30;
  int64_t decoded_bytes = int64_t{1} << 30;  // per LoadAudio; block reading has no such limit
};

// Reads the header only. NotFound; InvalidArgument for a pipe, device or folder (never blocks) and for a kind of file
// that is not audio; DataLoss for a damaged one. Every message names the file and the cause.
GRYM_EXPORT absl::StatusOr<AudioFileInfo> ProbeAudioFile(const std::filesystem::path& path,
                                                         const AudioLimits& limits = {});

// The whole file as float32. Non-finite samples are replaced by 0. Errors as ProbeAudioFile; a cut-off or lying file
// is DataLoss, one that decodes to more than the limit is ResourceExhausted. Cut off means: WAV, AIFF: a chunk longer
// than the file, but for a WAV from a pipe, whose size says "unknown" (all ones, about 2^31, or 0 before samples) and
// which reaches to the end; FLAC: fewer frames than STREAMINFO says; OGG: no end-of-stream page; MP3: fewer frames than
// its Xing frame says, or a last frame that is not whole (one cut exactly between frames, without Xing, cannot be
// told). A chained OGG and MP3 files joined end to end are read to their end, as one recording; Unimplemented if a
// later stream has another codec, rate or number of channels.
// Cancelled soon after `run`'s token is; it is polled at every block.
GRYM_EXPORT absl::StatusOr<AudioBuffer> LoadAudio(const std::filesystem::path& path, const AudioLimits& limits = {},
                                                  const RunOptions& run = {});

// A file as a stream of blocks with a fixed memory ceiling (the block and the decoder's own state).
// Threads: one at a time. After an error the reader answers that error again.
class GRYM_EXPORT AudioReader {
 public:
  static absl::StatusOr<AudioReader> Open(const std::filesystem::path& path, const AudioLimits& limits = {});
  AudioReader(AudioReader&&) noexcept;
  AudioReader& operator=(AudioReader&&) noexcept;
  ~AudioReader();
  const AudioFileInfo& info() const;
  int64_t position() const;  // frames read so far
  // The next at most `max_frames` (> 0) frames; 0 frames at the end.
  absl::StatusOr<AudioBuffer> Read(int64_t max_frames);
  // Back to the first frame.
  absl::Status Rewind();
  // Samples that were NaN, infinite or beyond +-1e9 and became 0, so far.
  int64_t replaced_samples() const;

 private:
  struct Impl;
  explicit AudioReader(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

enum class SampleFormat { kPcm16, kPcm24, kFloat32 };

struct SaveOptions {
  // WAV, FLAC or OGG Vorbis; unset: by the path's extension (.wav, .flac, .ogg).
  std::optional<AudioContainer> container;
  SampleFormat format = SampleFormat::kPcm16;  // FLAC takes 16 and 24, OGG ignores it
  bool dither = true;                          // triangular, 1 LSB, for 16 and 24 bit; long digital silence stays 0
  uint64_t dither_seed = 0;                    // same seed, same bytes
  double ogg_quality = 0.6;                    // [0, 1]
  AudioMetadata metadata;
};

// Writes beside the target, syncs, renames: a reader sees the whole file or none. Samples beyond full scale are
// clipped in integer formats. InvalidArgument for NaN or infinity, with the channel and frame. `run`'s token is polled
// at every block; when it is cancelled nothing is written.
GRYM_EXPORT absl::Status SaveAudio(const std::filesystem::path& path, const AudioBuffer& audio,
                                   const SaveOptions& options = {}, const RunOptions& run = {});

// The first three are soxr's, for 28, 20 and 16 bit: worst alias below -150, -125 and -103 dB, pass band (0.01 dB) to
// 0.91 of the lower Nyquist frequency. kLibsamplerate is libsamplerate's best converter: worst alias -134 dB, pass band
// (0.1 dB) to 0.94, a hundred times slower than kBest.
enum class ResampleQuality { kBest, kMedium, kFast, kLibsamplerate };
// Linear phase, delay compensated: frames out = round(frames * rate_hz / audio.rate_hz()).
// InvalidArgument for rates more than 256 times apart; Cancelled soon after `run`'s token is.
GRYM_EXPORT absl::StatusOr<AudioBuffer> Resample(const AudioBuffer& audio, int rate_hz,
                                                 ResampleQuality quality = ResampleQuality::kBest,
                                                 const RunOptions& run = {});
// Mono to stereo copies; stereo to mono is the mean; others by the usual 5.1/7.1 weights, or the mean.
GRYM_EXPORT absl::StatusOr<AudioBuffer> MixChannels(const AudioBuffer& audio, int channels);

// What an analysis accepts: a buffer (borrowed for the call) or a path, which is read in blocks and never held whole.
class AudioInput {
 public:
  AudioInput(const AudioBuffer& audio) : value_(&audio) {}                              // NOLINT: implicit on purpose
  AudioInput(std::filesystem::path path) : value_(std::move(path)) {}                   // NOLINT
  AudioInput(const char* path) : value_(std::filesystem::path(path)) {}                 // NOLINT
  AudioInput(const std::string& path) : value_(std::filesystem::path(path)) {}          // NOLINT
  const AudioBuffer* audio() const { auto* p = std::get_if<const AudioBuffer*>(&value_); return p ? *p : nullptr; }
  const std::filesystem::path* path() const { return std::get_if<std::filesystem::path>(&value_); }

 private:
  std::variant<const AudioBuffer*, std::filesystem::path> value_;
};

}  // namespace grym
