#include <gtest/gtest.h>

#include <atomic>
#include <functional>
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
  SetModel(std::string id, std::vector<Capability> capabilities, Behaviour behaviour)
      : behaviour_(std::move(behaviour)) {
    info_.id = std::move(id);
    info_.capabilities = std::move(capabilities);
    info_.seconds_per_audio_second = behaviour_.rate;
    info_.rate_hz = behaviour_.rate_hz;
    info_.channels = behaviour_.channels;
  }
  const ModelInfo& info() const override { return info_; }
  ResourceNeed Need(const GenerateAudioRequest&) const override { return {0, behaviour_.peak_bytes, 1, 0}; }
  absl::StatusOr<std::unique_ptr<Generator>> NewGenerator() const override {
    return std::make_unique<SetGenerator>(behaviour_);
  }
  absl::StatusOr<std::unique_ptr<Embedder>> NewEmbedder() const override {
    return std::make_unique<SetEmbedder>(behaviour_);
  }

 private:
  struct SetGenerator : Generator {
    explicit SetGenerator(const Behaviour& behaviour) : b(behaviour) {}
    absl::StatusOr<GenerateAudioResult> Generate(const GenerateAudioRequest& request, const RunOptions&) override {
      if (!b.status.ok()) return b.status;
      GenerateAudioResult made;
      made.audio = AudioBuffer::Create(b.channels, static_cast<int64_t>(request.duration_s * b.length * b.made_rate_hz),
                                       b.made_rate_hz)
                       .value();
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

TEST(TaskCapabilityTest, KnowsAllThatCanBeATaskAndListsThem) {
  for (const Capability capability :
       {Capability::kGenerate, Capability::kEnhance, Capability::kEmbedAudio, Capability::kAnalyze,
        Capability::kClassifyStyle, Capability::kDetectPatterns, Capability::kCompare, Capability::kEmbedText}) {
    const auto known = TaskCapability(CapabilityName(capability));
    ASSERT_TRUE(known.ok()) << known.status();
    EXPECT_EQ(*known, capability);
  }
  for (const char* name : {"stream", "code", "", "Generate", "unknown"}) {
    const absl::Status refused = TaskCapability(name).status();
    EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument) << name;
    EXPECT_EQ(std::string(refused.message()),
              "capability: want one of generate enhance embed_audio analyze classify_style detect_patterns compare "
              "embed_text, got \"" + std::string(name) + "\"");
  }
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
  ASSERT_TRUE(
      orchestrator
          ->Register(std::make_shared<SetModel>("ear", std::vector<Capability>{Capability::kEmbedAudio}, Behaviour()))
          .ok());
  const absl::Status status = orchestrator->RouteTask(GenerateTask()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_NE(std::string(status.message()).find("ear"), std::string::npos) << status;
  AudioTask named = GenerateTask();
  named.model = "musicgen";
  EXPECT_EQ(ErrorCode(orchestrator->RouteTask(named).status()), "unknown_model");
  EXPECT_NE(std::string(orchestrator->RouteTask(named).status().message()).find("want one of ear"), std::string::npos);
}

TEST(OrchestratorTest, RegistersAnIdOnceAndOnlyIfWellFormed) {
  const auto orchestrator = ModelOrchestrator::Create();
  EXPECT_TRUE(orchestrator->Register(Maker("a")).ok());
  EXPECT_EQ(orchestrator->Register(Maker("a")).code(), absl::StatusCode::kAlreadyExists);
  for (const char* bad : {"", "A", "-a", "a b", "a/b"})
    EXPECT_EQ(ErrorCode(orchestrator->Register(Maker(bad))), "bad_model_info") << bad;
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
  for (const auto& [what, behaviour] :
       std::vector<Case>{{"Hz", rate}, {"want 1.000 s", length}, {"finite", nan}, {"0 frames", empty}}) {
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
  ASSERT_TRUE(
      orchestrator
          ->Register(std::make_shared<SetModel>("e", std::vector<Capability>{Capability::kEmbedAudio}, behaviour))
          .ok());
  AudioTask task;
  task.capability = Capability::kEmbedAudio;
  EXPECT_EQ(ErrorCode(orchestrator->RouteTask(task).status()), "missing_input");
  task.audio = AudioBuffer::Create(1, 100, 44100).value();
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
  EXPECT_EQ(orchestrator->ExecuteChain(orchestrator->RouteTask(GenerateTask()).value(), run).status().code(),
            absl::StatusCode::kCancelled);
}

// A model that counts its sessions and can break, hear and take parameters.
class CountingModel : public Model {
 public:
  CountingModel() {
    info_.id = "counting";
    info_.capabilities = {Capability::kGenerate, Capability::kEmbedAudio, Capability::kAnalyze, Capability::kCompare,
                          Capability::kEmbedText};
    info_.request_fields = {"tempo_bpm"};
    info_.weights_bytes = 10;
  }
  const ModelInfo& info() const override { return info_; }
  ResourceNeed Need(const GenerateAudioRequest&) const override { return need; }
  absl::StatusOr<std::unique_ptr<Generator>> NewGenerator() const override {
    ++sessions;
    return std::make_unique<Play>(this);
  }
  absl::StatusOr<std::unique_ptr<Embedder>> NewEmbedder() const override { return std::make_unique<Look>(); }
  absl::StatusOr<std::unique_ptr<Analyzer>> NewAnalyzer() const override { return std::make_unique<Listen>(); }

  mutable std::atomic<int> sessions{0};
  mutable std::atomic<int> failures_left{0};
  mutable std::atomic<int64_t> last_seed{0};
  void set_own_budget(int64_t bytes) { info_.own_budget_bytes = bytes; }
  std::function<void()> at_work;
  ResourceNeed need{10, 90, 1, 0};
  int64_t made_peak_bytes = 64;

 private:
  struct Play : Generator {
    explicit Play(const CountingModel* model) : owner(model) {}
    absl::StatusOr<GenerateAudioResult> Generate(const GenerateAudioRequest& request, const RunOptions& run) override {
      EXPECT_FALSE(poisoned) << "a session that failed was used again";
      owner->last_seed = request.seed;
      if (owner->at_work) owner->at_work();
      if (owner->failures_left-- > 0) {
        poisoned = true;
        return absl::UnavailableError("out for a while");
      }
      for (int step = 0; step < 100; ++step) GRYM_RETURN_IF_ERROR(run.cancel.Check());
      GenerateAudioResult made;
      made.audio = AudioBuffer::Create(2, static_cast<int64_t>(request.duration_s * 44100), 44100).value();
      made.peak_bytes = owner->made_peak_bytes;
      return made;
    }
    const CountingModel* owner;
    bool poisoned = false;
  };
  struct Look : Embedder {
    int dims() const override { return 2; }
    absl::StatusOr<std::vector<float>> Embed(const AudioBuffer& audio, const RunOptions&) override {
      return std::vector<float>{static_cast<float>(audio.frames()), 1};
    }
    absl::StatusOr<std::vector<float>> EmbedText(std::string_view text, const RunOptions&) override {
      warnings_ = {"text: read"};
      return std::vector<float>{static_cast<float>(text.size()), 2};
    }
  };
  struct Listen : Analyzer {
    absl::StatusOr<std::string> Hear(Capability capability, std::span<const AudioInput> inputs,
                                     const RunOptions&) override {
      return std::string(CapabilityName(capability)) + std::to_string(inputs.size());
    }
  };
  ModelInfo info_;
};

struct OneModel {
  std::shared_ptr<CountingModel> model = std::make_shared<CountingModel>();
  std::unique_ptr<ModelOrchestrator> orchestrator;
  explicit OneModel(int64_t budget = 1000, double most_wait_s = 0)
      : orchestrator(ModelOrchestrator::Create({budget, 2, most_wait_s})) {
    EXPECT_TRUE(orchestrator->Register(model).ok());
  }
};

TEST(OrchestratorTest, AChainHandsAudioFromTheGeneratorToTheEmbedder) {
  OneModel one;
  AudioTask task = GenerateTask();
  task.capability = Capability::kEmbedAudio;
  task.request.prompt = "a bell";
  const auto chain = one.orchestrator->RouteTask(task);
  ASSERT_TRUE(chain.ok()) << chain.status();
  ASSERT_EQ(chain->links.size(), 2u);
  const auto result = one.orchestrator->ExecuteChain(*chain);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->embedding, (std::vector<float>{44100, 1}));
  EXPECT_EQ(result->trace.size(), 2u);
  EXPECT_EQ(one.orchestrator->Use().at(0).used_bytes, 0);
}

TEST(OrchestratorTest, ATextIsEmbeddedAndNotMadeIntoSoundFirst) {
  OneModel one;
  AudioTask task;
  task.capability = Capability::kEmbedText;
  for (const std::string prompt : {"a bell", ""}) {
    task.request.prompt = prompt;
    const auto chain = one.orchestrator->RouteTask(task);
    ASSERT_TRUE(chain.ok()) << chain.status();
    ASSERT_EQ(chain->links.size(), 1u);
    const auto result = one.orchestrator->ExecuteChain(*chain);
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_EQ(result->embedding, (std::vector<float>{static_cast<float>(prompt.size()), 2}));
    EXPECT_EQ(result->warnings, std::vector<std::string>{"text: read"});
  }
  EXPECT_EQ(one.orchestrator->Use().at(0).used_bytes, 0);
}

TEST(OrchestratorTest, AnalyzersHearOneRecordingAndCompareTwo) {
  OneModel one;
  const AudioBuffer audio = AudioBuffer::Create(1, 44100, 44100).value();
  AudioTask task;
  task.capability = Capability::kAnalyze;
  task.inputs = {audio};
  EXPECT_EQ(one.orchestrator->ExecuteChain(one.orchestrator->RouteTask(task).value())->json, "analyze1");
  task.capability = Capability::kCompare;
  EXPECT_EQ(ErrorCode(one.orchestrator->ExecuteChain(one.orchestrator->RouteTask(task).value()).status()),
            "bad_hand_over");
  task.inputs.push_back(audio);
  EXPECT_EQ(one.orchestrator->ExecuteChain(one.orchestrator->RouteTask(task).value())->json, "compare2");
}

TEST(OrchestratorTest, WhatAModelCannotHonourIsAnErrorOrAWarning) {
  OneModel one;
  AudioTask task = GenerateTask();
  task.request.mood = "dark";
  EXPECT_EQ(ErrorCode(one.orchestrator->RouteTask(task).status()), "unsupported_field");
  task.request.allow_unsupported = true;
  const auto result = one.orchestrator->ExecuteChain(one.orchestrator->RouteTask(task).value());
  ASSERT_TRUE(result.ok()) << result.status();
  ASSERT_EQ(result->generated.warnings.size(), 1u);
  task.request.duration_s = -1;
  EXPECT_EQ(ErrorCode(one.orchestrator->RouteTask(task).status()), "invalid_request");
}

TEST(OrchestratorTest, AnOpenSeedIsChosenFromTheRequest) {
  OneModel one;
  const auto seed_for = [&](const char* prompt) {
    AudioTask task = GenerateTask();
    task.request.prompt = prompt;
    EXPECT_TRUE(one.orchestrator->ExecuteChain(one.orchestrator->RouteTask(task).value()).ok());
    return one.model->last_seed.load();
  };
  EXPECT_GE(seed_for("a"), 0);
  EXPECT_EQ(seed_for("a"), seed_for("a"));
  EXPECT_NE(seed_for("a"), seed_for("b"));
}

TEST(OrchestratorTest, AFailedSessionIsDroppedAndNothingStaysLeased) {
  OneModel one;
  one.model->failures_left = 1;
  const ModelChain chain = one.orchestrator->RouteTask(GenerateTask()).value();
  const absl::Status failed = one.orchestrator->ExecuteChain(chain).status();
  EXPECT_EQ(failed.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(one.orchestrator->HandleErrors({failed, "counting", 1}).action, RecoveryAction::kRetry);
  EXPECT_EQ(one.orchestrator->Use().at(0).used_bytes, 0);
  EXPECT_TRUE(one.orchestrator->ExecuteChain(chain).ok());
  EXPECT_EQ(one.model->sessions, 2);
}

TEST(OrchestratorTest, TheLeaseIsHeldWhileTheModelWorksAndShortOfOneByteItIsRefused) {
  OneModel one(100);
  const ModelChain chain = one.orchestrator->RouteTask(GenerateTask()).value();
  one.model->at_work = [&] { EXPECT_EQ(one.orchestrator->Use().at(0).used_bytes, 100); };
  EXPECT_TRUE(one.orchestrator->ExecuteChain(chain).ok());
  const auto other = one.orchestrator->BalanceResources({"other", "cpu", 1, 0});
  ASSERT_TRUE(other.ok());
  EXPECT_EQ(ErrorCode(one.orchestrator->ExecuteChain(chain).status()), "resource_busy");
  EXPECT_EQ(one.model->sessions, 1);
}

TEST(OrchestratorTest, BusyCoresAreSharedNotRefused) {
  OneModel one;
  const auto all_cores = one.orchestrator->BalanceResources({"other", "cpu", 0, 2});
  ASSERT_TRUE(all_cores.ok());
  EXPECT_EQ(ErrorCode(one.orchestrator->BalanceResources({"third", "cpu", 0, 1}).status()), "resource_busy");
  EXPECT_TRUE(one.orchestrator->ExecuteChain(one.orchestrator->RouteTask(GenerateTask()).value()).ok());
}

TEST(OrchestratorTest, CancelledWhileAtWorkGivesEverythingBack) {
  OneModel one;
  RunOptions run;
  one.model->at_work = [&] { run.cancel.Cancel(); };
  EXPECT_EQ(one.orchestrator->ExecuteChain(one.orchestrator->RouteTask(GenerateTask()).value(), run).status().code(),
            absl::StatusCode::kCancelled);
  EXPECT_EQ(one.orchestrator->Use().at(0).used_bytes, 0);
}

TEST(OrchestratorTest, MeasuredRunsAreRefusedWhenTheyMakeNoSense) {
  OneModel one;
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(ErrorCode(one.orchestrator->OptimizeExecution({"counting", Capability::kGenerate, 0, 1, 0, true})),
            "bad_metrics");
  EXPECT_EQ(ErrorCode(one.orchestrator->OptimizeExecution({"counting", Capability::kGenerate, 1, nan, 0, true})),
            "bad_metrics");
  EXPECT_EQ(ErrorCode(one.orchestrator->OptimizeExecution({"other", Capability::kGenerate, 1, 1, 0, true})),
            "unknown_model");
  EXPECT_TRUE(one.orchestrator->OptimizeExecution({"counting", Capability::kGenerate, 2, 1, 500, true}).ok());
  EXPECT_DOUBLE_EQ(one.orchestrator->SecondsPerAudioSecond("counting", Capability::kGenerate), 0.5);
}

TEST(OrchestratorTest, MeasuredBytesStandInWhereTheModelStatesNone) {
  OneModel one;
  const auto routed = [&] { return one.orchestrator->RouteTask(GenerateTask())->links.at(0).need.peak_bytes; };
  ASSERT_TRUE(one.orchestrator->OptimizeExecution({"counting", Capability::kGenerate, 2, 1, 500, true}).ok());
  EXPECT_EQ(routed(), 90);
  one.model->need = {10, 0, 1, 0};
  EXPECT_EQ(routed(), 490);  // beside the weights, which the measured bytes hold
  one.model->need = {600, 0, 1, 0};
  EXPECT_EQ(routed(), 0);
}

TEST(OrchestratorTest, ARunAtExactlyWhatThePlanSaysLeavesRoomForTheNext) {
  OneModel one(100);  // 10 of weights and 90 beside them
  one.model->made_peak_bytes = 100;
  for (int run = 0; run < 3; ++run) {
    const auto chain = one.orchestrator->RouteTask(GenerateTask());
    ASSERT_TRUE(chain.ok()) << run << chain.status();
    EXPECT_EQ(chain->links.at(0).need.peak_bytes, 90) << run;
    EXPECT_TRUE(one.orchestrator->ExecuteChain(*chain).ok()) << run;
  }
}

TEST(OrchestratorTest, WhatAModelCostGoesWithIt) {
  OneModel one;
  const auto cost = [&] { return one.orchestrator->SecondsPerAudioSecond("counting", Capability::kGenerate); };
  ASSERT_TRUE(one.orchestrator->OptimizeExecution({"counting", Capability::kGenerate, 1, 50, 900, true}).ok());
  ASSERT_EQ(cost(), 50);
  ASSERT_TRUE(one.orchestrator->Unregister("counting").ok());
  ASSERT_TRUE(one.orchestrator->Register(one.model).ok());
  EXPECT_EQ(cost(), 0);
  // What ends after another model took the id says nothing of that one either.
  one.model->at_work = [&] {
    EXPECT_TRUE(one.orchestrator->Unregister("counting").ok());
    EXPECT_TRUE(one.orchestrator->Register(std::make_shared<CountingModel>()).ok());
  };
  EXPECT_TRUE(one.orchestrator->ExecuteChain(one.orchestrator->RouteTask(GenerateTask()).value()).ok());
  EXPECT_EQ(cost(), 0);
}

TEST(OrchestratorTest, AModelWithABudgetOfItsOwnIsNotHeldToTheDevices) {
  OneModel one(1000);
  one.model->need = {1000, 4000, 1, 0};
  EXPECT_EQ(ErrorCode(one.orchestrator->RouteTask(GenerateTask()).status()), "resource_impossible");
  ASSERT_TRUE(one.orchestrator->Unregister("counting").ok());
  one.model->set_own_budget(4999);
  ASSERT_TRUE(one.orchestrator->Register(one.model).ok());
  EXPECT_EQ(ErrorCode(one.orchestrator->RouteTask(GenerateTask()).status()), "resource_impossible");
  ASSERT_TRUE(one.orchestrator->Unregister("counting").ok());
  one.model->set_own_budget(5000);
  ASSERT_TRUE(one.orchestrator->Register(one.model).ok());
  const auto all_bytes = one.orchestrator->BalanceResources({"other", "cpu", 1000, 0});
  ASSERT_TRUE(all_bytes.ok());
  one.model->at_work = [&] { EXPECT_EQ(one.orchestrator->Use().at(0).used_cores, 1); };
  EXPECT_TRUE(one.orchestrator->ExecuteChain(one.orchestrator->RouteTask(GenerateTask()).value()).ok());
}

TEST(OrchestratorTest, ALeaseInTurnSharesCoresAndWaitsForBytesOfWhateverLength) {
  for (const double most_wait_s : {3600.0, 1e10, 1e300, std::numeric_limits<double>::infinity()}) {
    OneModel one(100, most_wait_s);
    auto other = one.orchestrator->BalanceResources({"other", "cpu", 100, 2});
    ASSERT_TRUE(other.ok());
    EXPECT_TRUE(one.orchestrator->LeaseInTurn({"no bytes", "cpu", 0, 2}, {}).ok());
    std::thread giver([&] { other->Release(); });
    const auto lease = one.orchestrator->LeaseInTurn({"third", "cpu", 60, 2}, {});
    EXPECT_TRUE(lease.ok()) << most_wait_s << lease.status();
    giver.join();
  }
  for (const double none : {0.0, -1.0, std::numeric_limits<double>::quiet_NaN()}) {
    OneModel one(100, none);
    const auto other = one.orchestrator->BalanceResources({"other", "cpu", 100, 0});
    EXPECT_EQ(ErrorCode(one.orchestrator->LeaseInTurn({"third", "cpu", 1, 0}, {}).status()), "resource_busy") << none;
  }
}

TEST(OrchestratorTest, WhoWaitsForMemoryTellsSo) {
  OneModel one(100, 3600);
  auto other = one.orchestrator->BalanceResources({"other", "cpu", 100, 0});
  ASSERT_TRUE(other.ok());
  std::vector<std::string> stages;
  const auto give = [&](const Progress& now) {
    stages.push_back(now.stage);
    other->Release();
  };
  EXPECT_TRUE(one.orchestrator->LeaseInTurn({"third", "cpu", 60, 0}, {{}, give}).ok());
  EXPECT_EQ(stages, std::vector<std::string>{"waiting for memory"});
  other = one.orchestrator->BalanceResources({"other", "cpu", 100, 0});
  ASSERT_TRUE(other.ok());
  CancelToken cancel;
  const auto stop = [&](const Progress&) { cancel.Cancel(); };
  EXPECT_TRUE(absl::IsCancelled(one.orchestrator->LeaseInTurn({"third", "cpu", 60, 0}, {cancel, stop}).status()));
  const auto ask = [&](const Progress&) {
    other->Release();
    EXPECT_TRUE(one.orchestrator->LeaseInTurn({"of the callback", "cpu", 100, 0}, {}).ok());
  };
  EXPECT_TRUE(one.orchestrator->LeaseInTurn({"third", "cpu", 60, 0}, {{}, ask}).ok());
  other = one.orchestrator->BalanceResources({"other", "cpu", 100, 0});
  ASSERT_TRUE(other.ok());
  const auto fail = [](const Progress&) { throw std::runtime_error("a guest's"); };
  EXPECT_THROW((void)one.orchestrator->LeaseInTurn({"third", "cpu", 60, 0}, {{}, fail}), std::runtime_error);
  other->Release();
  EXPECT_TRUE(one.orchestrator->LeaseInTurn({"third", "cpu", 100, 0}, {}).ok());  // the line is empty again
}

TEST(OrchestratorTest, ManyThreadsWaitInTurnAndAllAreServed) {
  OneModel one(250, 60);  // two at a time
  std::atomic<int> done{0}, most{0}, now{0};
  one.model->at_work = [&] {
    const int at_once = ++now;
    for (int seen = most; at_once > seen && !most.compare_exchange_weak(seen, at_once);) continue;
    --now;
  };
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 20; ++i) {
        const auto result = one.orchestrator->ExecuteChain(one.orchestrator->RouteTask(GenerateTask()).value());
        EXPECT_TRUE(result.ok()) << result.status();
        done += result.ok();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(done, 80);
  EXPECT_LE(most, 2);
  EXPECT_EQ(one.orchestrator->Use().at(0).used_bytes, 0);
}

TEST(OrchestratorTest, WaitingEndsWithACancel) {
  OneModel one(100, 3600);
  const ModelChain chain = one.orchestrator->RouteTask(GenerateTask()).value();
  const auto other = one.orchestrator->BalanceResources({"other", "cpu", 1, 0});
  ASSERT_TRUE(other.ok());
  RunOptions run;
  std::thread stopper([cancel = run.cancel]() mutable { cancel.Cancel(); });
  EXPECT_EQ(one.orchestrator->ExecuteChain(chain, run).status().code(), absl::StatusCode::kCancelled);
  stopper.join();
  EXPECT_EQ(one.model->sessions, 0);
}

}  // namespace
}  // namespace grym
