#include "models/encodec/decoder.h"

#include <gmock/gmock.h>

#include <algorithm>
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

using ::testing::HasSubstr;
using testing::Distance;
using testing::DistanceOf;

at::Tensor Decoded(const EncodecDecoder& net, const at::Tensor& codes, int64_t chunk = kEncodecChunkFrames) {
  return TorchGuard("encodec", [&]() -> absl::StatusOr<at::Tensor> { return net.Decode(codes, {}, chunk); }).value();
}

// The same by pushes of `block` frames each.
at::Tensor Streamed(const EncodecDecoder& net, const at::Tensor& codes, int64_t block) {
  return TorchGuard("encodec", [&]() -> absl::StatusOr<at::Tensor> {
    EncodecDecoder::Stream stream(net, block);
    std::vector<at::Tensor> pieces;
    for (int64_t at = 0; at < codes.size(1); at += block) {
      pieces.push_back(stream.Push(codes.narrow(1, at, std::min(block, codes.size(1) - at))));
    }
    pieces.push_back(stream.Finish());
    return at::cat(pieces, 1);
  }).value();
}

void ExpectDecodesAsThePeer(const EncodecDecoder& net, const TensorSet& peer) {
  const at::Tensor codes = testing::PeerTensor(peer, "codes"), reference = testing::PeerTensor(peer, "waveform");
  const at::Tensor own = codes.view({-1, codes.size(-1)});
  ASSERT_TRUE(net.Check(own).ok()) << net.Check(own);
  const at::Tensor wave = Decoded(net, own);
  ASSERT_EQ(wave.numel(), reference.numel());
  const Distance distance = DistanceOf(wave, reference);
  EXPECT_GT(distance.snr_db, 60);
  std::printf("encodec: %d frames, SNR %.1f dB, max relative error %.1e\n", static_cast<int>(codes.size(-1)),
              distance.snr_db, distance.max_relative_error);
}

TEST(EncodecDecoderTest, DecodesAsTransformersDoes) {
  GRYM_NEED_PEER();
  const auto folder = testing::PeerCheckpoint("encodec-tiny");
  const auto run = testing::PeerRun(folder, "codec", {"--seconds", "2.5"});
  ExpectDecodesAsThePeer(*testing::OpenedDecoder(folder), TensorSet::Open(run).value());
}

TEST(EncodecDecoderTest, DecodesWithinMusicGen) {
  GRYM_NEED_PEER();
  const auto folder = testing::PeerCheckpoint("musicgen-tiny");
  const auto run = testing::PeerRun(folder, "decode", {"--tokens", "30"});
  ExpectDecodesAsThePeer(*testing::OpenedDecoder(folder, "audio_encoder"), TensorSet::Open(run).value());
}

// Causal and not, both channels, odd ratios and sizes, every padding, several residual layers, both spellings of the
// weight norms; and lengths down to a single frame, where padding reflects more than there is.
TEST(EncodecDecoderTest, DecodesEveryKindAsTransformersDoes) {
  GRYM_NEED_PEER();
  for (const std::string& kind : testing::EncodecKinds()) {
    SCOPED_TRACE(kind);
    const auto folder = testing::EncodecKindFolder(kind);
    const TensorSet peer = TensorSet::Open(folder / "run" / "run.safetensors").value();
    const auto net = testing::OpenedDecoder(folder);
    for (const int64_t frames : {1, 2, 3, 5, 40}) {
      SCOPED_TRACE(frames);
      const std::string name = "decode." + std::to_string(frames) + ".";
      const at::Tensor codes = testing::PeerTensor(peer, name + "codes");
      const at::Tensor wave = Decoded(*net, codes), reference = testing::PeerTensor(peer, name + "wave");
      ASSERT_EQ(wave.sizes(), reference.sizes());
      EXPECT_GT(DistanceOf(wave, reference).snr_db, 90);
      for (const int64_t block : {1, 3, 16}) {
        EXPECT_LT((Streamed(*net, codes, block) - wave).abs().max().item<double>(), 1e-5);
      }
    }
  }
}

