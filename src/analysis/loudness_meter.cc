#include "analysis/loudness_meter.h"

#include <algorithm>

#include "dsp/decibels.h"

namespace grym {
namespace {

float AsReading(double lufs) { return static_cast<float>(lufs > -200 ? lufs : kMinusInfinityDb); }

// A reading closes its window: frame i is centred half a window before it.
void Fill(const KWeightedSums& sums, int64_t window, FrameSeries& series, double& largest) {
  series.rate_hz = 10;
  series.start_s = (1 - static_cast<double>(window) / 2) / series.rate_hz;
  largest = kMinusInfinityDb;
  for (int64_t i = 0; i < std::ssize(sums.steps()); ++i) {
    series.values.push_back(AsReading(LufsOfSteps(sums, i, window)));
    largest = std::max<double>(largest, series.values.back());
  }
}

}  // namespace

LoudnessMeter::LoudnessMeter(int channels, int rate_hz)
    : rate_(channels, rate_hz),
      sums_(channels, rate_.rate_hz()),
      peak_(channels, rate_hz),
      channels_(static_cast<size_t>(channels)) {}

void LoudnessMeter::Push(const AudioBuffer& block) {
  // In short pieces, since a low rate is multiplied on the way.
  for (int64_t at = 0; at < block.frames(); at += kMostFrames) {
    for (int c = 0; c < block.channels(); ++c) channels_[static_cast<size_t>(c)] = block.channel(c).data() + at;
    Push(channels_, std::min(kMostFrames, block.frames() - at));
  }
}

void LoudnessMeter::Push(std::span<const float* const> channels, int64_t frames) {
  peak_.Push(channels, frames);
  if (rate_.changes()) {
    rate_.Push(channels, frames);
    sums_.Push(rate_.out(), rate_.out_frames());
  } else {
    sums_.Push(channels, frames);
  }
}

void LoudnessMeter::Reserve(int64_t most_steps) {
  rate_.Reserve(kMostFrames);
  sums_.Reserve(most_steps);
}

Loudness LoudnessMeter::Finish() {
  if (rate_.changes()) {
    rate_.Finish();
    sums_.Push(rate_.out(), rate_.out_frames());
  }
  Loudness loudness;
  loudness.integrated_lufs = AsReading(IntegratedLufsOf(sums_));
  loudness.range_lu = LoudnessRangeOf(sums_);
  Fill(sums_, kMomentarySteps, loudness.momentary, loudness.max_momentary_lufs);
  Fill(sums_, kShortTermSteps, loudness.short_term, loudness.max_short_term_lufs);
  loudness.true_peak_dbtp = DbOfGain(peak_.Finish());
  return loudness;
}

}  // namespace grym
