#include "grymsynth/audio_buffer.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "audio/sample.h"
#include "base/format.h"
#include "base/status.h"

namespace grym {
namespace {

// Frames of up to 2^40 samples are addressable everywhere that we build; more cannot be meant.
constexpr int64_t kMaxBufferSamples = int64_t{1} << 40;

absl::Status BadBuffer(std::string_view message) {
  return Error(absl::StatusCode::kInvalidArgument, "bad_audio_buffer", message);
}

absl::Status CheckShape(int channels, int64_t frames, int rate_hz) {
  if (channels < 1 || channels > AudioBuffer::kMaxChannels) {
    return BadBuffer(Formatted("channels: want 1 to %d, got %d", AudioBuffer::kMaxChannels, channels));
  }
  if (frames < 0 || frames > kMaxBufferSamples / channels) {
    return BadBuffer(Formatted("frames: want 0 to %d, got %d", kMaxBufferSamples / channels, frames));
  }
  if (rate_hz < AudioBuffer::kMinRateHz || rate_hz > AudioBuffer::kMaxRateHz) {
    return BadBuffer(
        Formatted("rate_hz: want %d to %d, got %d", AudioBuffer::kMinRateHz, AudioBuffer::kMaxRateHz, rate_hz));
  }
  return absl::OkStatus();
}

// Whether `samples` can be so many channels at that rate.
absl::Status CheckPlanar(size_t samples, int channels, int rate_hz) {
  GRYM_RETURN_IF_ERROR(CheckShape(channels, 0, rate_hz));
  if (samples % static_cast<size_t>(channels) == 0) return absl::OkStatus();
  return BadBuffer(Formatted("samples: want a multiple of %d channels, got %d", channels, samples));
}

}  // namespace

AudioBuffer::AudioBuffer(const AudioBuffer& other)
    : channels_(other.channels_),
      rate_hz_(other.rate_hz_),
      frames_(other.frames_),
      samples_(other.planar().begin(), other.planar().end()) {}

AudioBuffer& AudioBuffer::operator=(const AudioBuffer& other) {
  if (this != &other) *this = AudioBuffer(other);
  return *this;
}

absl::StatusOr<AudioBuffer> AudioBuffer::Create(int channels, int64_t frames, int rate_hz) {
  GRYM_RETURN_IF_ERROR(CheckShape(channels, frames, rate_hz));
  AudioBuffer buffer;
  try {  // the one place where a size from outside becomes memory
    buffer.samples_.resize(static_cast<size_t>(channels) * static_cast<size_t>(frames));
  } catch (const std::exception&) {
    return Error(absl::StatusCode::kResourceExhausted, "out_of_memory",
                 Formatted("audio buffer: want %d bytes for %d channels of %d frames, the system has fewer",
                                 channels * frames * static_cast<int64_t>(sizeof(float)), channels, frames));
  }
  buffer.channels_ = channels;
  buffer.frames_ = frames;
  buffer.rate_hz_ = rate_hz;
  return buffer;
}

absl::StatusOr<AudioBuffer> AudioBuffer::FromPlanar(std::vector<float> samples, int channels, int rate_hz) {
  GRYM_RETURN_IF_ERROR(CheckPlanar(samples.size(), channels, rate_hz));
  AudioBuffer buffer;
  buffer.channels_ = channels;
  buffer.frames_ = static_cast<int64_t>(samples.size()) / channels;
  buffer.rate_hz_ = rate_hz;
  buffer.samples_ = std::move(samples);
  return buffer;
}

absl::StatusOr<AudioBuffer> AudioBuffer::Borrow(std::span<const float> samples, int channels, int rate_hz,
                                                std::shared_ptr<const void> owner) {
  GRYM_RETURN_IF_ERROR(CheckPlanar(samples.size(), channels, rate_hz));
  AudioBuffer buffer;
  if (!owner) return BadBuffer("owner: want what keeps the samples alive, got nothing");
  buffer.channels_ = channels;
  buffer.frames_ = static_cast<int64_t>(samples.size()) / channels;
  buffer.rate_hz_ = rate_hz;
  buffer.borrowed_ = samples;
  buffer.owner_ = std::move(owner);
  return buffer;
}

absl::StatusOr<AudioBuffer> AudioBuffer::FromInterleaved(std::span<const float> samples, int channels, int rate_hz) {
  GRYM_RETURN_IF_ERROR(CheckPlanar(samples.size(), channels, rate_hz));
  GRYM_ASSIGN_OR_RETURN(AudioBuffer buffer, Create(channels, static_cast<int64_t>(samples.size()) / channels, rate_hz));
  if (samples.empty()) return buffer;
  for (int c = 0; c < channels; ++c) {
    const float* from = samples.data() + c;
    for (float& to : buffer.mutable_channel(c)) {
      to = *from;
      from += channels;
    }
  }
  return buffer;
}

std::span<const float> AudioBuffer::channel(int c) const {
  return planar().subspan(static_cast<size_t>(c) * static_cast<size_t>(frames_), static_cast<size_t>(frames_));
}

std::span<float> AudioBuffer::mutable_channel(int c) {
  return mutable_planar().subspan(static_cast<size_t>(c) * static_cast<size_t>(frames_),
                                  static_cast<size_t>(frames_));
}

std::span<float> AudioBuffer::mutable_planar() {
  if (owner_) {
    samples_.assign(borrowed_.begin(), borrowed_.end());
    borrowed_ = {};
    owner_ = nullptr;
  }
  return samples_;
}

AudioBuffer AudioBuffer::Slice(int64_t start, int64_t count) const {
  const int64_t begin = std::clamp<int64_t>(start, 0, frames_);
  // A start before the first frame takes its part of `count` with it.
  const int64_t before = start < 0 ? (start < -frames_ - count ? count : std::min(count, -start)) : 0;
  const int64_t length = std::clamp<int64_t>(count - before, 0, frames_ - begin);
  AudioBuffer part;
  part.channels_ = channels_;
  part.rate_hz_ = rate_hz_;
  part.frames_ = length;
  part.samples_.reserve(static_cast<size_t>(channels_) * static_cast<size_t>(length));
  for (int c = 0; c < channels_; ++c) {
    const auto from = channel(c).subspan(static_cast<size_t>(begin), static_cast<size_t>(length));
    part.samples_.insert(part.samples_.end(), from.begin(), from.end());
  }
  return part;
}

absl::Status AudioBuffer::Append(const AudioBuffer& more) {
  if (more.channels_ != channels_ || more.rate_hz_ != rate_hz_) {
    return BadBuffer(Formatted("append: want %d channels at %d Hz, got %d channels at %d Hz", channels_, rate_hz_,
                                     more.channels_, more.rate_hz_));
  }
  if (channels_ == 1) {  // amortised, as a vector is
    const size_t added = more.planar().size();
    mutable_planar();  // from here on the samples are our own
    samples_.resize(samples_.size() + added);
    const float* from = &more == this ? samples_.data() : more.planar().data();
    std::copy_n(from, added, samples_.end() - static_cast<int64_t>(added));
    frames_ += static_cast<int64_t>(added);
    return absl::OkStatus();
  }
  GRYM_ASSIGN_OR_RETURN(AudioBuffer joined, Create(channels_, frames_ + more.frames_, rate_hz_));
  for (int c = 0; c < channels_; ++c) {
    const auto to = joined.mutable_channel(c);
    const auto first = channel(c), second = more.channel(c);
    std::copy(second.begin(), second.end(), std::copy(first.begin(), first.end(), to.begin()));
  }
  *this = std::move(joined);
  return absl::OkStatus();
}

AudioBuffer AudioBuffer::ToMono() const {
  if (channels_ == 1) return *this;
  AudioBuffer mono;
  mono.rate_hz_ = rate_hz_;
  mono.frames_ = frames_;
  mono.samples_.resize(static_cast<size_t>(frames_));
  for (int64_t i = 0; i < frames_; ++i) {
    double sum = 0;  // 32 channels at full scale keep all bits of a float
    for (int c = 0; c < channels_; ++c)
      sum += planar()[static_cast<size_t>(c) * static_cast<size_t>(frames_) + static_cast<size_t>(i)];
    mono.samples_[static_cast<size_t>(i)] = static_cast<float>(sum / channels_);
  }
  return mono;
}

int64_t AudioBuffer::ReplaceNonFinite() {
  if (owner_ && std::all_of(borrowed_.begin(), borrowed_.end(), &IsSample)) {
    return 0;
  }
  int64_t replaced = 0;
  for (float& sample : mutable_planar()) {
    if (IsSample(sample)) continue;
    sample = 0;
    ++replaced;
  }
  return replaced;
}

}  // namespace grym
