#include "models/unet/net.h"

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>

#include "gmock/gmock.h"
#include "grymsynth/error.h"
#include "gtest/gtest.h"
#include "runtime/memory_budget.h"
#include "runtime/torch_guard.h"
#include "support/peer.h"
#include "support/peer_unet.h"
#include "support/scratch.h"

namespace grym {
namespace {

using testing::LoadUnet;
using testing::PeerCheckpoint;
using testing::PeerRun;
using testing::PeerTensor;

at::Tensor FirstStep(const Unet& unet, const TensorSet& run) {
  const auto output = TorchGuard("unet", [&]() -> absl::StatusOr<at::Tensor> {
    const at::Tensor embeds = PeerTensor(run, "prompt_embeds"), times = PeerTensor(run, "timesteps");
    const auto conditions =
        unet.Conditions({static_cast<double>(times.data_ptr<int64_t>()[0])}, embeds, embeds.size(0));
    if (!conditions.ok()) return conditions.status();
    return unet(PeerTensor(run, "unet.0.input"), *conditions, 0);
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

TEST(UnetTest, AnswersAsTheReferenceDoesToOddLengthsAndOtherSeeds) {
  GRYM_NEED_PEER();
  // 1.16 s: 29 latent positions, which are halved upwards on the way down.
  ExpectSameStep("odd", PeerCheckpoint("audioldm-tiny"), {"--seconds", "1.16", "--steps", "2", "--seed", "5"});
}

TEST(UnetTest, AnswersAsTheReferenceDoesFromHalfCheckpoints) {
  GRYM_NEED_PEER();
  ExpectSameStep("half", PeerCheckpoint("audioldm-tiny", "half", {"--dtype", "float16", "--seed", "3"}),
                 {"--seconds", "1", "--steps", "2"});
}

// A folder of the full size, where the run asks for it: GRYM_PEER_FULL=audioldm-s.
TEST(UnetTest, AnswersAsTheReferenceDoesAtFullSize) {
  GRYM_NEED_PEER();
  const char* preset = std::getenv("GRYM_PEER_FULL");
  if (!preset) GTEST_SKIP() << "set GRYM_PEER_FULL=audioldm-s (or -m, -l) for minutes of work at full size";
  ExpectSameStep("full", PeerCheckpoint(preset), {"--seconds", "5.12", "--steps", "2"});
}

constexpr Precision kTiers[] = {Precision::kFloat32, Precision::kBFloat16x3, Precision::kBFloat16,
                                Precision::kFloat16, Precision::kInt8, Precision::kInt4};

TEST(UnetTest, LoadingTakesWhatTheHeadersSay) {
  GRYM_NEED_PEER();
  const auto checkpoint = PeerCheckpoint("audioldm-tiny");
  const auto config = ReadUnetConfig(*ReadConfig(checkpoint / "unet" / "config.json"), "unet/config.json");
  const auto set = TensorSet::Open(checkpoint / "unet");
  ASSERT_TRUE(config.ok() && set.ok());
  for (const Precision precision : kTiers) {
    SCOPED_TRACE(PrecisionName(precision));
    const auto budget = std::make_shared<MemoryBudget>(int64_t{1} << 30);
    const BudgetScope scope(budget);
    const auto unet = LoadUnet(checkpoint, precision);
    WeightOptions options;
    options.precision = precision;
    EXPECT_EQ(budget->used_bytes(), Unet::WeightsBytes(*set, *config, options));
    EXPECT_TRUE(unet->unread_tensors().empty());
  }
}

// A checkpoint may hold more than the network reads, by any name: it is counted once, where its name says.
TEST(UnetTest, TensorsThatNothingReadsAreCountedInTheirUnits) {
  GRYM_NEED_PEER();
  const auto folder = PeerCheckpoint("audioldm-tiny") / "unet";
  const auto config = ReadUnetConfig(*ReadConfig(folder / "config.json"), "unet/config.json").value();
  std::ifstream file(folder / "diffusion_pytorch_model.safetensors", std::ios::binary);
  const std::string whole((std::istreambuf_iterator<char>(file)), {});
  uint64_t size = 0;
  std::memcpy(&size, whole.data(), sizeof(size));
  const std::string header = whole.substr(8, size), data = whole.substr(8 + size), more(4000, '\0');
  const testing::Scratch scratch;
  for (const UnetUnit& unit : UnitsOf(config)) {
    for (const char* name : {".time_emb_proj.extra", ".time_emb_projection", ".extra"}) {
      const std::string longer = header.substr(0, header.rfind('}')) + ",\"" + unit.name + name +
                                 "\":{\"dtype\":\"F32\",\"shape\":[1000],\"data_offsets\":[" +
                                 std::to_string(data.size()) + "," + std::to_string(data.size() + 4000) + "]}}";
      const uint64_t longer_size = longer.size();
      const auto out = scratch.path() / "model.safetensors";
      std::ofstream(out, std::ios::binary) << std::string(reinterpret_cast<const char*>(&longer_size), 8) << longer
                                           << data << more;
      const auto plain = TensorSet::Open(folder).value(), with_more = TensorSet::Open(out).value();
      const UnetUnitBytes want = UnitBytesOf(plain, config, {}), got = UnitBytesOf(with_more, config, {});
      EXPECT_EQ(got.beside, want.beside);
      EXPECT_EQ(got.sum(), want.sum() + AllocatedBytes(4000)) << unit.name << name;
    }
  }
}

TEST(UnetTest, ARunTakesWhatIsToldWithinATenth) {
  GRYM_NEED_PEER();
  const char* full = std::getenv("GRYM_PEER_FULL");
  for (const Precision precision : kTiers) {
    SCOPED_TRACE(PrecisionName(precision));
    if (full && precision != Precision::kFloat32) break;
    WeightOptions options;
    options.precision = precision;
    const auto unet = LoadUnet(PeerCheckpoint(full ? full : "audioldm-tiny"), precision);
    ASSERT_TRUE(unet);
    for (const int64_t frames : {1, 3, 29, 128, 512}) {
      const auto budget = std::make_shared<MemoryBudget>(int64_t{8} << 30);
      const BudgetScope scope(budget);
      const auto made = TorchGuard("unet", [&]() -> absl::StatusOr<at::Tensor> {
        const UnetConditions conditions = unet->Conditions({501}, at::zeros({2, unet->config().class_dim}), 2).value();
        const at::Tensor latents = at::zeros({2, unet->config().in_channels, frames, 16});
        const int64_t before = budget->used_bytes();
        budget->ResetPeak();
        auto output = (*unet)(latents, conditions, 0);
        const auto taken = static_cast<double>(budget->peak_bytes() - before);
        const auto told = static_cast<double>(Unet::WorkingBytes(unet->config(), options, 2, frames, 16));
        EXPECT_GE(told, taken) << frames;
        EXPECT_LE(told, 1.1 * taken) << frames;
        return output;
      });
      ASSERT_TRUE(made.ok()) << made.status();
    }
  }
}

struct StreamedRun {
  std::shared_ptr<const Unet> unet;
  UnetConditions conditions;
  at::Tensor latents;
  StreamedRun(std::shared_ptr<const Unet> loaded, int64_t frames) : unet(std::move(loaded)) {
    const UnetConfig& config = unet->config();
    conditions = unet->Conditions({501, 3}, at::full({2, config.class_dim}, 0.5), 2).value();
    latents = at::arange(0, 2 * config.in_channels * frames * 16, at::TensorOptions().dtype(at::kFloat));
    latents = latents.sin_().view({2, config.in_channels, frames, 16});
  }
  absl::StatusOr<at::Tensor> Step(int64_t step, const CancelToken& cancel = {}) const {
    return TorchGuard("unet", [&] { return (*unet)(latents, conditions, step, cancel); });
  }
};

bool AreSame(const at::Tensor& a, const at::Tensor& b) { return at::eq(a, b).all().item<bool>(); }

TEST(UnetStreamedTest, AnswersToTheBitAsTheWholeDoes) {
  GRYM_NEED_PEER();
  const auto checkpoint = PeerCheckpoint("audioldm-tiny");
  for (const Precision precision : kTiers) {
    if (!Unet::CanStream(precision)) continue;
    SCOPED_TRACE(PrecisionName(precision));
    for (const int64_t frames : {29, 128}) {
      const StreamedRun whole(LoadUnet(checkpoint, precision), frames);
      const StreamedRun streamed(LoadUnet(checkpoint, precision, /*streamed=*/true), frames);
      ASSERT_EQ(streamed.conditions.shifts.size(), whole.conditions.shifts.size());
      for (size_t i = 0; i < whole.conditions.shifts.size(); ++i)
        EXPECT_TRUE(AreSame(streamed.conditions.shifts[i], whole.conditions.shifts[i])) << i;
      for (const int64_t step : {0, 1, 0}) EXPECT_TRUE(AreSame(*streamed.Step(step), *whole.Step(step))) << step;
    }
  }
}

TEST(UnetStreamedTest, ARunTakesWhatIsToldWithinATenth) {
  GRYM_NEED_PEER();
  const auto checkpoint = PeerCheckpoint("audioldm-tiny");
  const auto set = TensorSet::Open(checkpoint / "unet");
  ASSERT_TRUE(set.ok());
  for (const Precision precision : kTiers) {
    if (!Unet::CanStream(precision)) continue;
    SCOPED_TRACE(PrecisionName(precision));
    WeightOptions options;
    options.precision = precision;
    for (const int64_t frames : {1, 3, 29, 128}) {
      const auto budget = std::make_shared<MemoryBudget>(int64_t{8} << 30);
      const BudgetScope scope(budget);
      auto unet = LoadUnet(checkpoint, precision, /*streamed=*/true);
      const int64_t resting = budget->used_bytes();
      const UnetConfig config = unet->config();
      EXPECT_LT(4 * resting, Unet::WeightsBytes(*set, config, options));
      const StreamedRun run(std::move(unet), frames);
      const int64_t around = budget->used_bytes() - resting;
      budget->ResetPeak();
      const auto told = static_cast<double>(Unet::StreamedWeightsBytes(*set, config, options) +
                                            Unet::StreamedWorkingBytes(*set, config, options, 2, frames, 16));
      double taken = 0;
      // A unit may be done before the next one is read; on less than 29 frames most are.
      for (int again = 0; again < 100 && told > 1.1 * taken && (again < 3 || frames >= 29); ++again) {
        EXPECT_TRUE(run.Step(0).ok());
        taken = static_cast<double>(budget->peak_bytes() - around);
        EXPECT_GE(told, taken) << frames;
      }
      if (frames >= 29) {
        EXPECT_LE(told, 1.1 * taken) << frames;
      }
      EXPECT_EQ(budget->used_bytes() - around, resting);  // no unit stays
    }
  }
}

TEST(UnetStreamedTest, ARunIsCancelledAndEndsOnDamagedUnits) {
  GRYM_NEED_PEER();
  const testing::Scratch scratch;
  const auto copy = scratch / "copy";
  std::filesystem::copy(PeerCheckpoint("audioldm-tiny"), copy, std::filesystem::copy_options::recursive);
  const auto budget = std::make_shared<MemoryBudget>(int64_t{1} << 30);
  const BudgetScope scope(budget);
  const StreamedRun run(LoadUnet(copy, Precision::kFloat32, /*streamed=*/true), 29);
  const int64_t resting = budget->used_bytes();
  CancelToken cancel;
  cancel.Cancel();
  EXPECT_EQ(run.Step(0, cancel).status().code(), absl::StatusCode::kCancelled);
  const auto again = TorchGuard("unet", [&] {
    return run.unet->Conditions({501}, at::zeros({2, run.unet->config().class_dim}), 2, cancel);
  });
  EXPECT_EQ(again.status().code(), absl::StatusCode::kCancelled);
  const auto weights = copy / "unet" / "diffusion_pytorch_model.safetensors";
  std::filesystem::resize_file(weights, std::filesystem::file_size(weights) / 2);
  EXPECT_EQ(ErrorCode(run.Step(0).status()), "file_changed");
  EXPECT_EQ(budget->used_bytes(), resting);
}

Json TinyConfig() {
  return *Json::Parse(R"({"block_out_channels": [16, 32], "norm_num_groups": 8, "layers_per_block": 1,
    "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D"], "up_block_types": ["CrossAttnUpBlock2D", "UpBlock2D"],
    "cross_attention_dim": [16, 32], "class_embed_type": "simple_projection", "class_embeddings_concat": true,
    "projection_class_embeddings_input_dim": 32, "in_channels": 8, "out_channels": 8})");
}

TEST(UnetConfigTest, HeadsAreCountedByTheFieldThatIsNamedForTheirSize) {
  Json json = TinyConfig();
  EXPECT_EQ(ReadUnetConfig(json, "unet")->heads, (std::vector<int64_t>{8, 8}));
  json["attention_head_dim"] = Json::ArrayOf(std::vector<int>{2, 4});
  EXPECT_EQ(ReadUnetConfig(json, "unet")->heads, (std::vector<int64_t>{2, 4}));
  json["num_attention_heads"] = 16;
  EXPECT_EQ(ReadUnetConfig(json, "unet")->heads, (std::vector<int64_t>{16, 16}));
}

TEST(UnetConfigTest, WhatIsNotBuiltIsNamedByFieldAndValue) {
  const auto refused = [](const char* field, Json value) {
    Json json = TinyConfig();
    json[field] = std::move(value);
    return ReadUnetConfig(json, "unet/config.json").status();
  };
  const auto shift = refused("resnet_time_scale_shift", "scale_shift");
  EXPECT_EQ(shift.code(), absl::StatusCode::kUnimplemented);
  EXPECT_THAT(shift.message(), ::testing::HasSubstr("resnet_time_scale_shift: want \"default\", got \"scale_shift\""));
  EXPECT_EQ(refused("class_embed_type", "timestep").code(), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(refused("cross_attention_dim", 768).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(refused("norm_num_groups", 7).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(refused("block_out_channels", "many").code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(refused("layers_per_block", 0).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(refused("attention_head_dim", 5).code(), absl::StatusCode::kInvalidArgument);
}

TEST(UnetConfigTest, UnknownFieldsAreListed) {
  Json json = TinyConfig();
  json["sparkle"] = 3;
  EXPECT_THAT(ReadUnetConfig(json, "unet")->ignored_fields, ::testing::ElementsAre("sparkle"));
}

}  // namespace
}  // namespace grym
