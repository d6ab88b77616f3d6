#include "models/wav2vec2/sound.h"

#include <cmath>

#include "gtest/gtest.h"
#include "grymsynth/error.h"

namespace grym {
namespace {

std::vector<float> Sound(size_t count) {
  std::vector<float> samples(count);
  for (size_t i = 0; i < count; ++i) {
    samples[i] = static_cast<float>(0.1 + 0.5 * std::sin(0.05 * static_cast<double>(i)) +
                                    0.2 * std::sin(0.9 * static_cast<double>(i * i % 977)));
  }
  return samples;
}

TEST(Wav2Vec2SoundTest, MeasuresTheSameHoweverTheStreamIsCut) {
  const Wav2Vec2Config config;
  const std::vector<float> samples = Sound(5003);
  SoundMeter whole(config);
  whole.Push(samples);
  const SoundStatistics want = whole.Finish();
  for (const size_t block : {1u, 7u, 10u, 400u}) {
    SoundMeter meter(config);
    for (size_t i = 0; i < samples.size(); i += block) {
      meter.Push(std::span<const float>(samples).subspan(i, std::min(block, samples.size() - i)));
    }
    const SoundStatistics got = meter.Finish();
    EXPECT_EQ(got.samples, want.samples);
    EXPECT_EQ(got.mean, want.mean);
    EXPECT_EQ(got.inverse_deviation, want.inverse_deviation);
    EXPECT_EQ(got.patch_mean, want.patch_mean);
    EXPECT_EQ(got.patch_covariance, want.patch_covariance);
  }
}

// Against mean and covariance taken the plain way, over patches of samples that were normalised first.
TEST(Wav2Vec2SoundTest, StatisticsAreThoseOfNormalisedPatches) {
  const Wav2Vec2Config config;
  const std::vector<float> samples = Sound(2000);
  SoundMeter meter(config);
  meter.Push(samples);
  const SoundStatistics found = meter.Finish();
  double sum = 0, squares = 0;
  for (const float x : samples) sum += x;
  const double mean = sum / 2000;
  for (const float x : samples) squares += (x - mean) * (x - mean);
  const double scale = 1 / std::sqrt(squares / 2000 + 1e-7);
  EXPECT_NEAR(found.mean, mean, 1e-12);
  EXPECT_NEAR(found.inverse_deviation, scale, 1e-9);
  const size_t patches = (2000 - 10) / 5 + 1;
  std::vector<double> patch_mean(10);
  for (size_t p = 0; p < patches; ++p) {
    for (size_t i = 0; i < 10; ++i) patch_mean[i] += (samples[5 * p + i] - mean) * scale / static_cast<double>(patches);
  }
  for (size_t i = 0; i < 10; ++i) {
    EXPECT_NEAR(found.patch_mean[i], patch_mean[i], 1e-9);
    for (size_t j = 0; j < 10; ++j) {
      double covariance = 0;
      for (size_t p = 0; p < patches; ++p) {
        covariance += ((samples[5 * p + i] - mean) * scale - patch_mean[i]) *
                      ((samples[5 * p + j] - mean) * scale - patch_mean[j]) / static_cast<double>(patches);
      }
      EXPECT_NEAR(found.patch_covariance[i * 10 + j], covariance, 1e-9);
    }
  }
}

TEST(Wav2Vec2SoundTest, WindowsKeepEveryFrameOnceWithContextAround) {
  for (const int64_t longest : {5, 20, 21}) {
    for (const int64_t context : {0, 2}) {
      for (int64_t frames = 1; frames < 120; ++frames) {
        int64_t kept = 0;
        for (const EncodeWindow& window : PlanWindows(frames, longest, context)) {
          EXPECT_EQ(window.keep_from, kept);
          EXPECT_GT(window.keep_frames, 0);
          EXPECT_LE(window.frames, longest);
          EXPECT_TRUE(window.first == 0 || window.keep_from - window.first >= context);
          const int64_t end = window.first + window.frames, keep_end = window.keep_from + window.keep_frames;
          EXPECT_LE(end, frames);
          EXPECT_TRUE(end == frames ? keep_end == frames : end - keep_end == context);
          kept += window.keep_frames;
        }
        EXPECT_EQ(kept, frames) << longest << " " << context;
        if (frames <= longest) {
          EXPECT_EQ(PlanWindows(frames, longest, context).size(), 1u);
        }
      }
    }
  }
}

TEST(Wav2Vec2SoundTest, MixesResamplesAndReadsForward) {
  const std::vector<float> samples = Sound(44'100);
  std::vector<float> stereo = samples;
  stereo.insert(stereo.end(), samples.begin(), samples.end());
  const auto audio = AudioBuffer::FromPlanar(stereo, 2, 44'100).value();
  const auto want = Resample(AudioBuffer::FromPlanar(samples, 1, 44'100).value(), 16'000).value();
  auto source = OpenMono(audio, 16'000).value();
  EXPECT_EQ(source->channels(), 1);
  SampleStretch stretch(*source);
  for (const auto& [begin, count] : {std::pair<int64_t, int64_t>{0, 100}, {50, 9000}, {8000, 8000}}) {
    const auto got = stretch.Read(begin, count);
    ASSERT_TRUE(got.ok()) << got.status();
    for (int64_t i = 0; i < count; ++i) {
      ASSERT_NEAR((*got)[static_cast<size_t>(i)], want.channel(0)[static_cast<size_t>(begin + i)], 1e-6) << begin + i;
    }
  }
  EXPECT_EQ(ErrorCode(stretch.Read(15'000, 1001).status()), "audio_changed");
}

}  // namespace
}  // namespace grym
