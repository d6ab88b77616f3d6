// AudioLDM on a budget that it shares: with others of its kind, with idle models, with what a host keeps.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <thread>

#include "base/json.h"
#include "grymsynth/error.h"
#include "models/audioldm/model.h"
#include "models/clap/model.h"
#include "runtime/torch_guard.h"
#include "support/host_callback.h"
#include "support/peer.h"

namespace grym::testing {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kRoom = int64_t{1} << 30;

ModelContext ContextOn(const std::shared_ptr<MemoryBudget>& budget, double most_wait_s) {
  OpenModelOptions options;
  options.device = "cpu";
  options.most_wait_s = most_wait_s;
  return ModelContext::Make(options, budget).value();
}

std::shared_ptr<const AudioLdmModel> DiffusionOn(const std::shared_ptr<MemoryBudget>& budget, double most_wait_s = 60) {
  return AudioLdmModel::Open(ModelFolder::Open(PeerCheckpoint("audioldm-tiny")).value(), ContextOn(budget, most_wait_s))
      .value();
}

std::shared_ptr<const ClapModel> EarsOn(const std::shared_ptr<MemoryBudget>& budget, double most_wait_s = 60) {
  return ClapModel::Open(ModelFolder::Open(PeerCheckpoint("clap-tiny")).value(), ContextOn(budget, most_wait_s)).value();
}

GenerateAudioRequest Wind() {
  GenerateAudioRequest request;
  request.prompt = "wind in dry leaves";
  request.duration_s = 0.4;
  request.steps = 2;
  request.seed = 5;
  return request;
}

std::vector<float> SamplesOf(const absl::StatusOr<GenerateAudioResult>& made) {
  if (!made.ok()) {
    ADD_FAILURE() << made.status();
    return {};
  }
  return {made->audio.planar().begin(), made->audio.planar().end()};
}

absl::StatusOr<GenerateAudioResult> MadeBy(const AudioLdmModel& model, const RunOptions& run = {}) {
  return model.NewGenerator().value()->Generate(Wind(), run);
}

int64_t PeakWithin(const AudioLdmModel& model, int64_t budget_bytes) {
  return model.PlanFor(model.WorkOf(Wind(), 0).value(), budget_bytes).value().memory.peak_bytes();
}

// The peak of the smallest plan: no budget below it holds one.
int64_t LeastPeak(const AudioLdmModel& model) {
  int64_t least = PeakWithin(model, kRoom);
  while (model.PlanFor(model.WorkOf(Wind(), 0).value(), least - 1).ok()) least = PeakWithin(model, least - 1);
  return least;
}

std::vector<std::string> LeversOf(const GenerateAudioResult& made) {
  const Json plan = Json::Parse(made.facts.at("plan")).value();
  std::vector<std::string> levers;
  for (size_t i = 0; i < plan.at("levers").size(); ++i) levers.push_back(plan.at("levers").at(i).text());
  return levers;
}

TEST(AudioLdmLeaseTest, ThePeakIsOfTheRunAlone) {
  GRYM_NEED_PEER();
  const auto alone = DiffusionOn(std::make_shared<MemoryBudget>(kRoom));
  const auto first = MadeBy(*alone), again = MadeBy(*alone);
  ASSERT_TRUE(first.ok() && again.ok());
  const auto budget = std::make_shared<MemoryBudget>(kRoom);
  at::Tensor others;
  {
    const BudgetScope scope(budget);
    others = at::empty({int64_t{256} << 20}, at::kByte);
  }
  const auto beside = MadeBy(*DiffusionOn(budget));
  ASSERT_TRUE(beside.ok()) << beside.status();
  EXPECT_EQ(beside->peak_bytes, first->peak_bytes);
  EXPECT_GE(again->peak_bytes, first->peak_bytes);  // weights that were there already count, from the start
  EXPECT_LE(again->peak_bytes, PeakWithin(*alone, kRoom));
  EXPECT_GE(static_cast<double>(again->peak_bytes), 0.9 * static_cast<double>(PeakWithin(*alone, kRoom)));
}

TEST(AudioLdmLeaseTest, TwoOnABudgetForOneTakeTurnsAndMakeTheBytesOfOne) {
  GRYM_NEED_PEER();
  const auto roomy = DiffusionOn(std::make_shared<MemoryBudget>(kRoom));
  // What keeps its parts, and what lets each go after its phase.
  for (const int64_t limit : {PeakWithin(*roomy, kRoom), LeastPeak(*roomy)}) {
    const auto budget = std::make_shared<MemoryBudget>(limit);
    const std::vector<float> wanted = SamplesOf(MadeBy(*DiffusionOn(std::make_shared<MemoryBudget>(limit))));
    const auto first = DiffusionOn(budget), second = DiffusionOn(budget);
    std::vector<std::thread> threads;
    for (const auto& model : {first, second, first}) {
      threads.emplace_back([&wanted, model] {
        for (int again = 0; again < 3; ++again) EXPECT_EQ(SamplesOf(MadeBy(*model)), wanted);
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_LE(budget->peak_bytes(), limit);
    first->DropAll();
    second->DropAll();
    EXPECT_EQ(budget->used_bytes(), 0);
    EXPECT_EQ(budget->free_bytes(), limit);
  }
}

TEST(AudioLdmLeaseTest, IdleModelsGoFirstAndThePlanSaysSo) {
  GRYM_NEED_PEER();
  const int64_t limit = PeakWithin(*DiffusionOn(std::make_shared<MemoryBudget>(kRoom)), kRoom);
  const auto budget = std::make_shared<MemoryBudget>(limit);
  const auto ears = EarsOn(budget);
  ASSERT_TRUE(ears->NewEmbedder().value()->EmbedText("wind", {}).ok());
  ASSERT_GT(budget->used_bytes(), 0);
  const auto model = DiffusionOn(budget);
  const auto made = MadeBy(*model);
  ASSERT_TRUE(made.ok()) << made.status();
  const std::vector<std::string> levers = LeversOf(*made);
  ASSERT_EQ(levers.size(), 1u);  // nothing of its own was made smaller
  EXPECT_THAT(levers[0], HasSubstr("evicted idle model " + ears->info().id));
  EXPECT_EQ(budget->used_bytes(), model->info().weights_bytes);
  EXPECT_TRUE(LeversOf(*MadeBy(*model)).empty());
}

TEST(AudioLdmLeaseTest, BusyModelsAreSparedAndNotDisturbed) {
  GRYM_NEED_PEER();
  const auto roomy = DiffusionOn(std::make_shared<MemoryBudget>(kRoom));
  const std::vector<float> wanted = SamplesOf(MadeBy(*roomy));
  const int64_t limit = PeakWithin(*roomy, kRoom);
  const auto budget = std::make_shared<MemoryBudget>(limit);
  const auto model = DiffusionOn(budget);
  const auto hasty = EarsOn(budget, 0), patient = EarsOn(budget, 60);
  std::future<absl::StatusOr<std::vector<float>>> waiting;
  int refused = 0;
  RunOptions run;
  run.progress = [&](const Progress& now) {
    if (now.stage != "denoise" || refused > 0) return;
    std::thread([&] {
      const auto status = hasty->NewEmbedder().value()->EmbedText("wind", {}).status();
      EXPECT_EQ(ErrorCode(status), "over_budget");
      EXPECT_THAT(std::string(status.message()), HasSubstr(model->info().id + " runs with"));
      ++refused;
    }).join();
    waiting = std::async(std::launch::async, [&] { return patient->NewEmbedder().value()->EmbedText("wind", {}); });
  };
  EXPECT_EQ(SamplesOf(MadeBy(*model, run)), wanted);
  EXPECT_EQ(refused, 1);
  const auto heard = waiting.get();  // once the run has ended its weights are idle, and make room
  EXPECT_TRUE(heard.ok()) << heard.status();
  EXPECT_LE(budget->peak_bytes(), limit);
}

TEST(AudioLdmLeaseTest, WhatACallbackKeepsTakesNothingFromARunAtItsLimit) {
  GRYM_NEED_PEER();
  const auto roomy = DiffusionOn(std::make_shared<MemoryBudget>(kRoom));
  const std::vector<float> wanted = SamplesOf(MadeBy(*roomy));
  const auto budget = std::make_shared<MemoryBudget>(PeakWithin(*roomy, kRoom));
  const auto model = DiffusionOn(budget);
  std::vector<at::Tensor> kept;
  RunOptions run;
  run.progress = [&](const Progress& now) {
    EXPECT_TRUE(IsTheHostsOwn()) << now.stage;
    kept.push_back(at::zeros({budget->limit_bytes()}, at::kByte));
  };
  EXPECT_EQ(SamplesOf(MadeBy(*model, run)), wanted);
  EXPECT_GE(kept.size(), 3u);
  for (const at::Tensor& tensor : kept) EXPECT_FALSE(tensor.is_inference());
}

TEST(AudioLdmLeaseTest, WhoWaitsForItsTurnCanBeCancelled) {
  GRYM_NEED_PEER();
  const int64_t limit = LeastPeak(*DiffusionOn(std::make_shared<MemoryBudget>(kRoom)));
  const auto budget = std::make_shared<MemoryBudget>(limit);
  const auto model = DiffusionOn(budget);
  RunOptions second;
  std::future<absl::StatusOr<GenerateAudioResult>> waiting;
  RunOptions first;
  first.progress = [&](const Progress& now) {
    if (now.stage == "denoise" && !waiting.valid()) {
      waiting = std::async(std::launch::async, [&] { return MadeBy(*model, second); });
    }
    if (now.stage == "vocoder") second.cancel.Cancel();
  };
  EXPECT_TRUE(MadeBy(*model, first).ok());
  EXPECT_EQ(waiting.get().status().code(), absl::StatusCode::kCancelled);
  EXPECT_TRUE(MadeBy(*model).ok());
}

// What a host keeps on the budget is given back by no run: there is nothing to wait for, and the plan is a smaller one.
TEST(AudioLdmLeaseTest, PlansSmallerWhereNothingWillBeGivenBack) {
  GRYM_NEED_PEER();
  const auto roomy = DiffusionOn(std::make_shared<MemoryBudget>(kRoom));
  const int64_t whole = PeakWithin(*roomy, kRoom), least = LeastPeak(*roomy);
  const auto budget = std::make_shared<MemoryBudget>(whole);
  at::Tensor kept;
  const auto keep = [&](int64_t bytes) {
    const BudgetScope scope(budget);
    kept.reset();
    kept = at::empty({bytes}, at::kByte);
  };
  keep((whole - least) / 64 * 64);
  const auto made = MadeBy(*DiffusionOn(budget));
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_FALSE(LeversOf(*made).empty());
  EXPECT_LE(made->peak_bytes, whole - static_cast<int64_t>(kept.nbytes()));
  keep((whole - least) / 64 * 64 + 64);
  const absl::Status refused = MadeBy(*DiffusionOn(budget)).status();
  EXPECT_EQ(ErrorCode(refused), "over_budget");
  EXPECT_THAT(std::string(refused.message()), HasSubstr("the budget is " + std::to_string(whole)));
}

}  // namespace
}  // namespace grym::testing
