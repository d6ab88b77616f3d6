// libsamplerate behind RateConverter. It wants its channels interleaved.
#include <samplerate.h>

#include <algorithm>
#include <string>
#include <vector>

#include "audio/rate_converter.h"
#include "base/status.h"

namespace grym {
namespace {

class SamplerateConverter : public RateConverter {
 public:
  SamplerateConverter(int channels, double ratio) : channels_(channels), ratio_(ratio) {}
  ~SamplerateConverter() override { src_delete(state_); }
  SamplerateConverter(const SamplerateConverter&) = delete;
  SamplerateConverter& operator=(const SamplerateConverter&) = delete;

  absl::Status Open() {
    int error = 0;
    state_ = src_new(SRC_SINC_BEST_QUALITY, channels_, &error);
    if (!state_) {
      return Error(absl::StatusCode::kResourceExhausted, "out_of_memory",
                   std::string("resampler: ") + src_strerror(error));
    }
    src_set_ratio(state_, ratio_);
    return absl::OkStatus();
  }

  absl::StatusOr<Step> Convert(const float* const* in, int64_t frames, bool last, float* const* out,
                               int64_t room) override {
    const int64_t given = std::min(frames, kStepFrames), wanted = std::min(room, kStepFrames);
    taken_.resize(static_cast<size_t>(std::max<int64_t>(given, 1) * channels_));  // it wants to be shown some place
    made_.resize(static_cast<size_t>(wanted * channels_));
    for (int c = 0; c < channels_; ++c) {
      for (int64_t i = 0; i < given; ++i) taken_[static_cast<size_t>(i * channels_ + c)] = in[c][i];
    }
    SRC_DATA data{};
    data.src_ratio = ratio_;
    data.end_of_input = last && given == frames;
    data.data_in = taken_.data();
    data.input_frames = static_cast<long>(given);
    data.data_out = made_.data();
    data.output_frames = static_cast<long>(wanted);
    if (const int error = src_process(state_, &data)) {
      return Error(absl::StatusCode::kInternal, "resample_failed", std::string("resampler: ") + src_strerror(error));
    }
    for (int c = 0; c < channels_; ++c) {
      for (int64_t i = 0; i < data.output_frames_gen; ++i) out[c][i] = made_[static_cast<size_t>(i * channels_ + c)];
    }
    return Step{data.input_frames_used, data.output_frames_gen};
  }

  void Reset() override {
    src_reset(state_);
    src_set_ratio(state_, ratio_);
  }

 private:
  static constexpr int64_t kStepFrames = 16384;
  const int channels_;
  const double ratio_;
  SRC_STATE* state_ = nullptr;
  std::vector<float> taken_, made_;  // interleaved
};

}  // namespace

absl::StatusOr<std::unique_ptr<RateConverter>> MakeSamplerateConverter(int channels, int from_rate_hz,
                                                                       int to_rate_hz) {
  auto converter = std::make_unique<SamplerateConverter>(channels, static_cast<double>(to_rate_hz) / from_rate_hz);
  GRYM_RETURN_IF_ERROR(converter->Open());
  return converter;
}

}  // namespace grym
