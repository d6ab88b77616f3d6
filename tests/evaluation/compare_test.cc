#include "evaluation/compare.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "analysis/enhance/enhance.h"
#include "base/json.h"
#include "evaluation/score_parts.h"
#include "support/damage.h"
#include "support/scratch.h"

namespace grym {
namespace {

using namespace testing;  // NOLINT: the damage, and nothing else

double Score(const TakeMeasures& original, const AudioBuffer& result) {
  return CompareMeasured(original, MeasureTake(result).value()).value().quality_score;
}

// Each result must score strictly below the one before it, the recording itself first.
void ExpectFalling(const TakeMeasures& original, const std::vector<AudioBuffer>& results, const std::string& what) {
  double last = CompareMeasured(original, original).value().quality_score;
  for (size_t i = 0; i < results.size(); ++i) {
    const double score = Score(original, results[i]);
    EXPECT_LT(score, last) << what << ", strength " << i;
    last = score;
  }
}

class RecordingTest : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    GRYM_NEED_SHARED_AUDIO();
    audio_ = Recording(GetParam(), 5);
    measures_ = MeasureTake(audio_).value();
  }
  AudioBuffer audio_;
  TakeMeasures measures_;
};

TEST_P(RecordingTest, KnowsItselfFromSilenceAndNoise) {
  // Itself to the last bit, so only its own condition can lower the score.
  const Comparison same = CompareMeasured(measures_, measures_).value();
  EXPECT_GE(same.quality_score, 0.6);
  for (const ScorePart& part : same.parts) {
    if (part.name == "identity" || part.name == "tempo" || part.name == "key" || part.name == "structure") {
      EXPECT_GT(part.score, 0.98) << part.name;
    }
  }
  EXPECT_LT(Score(measures_, AudioBuffer::Create(2, 44100 * 3, 44100).value()), 0.01);
  auto noise = AudioBuffer::Create(1, audio_.frames(), audio_.rate_hz()).value();
  noise.mutable_channel(0)[0] = 0.1f;
  EXPECT_LT(Score(measures_, WithNoise(noise, -60)), 0.3);
}

TEST_P(RecordingTest, FallsUnderRisingNoise) {
  std::vector<AudioBuffer> damaged;
  for (const double snr_db : {50, 35, 20, 10, 0}) damaged.push_back(WithNoise(audio_, snr_db));
  ExpectFalling(measures_, damaged, "noise");
}

// Brought back to its level, flat to the last bit, and once more resampled, so that no two samples are equal.
TEST_P(RecordingTest, FallsUnderRisingClipping) {
  std::vector<AudioBuffer> levelled, resampled;
  for (const double db : {3, 6, 12, 18, 24, 36, 48}) {
    levelled.push_back(WithClipping(audio_, db, true));
    // At 3 dB a few peaks are cut, too few to be sure of once they are round.
    if (db == 6 || db == 12 || db == 24) resampled.push_back(AtRate(levelled.back(), 48000));
  }
  ExpectFalling(measures_, levelled, "clipping at the same level");
  // Driven into two levels, nothing is left to fall: no better than half-way there.
  EXPECT_LT(Score(measures_, WithClipping(audio_, 60, true)), Score(measures_, levelled[4]));
  ExpectFalling(measures_, resampled, "clipping at the same level, resampled");
}

TEST_P(RecordingTest, FallsUnderRisingDetuning) {
  std::vector<AudioBuffer> damaged;
  for (const double cents : {5, 20, 50, 100, 200}) damaged.push_back(Detuned(audio_, cents));
  ExpectFalling(measures_, damaged, "detuning");
}

TEST_P(RecordingTest, FallsUnderRisingDrift) {
  std::vector<AudioBuffer> damaged;
  for (const double strength : {0.005, 0.01, 0.02, 0.04, 0.08}) damaged.push_back(Drifting(audio_, strength));
  ExpectFalling(measures_, damaged, "drift");
}

TEST_P(RecordingTest, ARepairedTakeBeatsTheUntouchedDamage) {
  EnhanceParams params;
  for (const AudioBuffer& damaged :
       {WithNoise(audio_, 20), WithNoise(audio_, 10), WithHum(audio_, 50.02, 13), WithClipping(audio_, 6, true),
        AtRate(WithClipping(audio_, 12, true), 48000)}) {
    const TakeMeasures original = MeasureTake(damaged).value();
    const double untouched = CompareMeasured(original, original).value().quality_score;
    EXPECT_GT(Score(original, EnhanceAudio(damaged, params).value().audio), untouched + 0.02);
  }
}

