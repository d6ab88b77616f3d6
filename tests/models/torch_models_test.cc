#include "grymsynth/torch_models.h"

#include "base/json.h"
#include "grymsynth/error.h"
#include "gtest/gtest.h"
#include "support/peer.h"
#include "support/scratch.h"

namespace grym {
namespace {

GenerateAudioRequest ShortRequest() {
  GenerateAudioRequest request;
  request.prompt = "rain on a tin roof";
  request.duration_s = 1.28;
  request.seed = 5;
  request.steps = 2;
  return request;
}

int64_t PeakOf(const Model& model, const GenerateAudioRequest& request) {
  const auto plan = model.Plan(request);
  EXPECT_TRUE(plan.ok()) << plan.status();
  return plan.ok() ? Json::Parse(*plan)->at("peakBytes").integer() : 0;
}

TEST(TorchModelsTest, AnIdleModelMakesRoomAndComesBack) {
  GRYM_NEED_PEER();
  const auto maker_folder = testing::PeerCheckpoint("audioldm-tiny"), ears_folder = testing::PeerCheckpoint("clap-tiny");
  const GenerateAudioRequest request = ShortRequest();
  const auto alone = TorchModelOpener()(maker_folder, {});
  ASSERT_TRUE(alone.ok()) << alone.status();
  OpenModelOptions options;
  options.device_budget_bytes = PeakOf(**alone, request) + 1000;  // too little for both
  const ModelOpener open = TorchModelOpener();
  const auto ears = open(ears_folder, options), maker = open(maker_folder, options);
  ASSERT_TRUE(ears.ok()) << ears.status();
  ASSERT_TRUE(maker.ok()) << maker.status();
  std::vector<float> first, bytes;
  for (int round = 0; round < 2; ++round) {
    const auto heard = (*(*ears)->NewEmbedder())->EmbedText("rain", {});
    ASSERT_TRUE(heard.ok()) << heard.status();
    const auto made = (*(*maker)->NewGenerator())->Generate(request, {});
    ASSERT_TRUE(made.ok()) << made.status();
    EXPECT_LE(made->peak_bytes, options.device_budget_bytes);
    const std::vector<float> wave(made->audio.channel(0).begin(), made->audio.channel(0).end());
    if (round == 0) {
      first = *heard;
      bytes = wave;
    }
    EXPECT_EQ(*heard, first);
    EXPECT_EQ(wave, bytes);
  }
}

TEST(TorchModelsTest, AnEngineTakesAModelByFolderAndGoesByItsId) {
  GRYM_NEED_PEER();
  const auto engine = Engine::Create();
  ASSERT_TRUE(engine.ok());
  const auto folder = testing::PeerCheckpoint("clap-tiny");
  EXPECT_EQ(ErrorCode((*engine)->OpenModel(folder).status()), "no_opener");
  RegisterTorch(**engine);
  const auto id = (*engine)->OpenModel(folder);
  ASSERT_TRUE(id.ok()) << id.status();
  EXPECT_EQ(*id, "clap-tiny");
  EXPECT_EQ((*engine)->OpenModel(folder).status().code(), absl::StatusCode::kAlreadyExists);
  AudioTask task;
  task.capability = Capability::kEmbedAudio;
  task.model = *id;
  task.audio = *AudioBuffer::Create(1, 48000, 48000);
  const auto chain = (*engine)->orchestrator().RouteTask(task);
  ASSERT_TRUE(chain.ok()) << chain.status();
  const auto done = (*engine)->orchestrator().ExecuteChain(*chain);
  ASSERT_TRUE(done.ok()) << done.status();
  EXPECT_EQ(done->embedding.size(), 32u);
  EXPECT_TRUE((*engine)->CloseModel(*id).ok());
  EXPECT_EQ((*engine)->orchestrator().RouteTask(task).status().code(), absl::StatusCode::kNotFound);
}

TEST(TorchModelsTest, AFolderOfAnotherFamilyIsToldOf) {
  const testing::Scratch scratch;
  EXPECT_EQ(ErrorCode(TorchModelOpener()(scratch.path() / "nothing", {}).status()), "file_not_found");
  const auto wrong = TorchModelOpener()(scratch.path(), {.device = "tpu"});
  EXPECT_EQ(ErrorCode(wrong.status()), "bad_device");
}

}  // namespace
}  // namespace grym
