// Sound as a few whole numbers a frame: what a neural codec makes of it, and back.
#pragma once
#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "grymsynth/audio_buffer.h"
#include "grymsynth/export.h"
#include "grymsynth/job.h"

namespace grym {

struct AudioCodes {
  int64_t books = 0, frames = 0;
  std::vector<int32_t> values;  // [books, frames], row-major, each in [0, book size); the coarsest book first
  double frame_rate_hz = 0;     // 50 for EnCodec at 32 kHz
  int64_t sound_frames = 0;     // of the sound at the codec's rate; 0: all that the codes stand for
};

// Belongs to one thread.
class GRYM_EXPORT AudioCodec {
 public:
  virtual ~AudioCodec() = default;
  virtual int rate_hz() const = 0;
  virtual int channels() const = 0;
  virtual int64_t books() const = 0;  // a mono codec for left and right (a stereo MusicGen's): theirs take turns
  virtual int64_t book_size() const = 0;
  // Any rate and channel count: resampled and mixed as the codec wants it.
  virtual absl::StatusOr<AudioCodes> Encode(const AudioBuffer& audio, const RunOptions& run) = 0;
  // At the codec's own rate. InvalidArgument (code "bad_codes") where shape and values do not agree, or a value is out
  // of its book, with its place.
  virtual absl::StatusOr<AudioBuffer> Decode(const AudioCodes& codes, const RunOptions& run) = 0;
};

}  // namespace grym
