#include "models/musicgen/generator.h"

#include <gmock/gmock.h>

#include <cmath>

#include "base/json.h"
#include "fake_nets.h"
#include "grymsynth/error.h"
#include "grymsynth/midi.h"
#include "support/host_callback.h"
#include "support/scratch.h"

namespace grym {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::FakeNets;
using testing::FakeShape;
using testing::Scratch;

struct Fake {
  explicit Fake(int channels = 1, bool melody = false, int64_t budget_bytes = 1 << 20, std::string print = "abc123") {
    nets = std::make_shared<FakeNets>(FakeShape(channels, melody), std::move(print));
    OpenModelOptions options;
    options.device = "cpu";
    auto context = ModelContext::Make(options, std::make_shared<MemoryBudget>(budget_bytes));
    EXPECT_TRUE(context.ok()) << context.status();
    model = MusicgenModel::Make("fake", nets, *context, {});
    generator = model->NewGenerator().value();
  }
  std::shared_ptr<FakeNets> nets;
  std::shared_ptr<const MusicgenModel> model;
  std::unique_ptr<Generator> generator;
};

GenerateAudioRequest Request(double duration_s, const std::string& prompt = "a waltz", int64_t seed = 5) {
  GenerateAudioRequest request;
  request.prompt = prompt;
  request.duration_s = duration_s;
  request.seed = seed;
  return request;
}

std::vector<float> Samples(const AudioBuffer& audio) { return {audio.planar().begin(), audio.planar().end()}; }

void Join(const AudioBuffer& more, AudioBuffer& all) {
  if (all.empty()) {
    all = more;
  } else if (!more.empty()) {
    EXPECT_TRUE(all.Append(more).ok());
  }
}

AudioBuffer Drain(GenerationStream& stream, int64_t most_blocks = INT64_MAX) {
  AudioBuffer all;
  for (int64_t i = 0; i < most_blocks; ++i) {
    auto block = stream.Next({});
    EXPECT_TRUE(block.ok()) << block.status();
    if (!block.ok() || block->empty()) break;
    Join(*block, all);
  }
  return all;
}

AudioBuffer Ramp(double seconds, int rate_hz = 8000, int channels = 1) {
  auto ramp = AudioBuffer::Create(channels, static_cast<int64_t>(seconds * rate_hz), rate_hz).value();
  for (int c = 0; c < channels; ++c) {
    auto samples = ramp.mutable_channel(c);
    for (size_t i = 0; i < samples.size(); ++i) samples[i] = 0.3f * std::sin(0.17f * static_cast<float>(i));
  }
  return ramp;
}

TEST(MusicgenGeneratorTest, MakesWhatWasAskedFor) {
  Fake fake(2);
  const auto result = fake.generator->Generate(Request(3.33), {});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->audio.channels(), 2);
  EXPECT_EQ(result->audio.frames(), 26640);
  EXPECT_EQ(result->audio.rate_hz(), 8000);
  EXPECT_EQ(result->provenance.seed, 5);
  EXPECT_EQ(result->provenance.model, "fake");
  EXPECT_THAT(result->provenance.request_json, HasSubstr("\"guidance\":3"));
  EXPECT_EQ(result->facts.at("frames"), "167");
  EXPECT_EQ(result->facts.at("windows"), "1");
  EXPECT_EQ(result->facts.count("tokens_per_second"), 1u);
  EXPECT_THAT(result->warnings, IsEmpty());
  EXPECT_EQ(fake.nets->record.texts, 1);
}