TEST_P(RecordingTest, PartsAddedAtAModestLevelKeepTheIdentity) {
  const AudioBuffer other = Recording("real/loop_breakbeat.flac");
  const Comparison comparison = CompareMeasured(measures_, MeasureTake(MixedWith(audio_, other, 12)).value()).value();
  EXPECT_EQ(comparison.parts.back().name, "identity");
  EXPECT_GT(comparison.parts.back().score, 0.9);
  EXPECT_GT(comparison.quality_score, 0.75 * CompareMeasured(measures_, measures_).value().quality_score);
}

INSTANTIATE_TEST_SUITE_P(Music, RecordingTest, ::testing::ValuesIn(kRecordings), [](const auto& recording) {
  std::string name;
  for (const char c : std::string(recording.param)) name += std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
  return name;
});

TEST(CompareTest, NamesWhatIsWrongAndWhere) {
  GRYM_NEED_SHARED_AUDIO();
  const AudioBuffer audio = Recording("real/147793__setuniman__sweet-waltz-0i-22mi.ogg");
  const AudioBuffer damaged = WithClipping(WithNoise(audio, 12), 9, true);
  const Comparison comparison = Compare(audio, damaged).value();
  ASSERT_FALSE(comparison.improvement_areas.empty());
  std::vector<std::string> areas;
  for (const ImprovementArea& area : comparison.improvement_areas) {
    areas.push_back(area.area);
    EXPECT_FALSE(area.text.empty());
    EXPECT_GT(area.severity, 0);
    EXPECT_NE(std::find(std::begin(kImprovementAreas), std::end(kImprovementAreas), area.area),
              std::end(kImprovementAreas));
  }
  EXPECT_NE(std::find(areas.begin(), areas.end(), "noise"), areas.end());
  EXPECT_NE(std::find(areas.begin(), areas.end(), "clipping"), areas.end());
  for (size_t i = 1; i < comparison.improvement_areas.size(); ++i) {
    EXPECT_LE(comparison.improvement_areas[i].severity, comparison.improvement_areas[i - 1].severity);
  }
}

TEST(CompareTest, ClippingHasItsTimes) {
  GRYM_NEED_SHARED_AUDIO();
  const AudioBuffer audio = Recording("real/147793__setuniman__sweet-waltz-0i-22mi.ogg");
  const Comparison comparison = Compare(audio, WithClipping(audio, 6, false)).value();
  for (const ImprovementArea& area : comparison.improvement_areas) {
    if (area.area != "clipping") continue;
    ASSERT_FALSE(area.spans.empty());
    for (const TimeSpan& span : area.spans) EXPECT_LT(span.start_s, span.end_s);
    return;
  }
  FAIL() << "no clipping among the areas";
}

TEST(CompareTest, TakesPathsAndBuffersAlike) {
  GRYM_NEED_SHARED_AUDIO();
  const auto path = SharedAudio("real/loop_mika.flac");
  const AudioBuffer audio = LoadAudio(path).value();
  EXPECT_EQ(ComparisonToJson(Compare(path, path).value()), ComparisonToJson(Compare(audio, audio).value()));
}

TEST(CompareTest, AcceptsOtherRatesAndChannels) {
  GRYM_NEED_SHARED_AUDIO();
  const AudioBuffer audio = Recording("real/hiphop.mp3");
  EXPECT_GT(Compare(audio, Resample(audio, 48000).value()).value().quality_score, 0.9);
  // Mono is the same music, and less of a master.
  const Comparison mono = Compare(audio, audio.ToMono()).value();
  EXPECT_GT(mono.quality_score, 0.7);
  EXPECT_GT(mono.parts.back().score, 0.95);
}

TEST(CompareTest, AntiphaseIsAFaultButTheSameMusic) {
  GRYM_NEED_SHARED_AUDIO();
  AudioBuffer audio = Recording("real/hiphop.mp3");
  const double in_phase = Compare(audio, audio).value().quality_score;
  for (size_t n = 0; n < audio.channel(1).size(); ++n) audio.mutable_channel(1)[n] = -audio.channel(0)[n];
  const Comparison against = Compare(audio, audio).value();
  EXPECT_GT(against.parts.back().score, 0.95);
  EXPECT_LT(against.quality_score, in_phase - 0.1);
  ASSERT_FALSE(against.improvement_areas.empty());
  EXPECT_EQ(against.improvement_areas[0].area, "stereo");
}

