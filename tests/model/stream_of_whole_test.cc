#include "model/stream_of_whole.h"

#include <gtest/gtest.h>

#include <vector>

#include "grymsynth/error.h"
#include "grymsynth/model.h"

namespace grym {
namespace {

// Makes `duration_s` of a ramp; stops when it is told to, and fails for the prompt "fail".
class RampGenerator : public Generator {
 public:
  absl::StatusOr<GenerateAudioResult> Generate(const GenerateAudioRequest& request, const RunOptions& run) override {
    ++calls;
    if (absl::Status stopped = run.cancel.Check(); !stopped.ok()) return stopped;
    if (request.prompt == "fail") return absl::InternalError("it broke");
    std::vector<float> ramp(static_cast<size_t>(request.duration_s * 1000));
    for (size_t i = 0; i < ramp.size(); ++i) ramp[i] = static_cast<float>(i);
    GenerateAudioResult result;
    result.audio = *AudioBuffer::FromPlanar(std::move(ramp), 1, 1000);
    result.provenance.seed = request.seed;
    return result;
  }
  int calls = 0;
};

TEST(StreamOfWholeTest, BlocksAreTheWholeInOrder) {
  RampGenerator generator;
  GenerateAudioRequest request;
  request.duration_s = 2.5;
  request.seed = 7;
  auto stream = *generator.Stream(request);
  EXPECT_EQ(ErrorCode(stream->Finish().status()), "not_finished");
  std::vector<int64_t> lengths;
  float expected = 0;
  for (;;) {
    const AudioBuffer block = *stream->Next({});
    if (block.empty()) break;
    lengths.push_back(block.frames());
    for (float sample : block.channel(0)) EXPECT_EQ(sample, expected++);
  }
  EXPECT_EQ(lengths, (std::vector<int64_t>{1000, 1000, 500}));
  EXPECT_EQ(generator.calls, 1);
  const GenerateAudioResult result = *stream->Finish();
  EXPECT_EQ(result.provenance.seed, 7);
  EXPECT_TRUE(result.audio.empty());
  EXPECT_EQ(ErrorCode(stream->Save("x")), "no_saved_state");
  EXPECT_EQ(ErrorCode(generator.Resume("x").status()), "no_saved_state");
}

TEST(StreamOfWholeTest, CancelledLosesNothingAndAnErrorStays) {
  RampGenerator generator;
  GenerateAudioRequest request;
  request.duration_s = 1;
  auto stream = *generator.Stream(request);
  RunOptions stop;
  stop.cancel.Cancel();
  EXPECT_TRUE(absl::IsCancelled(stream->Next(stop).status()));
  EXPECT_EQ(stream->Next({})->frames(), 1000);

  request.prompt = "fail";
  auto failing = *generator.Stream(request);
  EXPECT_TRUE(absl::IsInternal(failing->Next({}).status()));
  EXPECT_TRUE(absl::IsInternal(failing->Next({}).status()));
  EXPECT_TRUE(absl::IsInternal(failing->Finish().status()));
  EXPECT_EQ(generator.calls, 3);
}

TEST(StreamOfWholeTest, ABatchAnswersEachRequestOrTheFirstError) {
  RampGenerator generator;
  std::vector<GenerateAudioRequest> requests(2);
  requests[0].duration_s = 1;
  requests[1].duration_s = 2;
  const auto results = *generator.GenerateBatch(requests, {});
  ASSERT_EQ(results.size(), 2u);
  EXPECT_EQ(results[1].audio.frames(), 2000);
  requests[1].prompt = "fail";
  EXPECT_TRUE(absl::IsInternal(generator.GenerateBatch(requests, {}).status()));
}

}  // namespace
}  // namespace grym
