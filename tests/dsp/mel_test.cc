#include "dsp/mel.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>
#include <numeric>

namespace grym {
namespace {

TEST(MelTest, ScaleHasSlaneysValues) {
  EXPECT_NEAR(MelOfHz(60), 0.9, 1e-9);  // values of librosa.hz_to_mel
  EXPECT_NEAR(MelOfHz(110), 1.65, 1e-9);
  EXPECT_NEAR(MelOfHz(440), 6.6, 1e-9);
  EXPECT_NEAR(MelOfHz(4000), 35.16376, 1e-4);
  for (const double hz : {0.0, 30.0, 999.0, 1000.0, 8000.0}) EXPECT_NEAR(HzOfMel(MelOfHz(hz)), hz, 1e-6);
}

TEST(MelTest, FlatSpectrumGivesFlatDensity) {
  const FilterBank bank = FilterBank::Mel(44100, 2048, 40, 200, 20000);
  std::vector<float> flat(1025, 1.0f), out(40);
  bank.Apply(flat.data(), out.data());
  // Unit area in Hz over bins 21.5 Hz apart; the narrow low bands are coarsely sampled.
  for (int band = 20; band < 40; ++band) EXPECT_NEAR(out[band] * 44100 / 2048, 1, 0.03) << band;
}

TEST(LogFrequencyTest, BandsAreDistinctAndOrdered) {
  const FilterBank bank = FilterBank::LogFrequency(44100, 2048, 24, 30, 17000);
  EXPECT_GT(bank.bands(), 100);
  for (int band = 1; band < bank.bands(); ++band) EXPECT_GT(bank.centre_hz(band), bank.centre_hz(band - 1));
  std::vector<float> flat(1025, 1.0f), out(bank.bands());
  bank.Apply(flat.data(), out.data());
  for (const float value : out) EXPECT_NEAR(value, 1, 1e-5);
}

TEST(FilterBankTest, LanesAreEightSpectra) {
  const FilterBank bank = FilterBank::LogFrequency(44100, 2048, 24, 30, 17000);
  std::vector<float> lanes(1025 * 8), spectrum(1025), want(bank.bands()), got(static_cast<size_t>(bank.bands()) * 8);
  for (size_t i = 0; i < lanes.size(); ++i) lanes[i] = static_cast<float>(i * 7919 % 1000) / 1000;
  bank.ApplyToLanes(lanes.data(), got.data());
  for (size_t lane = 0; lane < 8; ++lane) {
    for (size_t k = 0; k < spectrum.size(); ++k) spectrum[k] = lanes[8 * k + lane];
    bank.Apply(spectrum.data(), want.data());
    for (int band = 0; band < bank.bands(); ++band) {
      EXPECT_NEAR(got[static_cast<size_t>(band) * 8 + lane], want[band], 1e-6 * (1 + want[band]));
    }
  }
}

TEST(CosineTransformTest, IsOrthonormal) {
  const CosineTransform dct(40, 40);
  std::vector<float> in(40), out(40);
  in[13] = 3;
  dct.Apply(in.data(), out.data());
  EXPECT_NEAR(std::inner_product(out.begin(), out.end(), out.begin(), 0.0), 9, 1e-5);
  EXPECT_NEAR(out[0], 3 * std::sqrt(1.0 / 40), 1e-6);
}

TEST(CosineTransformTest, FewerOutputsThanInputsAreTheFormulasAndNoMoreIsWritten) {
  const CosineTransform dct(128, 20);
  std::vector<float> in(128), out(21, 7);
  for (size_t n = 0; n < in.size(); ++n) in[n] = static_cast<float>(std::sin(0.7 * static_cast<double>(n)) - 0.3);
  dct.Apply(in.data(), out.data());
  for (int k = 0; k < 20; ++k) {
    double want = 0;
    for (int n = 0; n < 128; ++n) want += in[static_cast<size_t>(n)] * std::cos(std::numbers::pi * k * (n + 0.5) / 128);
    want *= std::sqrt((k == 0 ? 1.0 : 2.0) / 128);
    EXPECT_NEAR(out[static_cast<size_t>(k)], want, 2e-6) << k;
  }
  EXPECT_EQ(out[20], 7);
}

}  // namespace
}  // namespace grym
