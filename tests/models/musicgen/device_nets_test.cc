// What a MusicGen folder does where the model's device is a GPU: all but the network itself, which needs one.
#include <gtest/gtest.h>

#include "base/json.h"
#include "checkpoint/config_reader.h"
#include "grymsynth/error.h"
#include "models/musicgen/device_decoder.h"
#include "models/musicgen/native_nets.h"
#include "runtime/torch_guard.h"
#include "support/peer.h"
#include "support/scratch.h"

namespace grym {
namespace {

const c10::Device kFirstGpu(c10::DeviceType::CUDA, 0);

// As ModelContext::Make would answer where there is one.
ModelContext OnGpu(const std::string& device, const std::string& dtype = "") {
  ModelContext context;
  context.options.device = device;
  context.options.dtype = dtype;
  context.device = kFirstGpu;
  context.budget = std::make_shared<MemoryBudget>(int64_t{1} << 30, kFirstGpu.str());
  return context;
}

std::shared_ptr<const MusicgenModel> TinyOn(const ModelContext& context, const std::filesystem::path& folder) {
  auto model = OpenMusicgen(ModelFolder::Open(folder).value(), context);
  EXPECT_TRUE(model.ok()) << model.status();
  return model.ok() ? std::static_pointer_cast<const MusicgenModel>(*model) : nullptr;
}

GenerateAudioRequest Hornpipe() {
  GenerateAudioRequest request;
  request.prompt = "a hornpipe";
  request.duration_s = 2;
  return request;
}

TEST(MusicgenDeviceNetsTest, TheBudgetIsAskedForTheNetworkAlone) {
  GRYM_NEED_PEER();
  for (const char* dtype : {"float32", "float16", "int4"}) {
    SCOPED_TRACE(dtype);
    const auto model = TinyOn(OnGpu("cuda", dtype), testing::PeerCheckpoint("musicgen-tiny"));
    const MusicgenWork work = model->WorkOf(Hornpipe()).value();
    const MusicgenBytes bytes = model->nets().Bytes(work);
    EXPECT_TRUE(bytes.rest_on_cpu);
    const MemoryPlan plan = model->PlanFor(work, int64_t{1} << 30).value();
    EXPECT_EQ(plan.weights_bytes(), bytes.decoder_weights);
    EXPECT_EQ(plan.peak_bytes(), bytes.decoder_weights + bytes.cache + bytes.decoder_working);
    EXPECT_EQ(model->info().weights_bytes, bytes.decoder_weights);
    const Json json = *Json::Parse(model->Plan(Hornpipe()).value());
    EXPECT_EQ(json.at("device").text(), "cuda:0");
    ASSERT_EQ(json.at("phases").size(), 3u);
    for (const Json& phase : json.at("phases").items()) {
      const bool network = phase.at("component").text() == "decoder";
      EXPECT_EQ(phase.contains("device") ? phase.at("device").text() : "", network ? "" : "cpu");
      EXPECT_GT(phase.at("weightsBytes").integer(), 0);
    }
    EXPECT_EQ(ErrorCode(model->PlanFor(work, plan.peak_bytes() - 1).status()), "over_budget");
  }
}

// float32 weights whose numbers fit float16 are kept as such by the CPU's kernels, which compute in float32 all the same.
TEST(MusicgenDeviceNetsTest, KeepsTheNumbersThatAreAskedFor) {
  GRYM_NEED_PEER();
  const auto folder = testing::PeerCheckpoint("musicgen-tiny", "f16", {"--dtype", "float16", "--seed", "4"});
  const auto context = OnGpu("cuda", "float32");
  const auto nets = NativeMusicgenNets::Open(ModelFolder::Open(folder).value(), context, nullptr).value();
  const MusicgenConfig config =
      ReadMusicgenConfig(ReadConfig(folder / "config.json").value(), "config.json").value();
  EXPECT_EQ(nets->Bytes({}).decoder_weights, MusicgenDeviceDecoder::WeightBytes(config, Precision::kFloat32));
}

TEST(MusicgenDeviceNetsTest, TextAndSoundStayOnTheCpu) {
  GRYM_NEED_PEER();
  const auto context = OnGpu("cuda", "int8");
  const auto model = TinyOn(context, testing::PeerCheckpoint("musicgen-tiny"));
  const MusicgenNets& nets = model->nets();
  const auto done = TorchGuard("test", [&]() -> absl::Status {
    const std::vector<int32_t> ids = nets.Tokens("a hornpipe").value();
    EXPECT_EQ(nets.EncodeText(ids, {}).value().tokens, static_cast<int64_t>(ids.size()));
    const std::vector<float> wave(static_cast<size_t>(nets.shape().hop * 20), 0.1f);
    const std::vector<int32_t> codes = nets.EncodeSound(wave, nets.shape().hop * 20, {}).value();
    const auto sound = nets.NewSound({}).value();
    EXPECT_TRUE(sound->Push(codes, static_cast<int64_t>(codes.size()) / nets.shape().pattern.books).ok());
    return absl::OkStatus();
  });
  EXPECT_TRUE(done.ok()) << done;
  EXPECT_EQ(nets.Idle(false), 0) << "nothing of it is the GPU's";
  LeaseAsk ask{"test", nullptr, 1000, {}, 0};
  nets.Claim(MusicgenNets::kAll, ask);
  EXPECT_EQ(ask.bytes, 1000);
  const auto codec = model->NewCodec().value();
  const auto sound = AudioBuffer::Create(1, nets.shape().hop * 20, nets.shape().rate_hz).value();
  EXPECT_TRUE(codec->Encode(sound, {}).ok());
  if (!at::globalContext().hasCUDA()) {
    EXPECT_FALSE(TorchGuard("test", [&] { return nets.Network({}); }).ok());
  }
}

TEST(MusicgenDeviceNetsTest, APackedCopyIsForTheCpu) {
  GRYM_NEED_PEER();
  const testing::Scratch scratch;
  const auto folder = testing::PeerCheckpoint("musicgen-tiny");
  OpenModelOptions options;
  options.device = "cpu";
  options.dtype = "int8";
  const auto on_cpu = ModelContext::Make(options, std::make_shared<MemoryBudget>(int64_t{1} << 30)).value();
  ASSERT_TRUE(TinyOn(on_cpu, folder)->SaveCopy(scratch / "copy", {}).ok());
  const absl::Status refused =
      OpenMusicgen(ModelFolder::Open(scratch / "copy").value(), OnGpu("cuda")).status();
  EXPECT_EQ(ErrorCode(refused), "packed_for_cpu");
  EXPECT_NE(refused.message().find("open the folder that it was made from"), std::string::npos) << refused;
  const auto any = TinyOn(OnGpu("auto"), scratch / "copy");
  EXPECT_EQ(any->info().device, "cpu");
  GenerateAudioRequest request = Hornpipe();
  request.duration_s = 0.3;
  EXPECT_TRUE(any->NewGenerator().value()->Generate(request, {}).ok());
  const auto on_gpu = TinyOn(OnGpu("cuda", "int8"), folder);
  EXPECT_EQ(ErrorCode(on_gpu->SaveCopy(scratch / "other", {})), "packed_for_cpu");
}

// The whole of it. The codes of a run are those of the CPU, and its sound is made there.
TEST(MusicgenDeviceNetsTest, AGpuMakesTheSameSound) {
  GRYM_NEED_PEER();
  if (!at::globalContext().hasCUDA()) GTEST_SKIP() << "NOT RUN: needs a LibTorch with CUDA and a GPU";
  const auto folder = testing::PeerCheckpoint("musicgen-tiny");
  GenerateAudioRequest request = Hornpipe();
  request.temperature = 0;
  std::vector<std::vector<float>> made;
  for (const char* device : {"cpu", "cuda"}) {
    OpenModelOptions options;
    options.device = device;
    const auto model = TinyOn(ModelContext::Make(options, nullptr).value(), folder);
    const auto result = model->NewGenerator().value()->Generate(request, {});
    ASSERT_TRUE(result.ok()) << result.status();
    made.emplace_back(result->audio.planar().begin(), result->audio.planar().end());
    EXPECT_LE(result->peak_bytes, model->PlanFor(model->WorkOf(request).value(), int64_t{6} << 30)->peak_bytes());
  }
  EXPECT_EQ(made[0], made[1]);
}

}  // namespace
}  // namespace grym
