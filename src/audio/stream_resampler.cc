#include "audio/stream_resampler.h"

#include <algorithm>
#include <utility>

#include "audio/rate_converter.h"
#include "base/format.h"
#include "base/status.h"

namespace grym {
namespace {

constexpr int kMostApart = 256;  // libsamplerate's limit, kept for all

absl::Status ResampleError(std::string_view message) {
  return Error(absl::StatusCode::kInvalidArgument, "bad_resample", message);
}

}  // namespace

int64_t ResampledFrames(int64_t frames, int from_rate_hz, int to_rate_hz) {
  // frames * to may pass 63 bits for years of audio: split into whole seconds and the rest.
  const int64_t whole = frames / from_rate_hz, rest = frames % from_rate_hz;
  return whole * to_rate_hz + (2 * rest * to_rate_hz + from_rate_hz) / (2 * int64_t{from_rate_hz});
}

StreamResampler::StreamResampler(int channels, int from_rate_hz, int to_rate_hz,
                                 std::unique_ptr<RateConverter> converter)
    : channels_(channels), from_rate_hz_(from_rate_hz), to_rate_hz_(to_rate_hz), converter_(std::move(converter)) {}
StreamResampler::StreamResampler(StreamResampler&&) noexcept = default;
StreamResampler& StreamResampler::operator=(StreamResampler&&) noexcept = default;
StreamResampler::~StreamResampler() = default;

absl::StatusOr<StreamResampler> StreamResampler::Create(int channels, int from_rate_hz, int to_rate_hz,
                                                        ResampleQuality quality) {
  GRYM_RETURN_IF_ERROR(AudioBuffer::Create(channels, 0, from_rate_hz).status());
  GRYM_RETURN_IF_ERROR(AudioBuffer::Create(channels, 0, to_rate_hz).status());
  const auto [low, high] = std::minmax(from_rate_hz, to_rate_hz);
  if (high > int64_t{kMostApart} * low) {
    return ResampleError(Formatted("rate_hz: want at most %d times up or down, got %d from %d", kMostApart, to_rate_hz,
                                   from_rate_hz));
  }
  GRYM_ASSIGN_OR_RETURN(std::unique_ptr<RateConverter> converter,
                        quality == ResampleQuality::kLibsamplerate
                            ? MakeSamplerateConverter(channels, from_rate_hz, to_rate_hz)
                            : MakeSoxrConverter(channels, from_rate_hz, to_rate_hz, quality));
  return StreamResampler(channels, from_rate_hz, to_rate_hz, std::move(converter));
}

absl::StatusOr<AudioBuffer> StreamResampler::Convert(const AudioBuffer& block, bool last, int64_t most_frames) {
  constexpr int64_t kStepFrames = 16384;
  made_.resize(static_cast<size_t>(channels_));
  std::vector<const float*> in(static_cast<size_t>(channels_));
  std::vector<float*> out(static_cast<size_t>(channels_));
  int64_t taken = 0, made = 0;
  while (true) {
    for (int c = 0; c < channels_; ++c) {
      const auto at = static_cast<size_t>(c);
      made_[at].resize(static_cast<size_t>(made + kStepFrames));
      in[at] = last ? nullptr : block.channel(c).data() + taken;
      out[at] = made_[at].data() + made;
    }
    GRYM_ASSIGN_OR_RETURN(const RateConverter::Step step,
                          converter_->Convert(in.data(), block.frames() - taken, last, out.data(), kStepFrames));
    taken += step.taken;
    made += step.made;
    if (step.made == 0 && (taken == block.frames() || step.taken == 0)) break;
  }
  const int64_t kept = std::min(made, most_frames);
  GRYM_ASSIGN_OR_RETURN(AudioBuffer result, AudioBuffer::Create(channels_, last ? most_frames : kept, to_rate_hz_));
  for (int c = 0; c < channels_; ++c) {
    std::copy_n(made_[static_cast<size_t>(c)].begin(), kept, result.mutable_channel(c).begin());
  }
  frames_out_ += result.frames();
  return result;
}

absl::StatusOr<AudioBuffer> StreamResampler::Push(const AudioBuffer& block) {
  if (finished_)
    return Error(absl::StatusCode::kFailedPrecondition, "resampler_finished", "resampler: Push after Finish");
  if (block.channels() != channels_ || block.rate_hz() != from_rate_hz_) {
    return ResampleError(Formatted("resampler: want %d channels at %d Hz, got %d channels at %d Hz", channels_,
                                         from_rate_hz_, block.channels(), block.rate_hz()));
  }
  if (block.empty()) return AudioBuffer::Create(channels_, 0, to_rate_hz_);
  frames_in_ += block.frames();
  // The filter's tail may run past the last frame that the whole input is worth; Finish cuts there, so must we.
  return Convert(block, false, std::max<int64_t>(0, Owed()));
}

absl::StatusOr<AudioBuffer> StreamResampler::Finish() {
  if (finished_)
    return Error(absl::StatusCode::kFailedPrecondition, "resampler_finished", "resampler: Finish after Finish");
  finished_ = true;
  if (frames_in_ == 0) return AudioBuffer::Create(channels_, 0, to_rate_hz_);
  // A converter may end a frame early or late: silence fills, the rest is cut.
  return Convert(AudioBuffer(), true, std::max<int64_t>(0, Owed()));
}

void StreamResampler::Reset() {
  converter_->Reset();
  frames_in_ = frames_out_ = 0;
  finished_ = false;
}

}  // namespace grym
