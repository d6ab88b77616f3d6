#include "models/t5/encoder.h"

#include <gmock/gmock.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>

#include "checkpoint/config_reader.h"
#include "grymsynth/error.h"
#include "gtest/gtest.h"
#include "runtime/memory_budget.h"
#include "runtime/torch_guard.h"
#include "support/bfloat_units.h"
#include "support/peer.h"

namespace grym {
namespace {

using ::testing::HasSubstr;

// The encoder of a MusicGen folder, or of the small T5 folders that small_peer.py writes.
T5Config ConfigIn(const std::filesystem::path& folder, bool nested) {
  const Json json = ReadConfig(folder / "config.json").value();
  return T5Config::Parse(nested ? json.at("text_encoder") : json, "config.json").value();
}

std::shared_ptr<const T5Encoder> Opened(const std::filesystem::path& folder, bool nested,
                                        Precision precision = Precision::kFloat32) {
  const TensorSet set = TensorSet::Open(folder).value();
  WeightOptions options;
  options.precision = precision;
  return TorchGuard("t5", [&] {
    return T5Encoder::Load(set, ConfigIn(folder, nested), options, nested ? "text_encoder." : "");
  }).value();
}

at::Tensor Encoded(const T5Encoder& net, const std::vector<int32_t>& ids, const CancelToken& cancel = {}) {
  return TorchGuard("t5", [&]() -> absl::StatusOr<at::Tensor> { return net.Encode(ids, cancel); }).value();
}

// A row of [texts, tokens] up to its padding.
std::vector<int32_t> IdsOf(const at::Tensor& ids, const at::Tensor& mask, int64_t row) {
  std::vector<int32_t> kept;
  for (int64_t i = 0; i < ids.size(1); ++i) {
    if (mask[row][i].item<int64_t>() != 0) kept.push_back(ids[row][i].item<int32_t>());
  }
  return kept;
}

void ExpectEncodesAsThePeer(const T5Encoder& net, const std::filesystem::path& run) {
  const TensorSet peer = TensorSet::Open(run).value();
  const at::Tensor ids = testing::PeerTensor(peer, "input_ids"), mask = testing::PeerTensor(peer, "attention_mask");
  const at::Tensor states = testing::PeerTensor(peer, "text.last_hidden_state");
  for (int64_t row = 0; row < ids.size(0); ++row) {
    const std::vector<int32_t> tokens = IdsOf(ids, mask, row);
    const at::Tensor ours = Encoded(net, tokens);
    const at::Tensor reference = states[row].narrow(0, 0, static_cast<int64_t>(tokens.size()));
    ASSERT_EQ(ours.sizes(), reference.sizes());
    EXPECT_EQ(ours.scalar_type(), at::kFloat);
    testing::ExpectSameStage("text.last_hidden_state", ours, reference);
    const testing::Distance distance = testing::DistanceOf(ours, reference);
    std::printf("t5: %d tokens, cosine 1 - %.1e, max relative error %.1e\n", static_cast<int>(tokens.size()),
                1 - distance.cosine, distance.max_relative_error);
  }
}

// Every distance up to 300 and so every bucket; the words are those that the tokenizer knows.
std::string LongPrompt() {
  std::string text;
  for (int i = 0; i < 60; ++i) text += "slow rain and a distant dog over church bells ";
  return text;
}

std::filesystem::path SmallPeer() {
  const std::filesystem::path folder = std::filesystem::path(GRYM_BINARY_DIR) / "peer" / "t5-small-kinds";
  const std::string script = std::string(GRYM_SOURCE_DIR) + "/tests/models/t5/small_peer.py";
  const std::string command = "mkdir -p '" + folder.string() + "' && '" + testing::PeerPython() + "' '" + script +
                              "' '" + folder.string() + "' >'" + folder.string() + ".log' 2>&1";
  static const int made = std::system(command.c_str());
  EXPECT_EQ(made, 0) << command;
  return folder;
}

TEST(T5EncoderTest, EncodesAsTransformersDoes) {
  GRYM_NEED_PEER();
  const auto folder = testing::PeerCheckpoint("musicgen-tiny");
  const auto net = Opened(folder, true);
  ExpectEncodesAsThePeer(*net, testing::PeerRun(folder, "t5-two", {"--tokens", "2", "--prompt", "a cat purrs",
                                                                   "--prompt", "thunder rolls, closer and closer"}));
  ExpectEncodesAsThePeer(*net, testing::PeerRun(folder, "t5-long", {"--tokens", "2", "--prompt", LongPrompt()}));
}

// Gated feed forward, other buckets, d_kv apart from d_model / heads, and both names of the table.
TEST(T5EncoderTest, EncodesEveryKindAsTransformersDoes) {
  GRYM_NEED_PEER();
  const auto folder = SmallPeer();
  for (const char* kind : {"gated-gelu", "gated-silu", "relu-few-buckets", "embed-tokens"}) {
    SCOPED_TRACE(kind);
    const TensorSet peer = TensorSet::Open(folder / (std::string(kind) + ".run.safetensors")).value();
    const auto net = Opened(folder / kind, false);
    const at::Tensor ids = testing::PeerTensor(peer, "input_ids");
    testing::ExpectSameStage(kind, Encoded(*net, IdsOf(ids, at::zeros_like(ids) + 1, 0)),
                             testing::PeerTensor(peer, "last_hidden_state"));
  }
}

TEST(T5EncoderTest, FewerBitsAreNearTheReference) {
  GRYM_NEED_PEER();
  const auto folder = testing::PeerCheckpoint("musicgen-tiny");
  const auto exact = Opened(folder, true);
  const std::vector<int32_t> ids{5, 17, 99, 401, 3, 78, 900, 1};
  const at::Tensor want = Encoded(*exact, ids);
  const std::pair<Precision, double> tiers[] = {{Precision::kBFloat16, 0.999},
                                                {Precision::kFloat16, 0.99999},
                                                {Precision::kInt8, 0.999},
                                                {Precision::kInt4, 0.95}};
  for (const auto& [precision, least] : tiers) {
    const at::Tensor got = Encoded(*Opened(folder, true, precision), ids);
    EXPECT_EQ(got.scalar_type(), at::kFloat);
    const double cosine = testing::DistanceOf(got, want).cosine;
    EXPECT_GT(cosine, least) << PrecisionName(precision);
    EXPECT_LT(cosine, 1) << PrecisionName(precision);  // or the tier was not taken
  }
}

TEST(T5EncoderTest, ThreeProductsAreNearlyTheReference) {
  GRYM_NEED_PEER();
  GRYM_NEED_BFLOAT_UNITS();
  const auto folder = testing::PeerCheckpoint("musicgen-tiny");
  const std::vector<int32_t> ids{5, 17, 99, 401, 3, 78, 900, 1};
  const at::Tensor want = Encoded(*Opened(folder, true), ids);
  const double snr_db =
      testing::DistanceOf(Encoded(*Opened(folder, true, Precision::kBFloat16x3), ids), want).snr_db;
  std::printf("  bfloat16x3: %.1f dB to float32\n", snr_db);
  EXPECT_GT(snr_db, 80);
  EXPECT_TRUE(std::isfinite(snr_db));  // or it was not taken
}

TEST(T5EncoderTest, RefusesTokensThatTheTableLacks) {
  GRYM_NEED_PEER();
  const auto net = Opened(testing::PeerCheckpoint("musicgen-tiny"), true);
  EXPECT_EQ(ErrorCode(net->Check({})), "no_tokens");
  EXPECT_EQ(ErrorCode(net->Check(std::vector<int32_t>{1, 1024})), "bad_token_id");
  EXPECT_THAT(net->Check(std::vector<int32_t>{-1}).message(), HasSubstr("[0, 1024)"));
  EXPECT_TRUE(net->Check(std::vector<int32_t>{0, 1023}).ok());
  CancelToken cancel;
  cancel.Cancel();
  EXPECT_FALSE(Encoded(*net, {1, 2}, cancel).defined());
}

TEST(T5EncoderTest, TellsWhatTheWeightsLack) {
  GRYM_NEED_PEER();
  const auto folder = testing::PeerCheckpoint("musicgen-tiny");
  const TensorSet set = TensorSet::Open(folder).value();
  T5Config config = ConfigIn(folder, true);
  const auto elsewhere = TorchGuard("t5", [&] { return T5Encoder::Load(set, config, {}, "speech_encoder."); });
  EXPECT_EQ(ErrorCode(elsewhere.status()), "bad_weights");
  EXPECT_THAT(elsewhere.status().message(), HasSubstr("speech_encoder.shared.weight"));
  config.d_ff = 65;
  const auto wide = TorchGuard("t5", [&] { return T5Encoder::Load(set, config, {}, "text_encoder."); });
  EXPECT_THAT(wide.status().message(), HasSubstr("want shape [65, 48]"));
}

TEST(T5EncoderTest, TakesWhatItSaidAndNoMore) {
  GRYM_NEED_PEER();
  const auto tiny = testing::PeerCheckpoint("musicgen-tiny"), gated = SmallPeer() / "gated-gelu";
  const auto budget = std::make_shared<MemoryBudget>(int64_t{1} << 32);
  const BudgetScope scope(budget);
  for (const bool nested : {true, false}) {
    const T5Config config = ConfigIn(nested ? tiny : gated, nested);
    for (const Precision precision : {Precision::kFloat32, Precision::kBFloat16x3, Precision::kBFloat16,
                                      Precision::kInt8, Precision::kInt4}) {
      SCOPED_TRACE(std::string(PrecisionName(precision)) + (nested ? "" : " gated"));
      const int64_t empty = budget->used_bytes();
      const auto net = Opened(nested ? tiny : gated, nested, precision);
      const int64_t weights = budget->used_bytes() - empty, told = T5Encoder::WeightBytes(config, precision);
      EXPECT_GE(told, weights);
      EXPECT_LE(static_cast<double>(told), 1.1 * static_cast<double>(weights));
      for (const int64_t tokens : {1, 20, 100, 300}) {
        const std::vector<int32_t> ids(static_cast<size_t>(tokens), 7);
        const int64_t before = budget->used_bytes();
        budget->ResetPeak();
        const at::Tensor states = Encoded(*net, ids);
        const int64_t measured = budget->peak_bytes() - before;
        const int64_t bytes = T5Encoder::WorkingBytes(config, tokens, precision);
        EXPECT_GE(bytes, measured) << tokens;
        // A few rows are multiplied without unpacking the weights; of so little an upper bound is enough.
        if (tokens < 20) continue;
        EXPECT_LE(static_cast<double>(bytes), 1.1 * static_cast<double>(measured)) << tokens;
      }
    }
  }
}

// Where somebody made it: 2.3 GB, and the reference's minute.
TEST(T5EncoderTest, EncodesAtFullSize) {
  const auto folder = std::filesystem::path(GRYM_BINARY_DIR) / "peer" / "musicgen-small";
  const std::filesystem::path run = folder.string() + ".t5.safetensors";
  if (!std::filesystem::exists(run)) GTEST_SKIP() << "needs " << run << ", made by make_checkpoint.py and peer_run.py";
  ExpectEncodesAsThePeer(*Opened(folder, true), run);
}

}  // namespace
}  // namespace grym