TEST(MusicgenGeneratorTest, StreamsWhatItGenerates) {
  for (const char* fade : {"0", "0.4"}) {
    Fake fake(2);
    GenerateAudioRequest request = Request(47);
    request.parameters = {{"crossfade_s", fade}, {"extend_stride_s", "9"}};
    const auto result = fake.generator->Generate(request, {});
    ASSERT_TRUE(result.ok()) << result.status();
    auto stream = fake.generator->Stream(request).value();
    EXPECT_EQ(ErrorCode(stream->Finish().status()), "not_finished");
    auto first = stream->Next({}).value();
    EXPECT_GT(first.frames(), 0);
    ASSERT_TRUE(first.Append(Drain(*stream)).ok());
    EXPECT_EQ(Samples(first), Samples(result->audio));
    const auto finished = stream->Finish();
    ASSERT_TRUE(finished.ok()) << finished.status();
    EXPECT_EQ(finished->facts.at("windows"), result->facts.at("windows"));
    EXPECT_EQ(finished->facts.at("seam_ratio"), result->facts.at("seam_ratio"));
    EXPECT_EQ(finished->facts.count("first_sound_s"), 1u);
    EXPECT_TRUE(finished->audio.empty());
    EXPECT_TRUE(stream->Next({}).value().empty());
  }
}

TEST(MusicgenGeneratorTest, FirstSoundNeedsNoMoreThanOneAndAHalfSecondsOfCodes) {
  Fake fake;
  auto stream = fake.generator->Stream(Request(20)).value();
  ASSERT_FALSE(stream->Next({}).value().empty());
  EXPECT_LE(fake.nets->record.steps, 75);
}

TEST(MusicgenGeneratorTest, CancelledWithinATokenAndLosesNothing) {
  Fake fake;
  const auto wanted = fake.generator->Generate(Request(4), {});
  auto stream = fake.generator->Stream(Request(4)).value();
  AudioBuffer all;
  // Cancelled from the progress, which is told after a step: no other step follows.
  for (int i = 0; i < 40; ++i) {
    RunOptions once;
    once.progress = [&once](const Progress&) {
      EXPECT_TRUE(testing::IsTheHostsOwn());
      once.cancel.Cancel();
    };
    auto block = stream->Next(once);
    if (block.ok()) {
      Join(*block, all);
      continue;
    }
    ASSERT_TRUE(absl::IsCancelled(block.status())) << block.status();
  }
  Join(Drain(*stream), all);
  EXPECT_EQ(Samples(all), Samples(wanted->audio));
  RunOptions stopped;
  stopped.progress = [](const Progress&) { EXPECT_TRUE(testing::IsTheHostsOwn()); };
  EXPECT_EQ(Samples(fake.generator->Generate(Request(4), stopped)->audio), Samples(wanted->audio));
  stopped.cancel.Cancel();
  EXPECT_TRUE(absl::IsCancelled(fake.generator->Generate(Request(4), stopped).status()));
}

TEST(MusicgenGeneratorTest, ResumesInAnotherProcessToTheSameSound) {
  const Scratch scratch;
  for (const char* fade : {"0", "0.3"}) {
    GenerateAudioRequest request = Request(70);
    request.parameters = {{"crossfade_s", fade}};
    request.reference_buffer = Ramp(3);
    const auto wanted = Fake(2).generator->Generate(request, {});
    ASSERT_TRUE(wanted.ok()) << wanted.status();
    for (const int blocks : {1, 17, 33, 50}) {
      Fake first(2), second(2);
      auto stream = first.generator->Stream(request).value();
      AudioBuffer all = Drain(*stream, blocks);
      ASSERT_TRUE(stream->Save(scratch / "saved").ok());
      auto resumed = second.generator->Resume(scratch / "saved");
      ASSERT_TRUE(resumed.ok()) << resumed.status();
      ASSERT_TRUE((*resumed)->Save(scratch / "again").ok());  // nothing was done in between
      const int64_t pushed = first.nets->record.pushed;
      const AudioBuffer rest = Drain(**resumed);
      ASSERT_FALSE(rest.empty());
      // Where windows do not cross over the codec is given nothing twice.
      if (fade[1] == 0) {
        EXPECT_EQ(second.nets->record.pushed, 70 * 50 - pushed);
      }
      ASSERT_TRUE(all.Append(rest).ok());
      EXPECT_EQ(Samples(all), Samples(wanted->audio)) << blocks << " " << fade;
      EXPECT_EQ(second.nets->record.encodes, 0);
      auto finished = (*resumed)->Finish();
      ASSERT_TRUE(finished.ok()) << finished.status();
      EXPECT_EQ(finished->facts.at("seam_ratio"), wanted->facts.at("seam_ratio"));
      auto third = Fake(2);
      const AudioBuffer again = Drain(*third.generator->Resume(scratch / "again").value());
      EXPECT_EQ(Samples(again), Samples(rest));
    }
  }
}

