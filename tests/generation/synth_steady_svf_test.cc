#include "generation/synth/steady_svf.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <vector>

#include "generation/synth/voice.h"

namespace grym::synth {
namespace {

constexpr int kBlocks = 400;
constexpr float kRateHz = 44100;

std::vector<float> WhiteNoise() {
  std::vector<float> noise(kBlocks * kBlockFrames);
  Noise source(7, kRateHz);
  for (float& x : noise) x = source.Next();
  return noise;
}

// How far the filter lies from the same one taken a frame at a time, below what comes out, in dB.
double DifferenceDb(SteadySvf filter, const SvfCoefficients& c, const std::function<float(const Svf::Out&)>& want) {
  std::vector<float> x = WhiteNoise();
  Svf reference;
  double error = 1e-30, power = 1e-30;
  for (size_t start = 0; start < x.size(); start += kBlockFrames) {
    std::vector<float> wanted;
    for (size_t i = 0; i < kBlockFrames; ++i) wanted.push_back(want(reference.Step(x[start + i], c)));
    filter.Run(&x[start]);
    for (size_t i = 0; i < kBlockFrames; ++i) {
      error += std::pow(double{x[start + i]} - wanted[i], 2);
      power += std::pow(double{wanted[i]}, 2);
    }
  }
  return 10 * std::log10(error / power);
}

TEST(SynthSteadySvfTest, IsTheFilterThatGoesFrameByFrame) {
  for (const float hz : {60.0f, 110.0f, 900.0f, 4300.0f, 9000.0f, 15000.0f}) {
    for (const float q : {0.6f, 0.7071f, 2.0f, 10.0f}) {
      const SvfCoefficients c = SvfCoefficients::Of(hz, q, kRateHz);
      EXPECT_LT(DifferenceDb(SteadySvf::Low(c), c, [](const Svf::Out& y) { return y.low; }), -90) << hz << " " << q;
      EXPECT_LT(DifferenceDb(SteadySvf::High(c), c, [](const Svf::Out& y) { return y.high; }), -100) << hz << " " << q;
      EXPECT_LT(DifferenceDb(SteadySvf::Band(c, 0.5f), c, [](const Svf::Out& y) { return 0.5f * y.band; }), -90)
          << hz << " " << q;
    }
  }
}

TEST(SynthSteadySvfTest, APairTreatsBothChannelsAlikeAndAddsUp) {
  const SvfCoefficients c = SvfCoefficients::Of(1200, 3, kRateHz);
  SteadyPair replaced{SteadySvf::Band(c, 1)}, added{SteadySvf::Band(c, 1)};
  const std::vector<float> noise = WhiteNoise();
  Block in;
  for (size_t i = 0; i < kBlockFrames; ++i) {
    in.left[i] = noise[i];
    in.right[i] = -noise[i];
  }
  Block sum = in, alone = in;
  added.AddTo(sum, in);
  replaced.Run(alone);
  for (int i = 0; i < kBlockFrames; ++i) {
    EXPECT_EQ(alone.right[i], -alone.left[i]);
    EXPECT_EQ(sum.left[i], in.left[i] + alone.left[i]);
    EXPECT_EQ(sum.right[i], in.right[i] + alone.right[i]);
  }
}

TEST(SynthSteadySvfTest, NothingIsLetThroughBeforeItIsSet) {
  std::vector<float> x = WhiteNoise();
  SteadySvf().Run(x.data());
  for (int i = 0; i < kBlockFrames; ++i) EXPECT_EQ(x[static_cast<size_t>(i)], 0);
}

}  // namespace
}  // namespace grym::synth
