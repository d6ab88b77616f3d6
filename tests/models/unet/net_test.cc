#include "models/unet/net.h"

#include "checkpoint/config_reader.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "runtime/memory_budget.h"
#include "runtime/torch_guard.h"
#include "support/peer.h"

namespace grym {
namespace {

using testing::PeerCheckpoint;
using testing::PeerRun;
using testing::PeerTensor;

std::shared_ptr<const Unet> LoadUnet(const std::filesystem::path& checkpoint, Precision precision = Precision::kFloat32) {
  const auto json = ReadConfig(checkpoint / "unet" / "config.json");
  EXPECT_TRUE(json.ok()) << json.status();
  if (!json.ok()) return nullptr;
  const auto config = ReadUnetConfig(*json, "unet/config.json");
  EXPECT_TRUE(config.ok()) << config.status();
  const auto set = TensorSet::Open(checkpoint / "unet");
  EXPECT_TRUE(set.ok()) << set.status();
  if (!config.ok() || !set.ok()) return nullptr;
  WeightOptions options;
  options.precision = precision;
  const auto unet = TorchGuard("unet", [&] { return Unet::Load(*set, *config, options); });
  EXPECT_TRUE(unet.ok()) << unet.status();
  return unet.ok() ? *unet : nullptr;
}

at::Tensor FirstStep(const Unet& unet, const TensorSet& run) {
  const auto output = TorchGuard("unet", [&]() -> absl::StatusOr<at::Tensor> {
    const at::Tensor embeds = PeerTensor(run, "prompt_embeds"), times = PeerTensor(run, "timesteps");
    const UnetConditions conditions =
        unet.Conditions({static_cast<double>(times.data_ptr<int64_t>()[0])}, embeds, embeds.size(0));
    return unet(PeerTensor(run, "unet.0.input"), conditions, 0);
  });
  EXPECT_TRUE(output.ok()) << output.status();
  return output.ok() ? *output : at::Tensor();
}

void ExpectSameStep(const std::string& name, const std::filesystem::path& checkpoint,
                    const std::vector<std::string>& options) {
  const auto run = TensorSet::Open(PeerRun(checkpoint, name, options));
  ASSERT_TRUE(run.ok()) << run.status();
  const auto unet = LoadUnet(checkpoint);
  ASSERT_TRUE(unet);
  EXPECT_THAT(unet->unread_tensors(), ::testing::IsEmpty());
  const at::Tensor ours = FirstStep(*unet, *run), theirs = PeerTensor(*run, "unet.0.output");
  testing::ExpectSameStage(name, ours, theirs);
  const auto distance = testing::DistanceOf(ours, theirs);
  ::testing::Test::RecordProperty(name + " max relative error", std::to_string(distance.max_relative_error));
}

TEST(UnetTest, AnswersAsTheReferenceDoes) {
  GRYM_NEED_PEER();
  ExpectSameStep("two-seconds", PeerCheckpoint("audioldm-tiny"), {"--seconds", "2", "--steps", "3"});
}

}  // namespace
}  // namespace grym
