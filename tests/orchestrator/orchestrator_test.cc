#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <thread>

#include "base/status.h"
#include "grymsynth/model_orchestrator.h"

namespace grym {
namespace {

// A generator and embedder whose output a test sets.
struct Behaviour {
  double rate = 1;
  int64_t peak_bytes = 1000;
  int rate_hz = 44100, channels = 2;
  double length = 1;  // of the request's duration
  float sample = 0.1f;
  absl::Status status;
  int made_rate_hz = 44100;
  std::vector<float> embedding = {1, 0};
};

class SetModel : public Model {
 public:
  SetModel(std::string id, std::vector<Capability> capabilities, Behaviour behaviour) : behaviour_(std::move(behaviour)) {
    info_.id = std::move(id);
    info_.capabilities = std::move(capabilities);
    info_.seconds_per_audio_second = behaviour_.rate;
    info_.rate_hz = behaviour_.rate_hz;
    info_.channels = behaviour_.channels;
  }
  const ModelInfo& info() const override { return info_; }
  ResourceNeed Need(const GenerateAudioRequest&) const override { return {0, behaviour_.peak_bytes, 1, 0}; }
  absl::StatusOr<std::unique_ptr<Generator>> NewGenerator() const override { return std::make_unique<SetGenerator>(behaviour_); }
  absl::StatusOr<std::unique_ptr<Embedder>> NewEmbedder() const override { return std::make_unique<SetEmbedder>(behaviour_); }

