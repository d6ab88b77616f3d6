#include "generation/enhanced_take.h"

#include <algorithm>
#include <cmath>

#include "analysis/analyze.h"
#include "analysis/enhance/balance.h"
#include "analysis/enhance/loudness_gain.h"
#include "generation/audibility.h"
#include "generation/composer.h"
#include "generation/part_levels.h"
#include "gmock/gmock.h"
#include "audio/block_source.h"
#include "grymsynth/audio_file.h"
#include "grymsynth/error.h"
#include "gtest/gtest.h"
#include "support/shared_audio.h"

namespace grym {
namespace {

AudioBuffer Recording(const char* prompt, double duration_s) {
  GenerateAudioRequest request;
  request.prompt = prompt;
  request.seed = 21;
  request.duration_s = duration_s;
  return (*MakeComposer()->NewGenerator())->Generate(request, {})->audio;
}

absl::StatusOr<GenerateAudioResult> Take(AudioBuffer reference, double level,
                                         void (*change)(GenerateAudioRequest&) = nullptr) {
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

AudioBuffer PartsOf(const GenerateAudioResult& take) {
  AudioBuffer parts = *AudioBuffer::Create(2, take.mix.frames(), 44100);
  for (size_t s = 1; s < take.stems.size(); ++s) AddTimes(take.stems[s].audio, 1, &parts);
  return parts;
}

// Every octave band that is heard stays where it was; mastering may add a little to what was promised before it.
void ExpectBalanceKept(const AudioBuffer& before, const AudioBuffer& after, const std::string& what) {
  EXPECT_LE(WorstBandDb(*MeasureLongTermSpectrum(before), *MeasureLongTermSpectrum(after)), kKeptBandDb + 0.3) << what;
}

TEST(EnhancedTakeTest, LevelZeroGivesACleanRecordingBackBitForBit) {
  const AudioBuffer recording = Recording("pop", 4);
  auto take = Take(recording, 0);
  ASSERT_TRUE(take.ok()) << take.status();
  EXPECT_TRUE(SameSamples(take->audio, recording));
  EXPECT_FALSE(take->provenance.reference_sha256.empty());
}

// The patterns that a take is made from are heard in it.
TEST(EnhancedTakeTest, PatternsAreItsMaterial) {
  static const AudioBuffer recording = Recording("pop at 110 bpm in A major without percussion", 10);
  const auto plain = Take(recording, 0.6);
  ASSERT_TRUE(plain.ok()) << plain.status();
  EXPECT_EQ(plain->facts.count("material"), 0u);
  const auto rhythmic = Take(recording, 0.6, [](GenerateAudioRequest& request) {
    AudioPattern rhythm;
    rhythm.kind = PatternKind::kRhythmic;
    rhythm.meter = 4;
    rhythm.strength = 0.9;
    rhythm.onset_grid = {1, 0, 0, 1, 0, 0, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0};
    request.patterns = {rhythm};
  });
  ASSERT_TRUE(rhythmic.ok()) << rhythmic.status();
  EXPECT_EQ(rhythmic->facts.at("material"), "rhythm");
  EXPECT_FALSE(SameSamples(plain->audio, rhythmic->audio));
  // The third stroke of the grid lies between the eighths, where the plain shaker never plays.
  const auto off_eighths = [](const GenerateAudioResult& take) {
    return std::count_if(take.midi->notes.begin(), take.midi->notes.end(), [&](const MidiNote& note) {
      const double eighths = note.start_s / (60.0 / 110 / 2);
      return note.pitch == 70 && std::abs(eighths - std::round(eighths)) > 0.35;
    });
  };
  EXPECT_EQ(off_eighths(*plain), 0);
  EXPECT_GT(off_eighths(*rhythmic), 3);
  const auto melodic = Take(recording, 0.6, [](GenerateAudioRequest& request) {
    AudioPattern motif;
    motif.kind = PatternKind::kMelodic;
    motif.meter = 4;
    motif.strength = 0.8;
    motif.intervals = {0, 7, 3, 7};
    motif.durations_beats = {1, 0.5, 1.5, 1};
    request.patterns = {motif};
  });
  ASSERT_TRUE(melodic.ok()) << melodic.status();
  EXPECT_EQ(melodic->facts.at("material"), "motif");
  EXPECT_FALSE(SameSamples(plain->audio, melodic->audio));
  EXPECT_FALSE(SameSamples(rhythmic->audio, melodic->audio));
}

// A video's sound track is clipped at 48 kHz; resampled first, its flat tops would no longer be seen.
TEST(EnhancedTakeTest, ClippingIsRepairedAtEveryRate) {
  for (const int rate_hz : {22050, 44100, 48000}) {
    AudioBuffer recording = *Resample(Recording("rock", 6), rate_hz);
    for (float& sample : recording.mutable_planar()) sample = std::clamp(4 * sample, -0.8f, 0.8f);
    const auto take = Take(recording, 0);
    ASSERT_TRUE(take.ok()) << take.status();
    const auto declip = std::find_if(take->stages.begin(), take->stages.end(),
                                     [](const EnhanceStage& stage) { return stage.name == "declip"; });
    ASSERT_NE(declip, take->stages.end());
    EXPECT_TRUE(declip->applied) << rate_hz;
    EXPECT_EQ(take->audio.rate_hz(), 44100);
  }
}

TEST(EnhancedTakeTest, WhatATakeCannotFollowIsRefusedByName) {
  static const AudioBuffer recording = Recording("pop", 4);
  const auto refused = [](void (*change)(GenerateAudioRequest&)) {
    return std::string(Take(recording, 0.5, change).status().message());
  };
  EXPECT_NE(refused([](GenerateAudioRequest& request) { request.mood = "dark"; }).find("mood"), std::string::npos);
  EXPECT_NE(refused([](GenerateAudioRequest& request) { request.parameters["genre"] = "jazz"; }).find("genre"),
            std::string::npos);
  EXPECT_NE(refused([](GenerateAudioRequest& request) { request.reference_strength = 0.9; }).find("reference_strength"),
            std::string::npos);
  const auto allowed = Take(recording, 0.5, [](GenerateAudioRequest& request) {
    request.mood = "dark";
    request.allow_unsupported = true;
  });
  ASSERT_TRUE(allowed.ok()) << allowed.status();
  EXPECT_FALSE(allowed->warnings.empty());
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
  EXPECT_LT(10 * std::log10(parts / original), -6);
  ExpectBalanceKept(recording, take->audio, "level 0.6");
  EXPECT_TRUE(SameSamples(take->audio, Take(recording, 0.6)->audio));
}

TEST(EnhancedTakeTest, TheLevelSaysHowMuchIsHeardAndNothingIsCovered) {
  const AudioBuffer recording = Recording("pop at 110 bpm in A major without percussion", 14);
  const double recording_lufs = *IntegratedLufs(recording);
  testing::Audibility last;
  last.below_lu = 100;
  for (const double level : {0.1, 0.5, 1.0}) {
    auto take = Take(recording, level);
    ASSERT_TRUE(take.ok()) << take.status();
    testing::Audibility heard = testing::Compare(take->stems[0].audio, PartsOf(*take));
    heard.below_lu = recording_lufs - *IntegratedLufs(PartsOf(*take));
    std::printf("level %.1f: %.1f LU below, median %+.1f dB in its best band, heard %.2f, covered %.3f\n", level,
                heard.below_lu, heard.ratio_db, heard.heard, heard.covered);
    EXPECT_LT(heard.below_lu, last.below_lu - 1.5) << level;
    EXPECT_LT(heard.covered, level < 1 ? 0.1 : 0.25) << level;
    if (level >= 0.5) {
      EXPECT_GT(heard.heard, 0.5) << level;
    }
    last = heard;
  }
}

// The same over real recordings, with tempo and key heard again in the take.
TEST(EnhancedTakeTest, RealRecordingsKeepTempoKeyAndBalance) {
  GRYM_NEED_SHARED_AUDIO();
  int with_parts = 0;
  for (const char* name : {"real/hiphop.mp3", "real/147793__setuniman__sweet-waltz-0i-22mi.ogg", "real/loop_mika.flac",
                           "real/drumtrack.mp3", "real/admiralbob77_-_Choice_-_Drum-bass.ogg",
                           "rendered/FMP_C1_F12_Bach_BWV846_Sibelius-Tracks.flac"}) {
    const AudioBuffer whole = LoadAudio(testing::SharedAudio(name)).value();
    AudioBuffer recording = Resample(whole.Slice(0, 12 * whole.rate_hz()), 44100).value();
    if (recording.channels() != 2) recording = MixChannels(recording, 2).value();
    auto take = Take(recording, 0.5);
    ASSERT_TRUE(take.ok()) << take.status();
    const bool repaired = std::any_of(take->warnings.begin(), take->warnings.end(),
                                      [](const std::string& text) { return text.find("repair") != std::string::npos; });
    if (!repaired) ExpectBalanceKept(recording, take->audio, name);
    const AudioFeatures before = AnalyzeSource(**OpenInput(recording), {}).value(),
                        after = AnalyzeSource(**OpenInput(take->audio), {}).value();
    if (before.tempo_confidence > 0.5) {
      EXPECT_NEAR(after.tempo_bpm / before.tempo_bpm, 1, 0.005) << name;
    }
    if (before.key_confidence > 0.5) {
      EXPECT_EQ(after.key, before.key) << name;
    }
    if (take->stems.size() < 2) continue;
    ++with_parts;
    const testing::Audibility heard = testing::Compare(take->stems[0].audio, PartsOf(*take));
    std::printf("%s: %s, %.1f LU below, median %+.1f dB, heard %.2f, covered %.3f\n", name,
                take->facts["basis"].c_str(), *IntegratedLufs(take->stems[0].audio) - *IntegratedLufs(PartsOf(*take)),
                heard.ratio_db, heard.heard, heard.covered);
    EXPECT_GT(heard.heard, 0.4) << name;
    EXPECT_LT(heard.covered, 0.1) << name;
  }
  EXPECT_GE(with_parts, 3);
}

TEST(EnhancedTakeTest, SilenceIsSaidAndLeftAlone) {
  auto take = Take(*AudioBuffer::Create(2, 3 * 44100, 44100), 0.7);
  ASSERT_TRUE(take.ok()) << take.status();
  EXPECT_THAT(take->warnings, ::testing::Contains(::testing::HasSubstr("silent")));
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
  for (int64_t i = 0; i < mono->frames(); ++i)
    mono->mutable_channel(0)[static_cast<size_t>(i)] =
        0.2f * static_cast<float>(std::sin(0.05 * static_cast<double>(i)));
  auto take = Take(*mono, 0.5);
  ASSERT_TRUE(take.ok()) << take.status();
  EXPECT_EQ(take->audio.channels(), 2);
  EXPECT_EQ(take->audio.rate_hz(), 44100);
  EXPECT_EQ(take->audio.frames(), 44100);
}

}  // namespace
}  // namespace grym
