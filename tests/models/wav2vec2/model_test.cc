#include "models/wav2vec2/model.h"

#include <cmath>
#include <fstream>

#include "gmock/gmock.h"
#include "grymsynth/error.h"
#include "gtest/gtest.h"
#include "support/host_callback.h"
#include "support/peer.h"
#include "support/scratch.h"

namespace grym {
namespace {

using ::testing::HasSubstr;
using testing::PeerCheckpoint;

// A rising tone over a falling one, at 0.4 of full scale, with a click every half second.
AudioBuffer Sound(double seconds, int rate_hz = 16'000, int channels = 1) {
  auto audio = AudioBuffer::Create(channels, static_cast<int64_t>(seconds * rate_hz), rate_hz).value();
  for (int channel = 0; channel < channels; ++channel) {
    const auto samples = audio.mutable_channel(channel);
    for (size_t i = 0; i < samples.size(); ++i) {
      const double t = static_cast<double>(i) / rate_hz;
      samples[i] = static_cast<float>(0.2 * std::sin(6.283 * (200 + 30 * t) * t) +
                                      0.2 * std::sin(6.283 * (3000 - 20 * t) * t) * std::sin(9 * t) +
                                      (std::fmod(t, 0.5) < 0.001 ? 0.3 : 0.0));
    }
  }
  return audio;
}

absl::StatusOr<std::shared_ptr<const Wav2Vec2Model>> OpenTiny(const std::filesystem::path& folder,
                                                              const OpenModelOptions& options = {},
                                                              std::shared_ptr<MemoryBudget> budget = nullptr) {
  GRYM_ASSIGN_OR_RETURN(const ModelFolder opened, ModelFolder::Open(folder));
  GRYM_ASSIGN_OR_RETURN(const ModelContext context, ModelContext::Make(options, std::move(budget)));
  return Wav2Vec2Model::Open(opened, context);
}

TEST(Wav2Vec2ModelTest, EmbedsAnyRateAndChannelsAtUnitLength) {
  GRYM_NEED_PEER();
  const auto model = OpenTiny(PeerCheckpoint("wav2vec2-tiny")).value();
  EXPECT_EQ(model->info().id, "wav2vec2-tiny");
  EXPECT_EQ(model->info().capabilities, std::vector<Capability>{Capability::kEmbedAudio});
  const auto embedder = model->NewEmbedder().value();
  const auto mono = embedder->Embed(Sound(1.5), {}).value();
  ASSERT_EQ(static_cast<int>(mono.size()), embedder->dims());
  double squares = 0;
  for (const float value : mono) squares += static_cast<double>(value) * value;
  EXPECT_NEAR(squares, 1, 1e-5);
  EXPECT_EQ(embedder->Embed(Sound(1.5, 16'000, 2), {}).value(), mono);  // equal channels
  const auto studio = embedder->Embed(Sound(1.5, 48'000, 2), {}).value();
  double cosine = 0;
  for (size_t i = 0; i < mono.size(); ++i) cosine += static_cast<double>(mono[i]) * studio[i];
  EXPECT_GT(cosine, 0.999);
  EXPECT_EQ(ErrorCode(embedder->EmbedText("a dog", {}).status()), "no_text");
}

TEST(Wav2Vec2ModelTest, SilenceIsHeardAndTooShortIsAnError) {
  GRYM_NEED_PEER();
  const auto model = OpenTiny(PeerCheckpoint("wav2vec2-tiny")).value();
  const auto embedder = model->NewEmbedder().value();
  const auto silence = AudioBuffer::Create(1, 16'000, 16'000).value();
  EXPECT_TRUE(embedder->Embed(silence, {}).ok());
  EXPECT_TRUE(embedder->Embed(AudioBuffer::Create(1, 400, 16'000).value(), {}).ok());
  for (const int64_t frames : {0, 1, 399}) {
    const auto status = embedder->Embed(AudioBuffer::Create(1, frames, 16'000).value(), {}).status();
    EXPECT_EQ(ErrorCode(status), "audio_too_short");
    EXPECT_THAT(status.message(), HasSubstr("at least 400"));
  }
}

// The convolutions answer the same in a window as in the whole; behind them attention differs, by what lies outside.
TEST(Wav2Vec2ModelTest, WindowsAgreeWithTheWhole) {
  GRYM_NEED_PEER();
  for (const char* preset : {"wav2vec2-ctc-tiny", "wav2vec2-stable-tiny"}) {
    const auto model = OpenTiny(PeerCheckpoint(preset)).value();
    const AudioBuffer audio = Sound(20);
    const Wav2Vec2Wants wants{.extract_features = true, .hidden_states = true, .logits = true};
    const auto whole = model->NewSession()->Listen(audio, wants, true, {}).value();
    const auto cut = model->NewSession({.longest_s = 8, .context_s = 1})->Listen(audio, wants, true, {}).value();
    EXPECT_EQ(whole.windows, 1);
    EXPECT_EQ(cut.windows, 3);
    const auto distance = [](const FloatArray& a, const FloatArray& b) {
      EXPECT_EQ(a.shape, b.shape);
      double ab = 0, aa = 0, bb = 0, most = 0, largest = 0;
      for (size_t i = 0; i < a.values.size(); ++i) {
        ab += static_cast<double>(a.values[i]) * b.values[i];
        aa += static_cast<double>(a.values[i]) * a.values[i];
        bb += static_cast<double>(b.values[i]) * b.values[i];
        most = std::max(most, std::fabs(static_cast<double>(a.values[i]) - b.values[i]));
        largest = std::max(largest, std::fabs(static_cast<double>(b.values[i])));
      }
      return testing::Distance{ab / std::sqrt(aa * bb), most / largest, 0};
    };
    // Exact but for the order of sums: nothing before attention sees more than the context.
    EXPECT_LE(distance(cut.extract_features, whole.extract_features).max_relative_error, 1e-5) << preset;
    EXPECT_LE(distance(cut.hidden_states[0], whole.hidden_states[0]).max_relative_error, 1e-5) << preset;
    EXPECT_GE(distance(cut.hidden_states[1], whole.hidden_states[1]).cosine, 0.99) << preset;
    EXPECT_GE(distance(cut.last_hidden_state, whole.last_hidden_state).cosine, 0.99) << preset;
    EXPECT_EQ(cut.ctc_ids.size(), whole.ctc_ids.size());
  }
}

TEST(Wav2Vec2ModelTest, MemoryIsAsPlannedAndFlatWithLength) {
  GRYM_NEED_PEER();
  for (const char* preset : {"wav2vec2-tiny", "wav2vec2-stable-tiny"}) {
    for (const char* dtype : {"float32", "bfloat16", "int8", "int4"}) {
      SCOPED_TRACE(std::string(preset) + " " + dtype);
      const auto budget = std::make_shared<MemoryBudget>(int64_t{1} << 32);
      const auto model = OpenTiny(PeerCheckpoint(preset), {.dtype = dtype}, budget).value();
      EXPECT_EQ(budget->used_bytes(), 0);
      const auto session = model->NewSession();
      ASSERT_TRUE(session->Embed(Sound(0.1), {}).ok());
      EXPECT_EQ(budget->used_bytes(), model->info().weights_bytes);
      for (const double seconds : {2.0, 10.0, 30.0, 70.0}) {
        budget->ResetPeak();
        ASSERT_TRUE(session->Embed(Sound(seconds), {}).ok());
        const int64_t planned = model->PlanToHear(seconds).peak_bytes() - model->info().weights_bytes;
        const int64_t measured = budget->peak_bytes() - model->info().weights_bytes;
        EXPECT_LE(measured, planned) << seconds;
        EXPECT_GE(static_cast<double>(measured), 0.9 * static_cast<double>(planned)) << seconds;
      }
      model->Unload();
      EXPECT_EQ(budget->used_bytes(), 0);
    }
  }
}

TEST(Wav2Vec2ModelTest, LoadingTakesNoMoreThanTheWeights) {
  GRYM_NEED_PEER();
  const auto budget = std::make_shared<MemoryBudget>(int64_t{1} << 32);
  const auto model = OpenTiny(PeerCheckpoint("wav2vec2-stable-tiny"), {}, budget).value();
  for (int i = 0; i < 3; ++i) {
    budget->ResetPeak();
    RunOptions run;
    run.progress = [&](const Progress& now) {
      EXPECT_TRUE(testing::IsTheHostsOwn()) << now.stage;
      if (now.stage == "encode" && now.fraction < 0.06) run.cancel.Cancel();
    };
    // Nearly nothing is heard before the token is noticed: the peak is loading's.
    EXPECT_EQ(model->NewSession()->Embed(Sound(0.03), run).status().code(), absl::StatusCode::kCancelled);
    EXPECT_LE(budget->peak_bytes(), model->info().weights_bytes * 105 / 100);
    model->Unload();
    EXPECT_EQ(budget->used_bytes(), 0);
  }
}

TEST(Wav2Vec2ModelTest, ABudgetOfThePlanSufficesAndAByteLessIsRefused) {
  GRYM_NEED_PEER();
  const auto folder = PeerCheckpoint("wav2vec2-tiny");
  const AudioBuffer audio = Sound(3);
  const auto plenty = std::make_shared<MemoryBudget>(int64_t{1} << 32);
  const auto free = OpenTiny(folder, {}, plenty).value();
  const auto want = free->NewSession()->Embed(audio, {}).value();
  const int64_t enough = free->PlanToHear(3).peak_bytes();

  const auto budget = std::make_shared<MemoryBudget>(enough);
  const auto model = OpenTiny(folder, {}, budget).value();
  EXPECT_EQ(model->NewSession()->Embed(audio, {}).value(), want);
  budget->SetLimit(enough - 1);
  const auto refused = model->NewSession()->Embed(audio, {}).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);  // with two layers there is nothing to stream
  EXPECT_EQ(ErrorCode(refused), "over_budget");
  EXPECT_THAT(refused.message(), HasSubstr(std::to_string(enough)));
  EXPECT_THAT(refused.message(), HasSubstr(std::to_string(enough - 1)));
  EXPECT_EQ(budget->used_bytes(), model->info().weights_bytes);

  const auto small = std::make_shared<MemoryBudget>(free->PlanToHear(0.025).peak_bytes() - 1);
  EXPECT_EQ(ErrorCode(OpenTiny(folder, {}, small).status()), "over_budget");
  EXPECT_EQ(small->used_bytes(), 0);
  const auto lower = OpenTiny(folder, {.may_lower_precision = true}, small);
  ASSERT_TRUE(lower.ok()) << lower.status();
  EXPECT_EQ((*lower)->precision(), Precision::kBFloat16);
  EXPECT_EQ((*lower)->PlanToHear(0.025).levers, std::vector<std::string>{"lowered precision to bfloat16"});
}

TEST(Wav2Vec2ModelTest, CancelsInEveryPhaseAndGivesBack) {
  GRYM_NEED_PEER();
  const auto budget = std::make_shared<MemoryBudget>(int64_t{1} << 32);
  const auto model = OpenTiny(PeerCheckpoint("wav2vec2-tiny"), {}, budget).value();
  ASSERT_TRUE(model->NewSession()->Embed(Sound(1), {}).ok());
  for (const char* stage : {"measure", "load", "encode"}) {
    RunOptions run;
    run.progress = [&](const Progress& now) {
      if (now.stage == stage) run.cancel.Cancel();
    };
    EXPECT_EQ(model->NewSession()->Embed(Sound(70), run).status().code(), absl::StatusCode::kCancelled) << stage;
    EXPECT_EQ(budget->used_bytes(), model->info().weights_bytes) << stage;
  }
}

TEST(Wav2Vec2ModelTest, WritesWhatItsLettersSay) {
  GRYM_NEED_PEER();
  const auto folder = PeerCheckpoint("wav2vec2-ctc-tiny");
  const auto model = OpenTiny(folder).value();
  const auto letters = OpenTokenizer(folder).value();
  for (const double seconds : {0.1, 3.0, 70.0}) {
    const AudioBuffer audio = Sound(seconds);
    const auto heard = model->NewSession()->Listen(audio, {.logits = true}, false, {}).value();
    const auto text = model->NewEmbedder().value()->Transcribe(audio, {});
    ASSERT_TRUE(text.ok()) << text.status();
    // The ids are compared with the reference's in net_test.cc, decoding in the tests of `text`.
    EXPECT_EQ(*text, letters->Decode(heard.ctc_ids).value());
    EXPECT_EQ(letters->Decode(CollapseCtc(heard.ctc_ids, model->config().blank)).value().empty(), text->empty());
  }
  const auto hears = OpenTiny(PeerCheckpoint("wav2vec2-tiny")).value()->NewEmbedder().value()->Transcribe(Sound(1), {});
  EXPECT_EQ(hears.status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(ErrorCode(hears.status()), "no_transcription");

  const testing::Scratch scratch;
  std::filesystem::copy(folder, scratch / "copy", std::filesystem::copy_options::recursive);
  std::filesystem::remove(std::filesystem::path(scratch / "copy") / "vocab.json");
  std::filesystem::remove(std::filesystem::path(scratch / "copy") / "tokenizer.json");
  const auto mute = OpenTiny(scratch / "copy").value();
  EXPECT_TRUE(mute->NewEmbedder().value()->Embed(Sound(1), {}).ok());
  EXPECT_EQ(mute->NewEmbedder().value()->Transcribe(Sound(1), {}).status().code(), absl::StatusCode::kNotFound);
}

TEST(Wav2Vec2ModelTest, RefusesAConfigOfAnotherModelAndWeightsThatDoNotFit) {
  GRYM_NEED_PEER();
  const auto folder = PeerCheckpoint("wav2vec2-tiny");
  const testing::Scratch scratch;
  std::filesystem::copy(folder, scratch / "copy", std::filesystem::copy_options::recursive);
  std::ifstream in(folder / "config.json");
  std::string text(std::istreambuf_iterator<char>(in), {});
  const auto write = [&](const std::string& from, const std::string& to) {
    std::string changed = text;
    changed.replace(changed.find(from), from.size(), to);
    std::ofstream(std::filesystem::path(scratch / "copy") / "config.json") << changed;
  };
  write("\"intermediate_size\": 64", "\"intermediate_size\": 96");
  const auto wide = OpenTiny(scratch / "copy");
  ASSERT_TRUE(wide.ok()) << wide.status();  // nothing of the weights is read yet
  const auto status = (*wide)->NewSession()->Embed(Sound(1), {}).status();
  EXPECT_EQ(ErrorCode(status), "bad_weights");
  EXPECT_THAT(status.message(), HasSubstr("[96, 32]"));
  write("\"hidden_size\": 32", "\"hidden_size\": \"x\"");
  EXPECT_EQ(ErrorCode(OpenTiny(scratch / "copy").status()), "bad_config");
  std::filesystem::remove(std::filesystem::path(scratch / "copy") / "model.safetensors");
  write("\"hidden_size\": 32", "\"hidden_size\": 32");
  EXPECT_EQ(ErrorCode(OpenTiny(scratch / "copy").status()), "no_weights");
}

}  // namespace
}  // namespace grym
