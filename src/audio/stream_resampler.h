// Sample rate conversion of a stream, block by block, by soxr or libsamplerate.
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grymsynth/audio_buffer.h"
#include "grymsynth/audio_file.h"

namespace grym {

class RateConverter;

// round(frames * to / from), halves up, without rounding in between.
int64_t ResampledFrames(int64_t frames, int from_rate_hz, int to_rate_hz);

// Delay compensated: output frame n lies at the time n / to_rate_hz of the input. However the input is cut into
// blocks, the joined output is the same, and its length is ResampledFrames(all input).
// Threads: one at a time.
class StreamResampler {
 public:
  // Rates in AudioBuffer's range, not more than 256 times apart.
  static absl::StatusOr<StreamResampler> Create(int channels, int from_rate_hz, int to_rate_hz,
                                                ResampleQuality quality);
  StreamResampler(StreamResampler&&) noexcept;
  StreamResampler& operator=(StreamResampler&&) noexcept;
  ~StreamResampler();

  int from_rate_hz() const { return from_rate_hz_; }
  int to_rate_hz() const { return to_rate_hz_; }
  // Takes a block at the input rate; answers what can be said by now, possibly 0 frames.
  absl::StatusOr<AudioBuffer> Push(const AudioBuffer& block);
  // The rest. After it only Reset may be called.
  absl::StatusOr<AudioBuffer> Finish();
  void Reset();

 private:
  StreamResampler(int channels, int from_rate_hz, int to_rate_hz, std::unique_ptr<RateConverter> converter);
  // All that can be said by now, at most `most_frames`; just as many if `last`.
  absl::StatusOr<AudioBuffer> Convert(const AudioBuffer& block, bool last, int64_t most_frames);
  // What the input so far is worth, less what was answered.
  int64_t Owed() const { return ResampledFrames(frames_in_, from_rate_hz_, to_rate_hz_) - frames_out_; }

  int channels_, from_rate_hz_, to_rate_hz_;
  int64_t frames_in_ = 0, frames_out_ = 0;
  bool finished_ = false;
  std::unique_ptr<RateConverter> converter_;
  std::vector<std::vector<float>> made_;  // per channel, kept between blocks
};

}  // namespace grym
