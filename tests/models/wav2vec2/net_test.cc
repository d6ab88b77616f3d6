// Against transformers 5.23.0 with torch 2.13.0, by tests/support/peer.h.
#include "models/wav2vec2/net.h"

#include <cmath>
#include <cstdio>

#include "checkpoint/config_reader.h"
#include "gtest/gtest.h"
#include "models/wav2vec2/session.h"
#include "runtime/memory_budget.h"
#include "runtime/torch_guard.h"
#include "support/bfloat_units.h"
#include "support/peer.h"

namespace grym {
namespace {

using testing::ExpectSameStage;
using testing::PeerTensor;

struct NetCase {
  const char* preset;
  const char* variant;
  std::vector<std::string> checkpoint;
  const char* seconds;
};

Wav2Vec2Config ConfigOf(const std::filesystem::path& folder) {
  Wav2Vec2Config config =
      ReadWav2Vec2Config(ReadConfig(folder / "config.json").value(), "config.json").value();
  EXPECT_TRUE(ReadWav2Vec2Preprocessor(ReadConfig(folder / "preprocessor_config.json").value(), "preprocessor", config)
                  .ok());
  EXPECT_TRUE(config.unknown_fields.empty()) << config.unknown_fields[0];
  return config;
}

at::Tensor TensorOf(const FloatArray& array) {
  at::Tensor tensor = at::empty(array.shape, at::kFloat);
  std::copy(array.values.begin(), array.values.end(), tensor.mutable_data_ptr<float>());
  return tensor;
}

absl::StatusOr<Wav2Vec2Heard> HeardBy(const std::filesystem::path& folder, const at::Tensor& sound,
                                      Precision precision) {
  const auto set = TensorSet::Open(folder).value();
  const Wav2Vec2Config config = ConfigOf(folder);
  const auto budget = std::make_shared<MemoryBudget>(int64_t{1} << 33);
  std::vector<std::string> unread;
  const auto net = [&]() {
    const BudgetScope scope(budget);
    return TorchGuard("test", [&] { return Wav2Vec2Net::Load(set, config, {.precision = precision}, &unread); });
  }();
  if (!net.ok()) return net.status();
  EXPECT_TRUE(unread.empty()) << unread[0];
  const float* const samples = sound.const_data_ptr<float>();
  const auto audio =
      AudioBuffer::FromPlanar(std::vector<float>(samples, samples + sound.numel()), 1, config.rate_hz).value();
  const auto start = [&](int64_t, const Wav2Vec2Wants&,
                         const RunOptions& run) -> absl::StatusOr<Wav2Vec2Session::Run> {
    const auto half = [](int64_t limit) { return LeaseAsk{"test", nullptr, limit / 2, {}, 0}; };
    auto lease = budget->Lease(half, run, 0);
    if (!lease.ok()) return lease.status();
    return Wav2Vec2Session::Run{*std::move(lease), *net};
  };
  Wav2Vec2Session session(config, start);
  return session.Listen(audio, {.extract_features = true, .hidden_states = true, .logits = true}, true, {});
}

TEST(Wav2Vec2NetTest, EveryStageIsTheReferences) {
  GRYM_NEED_PEER();
  for (const NetCase& c : {NetCase{"wav2vec2-tiny", "", {}, "2"},
                           NetCase{"wav2vec2-ctc-tiny", "seed3-current", {"--seed", "3", "--names", "current"}, "0.71"},
                           NetCase{"wav2vec2-stable-tiny", "", {}, "3.3"},
                           NetCase{"wav2vec2-stable-tiny", "bf16", {"--dtype", "bfloat16"}, "1"},
                           NetCase{"wav2vec2-ctc-tiny", "f16", {"--dtype", "float16"}, "1"}}) {
    SCOPED_TRACE(std::string(c.preset) + " " + c.variant);
    const auto folder = testing::PeerCheckpoint(c.preset, c.variant, c.checkpoint);
    const auto run = TensorSet::Open(testing::PeerRun(folder, c.seconds, {"--seconds", c.seconds})).value();
    const auto heard = HeardBy(folder, PeerTensor(run, "input.audio"), Precision::kFloat32);
    ASSERT_TRUE(heard.ok()) << heard.status();
    EXPECT_EQ(heard->windows, 1);
    ExpectSameStage("extract_features", TensorOf(heard->extract_features), PeerTensor(run, "extract_features"));
    ASSERT_EQ(heard->hidden_states.size(), 3u);
    for (size_t i = 0; i < heard->hidden_states.size(); ++i) {
      const std::string name = "hidden_states." + std::to_string(i);
      ExpectSameStage(name, TensorOf(heard->hidden_states[i]), PeerTensor(run, name));
    }
    ExpectSameStage("last_hidden_state", TensorOf(heard->last_hidden_state), PeerTensor(run, "last_hidden_state"));
    const at::Tensor mean = PeerTensor(run, "last_hidden_state").mean(1).squeeze(0);
    ExpectSameStage("mean", TensorOf({{mean.size(0)}, heard->mean}), mean);
    if (!run.contains("logits")) {
      EXPECT_TRUE(heard->ctc_ids.empty());
      continue;
    }
    ExpectSameStage("logits", TensorOf(heard->logits), PeerTensor(run, "logits"));
    const at::Tensor ids = PeerTensor(run, "ctc_ids");
    ASSERT_EQ(static_cast<int64_t>(heard->ctc_ids.size()), ids.numel());
    for (size_t i = 0; i < heard->ctc_ids.size(); ++i) EXPECT_EQ(heard->ctc_ids[i], ids.const_data_ptr<int64_t>()[i]);
  }
}

// Half the bits and fewer: the hidden state stays close to float32's. The bounds are thrice what was measured on these
// weights: each tier's rounding of the weights, which two layers of random weights hand on undamped.
TEST(Wav2Vec2NetTest, LowerTiersStayClose) {
  GRYM_NEED_PEER();
  const auto folder = testing::PeerCheckpoint("wav2vec2-stable-tiny");
  const auto run = TensorSet::Open(testing::PeerRun(folder, "2", {"--seconds", "2"})).value();
  for (const auto& [precision, cosine] : {std::pair{Precision::kBFloat16, 0.9999}, {Precision::kFloat16, 0.99999},
                                          {Precision::kInt8, 0.9995}, {Precision::kInt4, 0.95}}) {
    const auto heard = HeardBy(folder, PeerTensor(run, "input.audio"), precision);
    ASSERT_TRUE(heard.ok()) << heard.status();
    const auto distance =
        testing::DistanceOf(TensorOf(heard->last_hidden_state), PeerTensor(run, "last_hidden_state"));
    EXPECT_GE(distance.cosine, cosine) << PrecisionName(precision);
    EXPECT_LT(distance.cosine, 1) << PrecisionName(precision);
  }
}

TEST(Wav2Vec2NetTest, ThreeProductsOfBFloat16AreNearlyFloat32) {
  GRYM_NEED_PEER();
  GRYM_NEED_BFLOAT_UNITS();
  for (const char* preset : {"wav2vec2-tiny", "wav2vec2-stable-tiny"}) {
    const auto folder = testing::PeerCheckpoint(preset);
    const auto run = TensorSet::Open(testing::PeerRun(folder, "2", {"--seconds", "2"})).value();
    const auto ours = HeardBy(folder, PeerTensor(run, "input.audio"), Precision::kBFloat16x3);
    const auto exact = HeardBy(folder, PeerTensor(run, "input.audio"), Precision::kFloat32);
    ASSERT_TRUE(ours.ok() && exact.ok()) << ours.status() << exact.status();
    const double snr_db =
        testing::DistanceOf(TensorOf(ours->last_hidden_state), TensorOf(exact->last_hidden_state)).snr_db;
    std::printf("  %s in bfloat16x3: %.1f dB to float32\n", preset, snr_db);
    EXPECT_GT(snr_db, 80);
    EXPECT_TRUE(std::isfinite(snr_db));  // or it was not taken
    ExpectSameStage("last_hidden_state", TensorOf(ours->last_hidden_state), PeerTensor(run, "last_hidden_state"));
  }
}

TEST(Wav2Vec2NetTest, CollapsesRepeatsAndBlanks) {
  EXPECT_EQ(CollapseCtc({0, 5, 5, 0, 5, 7, 7, 0}, 0), (std::vector<int32_t>{5, 5, 7}));
  EXPECT_TRUE(CollapseCtc({}, 0).empty());
}

}  // namespace
}  // namespace grym