TEST(MusicgenGeneratorTest, StatesOfOthersAndDamagedOnesAreRefused) {
  const Scratch scratch;
  Fake fake;
  auto stream = fake.generator->Stream(Request(3)).value();
  EXPECT_EQ(ErrorCode(stream->Save(scratch / "early")), "not_started");
  Drain(*stream, 1);
  ASSERT_TRUE(stream->Save(scratch / "saved").ok());
  EXPECT_EQ(ErrorCode(Fake(1, false, 1 << 20, "other").generator->Resume(scratch / "saved").status()), "other_model");
  EXPECT_TRUE(absl::IsNotFound(fake.generator->Resume(scratch / "nothing").status()));
}

TEST(MusicgenGeneratorTest, ABatchIsEachAlone) {
  Fake fake;
  std::vector<GenerateAudioRequest> requests = {Request(3), Request(5, "another prompt", 6), Request(2, "", 7),
                                                Request(4, "greedy", 8), Request(3, "faded", 9)};
  requests[3].temperature = 0;
  requests[1].guidance = 1;
  requests[4].parameters = {{"crossfade_s", "1"}};
  const auto together = fake.generator->GenerateBatch(requests, {});
  ASSERT_TRUE(together.ok()) << together.status();
  EXPECT_EQ(fake.nets->record.most_rows, 6);  // 2 + 1 + 1 + 2; the faded one stands alone
  ASSERT_EQ(together->size(), 5u);
  for (size_t i = 0; i < requests.size(); ++i) {
    const auto alone = Fake().generator->Generate(requests[i], {});
    EXPECT_EQ(Samples((*together)[i].audio), Samples(alone->audio)) << i;
    EXPECT_EQ((*together)[i].provenance.request_json, alone->provenance.request_json);
  }
}

TEST(MusicgenGeneratorTest, ABatchIsAsWideAsTheBudgetAllows) {
  // Weights 6,700 and working set 180 at least; a guided row pair of 3 s takes 4 * 2 * 154 = 1,232 of cache.
  Fake fake(1, false, 9500);
  const std::vector<GenerateAudioRequest> requests(4, Request(3));
  const auto together = fake.generator->GenerateBatch(requests, {});
  ASSERT_TRUE(together.ok()) << together.status();
  EXPECT_EQ(fake.nets->record.most_rows, 4);
}

TEST(MusicgenGeneratorTest, OverTheBudgetIsSaidBeforeAnythingIsLoaded) {
  Fake fake(1, false, 6000);
  const absl::Status status = fake.generator->Generate(Request(3), {}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ErrorCode(status), "over_budget");
  EXPECT_EQ(fake.nets->record.texts, 0);
  // Room for all but the text encoder beside the rest.
  Fake tight(1, false, 7300);
  ASSERT_TRUE(tight.generator->Generate(Request(3), {}).ok());
  EXPECT_TRUE(tight.nets->record.dropped & MusicgenNets::kText);
  EXPECT_EQ(tight.nets->record.held, 0);
  Fake roomy(1, false, 9000);
  ASSERT_TRUE(roomy.generator->Generate(Request(3), {}).ok());
  EXPECT_EQ(roomy.nets->record.dropped, 0);
  EXPECT_EQ(roomy.nets->record.held, MusicgenNets::kText | MusicgenNets::kNetwork | MusicgenNets::kSound);
}

