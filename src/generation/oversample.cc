#include "generation/oversample.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/progress.h"
#include "base/status.h"
#include "dsp/dispatch.h"
#include "dsp/window.h"

namespace grym {
namespace {

constexpr int64_t kHalvedBlock = 8192;  // frames of the lower rate between two looks at the cancel token
constexpr int kHalfReach = 192;         // the filter reaches twice as many frames of the higher rate to either side
constexpr int kSideBySide = 16;
// 140 dB down from the lower Nyquist frequency on, flat up to 0.95 of it: beta and length after Kaiser's formulas.
constexpr double kHalvingBeta = 14.47, kHalvingCutoff = 0.976;

// out[n] += sum_i taps[i] x[n + i]; `count` is a multiple of kSideBySide.
GRYM_HOT void AddConvolved(const float* GRYM_RESTRICT x, int64_t count, const float* GRYM_RESTRICT taps, int tap_count,
                           float* GRYM_RESTRICT out) {
  for (int64_t n = 0; n < count; n += kSideBySide) {
    float sums[kSideBySide] = {};
    for (int i = 0; i < tap_count; ++i) {
      for (int k = 0; k < kSideBySide; ++k) sums[k] += taps[i] * x[n + i + k];
    }
    for (int k = 0; k < kSideBySide; ++k) out[n + k] += sums[k];
  }
}

// A Kaiser-windowed sinc in two phases: what weighs frames 2 (n + i - kHalfReach) of the input, and those behind them.
struct HalvingTaps {
  std::vector<float> even, odd;
  HalvingTaps() {
    std::vector<double> all;
    double sum = 0;
    for (int j = -2 * kHalfReach; j <= 2 * kHalfReach; ++j) {
      const double x = 3.141592653589793 * kHalvingCutoff * j / 2, r = j / (2.0 * kHalfReach);
      all.push_back((j == 0 ? 1 : std::sin(x) / x) * BesselI0(kHalvingBeta * std::sqrt(1 - r * r)));
      sum += all.back();
    }
    for (size_t j = 0; j < all.size(); ++j) (j % 2 == 0 ? even : odd).push_back(static_cast<float>(all[j] / sum));
  }
};

}  // namespace

absl::StatusOr<AudioBuffer> HalveRate(const AudioBuffer& audio, int64_t frames, const RunOptions& run) {
  GRYM_ASSIGN_OR_RETURN(AudioBuffer made, AudioBuffer::Create(audio.channels(), frames, audio.rate_hz() / 2));
  static const HalvingTaps taps;
  std::vector<float> even(kHalvedBlock + 2 * kHalfReach), odd(even.size()), out(kHalvedBlock);
  for (int c = 0; c < audio.channels(); ++c) {
    const std::span<const float> in = audio.channel(c);
    const auto at = [&](int64_t n) { return n < 0 || n >= audio.frames() ? 0.0f : in[static_cast<size_t>(n)]; };
    for (int64_t start = 0; start < frames; start += kHalvedBlock) {
      GRYM_RETURN_IF_ERROR(run.cancel.Check());
      for (size_t i = 0; i < even.size(); ++i) {
        const int64_t n = 2 * (start - kHalfReach + static_cast<int64_t>(i));
        even[i] = at(n);
        odd[i] = at(n + 1);
      }
      std::fill(out.begin(), out.end(), 0.0f);
      AddConvolved(even.data(), kHalvedBlock, taps.even.data(), 2 * kHalfReach + 1, out.data());
      AddConvolved(odd.data(), kHalvedBlock, taps.odd.data(), 2 * kHalfReach, out.data());
      std::copy_n(out.begin(), std::min(kHalvedBlock, frames - start), made.mutable_channel(c).begin() + start);
    }
  }
  return made;
}

absl::StatusOr<Rendered> RenderOversampled(const Score& score, const RunOptions& run, bool keep_stems) {
  Score doubled = score;
  doubled.rate_hz = 2 * score.rate_hz;
  const RunOptions render_run = PartOf(run, 0, 0.8);
  GRYM_ASSIGN_OR_RETURN(Rendered rendered, RenderScore(doubled, render_run, keep_stems));
  const int64_t frames = std::llround(score.duration_s * score.rate_hz);
  GRYM_ASSIGN_OR_RETURN(rendered.mix, HalveRate(rendered.mix, frames, run));
  for (Stem& stem : rendered.stems) {
    GRYM_ASSIGN_OR_RETURN(stem.audio, HalveRate(stem.audio, frames, run));
  }
  return rendered;
}

}  // namespace grym
