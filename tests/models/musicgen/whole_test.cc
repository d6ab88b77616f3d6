// The whole pipeline on real networks beside transformers: text, codec, windows, streams.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include "base/json.h"
#include "checkpoint/model_folder.h"
#include "grymsynth/audio_file.h"
#include "grymsynth/error.h"
#include "models/musicgen/native_nets.h"
#include "support/peer.h"
#include "support/scratch.h"

namespace grym {
namespace {

constexpr char kText[] = "a slow waltz for strings";

std::shared_ptr<const Model> Opened(const std::filesystem::path& path, const std::string& dtype = "float32") {
  OpenModelOptions options;
  options.device = "cpu";
  options.dtype = dtype;
  auto folder = ModelFolder::Open(path);
  EXPECT_TRUE(folder.ok()) << folder.status();
  auto context = ModelContext::Make(options, std::make_shared<MemoryBudget>(int64_t{2} << 30));
  EXPECT_TRUE(context.ok()) << context.status();
  auto model = OpenMusicgen(*folder, *context);
  EXPECT_TRUE(model.ok()) << model.status();
  return model.ok() ? *std::move(model) : nullptr;
}

// 2 s are 100 frames: 103 new steps of the reference.
GenerateAudioRequest Greedy() {
  GenerateAudioRequest request;
  request.prompt = kText;
  request.duration_s = 2;
  request.temperature = 0;
  request.seed = 1;
  return request;
}

void ExpectSameWave(const AudioBuffer& ours, const at::Tensor& theirs) {
  const at::Tensor wanted = theirs.reshape({ours.channels(), -1});
  ASSERT_EQ(wanted.size(1), ours.frames());
  at::Tensor made = at::empty({ours.channels(), ours.frames()}, at::kFloat);
  std::copy(ours.planar().begin(), ours.planar().end(), made.mutable_data_ptr<float>());
  // One other code of a thousand would leave less than 40 dB.
  const double snr_db = testing::DistanceOf(made, wanted).snr_db;
  EXPECT_GE(snr_db, 60);
  std::printf("waveform SNR %.1f dB\n", snr_db);
}

void ExpectAsTransformers(const std::string& preset, double guidance) {
  const auto folder = testing::PeerCheckpoint(preset);
  const std::string value = std::to_string(guidance);
  const auto run = testing::PeerRun(folder, "whole-" + value.substr(0, 3),
                                    {"--prompt", kText, "--tokens", "103", "--guidance", value});
  const auto reference = TensorSet::Open(run);
  ASSERT_TRUE(reference.ok());
  const auto model = Opened(folder);
  ASSERT_TRUE(model);
  auto generator = model->NewGenerator();
  ASSERT_TRUE(generator.ok());
  GenerateAudioRequest request = Greedy();
  request.guidance = guidance;
  const auto result = (*generator)->Generate(request, {});
  ASSERT_TRUE(result.ok()) << result.status();
  ExpectSameWave(result->audio, testing::PeerTensor(*reference, "waveform"));
}

TEST(MusicgenWholeTest, SoundIsTransformers) {
  GRYM_NEED_PEER();
  ExpectAsTransformers("musicgen-tiny", 3);
  ExpectAsTransformers("musicgen-tiny", 1);
  ExpectAsTransformers("musicgen-stereo-tiny", 3);
}

TEST(MusicgenWholeTest, ContinuesAsTransformersDoes) {
  GRYM_NEED_PEER();
  const testing::Scratch scratch;
  const auto folder = testing::PeerCheckpoint("musicgen-tiny");
  auto sound = AudioBuffer::Create(1, 32000, 32000).value();
  for (size_t i = 0; i < 32000; ++i) {
    const auto at = static_cast<float>(i);
    sound.mutable_channel(0)[i] = 0.4f * std::sin(0.05f * at) * std::sin(0.0003f * at);
  }
  SaveOptions exact;
  exact.format = SampleFormat::kFloat32;
  const auto wav = std::filesystem::path(GRYM_BINARY_DIR) / "peer" / "musicgen-continued.wav";
  ASSERT_TRUE(SaveAudio(wav, sound, exact).ok());
  // 1 s is there: 50 frames and 50 new ones, and the delay.
  const auto run = testing::PeerRun(folder, "continued", {"--prompt", kText, "--tokens", "53", "--audio", wav.string(),
                                                          "--seconds", "1"});
  const auto reference = TensorSet::Open(run);
  ASSERT_TRUE(reference.ok());
  auto generator = Opened(folder)->NewGenerator().value();
  GenerateAudioRequest request = Greedy();
  request.reference_audio = wav.string();
  const auto result = generator->Generate(request, {});
  ASSERT_TRUE(result.ok()) << result.status();
  ExpectSameWave(result->audio, testing::PeerTensor(*reference, "waveform"));
}

TEST(MusicgenWholeTest, StreamsResumesAndBatchesToTheSameBits) {
  GRYM_NEED_PEER();
  const testing::Scratch scratch;
  const auto model = Opened(testing::PeerCheckpoint("musicgen-stereo-tiny"));
  auto generator = model->NewGenerator().value();
  GenerateAudioRequest request = Greedy();
  request.temperature = 1;
  request.duration_s = 33;  // two windows
  const auto whole = generator->Generate(request, {});
  ASSERT_TRUE(whole.ok()) << whole.status();
  EXPECT_EQ(whole->facts.at("windows"), "2");
  auto stream = generator->Stream(request).value();
  AudioBuffer all = stream->Next({}).value();
  for (int i = 0; i < 31; ++i) ASSERT_TRUE(all.Append(stream->Next({}).value()).ok());
  ASSERT_TRUE(stream->Save(scratch / "piece").ok());
  stream.reset();
  auto other = Opened(testing::PeerCheckpoint("musicgen-stereo-tiny"))->NewGenerator().value();
  auto resumed = other->Resume(scratch / "piece");
  ASSERT_TRUE(resumed.ok()) << resumed.status();
  while (true) {
    const auto block = (*resumed)->Next({});
    ASSERT_TRUE(block.ok()) << block.status();
    if (block->empty()) break;
    ASSERT_TRUE(all.Append(*block).ok());
  }
  EXPECT_TRUE(std::ranges::equal(all.planar(), whole->audio.planar()));
  const auto foreign = Opened(testing::PeerCheckpoint("musicgen-stereo-tiny", "other", {"--seed", "9"}))
                           ->NewGenerator().value()->Resume(scratch / "piece");
  EXPECT_EQ(ErrorCode(foreign.status()), "other_model");
  GenerateAudioRequest beside = Greedy();
  beside.prompt = "drums, and much longer words beside them than the other one has";
  const GenerateAudioRequest both[] = {Greedy(), beside};
  const auto together = generator->GenerateBatch(both, {});
  ASSERT_TRUE(together.ok()) << together.status();
  for (size_t i = 0; i < 2; ++i) {
    const auto alone = generator->Generate(both[i], {});
    EXPECT_TRUE(std::ranges::equal((*together)[i].audio.planar(), alone->audio.planar())) << i;
  }
}

TEST(MusicgenWholeTest, PlansWhatItTakes) {
  GRYM_NEED_PEER();
  const auto model = Opened(testing::PeerCheckpoint("musicgen-tiny"));
  auto generator = model->NewGenerator().value();
  const auto result = generator->Generate(Greedy(), {});
  ASSERT_TRUE(result.ok());
  const Json plan = *Json::Parse(model->Plan(Greedy()).value());
  const double planned = plan.at("peakBytes").number();
  std::printf("peak %lld bytes, planned %.0f: %s\n", static_cast<long long>(result->peak_bytes), planned,
              plan.at("phases").Dump().c_str());
  EXPECT_LE(static_cast<double>(result->peak_bytes), planned * 1.1);
  EXPECT_GE(static_cast<double>(result->peak_bytes), planned * 0.7);
}

TEST(MusicgenWholeTest, TwoMelodiesTwoPieces) {
  GRYM_NEED_PEER();
  auto generator = Opened(testing::PeerCheckpoint("musicgen-melody-tiny"))->NewGenerator().value();
  std::vector<AudioBuffer> made;
  for (const float step : {0.05f, 0.06f}) {
    auto tune = AudioBuffer::Create(1, 64000, 32000).value();
    for (size_t i = 0; i < 64000; ++i) tune.mutable_channel(0)[i] = 0.4f * std::sin(step * static_cast<float>(i));
    GenerateAudioRequest request = Greedy();
    request.reference_buffer = tune;
    auto result = generator->Generate(request, {});
    ASSERT_TRUE(result.ok()) << result.status();
    made.push_back(std::move(result->audio));
  }
  EXPECT_FALSE(std::ranges::equal(made[0].planar(), made[1].planar()));
}

}  // namespace
}  // namespace grym