TEST(EncodecDecoderTest, BlocksTogetherAreTheWhole) {
  GRYM_NEED_PEER();
  const auto net = testing::OpenedDecoder(testing::PeerCheckpoint("encodec-tiny"));
  for (const int64_t frames : {1, 2, 7, 100, 300}) {
    const at::Tensor codes = testing::RandomCodes(net->config(), frames), wave = Decoded(*net, codes, 10000);
    const double loudest = wave.abs().max().item<double>();
    for (const int64_t block : {1, 2, 5, 32, 100, 1000}) {
      const at::Tensor blocks = Streamed(*net, codes, block);
      ASSERT_EQ(blocks.sizes(), wave.sizes());
      EXPECT_LT((blocks - wave).abs().max().item<double>(), 1e-5 * std::max(1.0, loudest)) << frames << " " << block;
    }
    EXPECT_LT((Decoded(*net, codes, 13) - wave).abs().max().item<double>(), 1e-5 * std::max(1.0, loudest));
  }
}

// No sample that was given out depends on codes that had not come, and none is held back longer than is said.
void ExpectSameBits(const at::Tensor& ours, const at::Tensor& wanted) {
  ASSERT_EQ(ours.sizes(), wanted.sizes());
  const float* const first = ours.const_data_ptr<float>();
  EXPECT_TRUE(std::equal(first, first + ours.numel(), wanted.const_data_ptr<float>()));
}

// From every frame on, also within the first ones, where a layer has seen less than its padding.
TEST(EncodecDecoderTest, AMemoryGoesOnToTheSameBits) {
  GRYM_NEED_PEER();
  for (const std::string& kind : testing::EncodecKinds()) {
    SCOPED_TRACE(kind);
    const auto net = testing::OpenedDecoder(testing::EncodecKindFolder(kind));
    const int64_t frames = 30, books = net->config().books();
    at::Tensor codes = at::empty({books, frames}, at::kLong);
    for (int64_t i = 0; i < codes.numel(); ++i)
      codes.mutable_data_ptr<int64_t>()[i] = i * i * 31 % net->config().codebook_size;
    const absl::Status done = TorchGuard("encodec", [&]() -> absl::Status {
      for (int64_t at = 0; at < frames; ++at) {
        SCOPED_TRACE(at);
        EncodecDecoder::Stream stream(*net, 16), other(*net, 16);
        const int64_t given = at == 0 ? 0 : stream.Push(codes.narrow(1, 0, at)).size(1);
        const std::vector<float> memory = stream.Memory();
        EXPECT_EQ(other.Recall(at, memory).value(), given);
        for (int64_t from = at; from < frames; from += 7) {
          const at::Tensor more = codes.narrow(1, from, std::min<int64_t>(7, frames - from));
          ExpectSameBits(other.Push(more), stream.Push(more));
        }
        ExpectSameBits(other.Finish(), stream.Finish());
        EncodecDecoder::Stream wrong(*net, 16);
        std::vector<float> longer = memory;
        longer.push_back(0);
        EXPECT_EQ(ErrorCode(wrong.Recall(at, longer).status()), "bad_memory");
      }
      return absl::OkStatus();
    });
    EXPECT_TRUE(done.ok()) << done;
  }
}

TEST(EncodecDecoderTest, GivesASampleAsSoonAsItIsFinal) {
  GRYM_NEED_PEER();
  for (const char* preset : {"encodec-tiny", "causal"}) {
    const auto folder = preset[0] == 'c' ? testing::EncodecKindFolder(preset) : testing::PeerCheckpoint(preset);
    const auto net = testing::OpenedDecoder(folder);
    const int64_t hop = net->config().hop(), latency = EncodecDecoder::LatencyFrames(net->config());
    const at::Tensor codes = testing::RandomCodes(net->config(), 40);
    EncodecDecoder::Stream stream(*net, 8);
    int64_t given = 0;
    bool tight = false;
    for (int64_t at = 0; at < 40; ++at) {
      given += stream.Push(codes.narrow(1, at, 1)).size(1);
      EXPECT_LE(given, (at + 1) * hop);
      // Before the first sound the reflected edges want some frames more.
      if (at < 10) continue;
      EXPECT_GE(given, (at + 1 - latency) * hop) << preset;
      tight = tight || given < (at + 2 - latency) * hop;
    }
    EXPECT_TRUE(tight) << preset << ": fewer frames of latency would be the truth";
    EXPECT_EQ(given + stream.Finish().size(1), 40 * hop);
  }
}

