// Sample rate conversion of a stream, block by block, by libsamplerate's sinc converters.
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "grymsynth/audio_buffer.h"
#include "grymsynth/audio_file.h"

namespace grym {

// round(frames * to / from), halves up, without rounding in between.
int64_t ResampledFrames(int64_t frames, int from_rate_hz, int to_rate_hz);

// Delay compensated: output frame n lies at the time n / to_rate_hz of the input. However the input is cut into
// blocks, the joined output is the same, and its length is ResampledFrames(all input).
// Threads: one at a time.
class StreamResampler {
 public:
  // Rates in AudioBuffer's range, not more than 256 times apart (libsamplerate's limit).
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
  struct State;  // libsamplerate's
  StreamResampler(int channels, int from_rate_hz, int to_rate_hz, std::unique_ptr<State> state);
  absl::Status Convert(std::span<const float> interleaved, bool last, std::vector<float>& out);

  int channels_, from_rate_hz_, to_rate_hz_;
  int64_t frames_in_ = 0, frames_out_ = 0;
  bool finished_ = false;
  std::unique_ptr<State> state_;
};

}  // namespace grym
