#include "dsp/oversample.h"

#include <algorithm>
#include <cmath>

#include "dsp/dispatch.h"

namespace grym {
namespace {

constexpr float kTruePeakTaps[4][12] = {
    {0.0017089843750f, 0.0109863281250f, -0.0196533203125f, 0.0332031250000f, -0.0594482421875f, 0.1373291015625f,
     0.9721679687500f, -0.1022949218750f, 0.0476074218750f, -0.0266113281250f, 0.0148925781250f, -0.0083007812500f},
    {-0.0291748046875f, 0.0292968750000f, -0.0517578125000f, 0.0891113281250f, -0.1665039062500f, 0.4650878906250f,
     0.7797851562500f, -0.2003173828125f, 0.1015625000000f, -0.0582275390625f, 0.0330810546875f, -0.0189208984375f},
    {-0.0189208984375f, 0.0330810546875f, -0.0582275390625f, 0.1015625000000f, -0.2003173828125f, 0.7797851562500f,
     0.4650878906250f, -0.1665039062500f, 0.0891113281250f, -0.0517578125000f, 0.0292968750000f, -0.0291748046875f},
    {-0.0083007812500f, 0.0148925781250f, -0.0266113281250f, 0.0476074218750f, -0.1022949218750f, 0.9721679687500f,
     0.1373291015625f, -0.0594482421875f, 0.0332031250000f, -0.0196533203125f, 0.0109863281250f, 0.0017089843750f}};

// out[n] = sum_k taps[k] x[n + 11 - k], with x beginning 11 samples before the first output.
GRYM_HOT void ConvolvePhase(const float* GRYM_RESTRICT x, int count, const float* GRYM_RESTRICT taps,
                            float* GRYM_RESTRICT out) {
  for (int n = 0; n < count; ++n) {
    float sum = 0;
    for (int k = 0; k < 12; ++k) sum += taps[k] * x[n + 11 - k];
    out[n] = sum;
  }
}

GRYM_HOT void KeepLargerMagnitude(const float* GRYM_RESTRICT x, int count, float* GRYM_RESTRICT peaks) {
  for (int n = 0; n < count; ++n) {
    const float magnitude = std::fabs(x[n]);
    peaks[n] = magnitude > peaks[n] ? magnitude : peaks[n];
  }
}

}  // namespace

void TruePeakFilter::Load(std::span<const float> in) {
  extended_.resize(history_.size() + in.size());
  std::copy(history_.begin(), history_.end(), extended_.begin());
  std::copy(in.begin(), in.end(), extended_.begin() + history_.size());
  std::copy(extended_.end() - history_.size(), extended_.end(), history_.begin());
}

void TruePeakFilter::Process(std::span<const float> in, std::span<float> peaks) {
  Load(in);
  const int count = static_cast<int>(in.size());
  std::fill(peaks.begin(), peaks.end(), 0.0f);
  std::vector<float> phase(in.size());
  for (const auto& taps : kTruePeakTaps) {
    ConvolvePhase(extended_.data(), count, taps, phase.data());
    KeepLargerMagnitude(phase.data(), count, peaks.data());
  }
  KeepLargerMagnitude(extended_.data() + history_.size() - kDelay, count, peaks.data());
}

void TruePeakFilter::Oversample(std::span<const float> in, std::span<float> out) {
  Load(in);
  std::vector<float> phase(in.size());
  for (int p = 0; p < kPhases; ++p) {
    ConvolvePhase(extended_.data(), static_cast<int>(in.size()), kTruePeakTaps[p], phase.data());
    for (size_t n = 0; n < in.size(); ++n) out[4 * n + p] = phase[n];
  }
}

double TruePeak(std::span<const float> samples) {
  TruePeakFilter filter;
  constexpr size_t kBlock = 4096;
  std::vector<float> peaks(kBlock);
  const std::array<float, TruePeakFilter::kTaps> tail{};
  float largest = 0;
  const auto measure = [&](std::span<const float> block) {
    filter.Process(block, std::span(peaks).first(block.size()));
    for (size_t n = 0; n < block.size(); ++n) largest = std::max(largest, peaks[n]);
  };
  for (size_t at = 0; at < samples.size(); at += kBlock)
    measure(samples.subspan(at, std::min(kBlock, samples.size() - at)));
  measure(tail);
  return largest;
}

}  // namespace grym
