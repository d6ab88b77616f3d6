// AudioLDM on budgets that do not hold a network: its layers are read as their turn comes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <thread>

#include "grymsynth/error.h"
#include "support/scratch.h"
#include "tiny_audioldm.h"

namespace grym::testing {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kLever[] = "streamed weights by layer";

int64_t BytesOf(const PhasePlan& phase) { return phase.weights_bytes + phase.working_bytes; }

const PhasePlan& PhaseOf(const AudioLdmPlan& plan, const std::string& component) {
  for (const PhasePlan& phase : plan.memory.phases) {
    if (phase.component == component) return phase;
  }
  ADD_FAILURE() << component;
  return plan.memory.phases.front();
}

// Eighty layers of text, so that no other part takes more.
std::filesystem::path DeepText(const Scratch& scratch) {
  const auto out = scratch / "deep";
  std::filesystem::copy(PeerCheckpoint("audioldm-tiny"), out, std::filesystem::copy_options::recursive);
  std::filesystem::remove_all(out / "text_encoder");
  const std::string script = std::string(GRYM_SOURCE_DIR) + "/tests/models/wav2vec2/make_deep.py";
  const std::string command = "'" + PeerPython() + "' '" + script + "' '" +
                              (PeerCheckpoint("audioldm-tiny") / "text_encoder").string() + "' '" +
                              (out / "text_encoder").string() + "' 80";
  EXPECT_EQ(std::system(command.c_str()), 0) << command;
  return out;
}

void ExpectStreams(const std::filesystem::path& folder, const std::string& component, const std::string& dtype) {
  SCOPED_TRACE(component + " " + dtype);
  const GenerateAudioRequest request = Rain();
  const auto open = [&](int64_t bytes) {
    return OpenAt(folder, std::make_shared<MemoryBudget>(bytes), dtype).value();
  };
  const auto roomy = open(kPlenty);
  const AudioLdmWork work = roomy->WorkOf(request, 0).value();
  const AudioLdmPlan whole = roomy->PlanFor(work, kPlenty).value();
  EXPECT_THAT(whole.memory.levers, Not(Contains(kLever)));
  const int64_t budget = BytesOf(PhaseOf(whole, component)) - 1;
  const auto tight = open(budget);
  const auto plan = tight->PlanFor(work, budget);
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->memory.levers.back(), kLever);
  for (const PhasePlan& phase : plan->memory.phases) {
    const bool could = phase.component == "unet" || phase.component == "text_encoder";
    EXPECT_EQ(phase.streamed, could && BytesOf(PhaseOf(whole, phase.component)) > budget) << phase.component;
  }
  const auto made = Made(*tight, request);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(Samples(made), Samples(Made(*roomy, request)));  // no longer than a tile
  EXPECT_LE(made->peak_bytes, plan->memory.peak_bytes());
  EXPECT_EQ(tight->context().budget->used_bytes(), 0);
}

TEST(AudioLdmStreamedTest, StreamsWhatDoesNotFitWholeAndNothingElseByteForByte) {
  GRYM_NEED_PEER();
  const Scratch scratch;
  for (const char* dtype : {"float32", "bfloat16"}) ExpectStreams(PeerCheckpoint("audioldm-tiny"), "unet", dtype);
  const auto deep = DeepText(scratch);
  for (const char* dtype : {"float32", "bfloat16", "float16"}) ExpectStreams(deep, "text_encoder", dtype);
}

