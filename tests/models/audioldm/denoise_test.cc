#include "models/audioldm/denoise.h"

#include <cmath>

#include "base/status.h"
#include "grymsynth/error.h"
#include "gtest/gtest.h"
#include "runtime/seeded_noise.h"
#include "support/peer.h"
#include "support/peer_unet.h"

namespace grym {
namespace {

using testing::ExpectSameStage;
using testing::PeerTensor;

struct Fixture {
  std::filesystem::path checkpoint = testing::PeerCheckpoint("audioldm-tiny");
  std::shared_ptr<const Unet> unet = testing::LoadUnet(checkpoint);
  SchedulerConfig schedule = *ReadSchedulerConfig(*ReadConfig(checkpoint / "scheduler" / "scheduler_config.json"),
                                                  "scheduler/scheduler_config.json");
};

absl::StatusOr<at::Tensor> Walked(const Fixture& f, const DenoiseRequest& request, DenoiseState* state = nullptr,
                               const RunOptions& run = {},
                               const std::function<void(int64_t, const at::Tensor&)>& after = {}) {
  GRYM_RETURN_IF_ERROR(CheckDenoiseRequest(f.unet->config(), request));
  return TorchGuard("audioldm", [&] { return Denoise(*f.unet, f.schedule, request, run, state, after); });
}

DenoiseRequest SmallRequest(int64_t takes = 1) {
  DenoiseRequest request;
  request.steps = 6;
  request.seed = 21;
  request.shape = {takes, 8, 24, 16};
  at::Generator generator = SeededGenerator(4);
  request.embeddings = NormalizedRows(Noise({2 * takes, 32}, generator));
  return request;
}

at::Tensor Original() {
  at::Generator generator = SeededGenerator(77);
  return Noise({1, 8, 24, 16}, generator);
}

void ExpectSameLatents(const std::string& name, double seconds, int64_t steps, int64_t seed, double guidance) {
  const Fixture f;
  const auto run = TensorSet::Open(testing::PeerRun(
      f.checkpoint, name, {"--seconds", std::to_string(seconds), "--steps", std::to_string(steps), "--seed",
                           std::to_string(seed), "--guidance", std::to_string(guidance)}));
  ASSERT_TRUE(run.ok()) << run.status();
  DenoiseRequest request;
  request.steps = steps;
  request.guidance = guidance;
  request.seed = seed;
  request.shape = LatentGeometry().Shape(1, seconds);
  request.embeddings = PeerTensor(*run, "prompt_embeds");
  at::Generator generator = SeededGenerator(seed);
  EXPECT_TRUE(Noise(request.shape, generator).equal(PeerTensor(*run, "latents.initial")));
  int64_t seen = 0;
  const auto latents = Walked(f, request, nullptr, {}, [&](int64_t step, const at::Tensor& now) {
    ExpectSameStage("latents." + std::to_string(step), now, PeerTensor(*run, "latents." + std::to_string(step)));
    ++seen;
  });
  ASSERT_TRUE(latents.ok()) << latents.status();
  EXPECT_EQ(seen, steps);
  constexpr double kScalingFactor = 0.9227914214134216;  // of the checkpoint's VAE
  ExpectSameStage("vae.input", at::div(*latents, kScalingFactor), PeerTensor(*run, "vae.input"));
}

TEST(DenoiseTest, EveryStepIsTheReferences) {
  GRYM_NEED_PEER();
  ExpectSameLatents("steps-5", 2, 5, 0, 2.5);
}

TEST(DenoiseTest, EveryStepIsTheReferencesWithoutGuidanceAtAnOddLength) {
  GRYM_NEED_PEER();
  ExpectSameLatents("steps-4-plain", 1.173, 4, 9, 1);
}

TEST(DenoiseTest, GeometryFollowsTheReference) {
  const LatentGeometry geometry;
  EXPECT_EQ(geometry.Shape(3, 5.12), (std::vector<int64_t>{3, 8, 128, 16}));
  EXPECT_EQ(geometry.LatentFrames(10), 250);
  EXPECT_EQ(geometry.LatentFrames(1.173), 30);  // 117 columns, made 120
  EXPECT_EQ(geometry.SoundFrames(1.173), 18768);
}

TEST(DenoiseTest, AnInterruptedRunGoesOnToTheSameBits) {
  GRYM_NEED_PEER();
  Fixture f;
  for (const SchedulerKind kind : {SchedulerKind::kDdim, SchedulerKind::kDpmSolver}) {
    f.schedule.kind = kind;
    const auto whole = Walked(f, SmallRequest());
    ASSERT_TRUE(whole.ok()) << whole.status();
    for (int64_t last : {0, 2, 4}) {
      RunOptions stopped;
      DenoiseState state;
      const auto cut = Walked(f, SmallRequest(), &state, stopped, [&](int64_t step, const at::Tensor&) {
        if (step == last) stopped.cancel.Cancel();
      });
      EXPECT_EQ(cut.status().code(), absl::StatusCode::kCancelled);
      EXPECT_EQ(state.scheduler.position, last + 1);
      const auto rest = Walked(f, SmallRequest(), &state);
      ASSERT_TRUE(rest.ok()) << rest.status();
      EXPECT_TRUE(rest->equal(*whole)) << last;
    }
  }
}

TEST(DenoiseTest, ProgressRisesToOneAndTellsTheTimeLeft) {
  GRYM_NEED_PEER();
  const Fixture f;
  std::vector<double> fractions;
  RunOptions run;
  run.progress = [&](const Progress& now) { fractions.push_back(now.fraction); };
  ASSERT_TRUE(Walked(f, SmallRequest(), nullptr, run).ok());
  ASSERT_FALSE(fractions.empty());
  EXPECT_TRUE(std::is_sorted(fractions.begin(), fractions.end()));
}

TEST(DenoiseTest, StrengthSaysHowMuchOfASoundIsLeft) {
  GRYM_NEED_PEER();
  const Fixture f;
  DenoiseRequest request = SmallRequest();
  request.original = Original();
  request.strength = 0;
  EXPECT_TRUE(Walked(f, request)->equal(request.original));
  double before = 0;
  for (const double strength : {0.2, 0.5, 1.0}) {
    request.strength = strength;
    const auto made = Walked(f, request);
    ASSERT_TRUE(made.ok()) << made.status();
    const double moved = at::sub(*made, request.original).abs().mean().item<double>();
    EXPECT_GT(moved, before);
    before = moved;
  }
}

TEST(DenoiseTest, OutsideTheMaskTheSoundStays) {
  GRYM_NEED_PEER();
  const Fixture f;
  DenoiseRequest request = SmallRequest();
  request.original = Original();
  request.mask = at::zeros({1, 1, 24, 1});
  request.mask.narrow(2, 8, 6).fill_(1);
  const auto made = Walked(f, request);
  ASSERT_TRUE(made.ok()) << made.status();
  const at::Tensor moved = at::sub(*made, request.original).abs();
  EXPECT_LT(moved.narrow(2, 0, 8).max().item<double>(), 1e-5);
  EXPECT_LT(moved.narrow(2, 14, 10).max().item<double>(), 1e-5);
  EXPECT_GT(moved.narrow(2, 8, 6).mean().item<double>(), 0.1);
}

TEST(DenoiseTest, WindowsCoverEverythingAndMeetWithoutASeam) {
  GRYM_NEED_PEER();
  EXPECT_EQ(WindowStarts(100, 40), (std::vector<int64_t>{0, 30, 60}));
  EXPECT_EQ(WindowStarts(101, 40), (std::vector<int64_t>{0, 30, 60, 61}));
  EXPECT_EQ(WindowStarts(30, 40), (std::vector<int64_t>{0}));
  const Fixture f;
  DenoiseRequest request = SmallRequest();
  request.shape[2] = 70;
  request.window = 24;
  const auto made = Walked(f, request);
  ASSERT_TRUE(made.ok()) << made.status();
  std::vector<int64_t> seams;
  for (const int64_t start : WindowStarts(70, 24)) {
    if (start > 0) seams.push_back(start);
    if (start + 24 < 70) seams.push_back(start + 24);
  }
  EXPECT_LT(SeamRatio(*made, seams), 1.3);
  // The measure itself sees a step of the size of the sound.
  at::Tensor stepped = made->clone();
  stepped.narrow(2, seams[0], 70 - seams[0]).add_(10 * made->abs().max().item<double>());
  EXPECT_GT(SeamRatio(stepped, {seams[0]}), 2);
  // A window that holds everything changes nothing.
  request.window = 70;
  const at::Tensor at_once = *Walked(f, request);
  request.window = 0;
  EXPECT_TRUE(Walked(f, request)->equal(at_once));
}

TEST(DenoiseTest, TakesOfOneSeedAreTheReferencesBatch) {
  GRYM_NEED_PEER();
  const Fixture f;
  DenoiseRequest two = SmallRequest(2);
  at::Generator generator = SeededGenerator(4);
  const at::Tensor rows = NormalizedRows(Noise({2, 32}, generator));
  two.embeddings = at::cat({rows.narrow(0, 0, 1), rows.narrow(0, 0, 1), rows.narrow(0, 1, 1), rows.narrow(0, 1, 1)});
  const auto both = Walked(f, two);
  ASSERT_TRUE(both.ok()) << both.status();
  EXPECT_FALSE(both->select(0, 0).equal(both->select(0, 1)));
}

TEST(DenoiseTest, ContradictionsAreNamed) {
  const UnetConfig unet = [] {
    UnetConfig config;
    config.in_channels = config.out_channels = 8;
    config.class_dim = 32;
    return config;
  }();
  const auto refused = [&](const std::function<void(DenoiseRequest&)>& change) {
    DenoiseRequest request = SmallRequest();
    change(request);
    return ErrorCode(CheckDenoiseRequest(unet, request));
  };
  EXPECT_EQ(refused([](DenoiseRequest&) {}), "ok");
  EXPECT_EQ(refused([](DenoiseRequest& r) { r.guidance = NAN; }), "bad_request");
  EXPECT_EQ(refused([](DenoiseRequest& r) { r.strength = 1.5; }), "bad_request");
  EXPECT_EQ(refused([](DenoiseRequest& r) { r.shape[2] = 0; }), "bad_request");
  EXPECT_EQ(refused([](DenoiseRequest& r) { r.shape[1] = 4; }), "bad_request");
  EXPECT_EQ(refused([](DenoiseRequest& r) { r.embeddings = at::zeros({1, 32}); }), "bad_request");
  EXPECT_EQ(refused([](DenoiseRequest& r) { r.mask = at::zeros({1, 1, 24, 1}); }), "bad_request");
  EXPECT_EQ(refused([](DenoiseRequest& r) { r.original = at::zeros({1, 8, 20, 16}); }), "bad_request");
  EXPECT_EQ(refused([](DenoiseRequest& r) { r.window = 3; }), "bad_request");
}

}  // namespace
}  // namespace grym
