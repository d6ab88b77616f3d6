#include "grymsynth/audio_processor.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "base/json.h"
#include "support/scratch.h"
#include "support/test_music.h"

namespace grym {
namespace {

using testing::MakeTestMusic;

TEST(AudioProcessorTest, ABufferAndItsFileAreHeardAlike) {
  const auto processor = AudioProcessor::Create();
  const AudioBuffer audio = MakeTestMusic({.seconds = 8});
  const testing::Scratch scratch;
  SaveOptions options;
  options.format = SampleFormat::kFloat32;
  ASSERT_TRUE(SaveAudio(scratch / "music.wav", audio, options).ok());
  const auto held = processor->Analyze(audio), read = processor->Analyze(scratch / "music.wav");
  ASSERT_TRUE(held.ok()) << held.status();
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(FeaturesToJson(*held, true), FeaturesToJson(*read, true));
  EXPECT_NEAR(held->tempo_bpm, 120, 0.6);
}

TEST(AudioProcessorTest, PatternsAndStyle) {
  const auto processor = AudioProcessor::Create();
  const AudioBuffer audio = MakeTestMusic({.seconds = 20});
  const auto patterns = processor->DetectPatterns(audio);
  ASSERT_TRUE(patterns.ok()) << patterns.status();
  EXPECT_FALSE(patterns->patterns.empty());
  const auto style = processor->ClassifyStyle(audio);
  ASSERT_TRUE(style.ok());
  const Json json = Json::Parse(StyleToJson(*style)).value();
  EXPECT_EQ(json.at("schema").text(), "grymsynth.style/1");
  EXPECT_EQ(json.at("genres").size(), style->genres.size());
  EXPECT_EQ(json.at("method").text(), "rules");
}

TEST(AudioProcessorTest, LevelZeroIsTheIdentity) {
  const auto processor = AudioProcessor::Create();
  const AudioBuffer audio = MakeTestMusic({.seconds = 3, .noise_db = -40});
  EnhanceParams params;
  params.level = 0;
  const auto enhanced = processor->Enhance(audio, params);
  ASSERT_TRUE(enhanced.ok()) << enhanced.status();
  EXPECT_TRUE(std::ranges::equal(enhanced->audio.planar(), audio.planar()));
}

TEST(AudioProcessorTest, ProcessDoesTheWhole) {
  const auto processor = AudioProcessor::Create();
  ProcessOptions options;
  options.rate_hz = 22050;
  RunOptions run;
  std::vector<double> fractions;
  run.progress = [&](const Progress& progress) { fractions.push_back(progress.fraction); };
  const auto processed = processor->Process(MakeTestMusic({.seconds = 8}), options, run);
  ASSERT_TRUE(processed.ok()) << processed.status();
  EXPECT_EQ(processed->audio.rate_hz(), 22050);
  EXPECT_NEAR(processed->audio.duration_s(), 8, 0.001);
  EXPECT_EQ(processed->features.rate_hz, 22050);
  EXPECT_FALSE(processed->stages.empty());
  EXPECT_FALSE(processed->style.genres.empty());
  EXPECT_TRUE(std::is_sorted(fractions.begin(), fractions.end()));
  EXPECT_EQ(fractions.back(), 1);
}

TEST(AudioProcessorTest, BadInputsAreErrors) {
  const auto processor = AudioProcessor::Create();
  const AudioBuffer empty;
  EXPECT_EQ(processor->Analyze(empty).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(processor->DetectPatterns(empty).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(processor->ClassifyStyle(empty).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(processor->Enhance(empty).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(processor->Process(empty).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(processor->Analyze("/nowhere/at/all.wav").status().code(), absl::StatusCode::kNotFound);
  ProcessOptions options;
  options.rate_hz = 3;
  EXPECT_EQ(processor->Process(MakeTestMusic({.seconds = 1}), options).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(AudioProcessorTest, JobsGiveTheSameAndStopWhenAsked) {
  const auto processor = AudioProcessor::Create();
  const AudioBuffer audio = MakeTestMusic({.seconds = 4});
  auto job = processor->StartAnalyze(audio);
  const auto features = job.Take();
  ASSERT_TRUE(features.ok());
  EXPECT_EQ(FeaturesToJson(*features), FeaturesToJson(*processor->Analyze(audio)));
  EXPECT_EQ(job.progress().fraction, 1);
  EXPECT_TRUE(processor->StartDetectPatterns(audio).Take().ok());
  EXPECT_TRUE(processor->StartClassifyStyle(audio).Take().ok());
  EXPECT_TRUE(processor->StartEnhance(audio).Take().ok());
  EXPECT_TRUE(processor->StartProcess(audio).Take().ok());
  RunOptions stopped;
  stopped.cancel.Cancel();
  EXPECT_EQ(processor->Analyze(audio, stopped).status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(processor->DetectPatterns(audio, stopped).status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(processor->Enhance(audio, {}, stopped).status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(processor->Process(audio, {}, stopped).status().code(), absl::StatusCode::kCancelled);
}

}  // namespace
}  // namespace grym
