#include "models/encodec/encoder.h"

#include <cmath>
#include <filesystem>

#include "grymsynth/error.h"
#include "gtest/gtest.h"
#include "models/encodec/encodec_peer.h"
#include "runtime/memory_budget.h"
#include "runtime/torch_guard.h"
#include "support/peer.h"

namespace grym {
namespace {

std::shared_ptr<const EncodecEncoder> OpenedEncoder(const std::filesystem::path& folder, const std::string& part = "") {
  const TensorSet set = TensorSet::Open(folder).value();
  return TorchGuard("encodec", [&] {
    return EncodecEncoder::Load(set, testing::EncodecConfigIn(folder, part), {}, part.empty() ? "" : part + ".");
  }).value();
}

at::Tensor Encoded(const EncodecEncoder& net, const at::Tensor& wave) {
  return TorchGuard("encodec", [&]() -> absl::StatusOr<at::Tensor> { return net.Encode(wave); }).value();
}
at::Tensor StatesOf(const EncodecEncoder& net, const at::Tensor& wave) {
  return TorchGuard("encodec", [&]() -> absl::StatusOr<at::Tensor> { return net.States(wave); }).value();
}

// A frame may take another row than the reference's only where both are equally near but for rounding: then every book
// after it differs for that frame, and it is listed.
void ExpectSameCodes(const at::Tensor& ours, const at::Tensor& reference) {
  ASSERT_EQ(ours.sizes(), reference.sizes());
  int64_t frames = 0;
  for (int64_t frame = 0; frame < ours.size(1); ++frame) {
    for (int64_t book = 0; book < ours.size(0); ++book) {
      if (ours[book][frame].item<int64_t>() == reference[book][frame].item<int64_t>()) continue;
      std::printf("encodec: frame %d differs from book %d on\n", static_cast<int>(frame), static_cast<int>(book));
      ++frames;
      break;
    }
  }
  EXPECT_LE(static_cast<double>(frames), 0.002 * static_cast<double>(ours.size(1)));
}

TEST(EncodecEncoderTest, EncodesAsTransformersDoes) {
  GRYM_NEED_PEER();
  const auto folder = testing::PeerCheckpoint("encodec-tiny");
  const TensorSet peer = TensorSet::Open(testing::PeerRun(folder, "codec", {"--seconds", "2.5"})).value();
  const auto net = OpenedEncoder(folder);
  const at::Tensor wave = testing::PeerTensor(peer, "input.audio");
  testing::ExpectSameStage("encoder.output", StatesOf(*net, wave).t(), testing::PeerTensor(peer, "encoder.output"));
  const at::Tensor codes = testing::PeerTensor(peer, "codes");
  ExpectSameCodes(Encoded(*net, wave), codes.view({-1, codes.size(-1)}));
}

TEST(EncodecEncoderTest, EncodesEveryKindAsTransformersDoes) {
  GRYM_NEED_PEER();
  for (const std::string& kind : testing::EncodecKinds()) {
    const auto folder = testing::EncodecKindFolder(kind);
    const TensorSet peer = TensorSet::Open(folder / "run" / "run.safetensors").value();
    const auto net = OpenedEncoder(folder);
    for (const int64_t frames : {1, 2, 3, 5, 40}) {
      for (const int64_t less : {int64_t{0}, int64_t{1}, net->config().hop() - 1}) {
        SCOPED_TRACE(kind + " " + std::to_string(frames) + " " + std::to_string(less));
        const std::string name = "encode." + std::to_string(frames) + "." + std::to_string(less) + ".";
        const at::Tensor wave = testing::PeerTensor(peer, name + "sound");
        testing::ExpectSameStage("states", StatesOf(*net, wave).t(), testing::PeerTensor(peer, name + "states"));
        ExpectSameCodes(Encoded(*net, wave), testing::PeerTensor(peer, name + "codes"));
      }
    }
  }
}

// 3.1 s, so that the chunks end in the middle of a frame, against pushes of every size.
TEST(EncodecEncoderTest, PiecesTogetherAreTheWhole) {
  GRYM_NEED_PEER();
  const auto folder = testing::EncodecKindFolder("stereo");
  const auto net = OpenedEncoder(folder);
  const int64_t samples = 24803;
  at::Tensor wave = at::sin(at::arange(2 * samples, at::kFloat) * 0.37).view({2, samples});
  wave = wave * at::sin(at::arange(samples, at::kFloat) * 0.001);
  const at::Tensor whole = Encoded(*net, wave);
  for (const int64_t piece : {1000, 4097, 20000}) {
    EncodecEncoder::Stream stream(*net, 3000);
    std::vector<at::Tensor> codes;
    for (int64_t at = 0; at < samples; at += piece) {
      codes.push_back(stream.Push(wave.narrow(1, at, std::min(piece, samples - at))));
    }
    codes.push_back(stream.Finish());
    ExpectSameCodes(at::cat(codes, 1), whole);
  }
}

TEST(EncodecEncoderTest, SilenceHasCodesAndOtherShapesAreRefused) {
  GRYM_NEED_PEER();
  const auto net = OpenedEncoder(testing::PeerCheckpoint("encodec-tiny"));
  const at::Tensor codes = Encoded(*net, at::zeros({1, 6400}));
  EXPECT_EQ(codes.size(1), 10);
  // Far from the edges every frame of silence is the same.
  EXPECT_TRUE(codes.select(1, 5).equal(codes.select(1, 6)));
  EXPECT_EQ(Encoded(*net, at::zeros({1, 1})).size(1), 1);
  for (const at::Tensor& bad : {at::zeros({2, 6400}), at::zeros({6400}), at::zeros({1, 0}),
                                at::zeros({1, 6400}, at::kDouble)}) {
    EXPECT_EQ(ErrorCode(net->Check(bad)), "bad_wave");
  }
  CancelToken cancel;
  cancel.Cancel();
  EXPECT_FALSE(net->Encode(at::zeros({1, 6400}), cancel).defined());
}

TEST(EncodecEncoderTest, TakesWhatItSaidAndNoMore) {
  GRYM_NEED_PEER();
  for (const std::string& kind : {std::string("mono"), std::string("stereo")}) {
    const auto folder = testing::EncodecKindFolder(kind);
    const EncodecConfig config = testing::EncodecConfigIn(folder);
    const auto budget = std::make_shared<MemoryBudget>(int64_t{1} << 32);
    const BudgetScope scope(budget);
    const auto net = OpenedEncoder(folder);
    const auto weights = static_cast<double>(budget->used_bytes());
    const auto told = static_cast<double>(EncodecEncoder::WeightBytes(config, Precision::kFloat32));
    EXPECT_GE(told, weights);
    EXPECT_LE(told, 1.1 * weights);
    for (const int64_t samples : {500, 20000, 200000}) {
      const at::Tensor wave = at::sin(at::arange(config.audio_channels * samples, at::kFloat)).view({-1, samples});
      const int64_t before = budget->used_bytes();
      budget->ResetPeak();
      const at::Tensor codes = Encoded(*net, wave);
      const auto measured = static_cast<double>(budget->peak_bytes() - before);
      const auto bytes = static_cast<double>(EncodecEncoder::WorkingBytes(config, samples));
      EXPECT_GE(bytes, measured) << samples;
      EXPECT_LE(bytes, 1.1 * measured) << samples;
    }
  }
}

TEST(EncodecEncoderTest, EncodesAtFullSize) {
  const auto folder = std::filesystem::path(GRYM_BINARY_DIR) / "peer" / "encodec-32khz";
  const std::filesystem::path run = folder.string() + ".codec.safetensors";
  if (!std::filesystem::exists(run)) GTEST_SKIP() << "needs " << run << ", made by make_checkpoint.py and peer_run.py";
  const TensorSet peer = TensorSet::Open(run).value();
  const auto net = OpenedEncoder(folder);
  const at::Tensor wave = testing::PeerTensor(peer, "input.audio"), codes = testing::PeerTensor(peer, "codes");
  testing::ExpectSameStage("encoder.output", StatesOf(*net, wave).t(), testing::PeerTensor(peer, "encoder.output"));
  ExpectSameCodes(Encoded(*net, wave), codes.view({-1, codes.size(-1)}));
}

}  // namespace
}  // namespace grym