 private:
  struct SetGenerator : Generator {
    explicit SetGenerator(const Behaviour& behaviour) : b(behaviour) {}
    absl::StatusOr<GenerateAudioResult> Generate(const GenerateAudioRequest& request, const RunOptions&) override {
      if (!b.status.ok()) return b.status;
      GenerateAudioResult made;
      made.audio = AudioBuffer::Create(b.channels, static_cast<int64_t>(request.duration_s * b.length * b.made_rate_hz), b.made_rate_hz).value();
      for (float& sample : made.audio.mutable_planar()) sample = b.sample;
      return made;
    }
    Behaviour b;
  };
  struct SetEmbedder : Embedder {
    explicit SetEmbedder(const Behaviour& behaviour) : b(behaviour) {}
    int dims() const override { return 2; }
    absl::StatusOr<std::vector<float>> Embed(const AudioBuffer&, const RunOptions&) override { return b.embedding; }
    Behaviour b;
  };
  ModelInfo info_;
  Behaviour behaviour_;
};

std::shared_ptr<const Model> Maker(std::string id, Behaviour behaviour = {}) {
  return std::make_shared<SetModel>(std::move(id), std::vector<Capability>{Capability::kGenerate}, behaviour);
}

AudioTask GenerateTask() {
  AudioTask task;
  task.request.duration_s = 1;
  return task;
}

TEST(OrchestratorTest, RoutesToTheFastestAndSaysWhy) {
  const auto orchestrator = ModelOrchestrator::Create();
  Behaviour slow, fast;
  slow.rate = 2;
  fast.rate = 0.5;
  ASSERT_TRUE(orchestrator->Register(Maker("slow", slow)).ok());
  ASSERT_TRUE(orchestrator->Register(Maker("fast", fast)).ok());
  auto chain = orchestrator->RouteTask(GenerateTask());
  ASSERT_TRUE(chain.ok()) << chain.status();
  EXPECT_EQ(chain->links.at(0).model, "fast");
  EXPECT_NE(chain->reason.find("fast"), std::string::npos);
  // A measured run replaces the declared cost.
  ASSERT_TRUE(orchestrator->OptimizeExecution({"fast", Capability::kGenerate, 10, 100, 0, true}).ok());
  EXPECT_EQ(orchestrator->RouteTask(GenerateTask())->links.at(0).model, "slow");
}

TEST(OrchestratorTest, SaysWhatIsMissing) {
  const auto orchestrator = ModelOrchestrator::Create();
  EXPECT_EQ(ErrorCode(orchestrator->RouteTask(GenerateTask()).status()), "no_model");
  ASSERT_TRUE(orchestrator->Register(std::make_shared<SetModel>("ear", std::vector<Capability>{Capability::kEmbedAudio}, Behaviour())).ok());
  const absl::Status status = orchestrator->RouteTask(GenerateTask()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_NE(std::string(status.message()).find("ear"), std::string::npos) << status;
  AudioTask named = GenerateTask();
  named.model = "musicgen";
  EXPECT_NE(std::string(orchestrator->RouteTask(named).status().message()).find("registered are ear"), std::string::npos);
}

TEST(OrchestratorTest, RegistersAnIdOnceAndOnlyIfWellFormed) {
  const auto orchestrator = ModelOrchestrator::Create();
  EXPECT_TRUE(orchestrator->Register(Maker("a")).ok());
  EXPECT_EQ(orchestrator->Register(Maker("a")).code(), absl::StatusCode::kAlreadyExists);
  for (const char* bad : {"", "A", "-a", "a b", "a/b"}) EXPECT_EQ(ErrorCode(orchestrator->Register(Maker(bad))), "bad_model_info") << bad;
  EXPECT_EQ(ErrorCode(orchestrator->Register(nullptr)), "bad_model_info");
}

TEST(OrchestratorTest, HandOversAreChecked) {
  struct Case {
    const char* what;
    Behaviour behaviour;
  };
  Behaviour rate, length, nan, empty;
  rate.made_rate_hz = 32000;
  length.length = 0.5;
  nan.sample = std::numeric_limits<float>::quiet_NaN();
  empty.length = 0;
  for (const auto& [what, behaviour] : std::vector<Case>{{"Hz", rate}, {"want 1.000 s", length}, {"finite", nan}, {"no frames", empty}}) {
    const auto orchestrator = ModelOrchestrator::Create();
    ASSERT_TRUE(orchestrator->Register(Maker("m", behaviour)).ok());
    const auto result = orchestrator->ExecuteChain(orchestrator->RouteTask(GenerateTask()).value());
    EXPECT_EQ(ErrorCode(result.status()), "bad_hand_over") << what;
    EXPECT_NE(std::string(result.status().message()).find(what), std::string::npos) << result.status();
    EXPECT_EQ(orchestrator->Use().at(0).used_bytes, 0);
  }
}

TEST(OrchestratorTest, EmbeddingsAreCheckedToo) {
  Behaviour behaviour;
  behaviour.embedding = {1, 2, 3};
  const auto orchestrator = ModelOrchestrator::Create();
  ASSERT_TRUE(orchestrator->Register(std::make_shared<SetModel>("e", std::vector<Capability>{Capability::kEmbedAudio}, behaviour)).ok());
  AudioTask task;
  task.capability = Capability::kEmbedAudio;
  EXPECT_EQ(ErrorCode(orchestrator->ExecuteChain(orchestrator->RouteTask(task).value()).status()), "bad_hand_over");
}

TEST(OrchestratorTest, OneByteShortIsRefusedWithBothNumbersBeforeAnythingRuns) {
  Behaviour behaviour;
  behaviour.peak_bytes = 1000;
  const auto tight = ModelOrchestrator::Create({999, 2});
  ASSERT_TRUE(tight->Register(Maker("m", behaviour)).ok());
  const absl::Status status = tight->RouteTask(GenerateTask()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_NE(std::string(status.message()).find("1000"), std::string::npos) << status;
  EXPECT_NE(std::string(status.message()).find("999"), std::string::npos) << status;
  const auto exact = ModelOrchestrator::Create({1000, 2});
  ASSERT_TRUE(exact->Register(Maker("m", behaviour)).ok());
  EXPECT_TRUE(exact->ExecuteChain(exact->RouteTask(GenerateTask()).value()).ok());
  EXPECT_EQ(exact->Use().at(0).used_bytes, 0);
}

TEST(OrchestratorTest, LeasesAreWholeOrNothingAndGivenBack) {
  const auto orchestrator = ModelOrchestrator::Create({100, 2});
  auto first = orchestrator->BalanceResources({"a", "cpu", 60, 1});
  ASSERT_TRUE(first.ok());
  const absl::Status busy = orchestrator->BalanceResources({"b", "cpu", 41, 1}).status();
  EXPECT_EQ(ErrorCode(busy), "resource_busy");
  EXPECT_NE(std::string(busy.message()).find("40 of 100"), std::string::npos) << busy;
  EXPECT_EQ(ErrorCode(orchestrator->BalanceResources({"b", "cpu", 101, 1}).status()), "resource_impossible");
  EXPECT_EQ(orchestrator->BalanceResources({"b", "cpu", -1, 1}).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(orchestrator->BalanceResources({"c", "cuda:0", 100, 1}).ok());  // another device, another budget
  first->Release();
  EXPECT_EQ(orchestrator->Use().at(0).used_bytes, 0);
  EXPECT_TRUE(orchestrator->BalanceResources({"b", "cpu", 100, 2}).ok());
}

TEST(OrchestratorTest, LeasesAddUpOverThreads) {
  const auto orchestrator = ModelOrchestrator::Create({1000, 64});
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 500; ++i) {
        auto lease = orchestrator->BalanceResources({"t", "cpu", 200, 1});
        EXPECT_LE(orchestrator->Use().at(0).used_bytes, 1000);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(orchestrator->Use().at(0).used_bytes, 0);
  EXPECT_EQ(orchestrator->Use().at(0).used_cores, 0);
}

TEST(OrchestratorTest, CancelledBeforeALinkIsCancelled) {
  const auto orchestrator = ModelOrchestrator::Create();
  ASSERT_TRUE(orchestrator->Register(Maker("m")).ok());
  RunOptions run;
  run.cancel.Cancel();
  EXPECT_EQ(orchestrator->ExecuteChain(orchestrator->RouteTask(GenerateTask()).value(), run).status().code(), absl::StatusCode::kCancelled);
}

}  // namespace
}  // namespace grym
