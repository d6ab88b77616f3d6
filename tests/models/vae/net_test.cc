#include "models/vae/net.h"

#include <gtest/gtest.h>

#include "checkpoint/config_reader.h"
#include "runtime/memory_budget.h"
#include "runtime/torch_guard.h"
#include "support/peer.h"

namespace grym {
namespace {

std::shared_ptr<const VaeDecoder> Opened(const std::filesystem::path& folder) {
  const VaeConfig config = VaeConfig::Parse(ReadConfig(folder / "config.json").value(), "vae/config.json").value();
  const TensorSet set = TensorSet::Open(folder).value();
  return TorchGuard("vae", [&] { return VaeDecoder::Load(set, config, {}); }).value();
}

TEST(VaeDecoderTest, DecodesAsDiffusersDoes) {
  GRYM_NEED_PEER();
  const auto folder = testing::PeerCheckpoint("audioldm-tiny");
  const auto run = testing::PeerRun(folder, "short", {"--seconds", "0.64", "--steps", "2"});
  const TensorSet peer = TensorSet::Open(run).value();
  const auto decoder = Opened(folder / "vae");
  const at::Tensor mel =
      TorchGuard("vae", [&] { return decoder->Decode(testing::PeerTensor(peer, "vae.input")); }).value();
  testing::ExpectSameStage("mel", mel, testing::PeerTensor(peer, "mel"));
  for (const int64_t tile : {1, 7, 16, 1000}) {
    const at::Tensor tiled =
        TorchGuard("vae", [&] { return decoder->Decode(testing::PeerTensor(peer, "vae.input"), tile); }).value();
    EXPECT_GT(testing::DistanceOf(tiled, mel).snr_db, 100) << tile;
  }
}

}  // namespace
}  // namespace grym