TEST(CompareTest, FailsForWhatIsNoAudio) {
  const AudioBuffer empty;
  EXPECT_EQ(Compare(empty, empty).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Compare("/nowhere/at/all.wav", empty).status().code(), absl::StatusCode::kNotFound);
}

// A header and a hole, so that neither disk nor memory holds what the file claims.
TEST(CompareTest, TakesAsMuchAsIsRepaired) {
  Scratch scratch;
  const uint32_t bytes = 1'100'000'000;  // frames of 8-bit mono, 4.4 GB as float
  std::string header = "RIFF....WAVEfmt ";
  const auto put = [&](uint32_t value, int count) {
    for (int k = 0; k < count; ++k) header += static_cast<char>(value >> (8 * k));
  };
  for (const auto& [value, count] : {std::pair{16u, 4}, {1u, 2}, {1u, 2}, {44100u, 4}, {44100u, 4}, {1u, 2}, {8u, 2}})
    put(value, count);
  header += "data";
  put(bytes, 4);
  for (int k = 0; k < 4; ++k) header[static_cast<size_t>(4 + k)] = static_cast<char>((bytes + 36) >> (8 * k));
  ASSERT_TRUE(WriteFile(scratch / "long.wav", header).ok());
  std::filesystem::resize_file(scratch / "long.wav", header.size() + bytes);
  const absl::Status status = Compare(scratch / "long.wav", scratch / "long.wav").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_NE(status.message().find("at most 4294967296 bytes"), std::string::npos) << status;
}

TEST(CompareTest, ShortStrangeAndSilentAudioScore) {
  for (const int64_t frames : {1, 100, 44100}) {
    auto audio = AudioBuffer::Create(1, frames, 44100).value();
    EXPECT_EQ(Compare(audio, audio).value().quality_score, 0);
    audio.mutable_channel(0)[0] = std::numeric_limits<float>::quiet_NaN();
    EXPECT_EQ(Compare(audio, audio).value().quality_score, 0);
    for (float& sample : audio.mutable_planar()) sample = 1.0f;
    const double score = Compare(audio, audio).value().quality_score;
    EXPECT_GE(score, 0);
    EXPECT_LE(score, 1);
  }
}

// From a file and from a buffer: what no recording holds is nothing, and what is left is judged.
TEST(CompareTest, SamplesBeyondAllRecordingsCountAsNone) {
  AudioBuffer audio = AudioBuffer::Create(1, 44100, 44100).value();
  Random random(1);
  for (float& sample : audio.mutable_planar()) sample = static_cast<float>(0.1 * random.Normal());
  AudioBuffer strange = audio;
  for (const float value : {1e10f, 1e18f, 3e38f}) {
    for (size_t n = 1000; n < 1100; ++n) strange.mutable_channel(0)[n] = value, audio.mutable_channel(0)[n] = 0;
    EXPECT_EQ(ComparisonToJson(Compare(strange, strange).value()), ComparisonToJson(Compare(audio, audio).value()));
  }
  EXPECT_EQ(CombineParts({{{"identity", std::nan(""), 1, ""}, {}}}), 0);
}

TEST(CompareTest, StopsWhenCancelled) {
  auto audio = AudioBuffer::Create(1, 44100 * 4, 44100).value();
  audio.mutable_channel(0)[0] = 0.5f;
  RunOptions run;
  run.cancel.Cancel();
  EXPECT_EQ(Compare(audio, audio, run).status().code(), absl::StatusCode::kCancelled);
}

TEST(ComparisonToJsonTest, WritesEveryField) {
  Comparison comparison;
  comparison.quality_score = 0.5;
  comparison.parts.push_back({"noise", 0.25, 0.5, "steady"});
  comparison.improvement_areas.push_back({"noise", 0.75, {{1, 2}}, "hiss"});
  const Json json = Json::Parse(ComparisonToJson(comparison)).value();
  EXPECT_EQ(json.at("schema").text(), "grymsynth.comparison/1");
  EXPECT_EQ(json.at("qualityScore").number(), 0.5);
  EXPECT_EQ(json.at("parts").at(size_t{0}).at("text").text(), "steady");
  const Json& area = json.at("improvementAreas").at(size_t{0});
  EXPECT_EQ(area.at("area").text(), "noise");
  EXPECT_EQ(area.at("severity").number(), 0.75);
  EXPECT_EQ(area.at("spans").at(size_t{0}).at("endS").number(), 2);
}

}  // namespace
}  // namespace grym
