// Planar float audio with its sample rate: the value every room passes on.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "grymsynth/export.h"

namespace grym {

// Shape [channels, frames], float32, full scale at +-1. A frame is one sample of every channel.
// Copying copies the audio, also what is borrowed; a moved-from buffer may only be assigned or destroyed.
// Threads: const methods may run together; a writer must be alone.
class GRYM_EXPORT AudioBuffer {
 public:
  static constexpr int kMaxChannels = 32;
  static constexpr int kMinRateHz = 1000;
  static constexpr int kMaxRateHz = 768000;

  // An empty mono buffer at 44.1 kHz.
  AudioBuffer() = default;
  AudioBuffer(const AudioBuffer& other);
  AudioBuffer& operator=(const AudioBuffer& other);
  AudioBuffer(AudioBuffer&&) = default;
  AudioBuffer& operator=(AudioBuffer&&) = default;
  // Silence. InvalidArgument names the field and its value unless
  // channels is in [1, 32], frames >= 0 and rate_hz is in [1000, 768000].
  static absl::StatusOr<AudioBuffer> Create(int channels, int64_t frames, int rate_hz);
  // Takes over `samples`, channel after channel. InvalidArgument as above, or if the size is no multiple of `channels`.
  static absl::StatusOr<AudioBuffer> FromPlanar(std::vector<float> samples, int channels, int rate_hz);
  // Looks into `samples`, channel after channel, without a copy; `owner` keeps them alive. A mutable accessor, Append
  // and ReplaceNonFinite copy them first, so the owner's samples are never written. InvalidArgument as FromPlanar.
  static absl::StatusOr<AudioBuffer> Borrow(std::span<const float> samples, int channels, int rate_hz,
                                            std::shared_ptr<const void> owner);
  // Copies frame after frame [frames, channels].
  static absl::StatusOr<AudioBuffer> FromInterleaved(std::span<const float> samples, int channels, int rate_hz);

  int channels() const { return channels_; }
  int64_t frames() const { return frames_; }  // per channel
  int rate_hz() const { return rate_hz_; }
  double duration_s() const { return static_cast<double>(frames_) / rate_hz_; }
  bool empty() const { return frames_ == 0; }

  // Borrowed; dies when the buffer is moved from, assigned or destroyed. Requires 0 <= c < channels().
  std::span<const float> channel(int c) const;
  std::span<float> mutable_channel(int c);
  // All samples, channel after channel: shape [channels, frames].
  std::span<const float> planar() const { return owner_ ? borrowed_ : std::span<const float>(samples_); }
  std::span<float> mutable_planar();

  // Frames [start, start + count), clipped to what there is.
  AudioBuffer Slice(int64_t start, int64_t count) const;
  // Appends. InvalidArgument unless channels and rate agree.
  absl::Status Append(const AudioBuffer& more);
  // Mean of the channels, as a mono buffer.
  AudioBuffer ToMono() const;
  // Replaces NaN, infinities and what lies beyond +-1e9 (no recording holds it) by 0; returns how many there were.
  int64_t ReplaceNonFinite();

 private:
  int channels_ = 1;
  int rate_hz_ = 44100;
  int64_t frames_ = 0;
  std::vector<float> samples_;  // channel after channel; empty while borrowed
  std::span<const float> borrowed_;
  std::shared_ptr<const void> owner_;  // set while borrowed
};

}  // namespace grym
