#include "steps/make_take.h"

#include <gtest/gtest.h>

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

TEST(MakeTakeTest, SeedsAreDerivedWithinWhatJsonKeepsExact) {
  for (const int64_t seed : {int64_t{0}, int64_t{1}, int64_t{1} << 52}) {
    EXPECT_GE(NextSeed(seed), 0);
    EXPECT_LT(NextSeed(seed), int64_t{1} << 53);
    EXPECT_NE(DeriveSeed(seed, "a"), DeriveSeed(seed, "b"));
  }
}

}  // namespace
}  // namespace grym