// As KeepsToItsSmallestPlanByteForByte, where what is streamed is what the smallest plan takes.
TEST(AudioLdmStreamedTest, ItsSmallestPlanIsThatOfTheStreamedNetwork) {
  GRYM_NEED_PEER();
  GenerateAudioRequest request = Rain();
  request.duration_s = 3;
  const auto roomy = Tiny();
  const AudioLdmWork work = roomy->WorkOf(request, 0).value();
  const int64_t least = SmallestPlan(*roomy, work);
  const AudioLdmPlan plan = roomy->PlanFor(work, least).value(), whole = roomy->PlanFor(work, kPlenty).value();
  EXPECT_TRUE(PhaseOf(plan, "unet").streamed);
  EXPECT_EQ(BytesOf(PhaseOf(plan, "unet")), least);
  EXPECT_LT(4 * least, 3 * BytesOf(PhaseOf(whole, "unet")));
  EXPECT_THAT(plan.memory.ToJson().Dump(), HasSubstr("\"streamed\":true"));
  // Packed weights stay whole.
  const auto packed = Tiny(kPlenty, "int8");
  EXPECT_THAT(packed->PlanFor(work, SmallestPlan(*packed, work))->memory.levers, Not(Contains(kLever)));
}

TEST(AudioLdmStreamedTest, IsCancelledWithinAStepAndGoesOnToTheSameBytes) {
  GRYM_NEED_PEER();
  GenerateAudioRequest request = Rain();
  request.steps = 100;
  const auto roomy = Tiny();
  const int64_t least = SmallestPlan(*roomy, roomy->WorkOf(request, 0).value());
  const auto model = Tiny(least);
  const AudioLdmPlan plan = model->PlanFor(model->WorkOf(request, 0).value(), least).value();
  ASSERT_TRUE(PhaseOf(plan, "unet").streamed);
  MemoryBudget& budget = *model->context().budget;
  RunOptions stopped;
  std::thread watcher;
  stopped.progress = [&](const Progress& now) {
    if (now.stage != "denoise" || watcher.joinable()) return;
    watcher = std::thread([&budget, cancel = stopped.cancel, before = budget.used_bytes(),
                           some = PhaseOf(plan, "unet").weights_bytes / 4]() mutable {
      while (budget.used_bytes() < before + some) std::this_thread::yield();  // until units are there: within a step
      cancel.Cancel();
    });
  };
  EXPECT_EQ(Made(*model, request, stopped).status().code(), absl::StatusCode::kCancelled);
  watcher.join();
  EXPECT_EQ(budget.used_bytes(), 0);
  const auto rest = Made(*model, request);
  EXPECT_EQ(Samples(rest), Samples(Made(*roomy, request)));
  EXPECT_LE(rest->peak_bytes, least);
}

TEST(AudioLdmStreamedTest, AFileThatIsCutShortEndsTheRunAndLeavesNothing) {
  GRYM_NEED_PEER();
  const Scratch scratch;
  const auto copy = scratch / "copy";
  std::filesystem::copy(PeerCheckpoint("audioldm-tiny"), copy, std::filesystem::copy_options::recursive);
  const GenerateAudioRequest request = Rain();
  const auto roomy = Tiny();
  const int64_t budget = SmallestPlan(*roomy, roomy->WorkOf(request, 0).value());
  const auto model = OpenAt(copy, std::make_shared<MemoryBudget>(budget)).value();
  const auto weights = copy / "unet" / "diffusion_pytorch_model.safetensors";
  RunOptions run;
  run.progress = [&](const Progress& now) {
    if (now.stage == "denoise") std::filesystem::resize_file(weights, 4096);
  };
  EXPECT_EQ(ErrorCode(Made(*model, request, run).status()), "file_changed");
  EXPECT_EQ(model->context().budget->used_bytes(), 0);
}

TEST(AudioLdmStreamedTest, PrecisionIsLoweredBeforeLayersAreStreamedWhereThatIsAllowed) {
  GRYM_NEED_PEER();
  const auto folder = PeerCheckpoint("audioldm-tiny");
  GenerateAudioRequest request = Rain();
  request.duration_s = 0.06;
  request.prompt = request.negative_prompt = "";
  const auto roomy = Tiny();
  const AudioLdmWork work{.duration_s = 0.05, .steps = 1, .tokens = 2};
  const int64_t whole = BytesOf(PhaseOf(roomy->PlanFor(work, kPlenty).value(), "unet"));
  ASSERT_LT(SmallestPlan(*roomy, work), whole);
  const auto plan_of = [&](bool may) {
    return OpenAt(folder, std::make_shared<MemoryBudget>(whole - 1), "float32", may).value()->Plan(request).value();
  };
  EXPECT_THAT(plan_of(false), HasSubstr(kLever));
  EXPECT_THAT(plan_of(true), HasSubstr("lowered precision to bfloat16"));
  EXPECT_THAT(plan_of(true), Not(HasSubstr(kLever)));
}

