#include "generation/synth/wavetable.h"

#include <gtest/gtest.h>

#include <cmath>
#include <complex>
#include <vector>

namespace grym::synth {
namespace {

constexpr int kFrames = 4096;

std::vector<float> Periods(Wave wave, int periods) {
  std::vector<float> out(kFrames);
  const double increment = static_cast<double>(periods) / kFrames;
  const float* table = WaveTable::Of(wave).ForIncrement(increment);
  uint32_t phase = 0;
  for (int i = 0; i < kFrames; i += kBlockFrames)
    RenderWave(table, phase, PhaseStep(increment), &out[static_cast<size_t>(i)]);
  return out;
}

double BinPower(const std::vector<float>& x, int bin) {
  std::complex<double> sum;
  for (int n = 0; n < kFrames; ++n)
    sum += static_cast<double>(x[static_cast<size_t>(n)]) * std::polar(1.0, -6.283185307179586 * bin * n / kFrames);
  return 2 * std::norm(sum) / kFrames;
}

// 97 periods in 4096 frames are 1044.4 Hz at 44.1 kHz, a C6; aliases fall between the harmonics, and what is not a
// harmonic is counted as one by Parseval's theorem.
TEST(SynthWavetableTest, AliasesOfAC6AreBelowMinus60Db) {
  for (const Wave wave : {Wave::kSaw, Wave::kSquare, Wave::kPulse, Wave::kReed, Wave::kTriangle}) {
    const std::vector<float> x = Periods(wave, 97);
    double rest = 0;
    for (const float s : x) rest += static_cast<double>(s) * s;
    for (int k = 1; 97 * k < kFrames / 2; ++k) rest -= BinPower(x, 97 * k);
    EXPECT_LT(10 * std::log10(std::max(rest, 1e-30) / BinPower(x, 97)), -60) << static_cast<int>(wave);
  }
}

TEST(SynthWavetableTest, SawHasItsHarmonicsAndNoDc) {
  const std::vector<float> x = Periods(Wave::kSaw, 16);
  for (int k = 2; k <= 30; ++k)
    EXPECT_NEAR(10 * std::log10(BinPower(x, 16 * k) / BinPower(x, 16)), -20 * std::log10(k), 0.2) << k;
  EXPECT_LT(BinPower(x, 0), 1e-6);
}

TEST(SynthWavetableTest, EveryIncrementHasATable) {
  for (const double increment : {0.0, 1e-12, 1e-4, 0.01, 0.3, 0.49, 2.0})
    EXPECT_NE(WaveTable::Of(Wave::kSaw).ForIncrement(increment), nullptr);
}

}  // namespace
}  // namespace grym::synth
