// wav2vec2 on a budget that others use too, or that holds two of its layers.
#include <cmath>
#include <cstdlib>
#include <thread>

#include "gmock/gmock.h"
#include "grymsynth/error.h"
#include "gtest/gtest.h"
#include "models/wav2vec2/model.h"
#include "support/bfloat_units.h"
#include "support/peer.h"
#include "support/scratch.h"

namespace grym::testing {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

constexpr int64_t kGigabyte = int64_t{1} << 30;

AudioBuffer Rising(double seconds) {
  auto audio = AudioBuffer::Create(1, static_cast<int64_t>(seconds * 16'000), 16'000).value();
  const auto samples = audio.mutable_channel(0);
  for (size_t i = 0; i < samples.size(); ++i) {
    const double t = static_cast<double>(i) / 16'000;
    samples[i] = static_cast<float>(0.4 * std::sin(6.283 * (200 + 300 * t) * t));
  }
  return audio;
}

absl::StatusOr<std::shared_ptr<const Wav2Vec2Model>> OpenOn(const fs::path& folder, int64_t budget_bytes,
                                                            const std::string& dtype = "float32",
                                                            double most_wait_s = 60, bool may_lower = false) {
  OpenModelOptions options;
  options.dtype = dtype;
  options.most_wait_s = most_wait_s;
  options.may_lower_precision = may_lower;
  const auto opened = ModelFolder::Open(folder);
  if (!opened.ok()) return opened.status();
  const auto context = ModelContext::Make(options, std::make_shared<MemoryBudget>(budget_bytes));
  if (!context.ok()) return context.status();
  return Wav2Vec2Model::Open(*opened, *context);
}

// A checkpoint of twelve layers.
fs::path Deep(const Scratch& scratch, const std::string& preset) {
  const fs::path out = scratch / "deep";
  const std::string script = std::string(GRYM_SOURCE_DIR) + "/tests/models/wav2vec2/make_deep.py";
  const std::string command = "'" + PeerPython() + "' '" + script + "' '" + PeerCheckpoint(preset).string() + "' '" +
                              out.string() + "' 12";
  EXPECT_EQ(std::system(command.c_str()), 0) << command;
  return out;
}

// The peak of the smallest plan: a budget of one byte holds none, and the refusal plans with all levers.
int64_t SmallestPeak(const Wav2Vec2Model& model, double seconds) {
  const int64_t limit = model.budget().limit_bytes();
  model.budget().SetLimit(1);
  const int64_t least = model.PlanToHear(seconds).peak_bytes();
  model.budget().SetLimit(limit);
  return least;
}

void ExpectStreamsByteForByte(const fs::path& folder, const std::string& dtype) {
  for (const double seconds : {0.3, 4.0, 40.0}) {
    SCOPED_TRACE(dtype + " " + std::to_string(seconds));
    const auto roomy = OpenOn(folder, kGigabyte, dtype).value();
    const auto want = roomy->NewSession()->Embed(Rising(seconds), {}).value();
    const MemoryPlan whole = roomy->PlanToHear(seconds);
    EXPECT_TRUE(whole.levers.empty());
    const int64_t least = SmallestPeak(*roomy, seconds);
    ASSERT_LT(least, whole.peak_bytes());

    const auto tight = OpenOn(folder, least, dtype).value();
    const MemoryPlan plan = tight->PlanToHear(seconds);
    EXPECT_EQ(plan.levers, std::vector<std::string>{"streamed weights by layer"});
    EXPECT_TRUE(plan.phases[0].streamed);
    EXPECT_LT(plan.weights_bytes(), whole.weights_bytes());
    for (int again = 0; again < 3; ++again) {
      const auto made = tight->NewSession()->Embed(Rising(seconds), {});
      ASSERT_TRUE(made.ok()) << made.status();
      EXPECT_EQ(*made, want);  // the same numbers in the same order
    }
    EXPECT_LE(tight->budget().peak_bytes(), least);
    EXPECT_GE(static_cast<double>(tight->budget().peak_bytes()), 0.9 * static_cast<double>(least));
    EXPECT_LT(tight->budget().used_bytes(), plan.weights_bytes());  // no layer stays
    tight->Unload();
    EXPECT_EQ(tight->budget().used_bytes(), 0);

    tight->budget().ResetPeak();
    tight->budget().SetLimit(least - 1);
    const absl::Status refused = tight->NewSession()->Embed(Rising(seconds), {}).status();
    EXPECT_EQ(ErrorCode(refused), "over_budget");
    EXPECT_THAT(std::string(refused.message()), HasSubstr(std::to_string(least)));
    EXPECT_THAT(std::string(refused.message()), HasSubstr(std::to_string(least - 1)));
    EXPECT_EQ(tight->budget().peak_bytes(), 0);
  }
}

TEST(Wav2Vec2BudgetTest, StreamsItsLayersAsTheLastLeverByteForByte) {
  GRYM_NEED_PEER();
  const Scratch scratch;
  const fs::path folder = Deep(scratch, "wav2vec2-stable-tiny");
  for (const char* dtype : {"float32", "bfloat16"}) ExpectStreamsByteForByte(folder, dtype);
}

TEST(Wav2Vec2BudgetTest, StreamsItsLayersInBFloat16x3) {
  GRYM_NEED_PEER();
  GRYM_NEED_BFLOAT_UNITS();
  const Scratch scratch;
  ExpectStreamsByteForByte(Deep(scratch, "wav2vec2-stable-tiny"), "bfloat16x3");
}

TEST(Wav2Vec2BudgetTest, PrecisionIsLoweredBeforeLayersAreStreamedWhereThatIsAllowed) {
  GRYM_NEED_PEER();
  const Scratch scratch;
  const fs::path folder = Deep(scratch, "wav2vec2-tiny");
  const int64_t shortest = OpenOn(folder, kGigabyte).value()->PlanForFrames(1).peak_bytes();
  const auto packed_out = OpenOn(folder, kGigabyte, "int8").value();
  EXPECT_EQ(OpenOn(folder, shortest - 1, "float32", 0, true).value()->precision(), Precision::kBFloat16);
  EXPECT_TRUE(OpenOn(folder, shortest - 1).ok());  // streamed
  const int64_t packed = packed_out->PlanForFrames(1).peak_bytes();
  EXPECT_EQ(SmallestPeak(*packed_out, 0.025), packed);  // nothing packed is streamed
  EXPECT_EQ(ErrorCode(OpenOn(folder, packed - 1, "int8").status()), "over_budget");
}

TEST(Wav2Vec2BudgetTest, AStreamedRunIsCancelledAndEndsOnDamagedLayers) {
  GRYM_NEED_PEER();
  const Scratch scratch;
  const fs::path folder = Deep(scratch, "wav2vec2-tiny");
  const int64_t least = SmallestPeak(*OpenOn(folder, kGigabyte).value(), 2);
  const auto model = OpenOn(folder, least).value();
  const auto embedder = model->NewSession();
  ASSERT_TRUE(embedder->Embed(Rising(2), {}).ok());
  const int64_t resting = model->budget().used_bytes();
  RunOptions run;
  run.progress = [&](const Progress& now) {
    if (now.stage == "encode") run.cancel.Cancel();
  };
  EXPECT_EQ(embedder->Embed(Rising(2), run).status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(model->budget().used_bytes(), resting);
  fs::resize_file(folder / "model.safetensors", fs::file_size(folder / "model.safetensors") / 2);
  EXPECT_EQ(ErrorCode(embedder->Embed(Rising(2), {}).status()), "file_changed");
  EXPECT_EQ(model->budget().used_bytes(), resting);
}

// The budget holds one run: the others wait for it, and none sees less than it was promised.
TEST(Wav2Vec2BudgetTest, SessionsOnABudgetForOneTakeTurns) {
  GRYM_NEED_PEER();
  const fs::path folder = PeerCheckpoint("wav2vec2-tiny");
  const auto roomy = OpenOn(folder, kGigabyte).value();
  const auto want = roomy->NewSession()->Embed(Rising(5), {}).value();
  const auto model = OpenOn(folder, roomy->PlanToHear(5).peak_bytes()).value();
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&] {
      for (int again = 0; again < 5; ++again) {
        const auto made = model->NewSession()->Embed(Rising(5), {});
        ASSERT_TRUE(made.ok()) << made.status();
        EXPECT_EQ(*made, want);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(model->budget().peak_bytes(), model->budget().limit_bytes());

  // Who may not wait is refused, and who runs goes on.
  const auto hasty = OpenOn(folder, roomy->PlanToHear(5).peak_bytes(), "float32", 0).value();
  int refused = 0;
  RunOptions run;
  run.progress = [&](const Progress& now) {
    if (now.stage != "encode" || refused > 0) return;
    std::thread([&] {
      const absl::Status status = hasty->NewSession()->Embed(Rising(5), {}).status();
      EXPECT_EQ(ErrorCode(status), "over_budget");
      EXPECT_THAT(std::string(status.message()), HasSubstr(hasty->info().id + " runs with"));
      ++refused;
    }).join();
  };
  EXPECT_EQ(hasty->NewSession()->Embed(Rising(5), run).value(), want);
  EXPECT_EQ(refused, 1);
}

TEST(Wav2Vec2BudgetTest, AHundredLoadsLeaveNothing) {
  GRYM_NEED_PEER();
  const auto model = OpenOn(PeerCheckpoint("wav2vec2-tiny"), kGigabyte).value();
  int64_t peak = 0;
  for (int i = 0; i < 100; ++i) {
    model->budget().ResetPeak();
    ASSERT_TRUE(model->NewSession()->Embed(Rising(0.2), {}).ok());
    if (i == 0) peak = model->budget().peak_bytes();
    ASSERT_EQ(model->budget().peak_bytes(), peak) << i;
    model->Unload();
    ASSERT_EQ(model->budget().used_bytes(), 0) << i;
    ASSERT_EQ(model->budget().free_bytes(), kGigabyte) << i;
  }
}

}  // namespace
}  // namespace grym::testing
