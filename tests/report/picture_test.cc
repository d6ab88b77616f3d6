#include "report/picture.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace grym {
namespace {

AudioBuffer SineTone(double hz, double seconds) {
  AudioBuffer audio = AudioBuffer::Create(1, static_cast<int64_t>(seconds * 44100), 44100).value();
  for (int64_t i = 0; i < audio.frames(); ++i) {
    audio.mutable_channel(0)[static_cast<size_t>(i)] =
        static_cast<float>(0.5 * std::sin(2 * M_PI * hz * static_cast<double>(i) / 44100));
  }
  return audio;
}

TEST(PictureTest, Base64AgreesWithRfc4648) {
  EXPECT_EQ(Base64(""), "");
  EXPECT_EQ(Base64("f"), "Zg==");
  EXPECT_EQ(Base64("fo"), "Zm8=");
  EXPECT_EQ(Base64("foobar"), "Zm9vYmFy");
}

TEST(PictureTest, SpectrogramIsBrightestWhereTheToneIs) {
  const double unset = std::numeric_limits<double>::quiet_NaN();
  double peak_db = 0;
  const ValueGrid grid = SpectrogramGrid(SineTone(1000, 1), 20, 100, unset, &peak_db);
  int brightest = 0;
  for (int y = 1; y < grid.height; ++y) {
    if (grid.values[static_cast<size_t>(y * 20 + 10)] > grid.values[static_cast<size_t>(brightest * 20 + 10)])
      brightest = y;
  }
  // Rows are log-spaced from 40 Hz at the bottom to 16 kHz at the top.
  const double hz = 40 * std::pow(400.0, 1 - (brightest + 0.5) / 100);
  EXPECT_NEAR(hz, 1000, 60);
  EXPECT_GT(peak_db, 0);
}

TEST(PictureTest, EmptyAndSilentAudioGiveABlankPicture) {
  const double unset = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(SpectrogramGrid(AudioBuffer(), 10, 10, unset, nullptr).values.size(), 100u);
  const AudioBuffer silence = AudioBuffer::Create(2, 4410, 44100).value();
  for (const float value : SpectrogramGrid(silence, 10, 10, 0, nullptr).values) EXPECT_EQ(value, 0.0f);
}

TEST(PictureTest, SelfSimilarityIsSymmetricAndBrightOnItsDiagonal) {
  AudioFeatures features;
  features.spectral.chroma.dim = 12;
  features.spectral.mfcc.dim = 20;
  for (int i = 0; i < 64; ++i) {
    for (int d = 0; d < 12; ++d) features.spectral.chroma.values.push_back(d == (i / 16) % 2 ? 1.0f : 0.0f);
    for (int d = 0; d < 20; ++d) features.spectral.mfcc.values.push_back(static_cast<float>((i / 16) % 2 + d));
  }
  const ValueGrid grid = SelfSimilarityGrid(features, 32);
  ASSERT_EQ(grid.width, 32);
  for (int a = 0; a < 32; ++a) {
    EXPECT_NEAR(grid.values[static_cast<size_t>(a * 33)], 1.0f, 1e-3);
    EXPECT_FLOAT_EQ(grid.values[static_cast<size_t>(a * 32 + 5)], grid.values[static_cast<size_t>(5 * 32 + a)]);
  }
  EXPECT_GT(grid.values[2 * 32 + 18], 0.95f);  // both in the first kind of music
  EXPECT_LT(grid.values[2 * 32 + 10], 0.2f);
  EXPECT_EQ(SelfSimilarityGrid(AudioFeatures(), 32).values.size(), 1u);
}

TEST(PictureTest, BitmapHasTheSizeItDeclares) {
  const ValueGrid grid{3, 2, {0, 0.5f, 1, 1, 0.5f, 0}};
  const std::string uri = BitmapUri(grid);
  const std::string prefix = "data:image/bmp;base64,";
  ASSERT_EQ(uri.substr(0, prefix.size()), prefix);
  EXPECT_EQ((uri.size() - prefix.size()) / 4 * 3, 14u + 40 + 1024 + 8);  // rows padded to 4 bytes
}

}  // namespace
}  // namespace grym
