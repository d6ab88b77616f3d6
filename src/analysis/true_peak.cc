#include "analysis/true_peak.h"

#include <algorithm>
#include <cmath>

#include "base/status.h"
#include "dsp/dispatch.h"

namespace grym {
namespace {

constexpr int kInterpolatorTaps = 49;
constexpr int64_t kPeakBlockFrames = 1 << 14;
constexpr size_t kRun = 256;  // samples; short, so that a quiet run between loud ones is left out

// peaks[n] = max(peaks[n], |sum_i taps[i] x[n + i]|), for twelve taps and for twice as many.
GRYM_HOT void RaiseByTwelve(const float* GRYM_RESTRICT x, const float* GRYM_RESTRICT t, float* GRYM_RESTRICT peaks,
                            int count) {
  for (int n = 0; n < count; ++n) {
    const float sum = ((t[0] * x[n] + t[1] * x[n + 1]) + (t[2] * x[n + 2] + t[3] * x[n + 3])) +
                      ((t[4] * x[n + 4] + t[5] * x[n + 5]) + (t[6] * x[n + 6] + t[7] * x[n + 7])) +
                      ((t[8] * x[n + 8] + t[9] * x[n + 9]) + (t[10] * x[n + 10] + t[11] * x[n + 11]));
    const float size = __builtin_fabsf(sum);
    peaks[n] = size > peaks[n] ? size : peaks[n];
  }
}

GRYM_HOT void RaiseByTwentyFour(const float* GRYM_RESTRICT x, const float* GRYM_RESTRICT t,
                                float* GRYM_RESTRICT peaks, int count) {
  for (int n = 0; n < count; ++n) {
    float sum = 0;
    for (int i = 0; i < 24; i += 4) {
      sum += (t[i] * x[n + i] + t[i + 1] * x[n + i + 1]) + (t[i + 2] * x[n + i + 2] + t[i + 3] * x[n + i + 3]);
    }
    const float size = __builtin_fabsf(sum);
    peaks[n] = size > peaks[n] ? size : peaks[n];
  }
}

float LargestMagnitude(std::span<const float> samples) {
  // Eight at once: a comparison that waits for the one before it takes four times as long.
  float lanes[8] = {};
  size_t n = 0;
  for (; n + 8 <= samples.size(); n += 8) {
    for (size_t i = 0; i < 8; ++i) {
      const float size = std::abs(samples[n + i]);
      lanes[i] = size > lanes[i] ? size : lanes[i];
    }
  }
  for (; n < samples.size(); ++n) lanes[0] = std::max(lanes[0], std::abs(samples[n]));
  return *std::max_element(lanes, lanes + 8);
}

}  // namespace

// Source: libebur128 1.2.6, interp_create: c[j] = sinc((j - 24) / factor) * hann(j). Output phase f of sample n lies
// at n - 24 / factor + f / factor; here the phases are stored centred.
TruePeakInterpolator::TruePeakInterpolator(int rate_hz) : factor_(rate_hz < 96000 ? 4 : rate_hz < 192000 ? 2 : 1) {
  const int centre = (kInterpolatorTaps - 1) / 2;
  if (factor_ == 1) return;
  reach_ = centre / factor_;
  for (int phase = 1; phase < factor_; ++phase) {
    std::vector<float> taps(static_cast<size_t>(2 * reach_));
    double sum = 0;
    for (int i = 0; i < 2 * reach_; ++i) {
      // Point at n + phase / factor from x[n - reach + 1 + i].
      const double offset = phase - static_cast<double>(factor_) * (i - reach_ + 1);
      const double x = M_PI * offset / factor_;
      const double hann = 0.5 * (1 - std::cos(2 * M_PI * (offset + centre) / (kInterpolatorTaps - 1)));
      taps[static_cast<size_t>(i)] = static_cast<float>(std::sin(x) / x * hann);
      sum += std::abs(static_cast<double>(taps[static_cast<size_t>(i)]));
    }
    gain_bound_ = std::max(gain_bound_, static_cast<float>(sum * (1 + 1e-6)));  // never rounded down
    phases_.push_back(std::move(taps));
  }
}

void TruePeakInterpolator::RaiseBetween(const float* x, std::span<float> peaks) const {
  for (const std::vector<float>& taps : phases_) {
    (factor_ == 4 ? RaiseByTwelve : RaiseByTwentyFour)(x, taps.data(), peaks.data(), static_cast<int>(peaks.size()));
  }
}

void TruePeakInterpolator::RaiseFramePeaks(std::span<const float> signal, int64_t start, float floor,
                                           std::span<float> peaks) const {
  const int64_t frames = std::ssize(signal), count = std::ssize(peaks);
  const auto within = [&](int64_t from, int64_t to) {
    from = std::clamp<int64_t>(from, 0, frames);
    return signal.subspan(static_cast<size_t>(from), static_cast<size_t>(std::clamp<int64_t>(to, from, frames) - from));
  };
  for (int64_t n = std::max<int64_t>(0, start); n < std::min(frames, start + count); ++n) {
    float& peak = peaks[static_cast<size_t>(n - start)];
    peak = std::max(peak, std::abs(signal[static_cast<size_t>(n)]));
  }
  if (factor_ == 1) return;
  std::vector<float> padded, between;
  for (int64_t at = 0; at < count; at += kRun) {
    const int64_t run = std::min<int64_t>(kRun, count - at), first = start + at - 1;  // the point before is needed too
    const std::span<const float> near = within(first - reach_ + 1, first + run + 1 + reach_);
    if (LargestMagnitude(near) * gain_bound_ < floor) continue;
    padded.assign(static_cast<size_t>(run + 2 * reach_), 0.0f);  // from first - reach + 1
    const int64_t lead = std::max<int64_t>(0, -(first - reach_ + 1));
    std::copy(near.begin(), near.end(), padded.begin() + std::min<int64_t>(lead, std::ssize(padded)));
    between.assign(static_cast<size_t>(run + 1), 0.0f);
    RaiseBetween(padded.data(), between);
    for (int64_t n = 0; n < run; ++n) {
      float& peak = peaks[static_cast<size_t>(at + n)];
      peak = std::max(peak, std::max(between[static_cast<size_t>(n)], between[static_cast<size_t>(n + 1)]));
    }
  }
}

TruePeakMeter::TruePeakMeter(int channels, int rate_hz)
    : interpolator_(rate_hz),
      recent_(static_cast<size_t>(channels),
              std::vector<float>(static_cast<size_t>(std::max(0, 2 * interpolator_.reach() - 1)) + kRun)),
      between_(kRun) {}

void TruePeakMeter::Push(std::span<const float* const> channels, int64_t frames) {
  for (size_t c = 0; c < recent_.size(); ++c) {
    for (int64_t at = 0; at < frames; at += kRun) {
      Take(c, {channels[c] + at, static_cast<size_t>(std::min<int64_t>(kRun, frames - at))});
    }
  }
}

void TruePeakMeter::Take(size_t channel, std::span<const float> samples) {
  peak_ = std::max(peak_, LargestMagnitude(samples));
  if (interpolator_.factor() == 1) return;
  std::vector<float>& recent = recent_[channel];
  const size_t kept = recent.size() - kRun;
  std::copy(samples.begin(), samples.end(), recent.begin() + static_cast<std::ptrdiff_t>(kept));
  if (LargestMagnitude(std::span(recent).first(kept + samples.size())) * interpolator_.gain_bound() > peak_) {
    const std::span<float> between = std::span(between_).first(samples.size());
    std::fill(between.begin(), between.end(), 0.0f);
    interpolator_.RaiseBetween(recent.data(), between);
    peak_ = std::max(peak_, LargestMagnitude(between));
  }
  std::copy(recent.begin() + static_cast<std::ptrdiff_t>(samples.size()),
            recent.begin() + static_cast<std::ptrdiff_t>(samples.size() + kept), recent.begin());
}

double TruePeakMeter::Finish() {
  const std::vector<float> silence(static_cast<size_t>(interpolator_.reach()));
  for (size_t c = 0; c < recent_.size() && !silence.empty(); ++c) Take(c, silence);
  return peak_;
}

absl::StatusOr<double> MeasureTruePeak(const AudioBuffer& audio, const RunOptions& run) {
  TruePeakMeter meter(audio.channels(), audio.rate_hz());
  std::vector<const float*> channels(static_cast<size_t>(audio.channels()));
  for (int64_t start = 0; start < audio.frames(); start += kPeakBlockFrames) {
    GRYM_RETURN_IF_ERROR(run.cancel.Check());
    for (int c = 0; c < audio.channels(); ++c) channels[static_cast<size_t>(c)] = audio.channel(c).data() + start;
    meter.Push(channels, std::min(kPeakBlockFrames, audio.frames() - start));
  }
  return meter.Finish();
}

}  // namespace grym
