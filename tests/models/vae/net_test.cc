#include "models/vae/net.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "checkpoint/config_reader.h"
#include "models/vae/working_set.h"
#include "runtime/memory_budget.h"
#include "runtime/seeded_noise.h"
#include "runtime/torch_guard.h"
#include "support/peer.h"

namespace grym {
namespace {

const c10::Device kCpu(c10::DeviceType::CPU);

VaeConfig ConfigOf(const std::filesystem::path& folder) {
  return VaeConfig::Parse(ReadConfig(folder / "config.json").value(), "vae/config.json").value();
}

template <class Half>
std::shared_ptr<const Half> Opened(const std::filesystem::path& folder, Precision precision = Precision::kFloat32) {
  const TensorSet set = TensorSet::Open(folder).value();
  return TorchGuard("vae", [&] { return Half::Load(set, ConfigOf(folder), {.precision = precision}); }).value();
}

at::Tensor Decoded(const VaeDecoder& decoder, const at::Tensor& latents, int64_t tile = 0) {
  return TorchGuard("vae", [&] { return decoder.Decode(latents, tile); }).value();
}

at::Tensor Normal(const std::vector<int64_t>& shape, int64_t seed) {
  at::Generator generator = SeededGenerator(seed);
  return Noise(shape, generator);
}

void ExpectDecodesAsThePeer(const std::filesystem::path& folder, const std::filesystem::path& run) {
  const TensorSet peer = TensorSet::Open(run).value();
  const at::Tensor latents = testing::PeerTensor(peer, "vae.input"), reference = testing::PeerTensor(peer, "mel");
  const at::Tensor mel = Decoded(*Opened<VaeDecoder>(folder / "vae"), latents);
  testing::ExpectSameStage("mel", mel, reference);
  const testing::Distance distance = testing::DistanceOf(mel, reference);
  std::printf("vae decode: cosine 1 - %.1e, max relative error %.1e, SNR %.1f dB\n", 1 - distance.cosine,
              distance.max_relative_error, distance.snr_db);
}

TEST(VaeDecoderTest, DecodesAsDiffusersDoes) {
  GRYM_NEED_PEER();
  const auto folder = testing::PeerCheckpoint("audioldm-tiny");
  ExpectDecodesAsThePeer(folder, testing::PeerRun(folder, "short", {"--seconds", "0.64", "--steps", "2"}));
}

TEST(VaeDecoderTest, DecodesTheCurrentNamesAndHalfWeights) {
  GRYM_NEED_PEER();
  const auto folder = testing::PeerCheckpoint("audioldm-tiny", "current-half",
                                              {"--names", "current", "--dtype", "float16", "--seed", "3"});
  const std::vector<std::string> other = {"--seconds", "1.28", "--steps", "1", "--seed", "9"};
  ExpectDecodesAsThePeer(folder, testing::PeerRun(folder, "long", other));
}

// Only when somebody made it: 1.7 GB, and minutes of the reference.
TEST(VaeDecoderTest, DecodesAtFullSize) {
  const auto folder = std::filesystem::path(GRYM_BINARY_DIR) / "peer" / "audioldm-s";
  const std::filesystem::path run = folder.string() + ".short.safetensors";
  if (!std::filesystem::exists(run)) GTEST_SKIP() << "needs " << run << ", made by make_checkpoint.py and peer_run.py";
  ExpectDecodesAsThePeer(folder, run);
}

TEST(VaeDecoderTest, TilesGiveTheWholesNumbersAtAnyLength) {
  GRYM_NEED_PEER();
  const auto decoder = Opened<VaeDecoder>(testing::PeerCheckpoint("audioldm-tiny") / "vae");
  for (const int64_t frames : {1, 2, 13, 32}) {
    const at::Tensor latents = Normal({2, 8, frames, 16}, frames), whole = Decoded(*decoder, latents);
    for (const int64_t tile : {1, 7, 16, 1000}) {
      // The promise is -60 dB; rounding alone is below -100.
      EXPECT_GT(testing::DistanceOf(Decoded(*decoder, latents, tile), whole).snr_db, 100) << frames << " " << tile;
    }
  }
}

TEST(VaeDecoderTest, WeightsKeptInBFloat16StayNear) {
  GRYM_NEED_PEER();
  const auto folder = testing::PeerCheckpoint("audioldm-tiny") / "vae";
  const at::Tensor latents = Normal({1, 8, 16, 16}, 5);
  const at::Tensor exact = Decoded(*Opened<VaeDecoder>(folder), latents);
  // Eight bits of mantissa in a dozen layers.
  const at::Tensor half = Decoded(*Opened<VaeDecoder>(folder, Precision::kBFloat16), latents);
  EXPECT_GT(testing::DistanceOf(half, exact).cosine, 0.999);
  const double snr_db =
      testing::DistanceOf(Decoded(*Opened<VaeDecoder>(folder, Precision::kBFloat16x3), latents), exact).snr_db;
  std::printf("  bfloat16x3: %.1f dB to float32\n", snr_db);
  EXPECT_GT(snr_db, 80);
}

TEST(VaeDecoderTest, RefusesOtherShapesAndStopsWhenCancelled) {
  GRYM_NEED_PEER();
  const auto decoder = Opened<VaeDecoder>(testing::PeerCheckpoint("audioldm-tiny") / "vae");
  for (const auto& shape : std::vector<std::vector<int64_t>>{{1, 7, 4, 4}, {8, 4, 4}, {1, 8, 0, 4}}) {
    const auto refused = TorchGuard("vae", [&] { return decoder->Decode(at::zeros(shape)); });
    EXPECT_EQ(ErrorCode(refused.status()), "bad_latents");
  }
  RunOptions run;
  run.cancel.Cancel();
  const auto cancelled = TorchGuard("vae", [&] { return decoder->Decode(at::zeros({1, 8, 4, 4}), 0, run); });
  EXPECT_EQ(cancelled.status().code(), absl::StatusCode::kCancelled);
}

TEST(VaeDecoderTest, NamesWhatIsMissingInAnotherModelsWeights) {
  GRYM_NEED_PEER();
  const auto folder = testing::PeerCheckpoint("audioldm-tiny");
  const TensorSet set = TensorSet::Open(folder / "vocoder").value();
  const auto refused = TorchGuard("vae", [&] { return VaeDecoder::Load(set, ConfigOf(folder / "vae"), {}); });
  EXPECT_EQ(ErrorCode(refused.status()), "bad_weights");
  EXPECT_NE(refused.status().message().find("decoder.conv_in.weight"), std::string::npos) << refused.status();
}

void ExpectDecodingTakesWhatItSaid(Precision precision) {
  SCOPED_TRACE(PrecisionName(precision));
  const auto folder = testing::PeerCheckpoint("audioldm-tiny") / "vae";
  const VaeConfig config = ConfigOf(folder);
  const auto budget = std::make_shared<MemoryBudget>(int64_t{1} << 32);
  const BudgetScope scope(budget);
  const auto decoder = Opened<VaeDecoder>(folder, precision);
  const int64_t weights = budget->used_bytes(), told = VaeDecoderWeightBytes(config, precision);
  EXPECT_GE(told, weights);
  EXPECT_LE(static_cast<double>(told), 1.1 * static_cast<double>(weights));
  // Those of fewer bytes are read in float32 one by one, beside the others.
  if (StorageType(precision) == at::kFloat) {
    EXPECT_LE(static_cast<double>(budget->peak_bytes()), 1.05 * static_cast<double>(told));
  }
  for (const int64_t frames : {32, 128, 200}) {
    for (const int64_t tile : {0, 32, 64}) {
      const at::Tensor latents = Normal({1, 8, frames, 16}, 1);
      const int64_t before = budget->used_bytes();
      budget->ResetPeak();
      const at::Tensor mel = Decoded(*decoder, latents, tile);
      const auto measured = static_cast<double>(budget->peak_bytes() - before);
      const int64_t bytes = VaeDecodeBytes(config, precision, kCpu, 1, frames, 16, tile);
      EXPECT_GE(static_cast<double>(bytes), measured) << frames << " " << tile;
      EXPECT_LE(static_cast<double>(bytes), 1.1 * measured) << frames << " " << tile;
      budget->SetLimit(before + budget->peak_bytes() - before - 1);
      if (frames == 32) {
        const int64_t now = budget->used_bytes();
        EXPECT_FALSE(TorchGuard("vae", [&] { return decoder->Decode(latents, tile); }).ok());
        EXPECT_EQ(budget->used_bytes(), now);
      }
      budget->SetLimit(int64_t{1} << 32);
    }
  }
}

TEST(VaeDecoderTest, TakesWhatItSaidAndNoMore) {
  GRYM_NEED_PEER();
  for (const Precision precision : {Precision::kFloat32, Precision::kBFloat16x3, Precision::kBFloat16}) {
    ExpectDecodingTakesWhatItSaid(precision);
  }
}

TEST(VaeEncoderTest, EncodesAndSamplesAsDiffusersDoes) {
  GRYM_NEED_PEER();
  for (const std::vector<std::string>& options :
       {std::vector<std::string>{}, std::vector<std::string>{"--names", "current", "--seed", "5"}}) {
    const auto folder = testing::PeerCheckpoint("audioldm-tiny", options.empty() ? "" : "current", options);
    const std::filesystem::path kept = folder.string() + ".encoded.safetensors";
    const std::string script = std::string(GRYM_SOURCE_DIR) + "/tests/models/vae/encode_peer.py";
    const std::string command = "'" + testing::PeerPython() + "' '" + script + "' '" + (folder / "vae").string() +
                                "' '" + kept.string() + "' 100 64 4 >'" + kept.string() + ".log' 2>&1";
    ASSERT_EQ(std::system(command.c_str()), 0) << command;
    const TensorSet peer = TensorSet::Open(kept).value();
    const auto encoder = Opened<VaeEncoder>(folder / "vae");
    const LatentDistribution made =
        TorchGuard("vae", [&] { return encoder->Encode(testing::PeerTensor(peer, "mel")); }).value();
    testing::ExpectSameStage("mean", made.mean, testing::PeerTensor(peer, "mean"));
    testing::ExpectSameStage("log variance", made.log_variance, testing::PeerTensor(peer, "log_variance"));
    at::Generator generator = SeededGenerator(5);
    testing::ExpectSameStage("sample", made.Sample(generator), testing::PeerTensor(peer, "sample"));
    std::printf("vae encode: mean's max relative error %.1e\n",
                testing::DistanceOf(made.mean, testing::PeerTensor(peer, "mean")).max_relative_error);
  }
}

TEST(VaeEncoderTest, TakesWhatItSaidAndRefusesOddLengths) {
  GRYM_NEED_PEER();
  const auto folder = testing::PeerCheckpoint("audioldm-tiny") / "vae";
  const VaeConfig config = ConfigOf(folder);
  const auto budget = std::make_shared<MemoryBudget>(int64_t{1} << 32);
  const BudgetScope scope(budget);
  const auto encoder = Opened<VaeEncoder>(folder);
  const int64_t weights = budget->used_bytes(), told = VaeEncoderWeightBytes(config, Precision::kFloat32);
  EXPECT_GE(told, weights);
  EXPECT_LE(static_cast<double>(told), 1.1 * static_cast<double>(weights));
  for (const int64_t frames : {128, 512}) {
    const at::Tensor mel = Normal({1, 1, frames, 64}, 1);
    const int64_t before = budget->used_bytes();
    budget->ResetPeak();
    const auto made = TorchGuard("vae", [&] { return encoder->Encode(mel); });
    const auto measured = static_cast<double>(budget->peak_bytes() - before);
    const int64_t bytes = VaeEncodeBytes(config, Precision::kFloat32, kCpu, 1, frames, 64);
    EXPECT_GE(static_cast<double>(bytes), measured) << frames;
    EXPECT_LE(static_cast<double>(bytes), 1.1 * measured) << frames;
  }
  const auto refused = TorchGuard("vae", [&] { return encoder->Encode(at::zeros({1, 1, 101, 64})); });
  EXPECT_EQ(ErrorCode(refused.status()), "bad_mel");
}

TEST(VaeConfigTest, TellsEveryFieldThatIsWrong) {
  const auto parsed = VaeConfig::Parse(Json::Parse(R"({"block_out_channels": [48, 100], "norm_num_groups": 16,
      "up_block_types": ["UpDecoderBlock2D"], "down_block_types": ["AttnDownEncoderBlock2D", "DownEncoderBlock2D"],
      "act_fn": "mish", "latent_channels": 0, "new_field": 1})").value(), "vae/config.json");
  ASSERT_EQ(ErrorCode(parsed.status()), "bad_config");
  std::set<std::string> pointers;
  for (const Problem& problem : ErrorProblems(parsed.status())) pointers.insert(problem.pointer);
  for (const char* pointer : {"/block_out_channels", "/up_block_types", "/act_fn", "/latent_channels"}) {
    EXPECT_TRUE(pointers.count(pointer)) << pointer;
  }
  const VaeConfig absent = VaeConfig::Parse(Json::Object(), "vae/config.json").value();
  EXPECT_EQ(absent.latent_channels, 4);
  EXPECT_EQ(absent.scaling_factor, 0.18215);
  EXPECT_EQ(VaeConfig::Parse(Json::Parse(R"({"new_field": 1})").value(), "x").value().unknown_fields,
            std::vector<std::string>{"new_field"});
}

}  // namespace
}  // namespace grym