TEST(EncodecDecoderTest, RefusesCodesThatAreNone) {
  GRYM_NEED_PEER();
  const auto net = testing::OpenedDecoder(testing::PeerCheckpoint("encodec-tiny"));
  const at::Tensor codes = testing::RandomCodes(net->config(), 10);
  EXPECT_TRUE(net->Check(codes).ok());
  EXPECT_TRUE(net->Check(codes.narrow(0, 0, 2)).ok());
  for (const at::Tensor& bad : {codes.view({-1}), codes.to(at::kFloat), codes.narrow(1, 0, 0), codes.narrow(0, 0, 0),
                                at::cat({codes, codes})}) {
    EXPECT_EQ(ErrorCode(net->Check(bad)), "bad_codes");
  }
  at::Tensor other = codes.clone();
  other[1][7].fill_(net->config().codebook_size);
  EXPECT_THAT(net->Check(other).message(), HasSubstr("got 64 in book 1, frame 7"));
  other[1][7].fill_(-1);
  EXPECT_EQ(ErrorCode(net->Check(other)), "bad_codes");
  CancelToken cancel;
  cancel.Cancel();
  EXPECT_FALSE(net->Decode(codes, cancel).defined());
}

TEST(EncodecDecoderTest, TakesWhatItSaidAndNoMore) {
  GRYM_NEED_PEER();
  for (const std::string& kind : {std::string("mono"), std::string("stereo")}) {
    const auto folder = testing::EncodecKindFolder(kind);
    const EncodecConfig config = testing::EncodecConfigIn(folder);
    const auto budget = std::make_shared<MemoryBudget>(int64_t{1} << 32);
    const BudgetScope scope(budget);
    const auto net = testing::OpenedDecoder(folder);
    const auto weights = static_cast<double>(budget->used_bytes());
    const auto told = static_cast<double>(EncodecDecoder::WeightBytes(config, Precision::kFloat32));
    EXPECT_GE(told, weights);
    EXPECT_LE(told, 1.1 * weights);
    for (const int64_t frames : {3, 50, 400}) {
      for (const int64_t chunk : {20, 256}) {
        const at::Tensor codes = testing::RandomCodes(config, frames);
        const int64_t before = budget->used_bytes();
        budget->ResetPeak();
        const at::Tensor wave = Decoded(*net, codes, chunk);
        const auto measured = static_cast<double>(budget->peak_bytes() - before);
        const auto bytes = static_cast<double>(EncodecDecoder::WorkingBytes(config, frames, chunk));
        EXPECT_GE(bytes, measured) << frames << " " << chunk;
        EXPECT_LE(bytes, 1.1 * measured) << frames << " " << chunk;
      }
    }
  }
}

// Where somebody made them: the reference needs seconds and gigabytes.
TEST(EncodecDecoderTest, DecodesAtFullSize) {
  const auto folder = std::filesystem::path(GRYM_BINARY_DIR) / "peer" / "encodec-32khz";
  const std::filesystem::path run = folder.string() + ".codec.safetensors";
  if (!std::filesystem::exists(run)) GTEST_SKIP() << "needs " << run << ", made by make_checkpoint.py and peer_run.py";
  const auto budget = std::make_shared<MemoryBudget>(int64_t{1} << 32);
  const BudgetScope scope(budget);
  const auto net = testing::OpenedDecoder(folder);
  EXPECT_LE(static_cast<double>(budget->peak_bytes()), 1.05 * static_cast<double>(budget->used_bytes()));
  ExpectDecodesAsThePeer(*net, TensorSet::Open(run).value());
}

}  // namespace
}  // namespace grym
