#include "patterns/embedder.h"

#include <gtest/gtest.h>

#include <cmath>

#include "audio/block_source.h"
#include "base/status.h"
#include "grymsynth/pattern.h"
#include "support/shared_audio.h"
#include "support/test_music.h"

namespace grym {
namespace {

using testing::MakeTestMusic;
using testing::SharedAudio;

std::vector<float> Embedded(const AudioBuffer& audio) {
  const auto embedder = MakeRulesEmbedder()->NewEmbedder();
  EXPECT_TRUE(embedder.ok()) << embedder.status();
  const auto embedding = (*embedder)->Embed(audio, {});
  EXPECT_TRUE(embedding.ok()) << embedding.status();
  return embedding.ok() ? *embedding : std::vector<float>(kPatternDims);
}

double Cosine(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size() && i < b.size(); ++i) sum += double{a[i]} * b[i];
  return sum;
}

TEST(EmbedderTest, SaysWhatItIs) {
  const auto model = MakeRulesEmbedder();
  EXPECT_EQ(model->info().id, "rules-embedder");
  EXPECT_EQ(model->info().capabilities, std::vector<Capability>{Capability::kEmbedAudio});
  EXPECT_FALSE(model->info().licence.empty());
  EXPECT_EQ((*model->NewEmbedder())->dims(), kPatternDims);
  GenerateAudioRequest minute, hour;
  minute.duration_s = 60;
  hour.duration_s = 3600;
  EXPECT_GT(model->Need(hour).peak_bytes, model->Need(minute).peak_bytes);
  EXPECT_GT(model->Need(minute).peak_bytes, 0);
}

TEST(EmbedderTest, IsAUnitVectorAndTheSameTwice) {
  const AudioBuffer music = MakeTestMusic();
  const std::vector<float> once = Embedded(music);
  ASSERT_EQ(once.size(), static_cast<size_t>(kPatternDims));
  EXPECT_NEAR(Cosine(once, once), 1, 1e-5);
  for (const float value : once) EXPECT_TRUE(std::isfinite(value));
  EXPECT_EQ(once, Embedded(music));
}

TEST(EmbedderTest, HearsMusicNotItsLevelAndTellsOthersApart) {
  const std::vector<float> music = Embedded(MakeTestMusic());
  const double quieter = Cosine(music, Embedded(MakeTestMusic({.gain = 0.1})));
  const double noise = Cosine(music, Embedded(MakeTestMusic({.noise_db = -6, .gain = 0.001})));
  EXPECT_GT(quieter, 0.98);
  EXPECT_LT(noise, quieter - 0.2);
}

TEST(EmbedderTest, SilenceIsTheFirstAxisAndNothingIsAnError) {
  std::vector<float> axis(kPatternDims, 0);
  axis[0] = 1;
  EXPECT_EQ(Embedded(AudioBuffer::Create(2, 44100, 44100).value()), axis);
  const auto embedder = MakeRulesEmbedder()->NewEmbedder().value();
  const auto nothing = embedder->Embed(AudioBuffer::Create(1, 0, 44100).value(), {});
  EXPECT_EQ(nothing.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ErrorCode(nothing.status()), "no_frames");
  EXPECT_TRUE(embedder->Embed(MakeTestMusic({.seconds = 1}), {}).ok());  // an error spoils nothing
}

TEST(EmbedderTest, StopsWhenAsked) {
  RunOptions run;
  run.cancel.Cancel();
  const auto embedder = MakeRulesEmbedder()->NewEmbedder().value();
  EXPECT_EQ(embedder->Embed(MakeTestMusic(), run).status().code(), absl::StatusCode::kCancelled);
}

// The manifest says that two recordings are the same music at two speeds: each is the other's nearest of them all.
TEST(EmbedderTest, TheSameMusicIsNearestAmongRealRecordings) {
  GRYM_NEED_SHARED_AUDIO();
  const auto heard = [](const char* name) {
    const auto audio = LoadAudio(SharedAudio(name));
    EXPECT_TRUE(audio.ok()) << audio.status();
    return Embedded(*audio);
  };
  const std::vector<float> fast = heard("real/sir_duke_fast.ogg"), slow = heard("real/sir_duke_slow.ogg");
  for (const char* other : {"real/hiphop.mp3", "real/198-209-0000.ogg", "real/359628__mtg__sax-tenor-d-minor.flac",
                            "real/loop_mika.flac", "real/drumtrack.mp3"}) {
    const std::vector<float> embedding = heard(other);
    EXPECT_GT(Cosine(fast, slow), Cosine(fast, embedding)) << other;
    EXPECT_GT(Cosine(slow, fast), Cosine(slow, embedding)) << other;
  }
}

}  // namespace
}  // namespace grym