TEST(MusicgenGeneratorTest, ContinuesARecording) {
  Fake fake;
  GenerateAudioRequest request = Request(4);
  request.reference_buffer = Ramp(2, 16000, 2);
  const auto result = fake.generator->Generate(request, {});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->audio.frames(), 32000);
  EXPECT_EQ(fake.nets->record.encodes, 1);
  EXPECT_EQ(fake.nets->record.steps, 102);  // 2 s are there; the last of 103 columns is taken in by nobody
  request.reference_buffer = Ramp(5);
  EXPECT_EQ(ErrorCode(fake.generator->Generate(request, {}).status()), "prompt_too_long");
  request.parameters = {{"prompt_s", "1"}};
  EXPECT_TRUE(fake.generator->Generate(request, {}).ok());
  request.reference_buffer = AudioBuffer();
  EXPECT_EQ(ErrorCode(fake.generator->Generate(request, {}).status()), "no_frames");
}

TEST(MusicgenGeneratorTest, TwoMelodiesTwoPieces) {
  const Scratch scratch;
  Fake fake(1, true);
  const auto midi = [&scratch](int pitch) {
    Midi piece;
    piece.tracks.resize(1);
    piece.notes = {{0, 1, pitch, 90, 0, 0}, {1, 1, pitch + 3, 90, 0, 0}};
    const auto path = scratch / ("tune" + std::to_string(pitch) + ".mid");
    EXPECT_TRUE(SaveMidi(path, piece).ok());
    return path.string();
  };
  GenerateAudioRequest request = Request(2);
  request.temperature = 0;
  const auto plain = fake.generator->Generate(request, {});
  request.reference_midi = midi(60);
  const auto one = fake.generator->Generate(request, {});
  ASSERT_TRUE(one.ok()) << one.status();
  request.reference_midi = midi(64);
  const auto other = fake.generator->Generate(request, {});
  EXPECT_NE(Samples(plain->audio), Samples(one->audio));
  EXPECT_NE(Samples(one->audio), Samples(other->audio));
  request.reference_midi.clear();
  request.reference_buffer = Ramp(3, 8000);
  const auto heard = fake.generator->Generate(request, {});
  ASSERT_TRUE(heard.ok()) << heard.status();
  EXPECT_EQ(fake.nets->record.encodes, 0);
  request.parameters = {{"reference_use", "continue"}};
  request.duration_s = 5;
  ASSERT_TRUE(fake.generator->Generate(request, {}).ok());
  EXPECT_EQ(fake.nets->record.encodes, 1);
}

TEST(MusicgenGeneratorTest, AMelodyWithoutNotesOrSoundIsRefused) {
  const Scratch scratch;
  Fake fake(1, true);
  Midi silent;
  silent.tracks.resize(1);
  ASSERT_TRUE(SaveMidi(scratch / "none.mid", silent).ok());
  GenerateAudioRequest request = Request(2);
  request.reference_midi = (scratch / "none.mid").string();
  EXPECT_EQ(ErrorCode(fake.generator->Generate(request, {}).status()), "no_notes");
  request.reference_midi.clear();
  request.reference_buffer = AudioBuffer::Create(1, 8000, 8000).value();
  EXPECT_EQ(ErrorCode(fake.generator->Generate(request, {}).status()), "silent_melody");
}

TEST(MusicgenGeneratorTest, NoPromptIsToldNothing) {
  Fake fake;
  GenerateAudioRequest request = Request(2, "");
  auto result = fake.generator->Generate(request, {});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(fake.nets->record.most_rows, 1);
  EXPECT_EQ(fake.nets->record.texts, 0);
  request.guidance = 4;
  result = fake.generator->Generate(request, {});
  ASSERT_EQ(result->warnings.size(), 1u);
  EXPECT_THAT(result->warnings[0], HasSubstr("guidance"));
}

