#include "models/hifigan/net.h"

#include <gtest/gtest.h>

#include "checkpoint/config_reader.h"
#include "runtime/torch_guard.h"
#include "support/peer.h"

namespace grym {
namespace {

std::shared_ptr<const HifiGan> Opened(const std::filesystem::path& folder) {
  const HifiGanConfig config =
      HifiGanConfig::Parse(ReadConfig(folder / "config.json").value(), "vocoder/config.json").value();
  const TensorSet set = TensorSet::Open(folder).value();
  return TorchGuard("vocoder", [&] { return HifiGan::Load(set, config, {}); }).value();
}

TEST(HifiGanTest, SynthesizesAsTransformersDoes) {
  GRYM_NEED_PEER();
  const auto folder = testing::PeerCheckpoint("audioldm-tiny");
  const TensorSet peer =
      TensorSet::Open(testing::PeerRun(folder, "short", {"--seconds", "0.64", "--steps", "2"})).value();
  const auto net = Opened(folder / "vocoder");
  const at::Tensor mel = testing::PeerTensor(peer, "mel").squeeze(1), reference = testing::PeerTensor(peer, "waveform");
  const at::Tensor wave = TorchGuard("vocoder", [&] { return net->Synthesize(mel); }).value();
  const at::Tensor same = wave.narrow(1, 0, reference.size(1));  // the pipeline cuts what is over the wanted length
  testing::ExpectSameStage("waveform", same, reference);
  EXPECT_GT(testing::DistanceOf(same, reference).snr_db, 60);
  for (const int64_t chunk : {7, 20, 63}) {
    const at::Tensor pieces = TorchGuard("vocoder", [&] { return net->Synthesize(mel, chunk); }).value();
    EXPECT_LE((pieces - wave).abs().max().item<float>(), 1e-6f * wave.abs().max().item<float>()) << chunk;
  }
}

}  // namespace
}  // namespace grym
