#include "steps/make_take.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>

#include "base/status.h"
#include "support/test_music.h"

namespace grym {
namespace {

// A generator whose first takes are bad: silent, until `good_from` calls were made.
class FlakyModel : public Model {
 public:
  explicit FlakyModel(int good_from) : good_from_(good_from) {
    info_.id = "flaky";
    info_.version = "1";
    info_.name = "flaky";
    info_.capabilities = {Capability::kGenerate};
  }
  const ModelInfo& info() const override { return info_; }
  ResourceNeed Need(const GenerateAudioRequest&) const override { return {}; }
  absl::StatusOr<std::unique_ptr<Generator>> NewGenerator() const override;
  mutable int calls = 0;
  mutable std::vector<int64_t> seeds;

 private:
  friend class FlakyGenerator;
  ModelInfo info_;
  int good_from_;
};

class FlakyGenerator : public Generator {
 public:
  explicit FlakyGenerator(const FlakyModel* model) : model_(model) {}
  absl::StatusOr<GenerateAudioResult> Generate(const GenerateAudioRequest& request, const RunOptions& run) override {
    for (const double fraction : {0.0, 0.5, 1.0}) {
      if (run.progress) run.progress({fraction, -1, "make"});
    }
    model_->seeds.push_back(request.seed);
    GenerateAudioResult made;
    made.provenance.model = "flaky";
    made.provenance.seed = request.seed;
    testing::TestMusicOptions music;
    music.seconds = request.duration_s;
    made.audio = ++model_->calls > model_->good_from_
                     ? testing::MakeTestMusic(music)
                     : AudioBuffer::Create(2, static_cast<int64_t>(request.duration_s * 44100), 44100).value();
    return made;
  }