TEST(MusicgenGeneratorTest, ALongPromptIsCutAndSaidSo) {
  Fake fake;
  const auto result = fake.generator->Generate(Request(1, std::string(600, 'x')), {});
  ASSERT_TRUE(result.ok()) << result.status();
  ASSERT_EQ(result->warnings.size(), 1u);
  EXPECT_THAT(result->warnings[0], HasSubstr("cut to 512 tokens, 89 were dropped"));
}

TEST(MusicgenGeneratorTest, ABudgetOfTokensShortensAndWarns) {
  Fake fake;
  GenerateAudioRequest request = Request(10);
  request.parameters = {{"token_budget", "103"}};
  const auto result = fake.generator->Generate(request, {});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->audio.frames(), 16000);
  ASSERT_EQ(result->warnings.size(), 1u);
  EXPECT_THAT(result->warnings[0], HasSubstr("token_budget"));
}

TEST(MusicgenGeneratorTest, BadDurationsAreRefusedAtOnce) {
  Fake fake;
  for (const double duration : {0.05, 601.0}) {
    EXPECT_EQ(ErrorCode(fake.generator->Generate(Request(duration), {}).status()), "bad_duration");
    EXPECT_EQ(ErrorCode(fake.generator->Stream(Request(duration)).status()), "bad_duration");
  }
}

TEST(MusicgenGeneratorTest, ABrokenStreamStaysBroken) {
  const Scratch scratch;
  Fake fake;
  fake.nets->record.fail_at_step = 60;
  auto stream = fake.generator->Stream(Request(5)).value();
  ASSERT_TRUE(stream->Next({}).ok());
  EXPECT_EQ(ErrorCode(stream->Next({}).status()), "non_finite_result");
  fake.nets->record.fail_at_step = -1;
  EXPECT_EQ(ErrorCode(stream->Next({}).status()), "non_finite_result");
  EXPECT_EQ(ErrorCode(stream->Save(scratch / "saved")), "stream_failed");
}

TEST(MusicgenModelTest, TellsWhatItHonours) {
  Fake fake(2), melody(1, true);
  const ModelInfo& info = fake.model->info();
  EXPECT_EQ(info.channels, 2);
  GenerateAudioRequest request = Request(2);
  request.top_k = 3;
  EXPECT_TRUE(CheckRequestForModel(info, request, nullptr).ok());
  request.reference_midi = "a.mid";
  EXPECT_EQ(ErrorCode(CheckRequestForModel(info, request, nullptr)), "unsupported_field");
  EXPECT_TRUE(CheckRequestForModel(melody.model->info(), request, nullptr).ok());
  request.negative_prompt = "drums";
  EXPECT_FALSE(CheckRequestForModel(melody.model->info(), request, nullptr).ok());
  for (const auto& [name, value] : {std::pair{"extend_stride_s", "40"}, std::pair{"crossfade_s", "-1"},
                                    std::pair{"token_budget", "x"}, std::pair{"prompt_s", "99"}}) {
    GenerateAudioRequest bad = Request(2);
    bad.parameters = {{name, value}};
    EXPECT_EQ(ErrorCode(CheckRequestForModel(info, bad, nullptr)), "bad_parameter") << name;
  }
}

TEST(MusicgenModelTest, PlansInPhasesAndCountsTheCache) {
  Fake fake;
  GenerateAudioRequest request = Request(3);
  const Json plan = *Json::Parse(fake.model->Plan(request).value());
  EXPECT_EQ(plan.at("schema").text(), "grymsynth.plan/1");
  ASSERT_EQ(plan.at("phases").size(), 3u);
  EXPECT_THAT(plan.Dump(), HasSubstr("cache of 1232 bytes for 2 rows of 154 steps"));
  const ResourceNeed need = fake.model->Need(request);
  EXPECT_EQ(need.weights_bytes, 6700);
  EXPECT_EQ(need.peak_bytes, 1232 + 100 + 50);
  request.reference_buffer = Ramp(2);
  EXPECT_EQ(Json::Parse(fake.model->Plan(request).value())->at("phases").size(), 4u);
}

}  // namespace
}  // namespace grym
