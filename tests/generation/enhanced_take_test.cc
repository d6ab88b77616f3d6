#include "generation/enhanced_take.h"

#include <algorithm>
#include <cmath>

#include "analysis/enhance/balance.h"
#include "generation/composer.h"
#include "gmock/gmock.h"
#include "grymsynth/error.h"
#include "gtest/gtest.h"

namespace grym {
namespace {

AudioBuffer Recording(const char* prompt, double duration_s) {
  GenerateAudioRequest request;
  request.prompt = prompt;
  request.seed = 21;
  request.duration_s = duration_s;
  return (*MakeComposer()->NewGenerator())->Generate(request, {})->audio;
}

absl::StatusOr<GenerateAudioResult> Take(AudioBuffer reference, double level, void (*change)(GenerateAudioRequest&) = nullptr) {
  GenerateAudioRequest request;
  request.seed = 2;
  request.reference_buffer = std::move(reference);
  request.enhancement_level = level;
  request.want_stems = true;
  if (change) change(request);
  return (*MakeComposer()->NewGenerator())->Generate(request, {});
}

bool SameSamples(const AudioBuffer& a, const AudioBuffer& b) {
  return std::equal(a.planar().begin(), a.planar().end(), b.planar().begin(), b.planar().end());
}

TEST(EnhancedTakeTest, LevelZeroGivesTheRecordingBackBitForBit) {
  const AudioBuffer recording = Recording("pop", 4);
  auto take = Take(recording, 0);
  ASSERT_TRUE(take.ok()) << take.status();
  EXPECT_TRUE(SameSamples(take->audio, recording));
  EXPECT_FALSE(take->provenance.reference_sha256.empty());
}

TEST(EnhancedTakeTest, PartsFollowASteadyRecordingBelowIt) {
  const AudioBuffer recording = Recording("pop at 110 bpm in A major without percussion", 14);
  auto take = Take(recording, 0.6);
  ASSERT_TRUE(take.ok()) << take.status();
  ASSERT_EQ(take->audio.frames(), recording.frames());
  ASSERT_GE(take->stems.size(), 2u) << take->facts["basis"];
  EXPECT_EQ(take->stems[0].name, "original");
  double original = 0, parts = 0, worst = 0;
  for (size_t i = 0; i < take->mix.planar().size(); ++i) {
    double added = 0;
    for (size_t s = 1; s < take->stems.size(); ++s) added += take->stems[s].audio.planar()[i];
    const double first = take->stems[0].audio.planar()[i];
    original += first * first;
    parts += added * added;
    worst = std::max(worst, std::abs(first + added - take->mix.planar()[i]));
  }
  EXPECT_LE(worst, 1e-4);
  EXPECT_GT(parts, 0);
  EXPECT_LT(10 * std::log10(parts / original), -9);
  auto before = MeasureLongTermSpectrum(recording), after = MeasureLongTermSpectrum(take->audio);
  ASSERT_TRUE(before.ok() && after.ok());
  const double strongest = *std::max_element(before->octave_db.begin(), before->octave_db.end());
  for (size_t band = 0; band < before->octave_db.size(); ++band) {
    if (before->octave_db[band] <= strongest - kHeardBandDb) continue;
    EXPECT_NEAR(after->octave_db[band], before->octave_db[band], kKeptBandDb + 0.3) << band;
  }
  EXPECT_TRUE(SameSamples(take->audio, Take(recording, 0.6)->audio));
}

TEST(EnhancedTakeTest, SilenceIsSaidAndLeftAlone) {
  auto take = Take(*AudioBuffer::Create(2, 3 * 44100, 44100), 0.7);
  ASSERT_TRUE(take.ok()) << take.status();
  EXPECT_THAT(take->warnings, testing::Contains(testing::HasSubstr("silent")));
  for (const float sample : take->audio.planar()) ASSERT_EQ(sample, 0);
}

TEST(EnhancedTakeTest, RefusesWhatARecordingDecides) {
  const AudioBuffer recording = Recording("pop", 4);
  auto ask = [](GenerateAudioRequest& request) { request.structure = "ABAB"; };
  EXPECT_EQ(ErrorCode(Take(recording, 0.5, ask).status()), "unsupported_field");
  EXPECT_EQ(Take(AudioBuffer(), 0.5).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(EnhancedTakeTest, IsStereoAt44100WhateverTheReferenceIs) {
  auto mono = AudioBuffer::Create(1, 24000, 24000);
  for (int64_t i = 0; i < mono->frames(); ++i) mono->mutable_channel(0)[static_cast<size_t>(i)] = 0.2f * static_cast<float>(std::sin(0.05 * static_cast<double>(i)));
  auto take = Take(*mono, 0.5);
  ASSERT_TRUE(take.ok()) << take.status();
  EXPECT_EQ(take->audio.channels(), 2);
  EXPECT_EQ(take->audio.rate_hz(), 44100);
  EXPECT_EQ(take->audio.frames(), 44100);
}

}  // namespace
}  // namespace grym
