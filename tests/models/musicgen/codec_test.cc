// A MusicGen folder's codec as a tool of its own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "grymsynth/error.h"
#include "models/musicgen/native_nets.h"
#include "runtime/torch_guard.h"
#include "support/peer.h"

namespace grym {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

std::shared_ptr<const MusicgenModel> CodingModel(const std::string& preset,
                                                 std::shared_ptr<MemoryBudget> budget = nullptr) {
  OpenModelOptions options;
  options.device = "cpu";
  if (!budget) budget = std::make_shared<MemoryBudget>(int64_t{1} << 30);
  const auto context = ModelContext::Make(options, std::move(budget)).value();
  const auto folder = ModelFolder::Open(testing::PeerCheckpoint(preset)).value();
  return std::static_pointer_cast<const MusicgenModel>(OpenMusicgen(folder, context).value());
}

// Of each channel another tone.
AudioBuffer Tones(int channels, double seconds, int first = 0) {
  auto audio = AudioBuffer::Create(channels, static_cast<int64_t>(seconds * 32000), 32000).value();
  for (int c = 0; c < channels; ++c) {
    const auto samples = audio.mutable_channel(c);
    for (size_t i = 0; i < samples.size(); ++i) {
      const auto at = static_cast<float>(i);
      samples[i] = 0.4f * std::sin(0.03f * static_cast<float>(c + first + 1) * at) * std::sin(0.0004f * at);
    }
  }
  return audio;
}

std::vector<int32_t> BookOf(const AudioCodes& codes, int64_t book) {
  const auto first = codes.values.begin() + book * codes.frames;
  return {first, first + codes.frames};
}

TEST(MusicgenCodecTest, CodesAndDecodesAsGenerationDoes) {
  GRYM_NEED_PEER();
  const auto model = CodingModel("musicgen-tiny");
  EXPECT_THAT(model->info().capabilities, Contains(Capability::kCode));
  const auto codec = model->NewCodec().value();
  EXPECT_EQ(codec->rate_hz(), 32000);
  EXPECT_EQ(codec->channels(), 1);
  EXPECT_EQ(codec->books(), model->nets().shape().pattern.books);
  EXPECT_EQ(codec->book_size(), model->nets().shape().vocab);
  const AudioBuffer audio = Tones(1, 3.3);
  const AudioCodes codes = codec->Encode(audio, {}).value();
  EXPECT_EQ(codes.frames, 165);
  EXPECT_EQ(codes.sound_frames, audio.frames());
  const AudioBuffer back = codec->Decode(codes, {}).value();
  EXPECT_EQ(back.frames(), audio.frames());

  const absl::Status same = TorchGuard("test", [&]() -> absl::Status {
    const auto prompt = model->nets().EncodeSound(audio.planar(), audio.frames(), {}).value();
    EXPECT_EQ(prompt.size(), codes.values.size());
    int64_t equal = 0;
    for (size_t i = 0; i < prompt.size(); ++i) equal += prompt[i] == codes.values[i];
    // In blocks and whole they differ by rounding, and by a code where two rows of a book are equally near.
    EXPECT_GE(equal, static_cast<int64_t>(prompt.size()) * 99 / 100);
    const auto sound = model->nets().NewSound({}).value();
    std::vector<float> wave = sound->Push(codes.values, codes.frames).value();
    const std::vector<float> rest = sound->Finish().value();
    wave.insert(wave.end(), rest.begin(), rest.end());
    double most = 0;
    for (size_t i = 0; i < wave.size(); ++i) most = std::max<double>(most, std::fabs(back.channel(0)[i] - wave[i]));
    EXPECT_EQ(static_cast<int64_t>(wave.size()), back.frames());
    EXPECT_LT(most, 1e-5);
    return absl::OkStatus();
  });
  EXPECT_TRUE(same.ok()) << same;
}

TEST(MusicgenCodecTest, LeftAndRightTakeTurns) {
  GRYM_NEED_PEER();
  const auto codec = CodingModel("musicgen-stereo-tiny")->NewCodec().value();  // which keeps its model
  ASSERT_EQ(codec->channels(), 2);
  ASSERT_EQ(codec->books(), 8);
  const AudioCodes both = codec->Encode(Tones(2, 5), {}).value();
  ASSERT_EQ(both.books, 8);
  const AudioBuffer sound = codec->Decode(both, {}).value();
  ASSERT_EQ(sound.channels(), 2);
  for (int side = 0; side < 2; ++side) {
    const AudioCodes alone = codec->Encode(Tones(1, 5, side), {}).value();  // the same on both sides
    for (int64_t book = 0; book < 8; ++book)
      EXPECT_EQ(BookOf(alone, book), BookOf(both, book / 2 * 2 + side)) << book;
    const AudioBuffer one = codec->Decode(alone, {}).value();
    EXPECT_TRUE(std::ranges::equal(one.channel(0), sound.channel(side)));
    EXPECT_TRUE(std::ranges::equal(one.channel(1), sound.channel(side)));
  }
  EXPECT_FALSE(std::ranges::equal(sound.channel(0), sound.channel(1)));
  AudioCodes coarse = both;
  coarse.books = 3;
  coarse.values.resize(static_cast<size_t>(3 * both.frames));
  const auto refused = codec->Decode(coarse, {}).status();
  EXPECT_EQ(ErrorCode(refused), "bad_codes");
  EXPECT_THAT(refused.message(), HasSubstr("each of 2 streams, got 3"));
  coarse.books = 2;
  coarse.values.resize(static_cast<size_t>(2 * both.frames));
  EXPECT_TRUE(codec->Decode(coarse, {}).ok());
}

// What generating has loaded is not loaded again, what coding has loaded is idle after it, and a byte less is refused.
TEST(MusicgenCodecTest, SharesWeightsAndKeepsToTheBudget) {
  GRYM_NEED_PEER();
  const auto budget = std::make_shared<MemoryBudget>(int64_t{1} << 30);
  const auto model = CodingModel("musicgen-tiny", budget);
  GenerateAudioRequest request;
  request.prompt = "a slow waltz";
  request.duration_s = 0.5;
  request.seed = 1;
  ASSERT_TRUE(model->NewGenerator().value()->Generate(request, {}).ok());
  const int64_t loaded = budget->used_bytes();
  const AudioCodes codes{4, 30, std::vector<int32_t>(120, 3), 50, 0};
  ASSERT_TRUE(model->NewCodec().value()->Decode(codes, {}).ok());
  EXPECT_EQ(budget->used_bytes(), loaded);
  ASSERT_TRUE(model->NewCodec().value()->Encode(Tones(1, 1), {}).ok());
  EXPECT_GT(budget->used_bytes(), loaded);
  EXPECT_EQ(model->nets().Idle(false), budget->used_bytes());

  const auto tight = std::make_shared<MemoryBudget>(1000);
  const auto small = CodingModel("musicgen-tiny", tight);
  const std::string told(small->NewCodec().value()->Decode(codes, {}).status().message());
  EXPECT_THAT(told, HasSubstr("1000"));
  int64_t low = 1000, high = int64_t{1} << 30;
  while (low < high) {
    const int64_t middle = (low + high) / 2;
    tight->SetLimit(middle);
    const auto status = small->NewCodec().value()->Decode(codes, {}).status();
    EXPECT_EQ(ErrorCode(status), status.ok() ? "ok" : "over_budget");
    small->nets().Drop(MusicgenNets::kAll);
    (status.ok() ? high : low) = status.ok() ? middle : middle + 1;
  }
  tight->SetLimit(low);
  tight->ResetPeak();
  ASSERT_TRUE(small->NewCodec().value()->Decode(codes, {}).ok());
  EXPECT_LE(tight->peak_bytes(), low);
  EXPECT_GE(static_cast<double>(tight->peak_bytes()), 0.9 * static_cast<double>(low));
}

}  // namespace
}  // namespace grym
