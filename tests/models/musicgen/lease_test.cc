// MusicGen on a budget that it shares: what a run or a stream holds, and gives back.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <future>

#include "grymsynth/error.h"
#include "models/musicgen/native_nets.h"
#include "support/peer.h"

namespace grym {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kMuchRoom = int64_t{1} << 30;

std::shared_ptr<const MusicgenModel> MusicOn(const std::shared_ptr<MemoryBudget>& budget, double most_wait_s = 60) {
  OpenModelOptions options;
  options.device = "cpu";
  options.most_wait_s = most_wait_s;
  const auto context = ModelContext::Make(options, budget).value();
  const auto folder = ModelFolder::Open(testing::PeerCheckpoint("musicgen-tiny")).value();
  return std::static_pointer_cast<const MusicgenModel>(OpenMusicgen(folder, context).value());
}

GenerateAudioRequest Jig() {
  GenerateAudioRequest request;
  request.prompt = "a jig for two fiddles";
  request.duration_s = 2;
  request.seed = 3;
  return request;
}

int64_t PlannedWithin(const MusicgenModel& model, int64_t budget_bytes) {
  return model.PlanFor(model.WorkOf(Jig()).value(), budget_bytes).value().peak_bytes();
}

std::vector<float> Played(const absl::StatusOr<GenerateAudioResult>& made) {
  if (!made.ok()) {
    ADD_FAILURE() << made.status();
    return {};
  }
  return {made->audio.planar().begin(), made->audio.planar().end()};
}

absl::StatusOr<GenerateAudioResult> JigBy(const MusicgenModel& model) {
  return model.NewGenerator().value()->Generate(Jig(), {});
}

TEST(MusicgenLeaseTest, KeepsToItsPlansByteForByte) {
  GRYM_NEED_PEER();
  const auto roomy = MusicOn(std::make_shared<MemoryBudget>(kMuchRoom));
  const std::vector<float> wanted = Played(JigBy(*roomy));
  const int64_t whole = PlannedWithin(*roomy, kMuchRoom), least = PlannedWithin(*roomy, whole - 1);
  ASSERT_LT(least, whole);
  for (const int64_t limit : {whole, least}) {
    SCOPED_TRACE(limit);
    const auto budget = std::make_shared<MemoryBudget>(limit);
    const auto model = MusicOn(budget);
    for (int again = 0; again < 2; ++again) {
      const auto made = JigBy(*model);
      EXPECT_EQ(Played(made), wanted);
      if (!made.ok()) continue;
      EXPECT_LE(made->peak_bytes, limit);
      EXPECT_GE(static_cast<double>(made->peak_bytes), 0.9 * static_cast<double>(limit));
      // Weights stay where they all fit, and are idle; else nothing stays.
      EXPECT_EQ(budget->used_bytes() > 0, limit == whole);
    }
    EXPECT_EQ(budget->free_bytes(), limit - budget->used_bytes());
  }
  const auto less = MusicOn(std::make_shared<MemoryBudget>(least - 1));
  EXPECT_EQ(ErrorCode(JigBy(*less).status()), "over_budget");
}

TEST(MusicgenLeaseTest, AStreamHoldsItsLeaseUntilItsLastSample) {
  GRYM_NEED_PEER();
  const int64_t limit = PlannedWithin(*MusicOn(std::make_shared<MemoryBudget>(kMuchRoom)), kMuchRoom);
  const auto budget = std::make_shared<MemoryBudget>(limit);
  const auto model = MusicOn(budget), hasty = MusicOn(budget, 0), patient = MusicOn(budget);
  const auto generator = model->NewGenerator().value();
  const auto stream = generator->Stream(Jig()).value();
  EXPECT_EQ(budget->free_bytes(), limit);  // nothing before it is asked
  ASSERT_FALSE(stream->Next({}).value().empty());
  const absl::Status refused = JigBy(*hasty).status();
  EXPECT_EQ(ErrorCode(refused), "over_budget");
  EXPECT_THAT(std::string(refused.message()), HasSubstr(model->info().id + " runs with"));
  auto waiting = std::async(std::launch::async, [&] { return Played(JigBy(*patient)); });
  while (!stream->Next({}).value().empty()) {
  }
  const std::vector<float> made = waiting.get();  // the stream lives, and what it left is idle
  EXPECT_FALSE(made.empty());
  EXPECT_GT(stream->Finish().value().peak_bytes, limit * 9 / 10);
  EXPECT_LE(stream->Finish().value().peak_bytes, limit);
  EXPECT_LE(budget->peak_bytes(), limit);
  EXPECT_EQ(Played(JigBy(*hasty)), made);
}

TEST(MusicgenLeaseTest, AStreamThatEndsEarlyGivesEverythingBack) {
  GRYM_NEED_PEER();
  const auto budget = std::make_shared<MemoryBudget>(kMuchRoom);
  const auto model = MusicOn(budget);
  {
    const auto generator = model->NewGenerator().value();
    const auto stream = generator->Stream(Jig()).value();
    ASSERT_TRUE(stream->Next({}).ok());
    EXPECT_EQ(budget->free_bytes(), kMuchRoom - PlannedWithin(*model, kMuchRoom));
  }
  EXPECT_EQ(budget->free_bytes(), kMuchRoom - budget->used_bytes());
  EXPECT_EQ(model->nets().Idle(false), budget->used_bytes());
  model->nets().Idle(true);
  EXPECT_EQ(budget->used_bytes(), 0);
}

}  // namespace
}  // namespace grym