 private:
  const FlakyModel* model_;
};

absl::StatusOr<std::unique_ptr<Generator>> FlakyModel::NewGenerator() const {
  return std::make_unique<FlakyGenerator>(this);
}

GenerateAudioRequest FourSeconds() {
  GenerateAudioRequest request;
  request.duration_s = 4;
  request.seed = 5;
  request.model = "flaky";
  return request;
}

TEST(MakeTakeTest, ABadTakeIsMadeAgainOnAnotherSeedAndBothAreRecorded) {
  const auto orchestrator = ModelOrchestrator::Create();
  auto model = std::make_shared<FlakyModel>(1);
  ASSERT_TRUE(orchestrator->Register(model).ok());
  const auto made = MakeTake(*orchestrator, FourSeconds(), {});
  ASSERT_TRUE(made.ok()) << made.status();
  ASSERT_EQ(made->attempts.size(), 2u);
  EXPECT_FALSE(made->attempts[0].passed);
  EXPECT_EQ(made->attempts[0].failures, std::vector<std::string>{"silence"});
  EXPECT_TRUE(made->attempts[1].passed);
  EXPECT_EQ(made->attempts[0].seed, 5);
  EXPECT_EQ(made->attempts[1].seed, NextSeed(5));
}

TEST(MakeTakeTest, ProgressRisesOverTwoTakesToItsEnd) {
  const auto orchestrator = ModelOrchestrator::Create();
  ASSERT_TRUE(orchestrator->Register(std::make_shared<FlakyModel>(1)).ok());
  RunOptions run;
  std::vector<double> told;
  run.progress = [&](const Progress& now) { told.push_back(now.fraction); };
  ASSERT_TRUE(MakeTake(*orchestrator, FourSeconds(), run).ok());
  ASSERT_FALSE(told.empty());
  EXPECT_TRUE(std::is_sorted(told.begin(), told.end()));
  EXPECT_EQ(told.back(), 1);
}

TEST(MakeTakeTest, TwoBadTakesAreAnErrorWithWords) {
  const auto orchestrator = ModelOrchestrator::Create();
  ASSERT_TRUE(orchestrator->Register(std::make_shared<FlakyModel>(100)).ok());
  const auto made = MakeTake(*orchestrator, FourSeconds(), {});
  EXPECT_EQ(ErrorCode(made.status()), "take_rejected");
}

TEST(MakeTakeTest, ASeedOfMinusOneIsReplaced) {
  const auto orchestrator = ModelOrchestrator::Create();
  auto model = std::make_shared<FlakyModel>(0);
  ASSERT_TRUE(orchestrator->Register(model).ok());
  GenerateAudioRequest request = FourSeconds();
  request.seed = -1;
  const auto made = MakeTake(*orchestrator, request, {});
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_GE(made->provenance.seed, 0);
}

TEST(MakeTakeTest, SilenceOfTheReferenceIsNotTheTakesFault) {
  const auto orchestrator = ModelOrchestrator::Create();
  ASSERT_TRUE(orchestrator->Register(std::make_shared<FlakyModel>(100)).ok());
  GenerateAudioRequest request = FourSeconds();
  request.reference_buffer = AudioBuffer::Create(2, 4 * 44100, 44100).value();
  request.allow_unsupported = true;
  const auto made = MakeTake(*orchestrator, request, {});
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(made->attempts.size(), 1u);
  EXPECT_FALSE(made->warnings.empty());
}

TEST(MakeTakeTest, AnInvalidRequestNeverReachesAModel) {
  const auto orchestrator = ModelOrchestrator::Create();
  auto model = std::make_shared<FlakyModel>(0);
  ASSERT_TRUE(orchestrator->Register(model).ok());
  GenerateAudioRequest request = FourSeconds();
  request.duration_s = -1;
  EXPECT_EQ(MakeTake(*orchestrator, request, {}).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(model->calls, 0);
}

// Answers an error so many times, then as FlakyModel.
class BusyModel : public FlakyModel {
 public:
  BusyModel(int errors, absl::Status error) : FlakyModel(0), errors_(errors), error_(std::move(error)) {}
  absl::StatusOr<std::unique_ptr<Generator>> NewGenerator() const override {
    ++asked;
    if (at_work) at_work();
    if (asked <= errors_) return error_;
    return FlakyModel::NewGenerator();
  }
  mutable int asked = 0;
  std::function<void()> at_work;

 private:
  const int errors_;
  const absl::Status error_;
};

TEST(MakeTakeTest, WhoWaitedForMemoryInVainIsNotMadeToWaitAgain) {
  for (const char* code : {"resource_busy", "over_budget"}) {
    const auto orchestrator = ModelOrchestrator::Create();
    const auto model = std::make_shared<BusyModel>(1, Error(absl::StatusCode::kResourceExhausted, code, "x"));
    ASSERT_TRUE(orchestrator->Register(model).ok());
    EXPECT_EQ(ErrorCode(MakeTake(*orchestrator, FourSeconds(), {}).status()), code);
    EXPECT_EQ(model->asked, 1);
  }
}

TEST(MakeTakeTest, ATransientErrorIsTriedAgainAfterAWhile) {
  const auto orchestrator = ModelOrchestrator::Create();
  const auto model = std::make_shared<BusyModel>(1, absl::UnavailableError("out for a while"));
  ASSERT_TRUE(orchestrator->Register(model).ok());
  const auto start = std::chrono::steady_clock::now();
  ASSERT_TRUE(MakeTake(*orchestrator, FourSeconds(), {}).ok());
  const double wait_s = orchestrator->HandleErrors({absl::UnavailableError("x"), "flaky", 1}).wait_s;
  EXPECT_GE(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(), wait_s);
  EXPECT_EQ(model->asked, 2);
  // The rest ends with a cancel: nobody asks a second time.
  const auto other = ModelOrchestrator::Create();
  const auto busy = std::make_shared<BusyModel>(9, absl::UnavailableError("out for a while"));
  ASSERT_TRUE(other->Register(busy).ok());
  RunOptions run;
  busy->at_work = [&] { run.cancel.Cancel(); };
  EXPECT_TRUE(absl::IsCancelled(MakeTake(*other, FourSeconds(), run).status()));
  EXPECT_EQ(busy->asked, 1);
}

TEST(MakeTakeTest, SeedsAreDerivedWithinWhatJsonKeepsExact) {
  for (const int64_t seed : {int64_t{0}, int64_t{1}, int64_t{1} << 52}) {
    EXPECT_GE(NextSeed(seed), 0);
    EXPECT_LT(NextSeed(seed), int64_t{1} << 53);
    EXPECT_NE(DeriveSeed(seed, "a"), DeriveSeed(seed, "b"));
  }
}

// Hears how loud a sound is and reads how loud it is wished: "loud", or anything else.
class LoudnessRanker : public Model {
 public:
  LoudnessRanker() {
    info_.id = "ranker";
    info_.version = "1";
    info_.name = "ranker";
    info_.capabilities = {Capability::kEmbedAudio, Capability::kEmbedText};
  }
  const ModelInfo& info() const override { return info_; }
  ResourceNeed Need(const GenerateAudioRequest&) const override { return {}; }
  absl::StatusOr<std::unique_ptr<Embedder>> NewEmbedder() const override { return std::make_unique<Look>(); }

 private:
  struct Look : Embedder {
    int dims() const override { return 2; }
    absl::StatusOr<std::vector<float>> Embed(const AudioBuffer& audio, const RunOptions&) override {
      float most = 0;
      for (const float sample : audio.planar()) most = std::max(most, std::abs(sample));
      return std::vector<float>{most, 1 - most};
    }
    absl::StatusOr<std::vector<float>> EmbedText(std::string_view text, const RunOptions&) override {
      return text == "loud" ? std::vector<float>{1, 0} : std::vector<float>{0, 1};
    }
  };
  ModelInfo info_;
};

// Test music at a level that follows from the seed.
class LevelModel : public Model {
 public:
  LevelModel() {
    info_.id = "flaky";
    info_.version = "1";
    info_.name = "level";
    info_.capabilities = {Capability::kGenerate};
  }
  const ModelInfo& info() const override { return info_; }
  ResourceNeed Need(const GenerateAudioRequest&) const override { return {}; }
  absl::StatusOr<std::unique_ptr<Generator>> NewGenerator() const override { return std::make_unique<Play>(); }
  static float LevelOf(int64_t seed) { return 0.2f + 0.1f * static_cast<float>(seed % 7); }

 private:
  struct Play : Generator {
    absl::StatusOr<GenerateAudioResult> Generate(const GenerateAudioRequest& request, const RunOptions&) override {
      EXPECT_FALSE(request.takes.has_value());
      GenerateAudioResult made;
      made.provenance.seed = request.seed;
      testing::TestMusicOptions music;
      music.seconds = request.duration_s;
      made.audio = testing::MakeTestMusic(music);
      float most = 0;
      for (const float sample : made.audio.planar()) most = std::max(most, std::abs(sample));
      for (float& sample : made.audio.mutable_planar()) sample *= LevelOf(request.seed) / most;
      return made;
    }
  };
  ModelInfo info_;
};

TEST(MakeTakeTest, SeveralTakesAreRankedByWhoHearsAndReads) {
  const auto orchestrator = ModelOrchestrator::Create();
  ASSERT_TRUE(orchestrator->Register(std::make_shared<LevelModel>()).ok());
  ASSERT_TRUE(orchestrator->Register(std::make_shared<LoudnessRanker>()).ok());
  GenerateAudioRequest request = FourSeconds();
  request.takes = 5;
  std::vector<int64_t> seeds = {5};
  for (int i = 2; i <= 5; ++i) seeds.push_back(DeriveSeed(5, "take " + std::to_string(i)));
  for (const std::string prompt : {"loud", "soft"}) {
    request.prompt = prompt;
    request.rank_by = prompt == "loud" ? "ranker" : "";
    const auto made = MakeTake(*orchestrator, request, {});
    ASSERT_TRUE(made.ok()) << made.status();
    std::stable_sort(seeds.begin(), seeds.end(), [&](int64_t a, int64_t b) {
      const float one = LevelModel::LevelOf(a), other = LevelModel::LevelOf(b);
      return prompt == "loud" ? one > other : one < other;
    });
    EXPECT_FLOAT_EQ(LevelModel::LevelOf(made->provenance.seed), LevelModel::LevelOf(seeds[0]));
    ASSERT_EQ(made->other_takes.size(), 4u);
    for (size_t i = 0; i < 4; ++i) {
      const RankedTake& take = made->other_takes[i];
      EXPECT_FLOAT_EQ(LevelModel::LevelOf(take.seed), LevelModel::LevelOf(seeds[i + 1])) << i;
      EXPECT_EQ(take.audio.frames(), made->audio.frames());
      EXPECT_LE(take.score, i > 0 ? made->other_takes[i - 1].score : 1);
    }
    EXPECT_EQ(made->facts.at("ranked_by"), "ranker");
    EXPECT_EQ(made->facts.at("take_scores").find("0."), 0u);
    EXPECT_TRUE(made->warnings.empty());
    // The best one is its seed's own take.
    GenerateAudioRequest alone = FourSeconds();
    alone.seed = made->provenance.seed;
    const auto again = MakeTake(*orchestrator, alone, {});
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_TRUE(std::equal(again->audio.planar().begin(), again->audio.planar().end(), made->audio.planar().begin()));
  }
  request.rank_by = "flaky";
  EXPECT_EQ(ErrorCode(MakeTake(*orchestrator, request, {}).status()), "no_model");
  request.rank_by = "nobody";
  EXPECT_EQ(MakeTake(*orchestrator, request, {}).status().code(), absl::StatusCode::kNotFound);
}

TEST(MakeTakeTest, TakesThatNobodyCanRankKeepTheirOrder) {
  const auto orchestrator = ModelOrchestrator::Create();
  ASSERT_TRUE(orchestrator->Register(std::make_shared<LevelModel>()).ok());
  GenerateAudioRequest request = FourSeconds();
  request.takes = 3;
  const auto made = MakeTake(*orchestrator, request, {});
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(made->provenance.seed, 5);
  ASSERT_EQ(made->other_takes.size(), 2u);
  EXPECT_EQ(made->other_takes[0].seed, DeriveSeed(5, "take 2"));
  ASSERT_EQ(made->warnings.size(), 1u);
  EXPECT_EQ(made->facts.count("take_scores"), 0u);
}

TEST(MakeTakeTest, ATakeThatFailsItsGateIsLeftOutOfSeveral) {
  const auto orchestrator = ModelOrchestrator::Create();
  ASSERT_TRUE(orchestrator->Register(std::make_shared<FlakyModel>(2)).ok());  // both tries of the first
  GenerateAudioRequest request = FourSeconds();
  request.takes = 2;
  const auto made = MakeTake(*orchestrator, request, {});
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(made->provenance.seed, DeriveSeed(5, "take 2"));
  EXPECT_TRUE(made->other_takes.empty());
  EXPECT_NE(made->warnings.back().find("take 1 is left out"), std::string::npos);
  ASSERT_TRUE(orchestrator->Unregister("flaky").ok());
  ASSERT_TRUE(orchestrator->Register(std::make_shared<FlakyModel>(100)).ok());
  EXPECT_EQ(ErrorCode(MakeTake(*orchestrator, request, {}).status()), "take_rejected");
}

}  // namespace
}  // namespace grym
