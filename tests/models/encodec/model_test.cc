#include "models/encodec/model.h"

#include <gmock/gmock.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>

#include "grymsynth/error.h"
#include "gtest/gtest.h"
#include "models/encodec/encodec_peer.h"
#include "models/encodec/session.h"
#include "support/host_callback.h"
#include "support/peer.h"
#include "support/scratch.h"

namespace grym {
namespace {

using ::testing::HasSubstr;
using testing::PeerCheckpoint;

AudioBuffer CodecSound(double seconds, int rate_hz = 32'000, int channels = 1) {
  auto audio = AudioBuffer::Create(channels, static_cast<int64_t>(seconds * rate_hz), rate_hz).value();
  for (int channel = 0; channel < channels; ++channel) {
    const auto samples = audio.mutable_channel(channel);
    for (size_t i = 0; i < samples.size(); ++i) {
      const double t = static_cast<double>(i) / rate_hz;
      samples[i] = static_cast<float>(0.3 * std::sin(6.283 * (200 + 300 * t) * t) * (1 + std::sin(9 * t)));
    }
  }
  return audio;
}

absl::StatusOr<std::shared_ptr<const EncodecCodecModel>> OpenCodec(const std::filesystem::path& folder,
                                                                   const OpenModelOptions& options = {},
                                                                   std::shared_ptr<MemoryBudget> budget = nullptr) {
  GRYM_ASSIGN_OR_RETURN(const ModelFolder opened, ModelFolder::Open(folder));
  GRYM_ASSIGN_OR_RETURN(const ModelContext context, ModelContext::Make(options, std::move(budget)));
  return EncodecCodecModel::Open(opened, context);
}

TEST(EncodecCodecModelTest, CodesThereAndBackAsTheParts) {
  GRYM_NEED_PEER();
  const auto folder = PeerCheckpoint("encodec-tiny");
  const auto model = OpenCodec(folder).value();
  EXPECT_EQ(model->info().id, "encodec-tiny");
  EXPECT_EQ(model->info().capabilities, std::vector<Capability>{Capability::kCode});
  const auto codec = model->NewCodec().value();
  EXPECT_EQ(codec->rate_hz(), 32000);
  EXPECT_EQ(codec->channels(), 1);
  EXPECT_EQ(codec->books(), 4);
  EXPECT_EQ(codec->book_size(), 64);
  const AudioBuffer audio = CodecSound(7.77);  // longer than a block
  const AudioCodes codes = codec->Encode(audio, {}).value();
  EXPECT_EQ(codes.frames, (audio.frames() + 639) / 640);
  EXPECT_EQ(codes.sound_frames, audio.frames());
  EXPECT_EQ(codes.frame_rate_hz, 50);
  ASSERT_EQ(codes.values.size(), static_cast<size_t>(4 * codes.frames));
  const AudioBuffer back = codec->Decode(codes, {}).value();
  EXPECT_EQ(back.frames(), audio.frames());
  EXPECT_EQ(back.rate_hz(), 32000);

  at::Tensor own = at::empty({4, codes.frames}, at::kLong);
  for (int64_t i = 0; i < own.numel(); ++i) own.mutable_data_ptr<int64_t>()[i] = codes.values[static_cast<size_t>(i)];
  const at::Tensor wave = testing::OpenedDecoder(folder)->Decode(own);
  double most = 0;
  for (size_t i = 0; i < back.channel(0).size(); ++i) {
    most = std::max<double>(most, std::fabs(back.channel(0)[i] - wave.const_data_ptr<float>()[i]));
  }
  EXPECT_LT(most, 1e-5);
  // All that the codes stand for, and the coarse books alone.
  AudioCodes coarse = codes;
  coarse.books = 2;
  coarse.sound_frames = 0;
  coarse.values.resize(static_cast<size_t>(2 * codes.frames));
  EXPECT_EQ(codec->Decode(coarse, {}).value().frames(), codes.frames * 640);
}

TEST(EncodecCodecModelTest, ResamplesAndMixes) {
  GRYM_NEED_PEER();
  const auto codec = OpenCodec(PeerCheckpoint("encodec-tiny")).value()->NewCodec().value();
  const AudioCodes mono = codec->Encode(CodecSound(1.5), {}).value();
  EXPECT_EQ(codec->Encode(CodecSound(1.5, 32'000, 2), {}).value().values, mono.values);  // equal channels
  const AudioCodes studio = codec->Encode(CodecSound(1.5, 48'000, 2), {}).value();
  EXPECT_EQ(studio.frames, mono.frames);
  int64_t equal = 0;
  for (size_t i = 0; i < static_cast<size_t>(mono.frames); ++i) equal += studio.values[i] == mono.values[i];
  EXPECT_GT(equal, mono.frames * 8 / 10);  // the first book's, which a small change of the sound leaves
  const auto stereo = OpenCodec(testing::EncodecKindFolder("stereo")).value()->NewCodec().value();
  EXPECT_EQ(stereo->Decode(stereo->Encode(CodecSound(0.5, 8000), {}).value(), {}).value().channels(), 2);
}

TEST(EncodecCodecModelTest, SilenceOneSampleAndNothing) {
  GRYM_NEED_PEER();
  const auto codec = OpenCodec(PeerCheckpoint("encodec-tiny")).value()->NewCodec().value();
  const AudioCodes silence = codec->Encode(AudioBuffer::Create(1, 32'000, 32'000).value(), {}).value();
  EXPECT_EQ(silence.frames, 50);
  EXPECT_TRUE(codec->Decode(silence, {}).ok());
  const AudioCodes one = codec->Encode(AudioBuffer::Create(1, 1, 32'000).value(), {}).value();
  EXPECT_EQ(one.frames, 1);
  EXPECT_EQ(codec->Decode(one, {}).value().frames(), 1);
  const auto nothing = codec->Encode(AudioBuffer::Create(1, 0, 32'000).value(), {}).status();
  EXPECT_EQ(ErrorCode(nothing), "audio_too_short");
  auto broken = CodecSound(0.1);
  broken.mutable_channel(0)[7] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_TRUE(codec->Encode(broken, {}).ok());
}

TEST(EncodecCodecModelTest, RefusesCodesThatContradictThemselves) {
  GRYM_NEED_PEER();
  const auto codec = OpenCodec(PeerCheckpoint("encodec-tiny")).value()->NewCodec().value();
  AudioCodes good{4, 2, std::vector<int32_t>(8, 3), 50, 0};
  ASSERT_TRUE(codec->Decode(good, {}).ok());
  const auto told = [&](auto change) {
    AudioCodes bad = good;
    change(bad);
    const auto status = codec->Decode(bad, {}).status();
    EXPECT_EQ(ErrorCode(status), "bad_codes");
    return std::string(status.message());
  };
  EXPECT_THAT(told([](AudioCodes& codes) { codes.values[5] = 64; }), HasSubstr("got 64 in book 2, frame 1"));
  EXPECT_THAT(told([](AudioCodes& codes) { codes.values[0] = -1; }), HasSubstr("[0, 64)"));
  EXPECT_THAT(told([](AudioCodes& codes) { codes.books = 5; }), HasSubstr("1 to 4 books"));
  EXPECT_THAT(told([](AudioCodes& codes) { codes.frames = 3; }), HasSubstr("got 8"));
  told([](AudioCodes& codes) { codes = {4, 0, {}, 50, 0}; });
  told([](AudioCodes& codes) { codes.frames = std::numeric_limits<int64_t>::max() / 2 + 3; });
  EXPECT_THAT(told([](AudioCodes& codes) { codes.frame_rate_hz = 75; }), HasSubstr("another codec"));
  told([](AudioCodes& codes) { codes.sound_frames = 1281; });
  told([](AudioCodes& codes) { codes.frame_rate_hz = std::nan(""); });
  // What was refused has changed nothing.
  EXPECT_TRUE(codec->Decode(good, {}).ok());
}

TEST(EncodecCodecModelTest, CancelsAndIsPoisoned) {
  GRYM_NEED_PEER();
  const auto budget = std::make_shared<MemoryBudget>(int64_t{1} << 32);
  const auto model = OpenCodec(PeerCheckpoint("encodec-tiny"), {}, budget).value();
  const AudioBuffer audio = CodecSound(20);
  const AudioCodes codes = model->NewCodec().value()->Encode(audio, {}).value();
  ASSERT_TRUE(model->NewCodec().value()->Decode(codes, {}).ok());
  EXPECT_EQ(budget->used_bytes(), model->info().weights_bytes);
  for (const char* stage : {"encode", "decode"}) {
    RunOptions run;
    run.progress = [&](const Progress& now) {
      EXPECT_TRUE(testing::IsTheHostsOwn()) << now.stage;
      if (now.stage == stage) run.cancel.Cancel();
    };
    const auto codec = model->NewCodec().value();
    const auto status = stage[0] == 'e' ? codec->Encode(audio, run).status() : codec->Decode(codes, run).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kCancelled) << stage;
    EXPECT_EQ(ErrorCode(codec->Encode(audio, {}).status()), "poisoned_session");
    EXPECT_EQ(ErrorCode(codec->Decode(codes, {}).status()), "poisoned_session");
    EXPECT_EQ(budget->used_bytes(), model->info().weights_bytes) << stage;
  }
}

// Ten minutes take what four seconds take.
TEST(EncodecCodecModelTest, MemoryIsAsPlannedAndFlatWithLength) {
  GRYM_NEED_PEER();
  const auto budget = std::make_shared<MemoryBudget>(int64_t{1} << 32);
  const auto model = OpenCodec(testing::EncodecKindFolder("mono"), {}, budget).value();
  const auto codec = model->NewCodec().value();
  for (const double seconds : {4.0, 600.0}) {
    budget->ResetPeak();
    const AudioCodes codes = codec->Encode(CodecSound(seconds, 8000), {}).value();
    const auto encoder = static_cast<double>(EncodecEncoder::WeightBytes(model->config(), Precision::kFloat32));
    const auto decoder = static_cast<double>(EncodecDecoder::WeightBytes(model->config(), Precision::kFloat32));
    const double there = seconds < 5 ? encoder : encoder + decoder;  // loaded by then
    const auto plan = [&](const EncodecWork& work) { return static_cast<double>(model->PlanFor(work).peak_bytes()); };
    const double coding = static_cast<double>(budget->peak_bytes()) - there;
    EXPECT_LE(coding, plan({.encode_s = seconds}) - encoder) << seconds;
    EXPECT_GE(coding, 0.85 * (plan({.encode_s = seconds}) - encoder)) << seconds;
    budget->ResetPeak();
    ASSERT_TRUE(codec->Decode(codes, {}).ok());
    const double decoding = static_cast<double>(budget->peak_bytes()) - encoder - decoder;
    EXPECT_LE(decoding, plan({.decode_frames = codes.frames}) - decoder) << seconds;
    EXPECT_GE(decoding, 0.85 * (plan({.decode_frames = codes.frames}) - decoder)) << seconds;
  }
}

// Half the weights, the sound a little rougher, and the plan as true; each half by itself as well.
TEST(EncodecCodecModelTest, BFloat16) {
  GRYM_NEED_PEER();
  const auto folder = PeerCheckpoint("encodec-tiny");
  const auto exact = OpenCodec(folder).value();
  const AudioCodes codes = exact->NewCodec().value()->Encode(CodecSound(3), {}).value();
  const AudioBuffer wanted = exact->NewCodec().value()->Decode(codes, {}).value();
  const auto budget = std::make_shared<MemoryBudget>(int64_t{1} << 32);
  const auto halved = OpenCodec(folder, {.component_dtypes = {{"decoder", "bfloat16"}}}, budget).value();
  EXPECT_LT(halved->info().weights_bytes, exact->info().weights_bytes);
  EXPECT_EQ(halved->NewCodec().value()->Encode(CodecSound(3), {}).value().values, codes.values);
  budget->ResetPeak();
  const int64_t encoder = budget->used_bytes();
  const AudioBuffer rough = halved->NewCodec().value()->Decode(codes, {}).value();
  double error = 0, power = 0;
  for (size_t i = 0; i < wanted.channel(0).size(); ++i) {
    error += std::pow(rough.channel(0)[i] - wanted.channel(0)[i], 2);
    power += std::pow(wanted.channel(0)[i], 2);
  }
  const double snr_db = 10 * std::log10(power / error);
  std::printf("encodec-tiny, decoder in bfloat16: %.1f dB\n", snr_db);
  EXPECT_GT(snr_db, 28);
  EXPECT_LT(snr_db, 90);
  const auto planned = static_cast<double>(halved->PlanFor({.decode_frames = codes.frames}).peak_bytes());
  const auto taken = static_cast<double>(budget->peak_bytes() - encoder);
  EXPECT_LE(taken, planned);
  EXPECT_GE(taken, 0.85 * planned);
  const auto both = OpenCodec(folder, {.dtype = "bfloat16"}).value()->NewCodec().value();
  const AudioCodes other = both->Encode(CodecSound(3), {}).value();
  size_t equal = 0;
  for (size_t i = 0; i < codes.values.size(); ++i) equal += codes.values[i] == other.values[i];
  EXPECT_GT(equal, codes.values.size() / 2);
}

TEST(EncodecCodecModelTest, ABudgetOfThePlanSufficesAndAByteLessIsRefused) {
  GRYM_NEED_PEER();
  const auto folder = PeerCheckpoint("encodec-tiny");
  const AudioBuffer audio = CodecSound(3);
  const auto plenty = OpenCodec(folder).value();
  const AudioCodes want = plenty->NewCodec().value()->Encode(audio, {}).value();
  const int64_t enough = plenty->PlanFor({.encode_s = 3}).peak_bytes();
  const auto budget = std::make_shared<MemoryBudget>(enough);
  const auto model = OpenCodec(folder, {}, budget).value();
  EXPECT_EQ(model->NewCodec().value()->Encode(audio, {}).value().values, want.values);
  budget->SetLimit(enough - 1);
  const auto refused = model->NewCodec().value()->Encode(audio, {}).status();
  EXPECT_EQ(ErrorCode(refused), "over_budget");
  EXPECT_THAT(refused.message(), HasSubstr(std::to_string(enough)));
  GenerateAudioRequest request;
  request.duration_s = 3;
  EXPECT_EQ(ErrorCode(model->Plan(request).status()), "over_budget");
  EXPECT_THAT(plenty->Plan(request).value(), HasSubstr("\"decoder\""));
}

TEST(EncodecCodecModelTest, RefusesWhatItIsNotFor) {
  GRYM_NEED_PEER();
  const auto folder = PeerCheckpoint("encodec-tiny");
  EXPECT_EQ(ErrorCode(OpenCodec(folder, {.dtype = "int8"}).status()), "unsupported_dtype");
  EXPECT_EQ(ErrorCode(OpenCodec(folder, {.dtype = "bfloat16x3"}).status()), "unsupported_dtype");
  EXPECT_EQ(ErrorCode(OpenCodec(folder, {.component_dtypes = {{"unet", "float32"}}}).status()), "unknown_component");
  const auto model = OpenCodec(folder).value();
  EXPECT_EQ(model->NewGenerator().status().code(), absl::StatusCode::kUnimplemented);
}

TEST(EncodecCodecModelTest, WeightsThatAreNoneAreToldAndPoison) {
  GRYM_NEED_PEER();
  const auto folder = PeerCheckpoint("encodec-tiny");
  const testing::Scratch scratch;
  const std::filesystem::path copy = scratch / "copy";
  std::filesystem::create_directories(copy);
  for (const auto& file : std::filesystem::directory_iterator(folder)) {
    std::filesystem::copy_file(file.path(), copy / file.path().filename());
    std::filesystem::permissions(copy / file.path().filename(), std::filesystem::perms::owner_all);
  }
  {
    // All numbers of the file's second half become NaN.
    const auto half = static_cast<std::streamoff>(std::filesystem::file_size(copy / "model.safetensors") / 2);
    std::fstream weights(copy / "model.safetensors", std::ios::in | std::ios::out | std::ios::binary);
    weights.seekp(-half, std::ios::end);
    for (std::streamoff i = 0; i < half; ++i) weights.put('\xff');
  }
  const auto model = OpenCodec(copy).value();
  const AudioCodes codes{4, 2, std::vector<int32_t>(8, 3), 50, 0};
  bool seen = false;
  for (int half = 0; half < 2; ++half) {
    const auto codec = model->NewCodec().value();
    const auto status = half ? codec->Decode(codes, {}).status() : codec->Encode(CodecSound(0.1), {}).status();
    if (status.ok()) continue;
    EXPECT_EQ(ErrorCode(status), "non_finite_weights");
    EXPECT_EQ(ErrorCode(codec->Decode(codes, {}).status()), "poisoned_session");
    seen = true;
  }
  EXPECT_TRUE(seen);
}

}  // namespace
}  // namespace grym
