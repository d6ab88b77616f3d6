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

absl::Status AddFrames(ebur128_state* meter, const float* interleaved, size_t frames) {
  if (ebur128_add_frames_float(meter, interleaved, frames) == EBUR128_SUCCESS) return absl::OkStatus();
  return Error(absl::StatusCode::kResourceExhausted, "out_of_memory", "loudness: the meter ran out of memory");
}

}  // namespace

struct LoudnessMeter::State {
  ebur128_state* meter = nullptr;
  ebur128_state* peak = nullptr;  // at the recording's own rate, where its samples are
  ~State() {
    if (peak && peak != meter) ebur128_destroy(&peak);
    if (meter) ebur128_destroy(&meter);
  }
};

LoudnessMeter::LoudnessMeter(int channels, int rate_hz)
    : channels_(channels), rate_(channels, rate_hz), state_(std::make_unique<State>()) {
  // Not the histogram mode, whose 0.1 LU bins cost 0.05 LU: the list of blocks is 1.5 MB an hour.
  const int loudness = EBUR128_MODE_I | EBUR128_MODE_LRA;
  state_->meter = ebur128_init(static_cast<unsigned>(channels), static_cast<unsigned long>(rate_.rate_hz()),
                               rate_.changes() ? loudness : loudness | EBUR128_MODE_TRUE_PEAK);
  state_->peak = rate_.changes() ? ebur128_init(static_cast<unsigned>(channels), static_cast<unsigned long>(rate_hz),
                                                EBUR128_MODE_TRUE_PEAK)
                                 : state_->meter;
  loudness_.max_momentary_lufs = loudness_.max_short_term_lufs = kMinusInfinityDb;
  loudness_.momentary.rate_hz = loudness_.short_term.rate_hz = kReadingsPerSecond;
  // A reading closes its window: frame i is centred half a window before it.
  loudness_.momentary.start_s = 1.0 / kReadingsPerSecond - kMomentary_s / 2;
  loudness_.short_term.start_s = 1.0 / kReadingsPerSecond - kShortTerm_s / 2;
}

LoudnessMeter::~LoudnessMeter() = default;

void LoudnessMeter::Read() {
  double momentary = kMinusInfinityDb, short_term = kMinusInfinityDb;
  if (frames_ >= static_cast<int64_t>(kMomentary_s * rate_.rate_hz()))
    ebur128_loudness_momentary(state_->meter, &momentary);
  if (frames_ >= static_cast<int64_t>(kShortTerm_s * rate_.rate_hz()))
    ebur128_loudness_shortterm(state_->meter, &short_term);
  loudness_.momentary.values.push_back(AsFinite(momentary));
  loudness_.short_term.values.push_back(AsFinite(short_term));
  loudness_.max_momentary_lufs = std::max<double>(loudness_.max_momentary_lufs, loudness_.momentary.values.back());
  loudness_.max_short_term_lufs = std::max<double>(loudness_.max_short_term_lufs, loudness_.short_term.values.back());
}

absl::Status LoudnessMeter::Push(const AudioBuffer& block) {
  if (!state_->meter || !state_->peak) {
    return Error(absl::StatusCode::kResourceExhausted, "out_of_memory", "loudness: no memory for the meter");
  }
  const auto count = static_cast<size_t>(block.frames());
  interleaved_.resize(count * channels_);
  for (int c = 0; c < channels_; ++c) {
    const float* samples = block.channel(c).data();
    for (size_t n = 0; n < count; ++n) interleaved_[n * channels_ + c] = samples[n];
  }
  if (rate_.changes()) {
    GRYM_RETURN_IF_ERROR(AddFrames(state_->peak, interleaved_.data(), count));
    rate_.Convert(interleaved_);
  }
  return Take(interleaved_);
}

absl::Status LoudnessMeter::Take(std::span<const float> interleaved) {
  const auto frames = static_cast<int64_t>(interleaved.size()) / channels_;
  for (int64_t at = 0; at < frames;) {
    const int64_t next = (readings_ + 1) * rate_.rate_hz() / kReadingsPerSecond;
    const int64_t count = std::min(frames - at, next - frames_);
    GRYM_RETURN_IF_ERROR(
        AddFrames(state_->meter, &interleaved[static_cast<size_t>(at) * channels_], static_cast<size_t>(count)));
    frames_ += count;
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
  if (rate_.changes() && state_->meter && state_->peak) {
    rate_.Finish(interleaved_);
    GRYM_RETURN_IF_ERROR(Take(interleaved_));
  }
  if (state_->meter && frames_ > 0) {
    double value = 0;
    if (ebur128_loudness_global(state_->meter, &value) == EBUR128_SUCCESS) loudness_.integrated_lufs = AsFinite(value);
    const int ranged = ebur128_loudness_range(state_->meter, &value);
    if (ranged == EBUR128_ERROR_NOMEM) {
      return Error(absl::StatusCode::kResourceExhausted, "out_of_memory", "loudness: no memory to sort the range");
    }
    if (ranged == EBUR128_SUCCESS && std::isfinite(value)) loudness_.range_lu = value;
    // Half a filter of silence, so that a peak at the very end is seen.
    const std::vector<float> tail(static_cast<size_t>(64) * channels_);
    ebur128_add_frames_float(state_->peak, tail.data(), 64);
  }
  double peak = 0;
  for (int c = 0; state_->peak && c < channels_; ++c) {
    double value = 0;
    if (ebur128_true_peak(state_->peak, static_cast<unsigned>(c), &value) == EBUR128_SUCCESS)
      peak = std::max(peak, value);
  }
  loudness_.true_peak_dbtp = DbOfGain(peak);
  return std::move(loudness_);
}

}  // namespace grym
