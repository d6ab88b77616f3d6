// libsndfile behind our own header check: decodes the view of a file that a StreamHeader allows.
//
// A damaged MP3 makes libmpg123 write a line to stderr. Its MPG123_QUIET would stop that, but libsndfile 1.2 makes the
// handle itself, sets other flags (src/mpeg_decode.c) and has no command that reaches it; stderr is the program's, so it
// is not redirected here.
#pragma once
#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "audio/source_file.h"
#include "audio/stream_header.h"

namespace grym {

// Threads: one at a time.
class SoundDecoder {
 public:
  // DataLoss if the decoder refuses a stream or reads another shape out of it than the header says; Unimplemented for
  // joined streams that decode to different rates.
  static absl::StatusOr<std::unique_ptr<SoundDecoder>> Open(std::shared_ptr<const SourceFile> file,
                                                            const StreamHeader& header);
  virtual ~SoundDecoder() = default;
  // What the decoder makes of the stream: its length (negative: unknown) and rate (Opus: 48 kHz or a divisor).
  virtual int64_t frames() const = 0;
  virtual int rate_hz() const = 0;
  // Frames written to `interleaved`, at most `max_frames`; 0 at the end.
  virtual absl::StatusOr<int64_t> Read(float* interleaved, int64_t max_frames) = 0;
};

}  // namespace grym
