#include "dsp/polyphase.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include "dsp/dispatch.h"
#include "dsp/window.h"

namespace grym {
namespace {

constexpr int kZeroCrossings = 24;
constexpr int kLargestPhaseCount = 2048;
constexpr double kKaiserBeta = 8.6;
constexpr double kPassBand = 0.955;  // cut-off as a share of the lower Nyquist frequency; the transition ends at 1

// `count` is a multiple of 8. Eight chains in a fixed order: the compiler may use vectors without reassociating.
GRYM_HOT float DotOfEights(const float* GRYM_RESTRICT a, const float* GRYM_RESTRICT b, int count) {
  float sums[8] = {};
  for (int i = 0; i < count; i += 8) {
    for (int lane = 0; lane < 8; ++lane) sums[lane] += a[i + lane] * b[i + lane];
  }
  return ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
}

}  // namespace

PolyphaseResampler::PolyphaseResampler(int in_rate_hz, int out_rate_hz) {
  const int divisor = std::gcd(in_rate_hz, out_rate_hz);
  up_ = out_rate_hz / divisor;
  down_ = in_rate_hz / divisor;
  identity_ = up_ == down_;
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
  while (made_ < limit) {
    const int64_t whole = made_ * down_ / up_, rest = made_ * down_ % up_;
    const int64_t first = whole - taps_ / 2 + 1;
    if (first + taps_ > end) break;
    const int64_t phase = rest * phases_ / up_;
    out.push_back(DotOfEights(buffer_.data() + (first - base_), table_.data() + phase * taps_, taps_));
    ++made_;
  }
  const int64_t keep_from = std::min(end, made_ * down_ / up_ - taps_ / 2 + 1);
  if (keep_from > base_) {
    buffer_.erase(buffer_.begin(), buffer_.begin() + (keep_from - base_));
    base_ = keep_from;
  }
}

}  // namespace grym