TEST(AudioLdmStreamedTest, WhatFitsWithoutLoweringFitsWithIt) {
  GRYM_NEED_PEER();
  const auto folder = PeerCheckpoint("audioldm-tiny");
  GenerateAudioRequest request = Rain();
  request.duration_s = 1;
  const auto fits = [&](int64_t bytes, bool may) {
    return OpenAt(folder, std::make_shared<MemoryBudget>(bytes), "float32", may).value()->Plan(request).ok();
  };
  const int64_t least = SmallestPlan(*Tiny(), Tiny()->WorkOf(request, 0).value());
  bool fitted = false;
  for (int64_t bytes = least / 4; bytes < 2 * least; bytes += least / 40) {
    const bool lowered = fits(bytes, true);
    EXPECT_TRUE(lowered || !fits(bytes, false)) << bytes;
    fitted |= lowered;
  }
  EXPECT_TRUE(fitted);
}

// Minutes of work on a folder of the full size, where the run asks for it: GRYM_PEER_FULL=audioldm-s.
TEST(AudioLdmStreamedTest, KeepsToItsSmallestPlanAtFullSize) {
  GRYM_NEED_PEER();
  const char* preset = std::getenv("GRYM_PEER_FULL");
  if (!preset) GTEST_SKIP() << "set GRYM_PEER_FULL=audioldm-s (or -m, -l) for minutes of work at full size";
  GenerateAudioRequest request = Rain();
  request.duration_s = 5.12;
  constexpr int64_t kRoom = int64_t{64} << 30;
  for (const char* dtype : {"float32", "bfloat16"}) {
    const auto open = [&](int64_t bytes) {
      return OpenAt(PeerCheckpoint(preset), std::make_shared<MemoryBudget>(bytes), dtype).value();
    };
    const auto roomy = open(kRoom);
    request.steps = 2;
    const AudioLdmWork work = roomy->WorkOf(request, 0).value();
    const int64_t unet = BytesOf(PhaseOf(roomy->PlanFor(work, kRoom).value(), "unet"));
    for (const int64_t budget : {kRoom, unet, unet - 1, SmallestPlan(*roomy, work)}) {
      const auto model = open(budget);  // none of whose texts is kept
      const AudioLdmPlan plan = model->PlanFor(work, budget).value();
      std::printf("%s, budget %.1f MB, planned %.1f", dtype, budget / 1e6, plan.memory.peak_bytes() / 1e6);
      for (const PhasePlan& phase : plan.memory.phases)
        std::printf(", %s%s %.1f", phase.component.c_str(), phase.streamed ? " streamed" : "", BytesOf(phase) / 1e6);
      const auto made = Made(*model, request);
      ASSERT_TRUE(made.ok()) << made.status();
      EXPECT_LE(made->peak_bytes, plan.memory.peak_bytes());
      EXPECT_GE(1.1 * static_cast<double>(made->peak_bytes), static_cast<double>(plan.memory.peak_bytes()));
      GenerateAudioRequest longer = request;
      longer.steps = 6;
      const auto rest = Made(*model, longer);
      ASSERT_TRUE(rest.ok()) << rest.status();
      std::printf("; peak %.1f; text %.2f s; %.2f s for 2 steps, %.2f s for 6\n", made->peak_bytes / 1e6,
                  made->timings_s.at("text_encoder"), made->timings_s.at("unet"), rest->timings_s.at("unet"));
    }
  }
}

}  // namespace
}  // namespace grym::testing
