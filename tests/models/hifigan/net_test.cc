#include "models/hifigan/net.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "checkpoint/config_reader.h"
#include "models/hifigan/working_set.h"
#include "runtime/memory_budget.h"
#include "runtime/seeded_noise.h"
#include "runtime/torch_guard.h"
#include "support/peer.h"

namespace grym {
namespace {

const c10::Device kCpu(c10::DeviceType::CPU);

HifiGanConfig ConfigOf(const std::filesystem::path& folder) {
  return HifiGanConfig::Parse(ReadConfig(folder / "config.json").value(), "vocoder/config.json").value();
}

std::shared_ptr<const HifiGan> Opened(const std::filesystem::path& folder, const std::string& file = "",
                                      Precision precision = Precision::kFloat32) {
  const TensorSet set = TensorSet::Open(file.empty() ? folder : folder / file).value();
  return TorchGuard("vocoder", [&] { return HifiGan::Load(set, ConfigOf(folder), {.precision = precision}); }).value();
}

at::Tensor Made(const HifiGan& net, const at::Tensor& mel, int64_t chunk = 0) {
  return TorchGuard("vocoder", [&] { return net.Synthesize(mel, chunk); }).value();
}

at::Tensor Normal(const std::vector<int64_t>& shape, int64_t seed) {
  at::Generator generator = SeededGenerator(seed);
  return Noise(shape, generator);
}

void ExpectSynthesizesAsThePeer(const std::filesystem::path& folder, const std::filesystem::path& run) {
  const TensorSet peer = TensorSet::Open(run).value();
  const at::Tensor mel = testing::PeerTensor(peer, "mel").squeeze(1), reference = testing::PeerTensor(peer, "waveform");
  // The pipeline cuts what is over the wanted length.
  const at::Tensor wave = Made(*Opened(folder / "vocoder"), mel).narrow(1, 0, reference.size(1));
  testing::ExpectSameStage("waveform", wave, reference);
  const testing::Distance distance = testing::DistanceOf(wave, reference);
  EXPECT_GT(distance.snr_db, 60);
  std::printf("vocoder: cosine 1 - %.1e, max relative error %.1e, SNR %.1f dB\n", 1 - distance.cosine,
              distance.max_relative_error, distance.snr_db);
}

// A vocoder of odd sizes with fused weights large enough for every tap to be seen, and the reference's run on it.
std::filesystem::path FusedPeer() {
  const std::filesystem::path folder = std::filesystem::path(GRYM_BINARY_DIR) / "peer" / "hifigan-fused";
  const std::string script = std::string(GRYM_SOURCE_DIR) + "/tests/models/hifigan/fused_peer.py";
  const std::string command = "mkdir -p '" + folder.string() + "' && '" + testing::PeerPython() + "' '" + script +
                              "' '" + folder.string() + "' >'" + folder.string() + ".log' 2>&1";
  EXPECT_EQ(std::system(command.c_str()), 0) << command;
  return folder;
}

// Pieces of another length are summed in another order by the kernels; a frame too few around them would show at -40 dB.
void ExpectChunksGiveTheWhole(const HifiGan& net, const at::Tensor& mel, std::initializer_list<int64_t> chunks) {
  const at::Tensor wave = Made(net, mel);
  for (const int64_t chunk : chunks) {
    const at::Tensor pieces = Made(net, mel, chunk);
    EXPECT_GT(testing::DistanceOf(pieces, wave).snr_db, 100) << chunk;
    std::printf("vocoder: chunks of %d frames differ by %.1e at most\n", static_cast<int>(chunk),
                (pieces - wave).abs().max().item<double>());
  }
}

TEST(HifiGanTest, SynthesizesAsTransformersDoes) {
  GRYM_NEED_PEER();
  const auto folder = testing::PeerCheckpoint("audioldm-tiny");
  ExpectSynthesizesAsThePeer(folder, testing::PeerRun(folder, "short", {"--seconds", "0.64", "--steps", "2"}));
}

TEST(HifiGanTest, ReadsTheCurrentNamesAndHalfWeights) {
  GRYM_NEED_PEER();
  const auto folder = testing::PeerCheckpoint("audioldm-tiny", "current-half",
                                              {"--names", "current", "--dtype", "float16", "--seed", "3"});
  ExpectSynthesizesAsThePeer(folder,
                             testing::PeerRun(folder, "long", {"--seconds", "1.28", "--steps", "1", "--seed", "9"}));
}

TEST(HifiGanTest, ReadsFusedWeightsOfOddSizesAndNormalises) {
  GRYM_NEED_PEER();
  const auto folder = FusedPeer();
  const TensorSet peer = TensorSet::Open(folder / "run.safetensors").value();
  const auto net = Opened(folder, "model.safetensors");
  const at::Tensor mel = testing::PeerTensor(peer, "mel");
  testing::ExpectSameStage("waveform", Made(*net, mel), testing::PeerTensor(peer, "wave"));
  ExpectChunksGiveTheWhole(*net, mel, {5, 36});
}

// Only when somebody made it: 1.7 GB, and minutes of the reference.
TEST(HifiGanTest, SynthesizesAtFullSize) {
  const auto folder = std::filesystem::path(GRYM_BINARY_DIR) / "peer" / "audioldm-s";
  const std::filesystem::path run = folder.string() + ".short.safetensors";
  if (!std::filesystem::exists(run)) GTEST_SKIP() << "needs " << run << ", made by make_checkpoint.py and peer_run.py";
  ExpectSynthesizesAsThePeer(folder, run);
}

TEST(HifiGanTest, ChunksGiveTheWholesWave) {
  GRYM_NEED_PEER();
  const auto net = Opened(testing::PeerCheckpoint("audioldm-tiny") / "vocoder");
  ExpectChunksGiveTheWhole(*net, Normal({1, 101, 64}, 2), {17, 50, 100, 101});
}

// The range is right if nothing outside it changes a sample, and exact if its outermost frames change some.
TEST(HifiGanTest, FramesBehindASampleAreAllOfThemAndNoMore) {
  GRYM_NEED_PEER();
  const auto folder = FusedPeer();
  const HifiGanConfig config = ConfigOf(folder);
  const auto net = Opened(folder, "model.safetensors");
  const at::Tensor mel = Normal({1, 37, 20}, 2) * 0.01, wave = Made(*net, mel);
  std::vector<at::Tensor> changed;  // by each frame
  for (int64_t frame = 0; frame < 37; ++frame) {
    at::Tensor other = mel.clone();
    other.select(1, frame).add_(3);
    changed.push_back((Made(*net, other) - wave).ne(0));
  }
  const auto changes = [&](int64_t frame, int64_t sample) {
    return changed[static_cast<size_t>(frame)][0][sample].item<bool>();
  };
  int firsts = 0, lasts = 0;
  for (int64_t sample = 18 * 12; sample < 20 * 12; ++sample) {
    const FrameRange range = FramesBehind(config, 37, sample, sample + 1);
    ASSERT_GT(range.begin, 0);
    ASSERT_LT(range.end, 37);
    for (int64_t frame = 0; frame < 37; ++frame) {
      if (frame >= range.begin && frame < range.end) continue;
      EXPECT_FALSE(changes(frame, sample)) << frame << " " << sample;
    }
    firsts += changes(range.begin, sample);
    lasts += changes(range.end - 1, sample);
  }
  EXPECT_GT(firsts, 0);
  EXPECT_GT(lasts, 0);
}

TEST(HifiGanTest, RefusesOtherShapesAndStopsWhenCancelled) {
  GRYM_NEED_PEER();
  const auto net = Opened(testing::PeerCheckpoint("audioldm-tiny") / "vocoder");
  for (const auto& shape : std::vector<std::vector<int64_t>>{{1, 10, 63}, {10, 64}, {1, 0, 64}}) {
    const auto refused = TorchGuard("vocoder", [&] { return net->Synthesize(at::zeros(shape)); });
    EXPECT_EQ(ErrorCode(refused.status()), "bad_mel");
  }
  RunOptions run;
  run.cancel.Cancel();
  const auto cancelled = TorchGuard("vocoder", [&] { return net->Synthesize(at::zeros({1, 4, 64}), 0, run); });
  EXPECT_EQ(cancelled.status().code(), absl::StatusCode::kCancelled);
}

void ExpectTakesWhatItSaid(Precision precision) {
  SCOPED_TRACE(PrecisionName(precision));
  const auto folder = testing::PeerCheckpoint("audioldm-tiny") / "vocoder";
  const HifiGanConfig config = ConfigOf(folder);
  const auto budget = std::make_shared<MemoryBudget>(int64_t{1} << 32);
  const BudgetScope scope(budget);
  const auto net = Opened(folder, "", precision);
  const int64_t weights = budget->used_bytes(), told = HifiGanWeightBytes(config, precision);
  EXPECT_GE(told, weights);
  EXPECT_LE(static_cast<double>(told), 1.1 * static_cast<double>(weights));
  EXPECT_LE(static_cast<double>(budget->peak_bytes()), 1.05 * static_cast<double>(told));
  for (const int64_t frames : {64, 200}) {
    for (const int64_t chunk : {0, 10, 30, 100}) {  // by tiles, or too short for them
      const at::Tensor mel = Normal({1, frames, 64}, 1);
      const int64_t before = budget->used_bytes();
      budget->ResetPeak();
      const at::Tensor wave = Made(*net, mel, chunk);
      const auto measured = static_cast<double>(budget->peak_bytes() - before);
      const int64_t bytes = HifiGanBytes(config, precision, kCpu, 1, frames, chunk);
      EXPECT_GE(static_cast<double>(bytes), measured) << frames << " " << chunk;
      EXPECT_LE(static_cast<double>(bytes), 1.1 * measured) << frames << " " << chunk;
    }
  }
}

TEST(HifiGanTest, TakesWhatItSaidAndNoMore) {
  GRYM_NEED_PEER();
  ExpectTakesWhatItSaid(Precision::kFloat32);
  ExpectTakesWhatItSaid(Precision::kBFloat16x3);
}

TEST(HifiGanConfigTest, TellsEveryFieldThatIsWrong) {
  const auto told = [](const char* text) {
    std::set<std::string> pointers;
    const auto parsed = HifiGanConfig::Parse(Json::Parse(text).value(), "vocoder/config.json");
    EXPECT_EQ(ErrorCode(parsed.status()), "bad_config");
    for (const Problem& problem : ErrorProblems(parsed.status())) pointers.insert(problem.pointer);
    return pointers;
  };
  EXPECT_EQ(told(R"({"upsample_rates": [4, 4]})"), std::set<std::string>{"/upsample_kernel_sizes"});
  EXPECT_EQ(told(R"({"upsample_kernel_sizes": [8, 8, 8, 3]})"), std::set<std::string>{"/upsample_kernel_sizes"});
  EXPECT_EQ(told(R"({"upsample_initial_channel": 8})"), std::set<std::string>{"/upsample_initial_channel"});
  EXPECT_EQ(told(R"({"resblock_kernel_sizes": [3, 4, 5]})"), std::set<std::string>{"/resblock_kernel_sizes"});
  EXPECT_EQ(told(R"({"resblock_dilation_sizes": [[1]], "model_in_dim": "80"})"),
            (std::set<std::string>{"/resblock_dilation_sizes", "/model_in_dim"}));
  const HifiGanConfig absent = HifiGanConfig::Parse(Json::Object(), "vocoder/config.json").value();
  EXPECT_EQ(absent.hop(), 256);
  EXPECT_TRUE(absent.normalize_before);
}

}  // namespace
}  // namespace grym
