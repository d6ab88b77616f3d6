#include "patterns/embedder.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>

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

// Place of `want` among all others by likeness to `query`, and how far it is ahead of (or behind) the best of them.
struct Ranked {
  int place = 1;
  double likeness = 0, margin = 0;
};

Ranked RankOf(const std::vector<float>& query, const std::vector<std::vector<float>>& all, size_t want, size_t self) {
  Ranked ranked;
  ranked.likeness = Cosine(query, all[want]);
  double best_other = -1;
  for (size_t i = 0; i < all.size(); ++i) {
    if (i == want || i == self) continue;
    const double likeness = Cosine(query, all[i]);
    ranked.place += likeness > ranked.likeness;
    best_other = std::max(best_other, likeness);
  }
  ranked.margin = ranked.likeness - best_other;
  return ranked;
}

// Among all recordings of the set: the two that the manifest says are the same music at two speeds find each other
// first, and every recording is found by itself played faster or slower (so in another key too).
TEST(EmbedderTest, RanksTheSameMusicFirstAmongAllRecordings) {
  GRYM_NEED_SHARED_AUDIO();
  std::vector<std::string> names;
  for (const char* folder : {"real", "rendered"}) {
    for (const auto& entry : std::filesystem::directory_iterator(SharedAudio(folder)))
      names.push_back(std::string(folder) + "/" + entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  std::vector<AudioBuffer> recordings;
  std::vector<std::vector<float>> embeddings;
  size_t fast = 0, slow = 0;
  for (const std::string& name : names) {
    auto audio = LoadAudio(SharedAudio(name));
    ASSERT_TRUE(audio.ok()) << audio.status();
    if (name == "real/sir_duke_fast.ogg") fast = recordings.size();
    if (name == "real/sir_duke_slow.ogg") slow = recordings.size();
    embeddings.push_back(Embedded(*audio));
    recordings.push_back(*std::move(audio));
  }
  ASSERT_NE(fast, slow);
  std::printf("| query                     | queries | mean reciprocal rank | first | mean margin\n");
  const Ranked to_slow = RankOf(embeddings[fast], embeddings, slow, fast),
               to_fast = RankOf(embeddings[slow], embeddings, fast, slow);
  std::printf("| another performance       | %7d | %20.3f | %5d | %+.3f\n", 2,
              0.5 * (1.0 / to_slow.place + 1.0 / to_fast.place), (to_slow.place == 1) + (to_fast.place == 1),
              0.5 * (to_slow.margin + to_fast.margin));
  EXPECT_GT(to_slow.margin, 0.1);
  EXPECT_GT(to_fast.margin, 0.1);
  for (const double speed : {0.84, 1.12}) {
    double reciprocal = 0, margin = 0;
    int queries = 0, first = 0;
    for (size_t i = 0; i < recordings.size(); ++i) {
      const AudioBuffer& once = recordings[i];
      if (once.duration_s() < 4) continue;
      std::vector<float> planar(once.planar().begin(), once.planar().end());
      const auto played = AudioBuffer::FromPlanar(std::move(planar), once.channels(),
                                                  static_cast<int>(once.rate_hz() * speed));
      ASSERT_TRUE(played.ok()) << played.status();
      const Ranked ranked = RankOf(Embedded(*played), embeddings, i, recordings.size());
      reciprocal += 1.0 / ranked.place;
      margin += ranked.margin;
      first += ranked.place == 1;
      ++queries;
    }
    std::printf("| played at %.2f            | %7d | %20.3f | %5d | %+.3f\n", speed, queries, reciprocal / queries,
                first, margin / queries);
    EXPECT_GE(reciprocal / queries, 0.85) << speed;
  }
}

}  // namespace
}  // namespace grym
