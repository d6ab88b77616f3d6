#include "engine/engine_stream.h"

#include <gtest/gtest.h>

#include <limits>
#include <thread>

#include "grymsynth/engine.h"
#include "grymsynth/error.h"

namespace grym {
namespace {

// Gives three blocks of ten frames, and what it was told on the way; saves nothing.
class CountingModel : public Model {
 public:
  CountingModel() {
    info_.id = "counting";
    info_.version = "1";
    info_.capabilities = {Capability::kGenerate, Capability::kStream};
    info_.rate_hz = 1000;
    info_.channels = 1;
    info_.request_fields = {"temperature"};
  }
  const ModelInfo& info() const override { return info_; }
  ResourceNeed Need(const GenerateAudioRequest&) const override { return {100, 900, 1, 1}; }
  absl::StatusOr<std::unique_ptr<Generator>> NewGenerator() const override { return std::make_unique<Counter>(); }

 private:
  struct Blocks : GenerationStream {
    explicit Blocks(GenerateAudioRequest wanted) : request(std::move(wanted)) {}
    absl::StatusOr<AudioBuffer> Next(const RunOptions& run) override {
      if (absl::Status stopped = run.cancel.Check(); !stopped.ok()) return stopped;
      const int64_t frames = given == 3 ? 0 : 10;
      AudioBuffer block = *AudioBuffer::Create(1, frames, 1000);
      if (request.prompt == "broken" && given == 1) {
        block.mutable_channel(0)[3] = std::numeric_limits<float>::infinity();
      }
      if (given < 3) ++given;
      return block;
    }
    absl::StatusOr<GenerateAudioResult> Finish() override {
      GenerateAudioResult result;
      result.provenance.seed = request.seed;
      return result;
    }
    const GenerateAudioRequest request;
    int given = 0;
  };
  struct Counter : Generator {
    absl::StatusOr<GenerateAudioResult> Generate(const GenerateAudioRequest&, const RunOptions&) override {
      return absl::UnimplementedError("only streams");
    }
    absl::StatusOr<std::unique_ptr<GenerationStream>> Stream(const GenerateAudioRequest& request) override {
      return std::make_unique<Blocks>(request);
    }
  };
  ModelInfo info_;
};

class EngineStreamTest : public ::testing::Test {
 protected:
  EngineStreamTest() : engine_(*Engine::Create()) {
    EXPECT_TRUE(engine_->orchestrator().Register(std::make_shared<CountingModel>()).ok());
    request_.model = "counting";
    request_.duration_s = 1;
  }
  int64_t Used() const { return engine_->orchestrator().Use().front().used_bytes; }
  std::unique_ptr<Engine> engine_;
  GenerateAudioRequest request_;
};

TEST_F(EngineStreamTest, GivesBlocksUnderALeaseAndASeedOfItsOwn) {
  const int64_t before = Used();
  {
    auto stream = engine_->Stream(request_);
    ASSERT_TRUE(stream.ok()) << stream.status();
    EXPECT_EQ(Used(), before + 1000);
    int64_t frames = 0;
    for (;;) {
      const AudioBuffer block = *(*stream)->Next({});
      if (block.empty()) break;
      frames += block.frames();
    }
    EXPECT_EQ(frames, 30);
    EXPECT_GE((*stream)->Finish()->provenance.seed, 0);
  }
  EXPECT_EQ(Used(), before);
}

TEST_F(EngineStreamTest, RefusesWhatTheModelCannotHonourAndSaysWhatItLeftOut) {
  request_.key = "C major";
  EXPECT_EQ(ErrorCode(engine_->Stream(request_).status()), "unsupported_field");
  request_.allow_unsupported = true;
  auto stream = *engine_->Stream(request_);
  EXPECT_EQ(stream->Finish()->warnings.size(), 1u);
  EXPECT_EQ(ErrorCode(stream->Save("state")), "no_saved_state");
  EXPECT_EQ(ErrorCode(engine_->ResumeStream("counting", "state").status()), "no_saved_state");
  EXPECT_TRUE(absl::IsNotFound(engine_->ResumeStream("nobody", "state").status()));
}

TEST_F(EngineStreamTest, ACancelledNextGoesOn) {
  auto stream = *engine_->Stream(request_);
  RunOptions stopped;
  stopped.cancel.Cancel();
  EXPECT_TRUE(absl::IsCancelled(stream->Next(stopped).status()));
  EXPECT_EQ(stream->Next({})->frames(), 10);
}

TEST_F(EngineStreamTest, SharesBusyCoresAndWaitsForMemoryInTurn) {
  const DeviceUse device = engine_->orchestrator().Use().front();
  auto cores = engine_->orchestrator().BalanceResources({"other", "cpu", 0, device.cores});
  ASSERT_TRUE(cores.ok()) << cores.status();
  EXPECT_TRUE(engine_->Stream(request_).ok());
  auto bytes = engine_->orchestrator().BalanceResources({"other", "cpu", device.budget_bytes, 0});
  ASSERT_TRUE(bytes.ok()) << bytes.status();
  std::thread giver([&] { bytes->Release(); });
  EXPECT_TRUE(engine_->Stream(request_).ok());
  giver.join();
}

TEST_F(EngineStreamTest, AnEngineThatIsClosedEndsTheWaitForMemory) {
  const DeviceUse device = engine_->orchestrator().Use().front();
  auto bytes = engine_->orchestrator().BalanceResources({"other", "cpu", device.budget_bytes, 0});
  ASSERT_TRUE(bytes.ok()) << bytes.status();
  std::thread closer([&] { EXPECT_TRUE(engine_->Close().ok()); });
  const absl::Status refused = engine_->Stream(request_).status();
  EXPECT_TRUE(absl::IsCancelled(refused) || ErrorCode(refused) == "engine_closed") << refused;
  closer.join();
}

TEST_F(EngineStreamTest, SeveralTakesCannotBeRankedBeforeTheyAreWhole) {
  request_.takes = 2;
  EXPECT_EQ(ErrorCode(engine_->Stream(request_).status()), "not_streamed");
  request_.takes = 1;
  EXPECT_TRUE(engine_->Stream(request_).ok());
}

TEST_F(EngineStreamTest, NoInfinitySlipsThroughAndAClosedEngineGivesNoMore) {
  request_.prompt = "broken";
  auto stream = *engine_->Stream(request_);
  EXPECT_TRUE(stream->Next({}).ok());
  for (int again = 0; again < 3; ++again) EXPECT_EQ(ErrorCode(stream->Next({}).status()), "bad_hand_over") << again;
  EXPECT_EQ(ErrorCode(stream->Finish().status()), "bad_hand_over");
  EXPECT_EQ(ErrorCode(stream->Save("state")), "bad_hand_over");
  EXPECT_TRUE(engine_->Close().ok());
  EXPECT_EQ(ErrorCode(stream->Next({}).status()), "engine_closed");
  stream.reset();
  EXPECT_EQ(ErrorCode(engine_->Stream(request_).status()), "engine_closed");
}

TEST_F(EngineStreamTest, TheComposersBlocksAreItsTake) {
  GenerateAudioRequest request;
  request.model = "composer";
  request.prompt = "calm piano";
  request.duration_s = 3;
  request.seed = 5;
  const GenerateAudioResult whole = *engine_->Generate(request);
  auto stream = *engine_->Stream(request);
  AudioBuffer joined;
  for (;;) {
    AudioBuffer block = *stream->Next({});
    if (block.empty()) break;
    if (joined.empty()) {
      joined = std::move(block);
    } else {
      ASSERT_TRUE(joined.Append(block).ok());
    }
  }
  ASSERT_EQ(joined.frames(), whole.audio.frames());
  EXPECT_TRUE(std::equal(joined.planar().begin(), joined.planar().end(), whole.audio.planar().begin()));
  EXPECT_EQ(stream->Finish()->provenance.seed, whole.provenance.seed);
}

}  // namespace
}  // namespace grym
