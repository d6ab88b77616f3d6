// Audio as a stream of blocks, whether it lies in memory or in a file: what every analysis reads from.
#pragma once
#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grymsynth/audio_buffer.h"
#include "grymsynth/audio_file.h"

namespace grym {

// Threads: one at a time.
class BlockSource {
 public:
  virtual ~BlockSource() = default;
  virtual int channels() const = 0;
  virtual int rate_hz() const = 0;
  virtual int64_t frames() const = 0;  // -1 when only reading to the end can tell
  // The next frames, at most `max_frames` (> 0) and fewer only at the end; 0 frames at the end.
  virtual absl::StatusOr<AudioBuffer> Read(int64_t max_frames) = 0;
  // Back to the first frame.
  virtual absl::Status Rewind() = 0;
  // NaN or infinite samples that were replaced by 0 so far.
  virtual int64_t replaced_samples() const = 0;
};

// A buffer stays borrowed and must outlive the source; a path is opened and read in blocks.
// Non-finite samples of either are replaced by 0 and counted.
absl::StatusOr<std::unique_ptr<BlockSource>> OpenInput(const AudioInput& input, const AudioLimits& limits = {});

// The same audio at another rate, resampled as it is read. At its own rate the source itself is answered.
absl::StatusOr<std::unique_ptr<BlockSource>> ResampledSource(std::unique_ptr<BlockSource> source, int rate_hz,
                                                             ResampleQuality quality = ResampleQuality::kMedium);

}  // namespace grym
