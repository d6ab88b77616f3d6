#include "models/vae/log_mel.h"

#include <gtest/gtest.h>

#include <cmath>
#include <complex>

#include "grymsynth/error.h"

namespace grym {
namespace {

std::vector<float> Sound(size_t samples) {
  std::vector<float> sound(samples);
  uint32_t state = 7;
  for (size_t i = 0; i < samples; ++i) {
    state = state * 1664525u + 1013904223u;
    const double t = static_cast<double>(i) / 16000, noise = static_cast<double>(state) / 4294967296.0 - 0.5;
    sound[i] = static_cast<float>(0.4 * std::sin(2 * M_PI * (200 + 900 * t) * t) + 0.1 * noise);
  }
  return sound;
}

// Slaney's scale as librosa writes it down: 200 / 3 Hz a step below 1 kHz, 27 steps for a factor of 6.4 above.
double HzOf(double mel) { return mel < 15 ? mel * 200 / 3 : 1000 * std::pow(6.4, (mel - 15) / 27); }
double MelOf(double hz) { return hz < 1000 ? hz * 3 / 200 : 15 + 27 * std::log(hz / 1000) / std::log(6.4); }

// One frame by the definition, in double.
std::vector<double> FrameByDefinition(const std::vector<float>& sound, int64_t frame) {
  const auto count = static_cast<int64_t>(sound.size());
  std::vector<double> magnitude(513), mel(64);
  for (int k = 0; k <= 512; ++k) {
    std::complex<double> sum = 0;
    for (int n = 0; n < 1024; ++n) {
      int64_t at = frame * 160 + n - 512;
      if (at < 0) at = -at;
      if (at >= count) at = 2 * (count - 1) - at;
      const double window = 0.5 - 0.5 * std::cos(2 * M_PI * n / 1024);
      sum += window * sound[static_cast<size_t>(at)] * std::polar(1.0, -2 * M_PI * k * n / 1024);
    }
    magnitude[static_cast<size_t>(k)] = std::abs(sum);
  }
  const double top = MelOf(8000);
  for (int band = 0; band < 64; ++band) {
    const auto edge = [&](int step) { return HzOf(top * (band + step) / 65); };
    const double left = edge(0), centre = edge(1), right = edge(2);
    double sum = 0;
    for (int k = 0; k <= 512; ++k) {
      const double hz = k * 16000.0 / 1024;
      const double weight = std::max(0.0, std::min((hz - left) / (centre - left), (right - hz) / (right - centre)));
      sum += weight * 2 / (right - left) * magnitude[static_cast<size_t>(k)];
    }
    mel[static_cast<size_t>(band)] = std::log(std::max(sum, 1e-5));
  }
  return mel;
}

TEST(LogMelTest, IsTheDefinitionsInsideAndAtBothEnds) {
  for (const size_t samples : {size_t{1600}, size_t{8123}}) {
    const std::vector<float> sound = Sound(samples);
    const at::Tensor mel = LogMel(sound).value();
    const int64_t frames = static_cast<int64_t>(samples) / 160 + 1;
    ASSERT_EQ(mel.sizes(), at::IntArrayRef({1, 1, frames, 64}));
    for (const int64_t frame : {int64_t{0}, int64_t{1}, frames / 2, frames - 1}) {
      const std::vector<double> wanted = FrameByDefinition(sound, frame);
      for (int64_t band = 0; band < 64; ++band) {
        // float32 transforms: a logarithm moves by the relative error of a sum, some 1e-5 where it is faint.
        const float made = mel[0][0][frame][band].item<float>();
        EXPECT_NEAR(made, wanted[static_cast<size_t>(band)], 1e-3) << frame << " " << band;
      }
    }
  }
}

TEST(LogMelTest, SilenceIsTheFloorAndNothingIsAnError) {
  const at::Tensor mel = LogMel(std::vector<float>(1000)).value();
  EXPECT_FLOAT_EQ(mel.max().item<float>(), std::log(1e-5f));
  EXPECT_FLOAT_EQ(mel.min().item<float>(), std::log(1e-5f));
  EXPECT_EQ(ErrorCode(LogMel({}).status()), "no_audio");
}

TEST(LogMelTest, ShortAndLoudSignalsAreTaken) {
  for (const size_t samples : {1u, 2u, 159u, 512u}) {
    const at::Tensor mel = LogMel(std::vector<float>(samples, 3.0f)).value();
    EXPECT_EQ(mel.size(2), static_cast<int64_t>(samples) / 160 + 1);
    // Beyond full scale counts as full scale.
    EXPECT_TRUE(mel.equal(LogMel(std::vector<float>(samples, 1.0f)).value()));
  }
}

TEST(LogMelTest, CentredAtHalfScaleTakesTheMeanAwayAndSetsThePeak) {
  const std::vector<float> made = CentredAtHalfScale(std::vector<float>{0.5f, 0.7f, 0.3f});
  EXPECT_NEAR(made[0], 0, 1e-6);
  EXPECT_NEAR(made[1], 0.5, 1e-6);
  EXPECT_NEAR(made[2], -0.5, 1e-6);
  EXPECT_EQ(CentredAtHalfScale(std::vector<float>(3)), std::vector<float>(3));
}

}  // namespace
}  // namespace grym
