#include "audio/stream_resampler.h"

#include <samplerate.h>

#include <algorithm>
#include <span>
#include <utility>

#include "base/format.h"
#include "base/status.h"

namespace grym {

struct StreamResampler::State {
  State() = default;
  ~State() { src_delete(src); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  SRC_STATE* src = nullptr;
  std::vector<float> interleaved, converted;
};

namespace {

int ConverterOf(ResampleQuality quality) {
  switch (quality) {
    case ResampleQuality::kBest: return SRC_SINC_BEST_QUALITY;
    case ResampleQuality::kMedium: return SRC_SINC_MEDIUM_QUALITY;
    case ResampleQuality::kFast: return SRC_SINC_FASTEST;
  }
  return SRC_SINC_BEST_QUALITY;
}

absl::Status ResampleError(std::string_view message) {
  return Error(absl::StatusCode::kInvalidArgument, "bad_resample", message);
}

}  // namespace

int64_t ResampledFrames(int64_t frames, int from_rate_hz, int to_rate_hz) {
  // frames * to may pass 63 bits for years of audio: split into whole seconds and the rest.
  const int64_t whole = frames / from_rate_hz, rest = frames % from_rate_hz;
  return whole * to_rate_hz + (2 * rest * to_rate_hz + from_rate_hz) / (2 * int64_t{from_rate_hz});
}

StreamResampler::StreamResampler(int channels, int from_rate_hz, int to_rate_hz, std::unique_ptr<State> state)
    : channels_(channels), from_rate_hz_(from_rate_hz), to_rate_hz_(to_rate_hz), state_(std::move(state)) {}
StreamResampler::StreamResampler(StreamResampler&&) noexcept = default;
StreamResampler& StreamResampler::operator=(StreamResampler&&) noexcept = default;
StreamResampler::~StreamResampler() = default;

absl::StatusOr<StreamResampler> StreamResampler::Create(int channels, int from_rate_hz, int to_rate_hz,
                                                        ResampleQuality quality) {
  GRYM_RETURN_IF_ERROR(AudioBuffer::Create(channels, 0, from_rate_hz).status());
  GRYM_RETURN_IF_ERROR(AudioBuffer::Create(channels, 0, to_rate_hz).status());
  const double ratio = static_cast<double>(to_rate_hz) / from_rate_hz;
  if (!src_is_valid_ratio(ratio)) {
    return ResampleError(
        Formatted("rate_hz: want at most 256 times up or down, got %d from %d", to_rate_hz, from_rate_hz));
  }
  int error = 0;
  auto state = std::make_unique<State>();  // before what it is to hold, which would be lost if there were no memory
  state->src = src_new(ConverterOf(quality), channels, &error);
  if (!state->src)
    return Error(absl::StatusCode::kResourceExhausted, "out_of_memory",
                 std::string("resampler: ") + src_strerror(error));
  src_set_ratio(state->src, ratio);
  return StreamResampler(channels, from_rate_hz, to_rate_hz, std::move(state));
}

absl::Status StreamResampler::Convert(std::span<const float> interleaved, bool last, std::vector<float>& out) {
  constexpr long kStepFrames = 16384;
  state_->converted.resize(static_cast<size_t>(kStepFrames) * static_cast<size_t>(channels_));
  SRC_DATA data{};
  data.src_ratio = static_cast<double>(to_rate_hz_) / from_rate_hz_;
  data.end_of_input = last ? 1 : 0;
  data.data_out = state_->converted.data();
  data.output_frames = kStepFrames;
  const float nothing = 0;
  int64_t left = static_cast<int64_t>(interleaved.size()) / channels_;
  const float* from = left ? interleaved.data() : &nothing;
  while (true) {
    data.data_in = from;
    data.input_frames = static_cast<long>(left);
    if (const int error = src_process(state_->src, &data)) {
      return Error(absl::StatusCode::kInternal, "resample_failed", std::string("resampler: ") + src_strerror(error));
    }
    from += data.input_frames_used * channels_;
    left -= data.input_frames_used;
    out.insert(out.end(), data.data_out, data.data_out + data.output_frames_gen * channels_);
    if (data.output_frames_gen == 0 && (left == 0 || data.input_frames_used == 0)) return absl::OkStatus();
  }
}

absl::StatusOr<AudioBuffer> StreamResampler::Push(const AudioBuffer& block) {
  if (finished_)
    return Error(absl::StatusCode::kFailedPrecondition, "resampler_finished", "resampler: Push after Finish");
  if (block.channels() != channels_ || block.rate_hz() != from_rate_hz_) {
    return ResampleError(Formatted("resampler: want %d channels at %d Hz, got %d channels at %d Hz", channels_,
                                         from_rate_hz_, block.channels(), block.rate_hz()));
  }
  state_->interleaved.resize(block.planar().size());
  for (int c = 0; c < channels_ && !block.empty(); ++c) {
    float* to = state_->interleaved.data() + c;
    for (const float sample : block.channel(c)) {
      *to = sample;
      to += channels_;
    }
  }
  frames_in_ += block.frames();
  std::vector<float> out;
  if (!block.empty()) GRYM_RETURN_IF_ERROR(Convert(state_->interleaved, false, out));
  // The filter's tail may run past the last frame that the whole input is worth; Finish cuts there, so must we.
  const int64_t allowed = ResampledFrames(frames_in_, from_rate_hz_, to_rate_hz_) - frames_out_;
  const int64_t made = std::min<int64_t>(static_cast<int64_t>(out.size()) / channels_, std::max<int64_t>(allowed, 0));
  frames_out_ += made;
  return AudioBuffer::FromInterleaved(std::span<const float>(out).first(static_cast<size_t>(made * channels_)),
                                      channels_, to_rate_hz_);
}

absl::StatusOr<AudioBuffer> StreamResampler::Finish() {
  if (finished_)
    return Error(absl::StatusCode::kFailedPrecondition, "resampler_finished", "resampler: Finish after Finish");
  finished_ = true;
  std::vector<float> out;
  if (frames_in_ > 0) GRYM_RETURN_IF_ERROR(Convert({}, true, out));
  const int64_t missing = std::max<int64_t>(0, ResampledFrames(frames_in_, from_rate_hz_, to_rate_hz_) - frames_out_);
  out.resize(static_cast<size_t>(missing * channels_));  // libsamplerate may end a frame early or late
  frames_out_ += missing;
  return AudioBuffer::FromInterleaved(out, channels_, to_rate_hz_);
}

void StreamResampler::Reset() {
  src_reset(state_->src);
  src_set_ratio(state_->src, static_cast<double>(to_rate_hz_) / from_rate_hz_);
  frames_in_ = frames_out_ = 0;
  finished_ = false;
}

}  // namespace grym
