#include "dsp/polyphase.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include "dsp/dispatch.h"
#include "dsp/lanes.h"
#include "dsp/window.h"

namespace grym {
namespace {

constexpr int kZeroCrossings = 24;
constexpr int kLargestPhaseCount = 2048;
constexpr double kKaiserBeta = 8.6;
constexpr double kPassBand = 0.955;  // cut-off as a share of the lower Nyquist frequency; the transition ends at 1

constexpr int kAtOnce = 4;  // output samples: one alone would wait for each of its additions

// Sums of a[i][n] * b[i][n] over n, `count` of them, a multiple of 8. Eight chains in a fixed order, so that each sum
// is the same whichever stand beside it.
// With `one_row` all b are b[0], which is then read once.
template <bool one_row>
GRYM_INLINE void Dots(const float* const* a, const float* const* b, int count, float* out) {
  const float *a0 = a[0], *a1 = a[1], *a2 = a[2], *a3 = a[3], *b0 = b[0], *b1 = b[1], *b2 = b[2], *b3 = b[3];
  EightLanes sum0 = {}, sum1 = {}, sum2 = {}, sum3 = {};
#define GRYM_EIGHT(p) (*reinterpret_cast<const EightLanes*>((p) + n))
  for (int n = 0; n < count; n += kLanes) {
    const EightLanes row = GRYM_EIGHT(b0);
    sum0 = sum0 + GRYM_EIGHT(a0) * row;
    sum1 = sum1 + GRYM_EIGHT(a1) * (one_row ? row : GRYM_EIGHT(b1));
    sum2 = sum2 + GRYM_EIGHT(a2) * (one_row ? row : GRYM_EIGHT(b2));
    sum3 = sum3 + GRYM_EIGHT(a3) * (one_row ? row : GRYM_EIGHT(b3));
  }
#undef GRYM_EIGHT
  float lanes[kAtOnce][kLanes];
  *reinterpret_cast<EightLanes*>(lanes[0]) = sum0;
  *reinterpret_cast<EightLanes*>(lanes[1]) = sum1;
  *reinterpret_cast<EightLanes*>(lanes[2]) = sum2;
  *reinterpret_cast<EightLanes*>(lanes[3]) = sum3;
  for (int i = 0; i < kAtOnce; ++i) {
    const float* lane = lanes[i];
    out[i] = ((lane[0] + lane[1]) + (lane[2] + lane[3])) + ((lane[4] + lane[5]) + (lane[6] + lane[7]));
  }
}

GRYM_HOT void DotsOfEights(const float* const* a, const float* const* b, int count, float* out) {
  Dots<false>(a, b, count, out);
}

GRYM_HOT void DotsWithOneRow(const float* const* a, const float* const* b, int count, float* out) {
  Dots<true>(a, b, count, out);
}

}  // namespace

PolyphaseResampler::PolyphaseResampler(int in_rate_hz, int out_rate_hz) {
  const int divisor = std::gcd(in_rate_hz, out_rate_hz);
  up_ = out_rate_hz / divisor;
  down_ = in_rate_hz / divisor;
  identity_ = up_ == down_;
  step_ = down_ / up_;
  step_rest_ = down_ % up_;
  if (identity_) return;
  phases_ = static_cast<int>(std::min<int64_t>(up_, kLargestPhaseCount));
  const double cutoff = kPassBand * std::min(1.0, static_cast<double>(up_) / static_cast<double>(down_));
  const double reach = kZeroCrossings / cutoff;  // in input samples
  taps_ = (2 * static_cast<int>(std::ceil(reach)) + 7) / 8 * 8;
  table_.resize(static_cast<size_t>(phases_) * taps_);
  const double i0 = BesselI0(kKaiserBeta);
  for (int phase = 0; phase < phases_; ++phase) {
    const double fraction = static_cast<double>(phase) / phases_;
    double sum = 0;
    std::vector<double> row(taps_);
    for (int tap = 0; tap < taps_; ++tap) {
      const double distance = tap - taps_ / 2 + 1 - fraction;  // input sample minus output time
      if (std::abs(distance) >= reach) continue;
      const double x = std::numbers::pi * cutoff * distance, r = distance / reach;
      row[tap] = (std::abs(x) < 1e-9 ? 1 : std::sin(x) / x) * BesselI0(kKaiserBeta * std::sqrt(1 - r * r)) / i0;
      sum += row[tap];
    }
    for (int tap = 0; tap < taps_; ++tap)
      table_[static_cast<size_t>(phase) * taps_ + tap] = static_cast<float>(row[tap] / sum);
  }
  base_ = -(taps_ / 2 - 1);
  buffer_.assign(taps_ / 2 - 1, 0.0f);
}

void PolyphaseResampler::Reserve(size_t most_in) {
  // What is kept is at most what the next output sample reads, and it may begin `down / up` samples further on.
  if (!identity_) buffer_.reserve(most_in + static_cast<size_t>(2 * taps_ + down_ / up_ + 1));
}

size_t PolyphaseResampler::MostOut(size_t in) const {
  return identity_ ? in : in * static_cast<size_t>(up_) / static_cast<size_t>(down_) + 2;
}

void PolyphaseResampler::Push(std::span<const float> in, std::vector<float>& out) {
  if (identity_) {
    out.insert(out.end(), in.begin(), in.end());
    return;
  }
  buffer_.insert(buffer_.end(), in.begin(), in.end());
  pushed_ += static_cast<int64_t>(in.size());
  Drain(out, INT64_MAX);
}

void PolyphaseResampler::Finish(std::vector<float>& out) {
  if (identity_) return;
  buffer_.insert(buffer_.end(), taps_, 0.0f);
  Drain(out, (pushed_ * up_ + down_ - 1) / down_);
}

void PolyphaseResampler::Drain(std::vector<float>& out, int64_t limit) {
  const int64_t end = base_ + static_cast<int64_t>(buffer_.size());
  const int64_t before = taps_ / 2 - 1;  // what an output sample reads of the input ahead of its own place
  while (made_ < limit && place_ - before + taps_ <= end) {
    const float* inputs[kAtOnce];
    const float* rows[kAtOnce];
    int count = 0;
    for (int i = 0; i < kAtOnce; ++i) {
      if (made_ + count == limit || place_ - before + taps_ > end) {  // not ready: the last one again, to be dropped
        inputs[i] = inputs[i - 1];
        rows[i] = rows[i - 1];
        continue;
      }
      const int64_t phase = phases_ == up_ ? rest_ : rest_ * phases_ / up_;
      inputs[i] = buffer_.data() + (place_ - before - base_);
      rows[i] = table_.data() + phase * taps_;
      ++count;
      place_ += step_;
      rest_ += step_rest_;
      if (rest_ >= up_) {
        rest_ -= up_;
        ++place_;
      }
    }
    float sums[kAtOnce];
    (phases_ == 1 ? DotsWithOneRow : DotsOfEights)(inputs, rows, taps_, sums);
    out.insert(out.end(), sums, sums + count);
    made_ += count;
  }
  const int64_t keep_from = std::min(end, place_ - before);
  if (keep_from > base_) {
    buffer_.erase(buffer_.begin(), buffer_.begin() + (keep_from - base_));
    base_ = keep_from;
  }
}

}  // namespace grym
