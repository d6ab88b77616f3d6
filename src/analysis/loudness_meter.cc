#include "analysis/loudness_meter.h"

#include <ebur128.h>

#include <algorithm>
#include <cmath>

#include "base/status.h"
#include "dsp/decibels.h"

namespace grym {
namespace {
constexpr int kReadingsPerSecond = 10;
constexpr double kMomentary_s = 0.4, kShortTerm_s = 3;

float AsFinite(double lufs) { return static_cast<float>(std::isfinite(lufs) && lufs > -200 ? lufs : kMinusInfinityDb); }
}  // namespace

struct LoudnessMeter::State {
  ebur128_state* meter = nullptr;
  ~State() {
    if (meter) ebur128_destroy(&meter);
  }
};

LoudnessMeter::LoudnessMeter(int channels, int rate_hz)
    : channels_(channels), rate_hz_(rate_hz), state_(std::make_unique<State>()) {
  // Not the histogram mode, whose 0.1 LU bins cost 0.05 LU: the list of blocks is 1.5 MB an hour.
  state_->meter = ebur128_init(static_cast<unsigned>(channels), static_cast<unsigned long>(rate_hz),
                               EBUR128_MODE_I | EBUR128_MODE_LRA | EBUR128_MODE_TRUE_PEAK);
  loudness_.max_momentary_lufs = loudness_.max_short_term_lufs = kMinusInfinityDb;
  loudness_.momentary.rate_hz = loudness_.short_term.rate_hz = kReadingsPerSecond;
  // A reading closes its window: frame i is centred half a window before it.
  loudness_.momentary.start_s = 1.0 / kReadingsPerSecond - kMomentary_s / 2;
  loudness_.short_term.start_s = 1.0 / kReadingsPerSecond - kShortTerm_s / 2;
}

LoudnessMeter::~LoudnessMeter() = default;

absl::Status LoudnessMeter::Feed(const AudioBuffer& block, int64_t start, int64_t count) {
  interleaved_.resize(static_cast<size_t>(count) * channels_);
  for (int c = 0; c < channels_; ++c) {
    const float* samples = block.channel(c).data() + start;
    for (int64_t n = 0; n < count; ++n) interleaved_[n * channels_ + c] = samples[n];
  }
  if (ebur128_add_frames_float(state_->meter, interleaved_.data(), static_cast<size_t>(count)) != EBUR128_SUCCESS) {
    return Error(absl::StatusCode::kResourceExhausted, "out_of_memory", "loudness: the meter ran out of memory");
  }
  frames_ += count;
  return absl::OkStatus();
}

void LoudnessMeter::Read() {
  double momentary = kMinusInfinityDb, short_term = kMinusInfinityDb;
  if (frames_ >= static_cast<int64_t>(kMomentary_s * rate_hz_)) ebur128_loudness_momentary(state_->meter, &momentary);
  if (frames_ >= static_cast<int64_t>(kShortTerm_s * rate_hz_)) ebur128_loudness_shortterm(state_->meter, &short_term);
  loudness_.momentary.values.push_back(AsFinite(momentary));
  loudness_.short_term.values.push_back(AsFinite(short_term));
  loudness_.max_momentary_lufs = std::max<double>(loudness_.max_momentary_lufs, loudness_.momentary.values.back());
  loudness_.max_short_term_lufs = std::max<double>(loudness_.max_short_term_lufs, loudness_.short_term.values.back());
}

absl::Status LoudnessMeter::Push(const AudioBuffer& block) {
  if (!state_->meter) {
    return Error(absl::StatusCode::kResourceExhausted, "out_of_memory", "loudness: no memory for the meter");
  }
  for (int64_t at = 0; at < block.frames();) {
    const int64_t next = (readings_ + 1) * rate_hz_ / kReadingsPerSecond;
    const int64_t count = std::min(block.frames() - at, next - frames_);
    GRYM_RETURN_IF_ERROR(Feed(block, at, count));
    at += count;
    if (frames_ == next) {
      Read();
      ++readings_;
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<Loudness> LoudnessMeter::Finish() {
  loudness_.integrated_lufs = kMinusInfinityDb;
  if (state_->meter && frames_ > 0) {
    double value = 0;
    if (ebur128_loudness_global(state_->meter, &value) == EBUR128_SUCCESS) loudness_.integrated_lufs = AsFinite(value);
    if (ebur128_loudness_range(state_->meter, &value) == EBUR128_SUCCESS && std::isfinite(value)) loudness_.range_lu = value;
    // Half a filter of silence, so that a peak at the very end is seen.
    const std::vector<float> tail(static_cast<size_t>(64) * channels_);
    ebur128_add_frames_float(state_->meter, tail.data(), 64);
  }
  double peak = 0;
  for (int c = 0; state_->meter && c < channels_; ++c) {
    double value = 0;
    if (ebur128_true_peak(state_->meter, static_cast<unsigned>(c), &value) == EBUR128_SUCCESS) peak = std::max(peak, value);
  }
  loudness_.true_peak_dbtp = DbOfGain(peak);
  return std::move(loudness_);
}

}  // namespace grym
