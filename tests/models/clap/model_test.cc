#include "models/clap/model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <regex>
#include <set>

#include "clap_peer.h"
#include "grymsynth/error.h"
#include "models/clap/style_prompts.h"

namespace grym::testing {
namespace {

using ::testing::HasSubstr;

absl::StatusOr<std::shared_ptr<const ClapModel>> OpenTiny(int64_t budget_bytes = 0, const std::string& dtype = "float32") {
  OpenModelOptions options;
  options.device = "cpu";
  options.dtype = dtype;
  options.budget_bytes = budget_bytes;
  const auto context = ModelContext::Make(options, nullptr);
  if (!context.ok()) return context.status();
  const auto folder = ModelFolder::Open(PeerCheckpoint("clap-tiny"));
  if (!folder.ok()) return folder.status();
  return ClapModel::Open(*folder, *context);
}

AudioBuffer Tone(double seconds, int rate_hz = 48000, double hz = 440) {
  std::vector<float> samples(static_cast<size_t>(seconds * rate_hz));
  for (size_t i = 0; i < samples.size(); ++i) {
    samples[i] = static_cast<float>(0.4 * std::sin(2 * M_PI * hz * static_cast<double>(i) / rate_hz));
  }
  return *AudioBuffer::FromPlanar(std::move(samples), 1, rate_hz);
}

double LengthOf(const std::vector<float>& vector) {
  double square = 0;
  for (const float value : vector) square += static_cast<double>(value) * value;
  return std::sqrt(square);
}

TEST(ClapModel, EmbedsAsTheReferenceFromTheWordsOn) {
  GRYM_NEED_PEER();
  const auto model = OpenTiny();
  ASSERT_TRUE(model.ok()) << model.status();
  const std::filesystem::path run = PeerRun(PeerCheckpoint("clap-tiny"), "short", {});
  const auto kept = TensorSet::Open(run);
  ASSERT_TRUE(kept.ok()) << kept.status();
  const auto embedder = (*model)->NewEmbedder();
  ASSERT_TRUE(embedder.ok());
  const auto text = (*embedder)->EmbedText("a dog barks twice in the distance while rain falls", {});
  ASSERT_TRUE(text.ok()) << text.status();
  ExpectSameStage("text", at::tensor(*text), PeerTensor(*kept, "text_embeds"));
  const at::Tensor sound = PeerTensor(*kept, "input.audio");
  std::vector<float> samples(sound.const_data_ptr<float>(), sound.const_data_ptr<float>() + sound.numel());
  const auto audio = (*embedder)->Embed(*AudioBuffer::FromPlanar(samples, 1, 48000), {});
  ASSERT_TRUE(audio.ok()) << audio.status();
  ExpectSameStage("audio", at::tensor(*audio), PeerTensor(*kept, "audio_embeds"));
  const double logit = (*model)->logit_scale() * at::tensor(*text).dot(at::tensor(*audio)).item<double>();
  EXPECT_NEAR(logit, PeerTensor(*kept, "logits_per_audio").item<double>(), 1e-3 * (*model)->logit_scale());
}

TEST(ClapModel, LongRecordingsOfAnyRateAreUnitVectorsAndReportProgress) {
  GRYM_NEED_PEER();
  const auto model = OpenTiny();
  ASSERT_TRUE(model.ok()) << model.status();
  const auto embedder = (*model)->NewEmbedder();
  double told = 0;
  RunOptions run;
  run.progress = [&](const Progress& progress) { told = progress.fraction; };
  const auto made = (*embedder)->Embed(Tone(23, 22050), run);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(made->size(), static_cast<size_t>((*embedder)->dims()));
  EXPECT_NEAR(LengthOf(*made), 1, 1e-5);
  EXPECT_GT(told, 0);
  const auto again = (*embedder)->Embed(Tone(23, 22050), {});
  EXPECT_EQ(*made, *again);
}

TEST(ClapModel, NamesStylesInTheVocabularyOfTheRules) {
  GRYM_NEED_PEER();
  const auto model = OpenTiny();
  ASSERT_TRUE(model.ok()) << model.status();
  const auto analyzer = (*model)->NewAnalyzer();
  const AudioBuffer audio = Tone(3), silence = *AudioBuffer::Create(2, 48000, 48000);
  const std::vector<AudioInput> inputs = {audio};
  const auto text = (*analyzer)->Hear(Capability::kClassifyStyle, inputs, {});
  ASSERT_TRUE(text.ok()) << text.status();
  const auto json = Json::Parse(*text);
  ASSERT_TRUE(json.ok());
  EXPECT_EQ(json->at("schema").text(), "grymsynth.style/1");
  EXPECT_EQ(json->at("method").text(), "clap");
  double sum = 0, before = 1;
  for (const Json& genre : json->at("genres").items()) {
    sum += genre.at("score").number();
    EXPECT_LE(genre.at("score").number(), before);
    before = genre.at("score").number();
  }
  EXPECT_NEAR(sum, 1, 1e-9);
  const std::vector<AudioInput> nothing = {silence};
  const auto quiet = (*analyzer)->Hear(Capability::kClassifyStyle, nothing, {});
  ASSERT_TRUE(quiet.ok()) << quiet.status();
  EXPECT_TRUE(Json::Parse(*quiet)->at("unsure").boolean());
  EXPECT_EQ(Json::Parse(*quiet)->at("genres").at(0).at("score").number(1), 0);
  EXPECT_EQ((*analyzer)->Hear(Capability::kAnalyze, inputs, {}).status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(ErrorCode((*analyzer)->Hear(Capability::kClassifyStyle, {}, {}).status()), "wrong_inputs");
}

// The rules stand in a room that this one does not see, so their source is read.
TEST(ClapStyle, PromptsAreOfTheRulesLabels) {
  std::ifstream file(std::string(GRYM_SOURCE_DIR) + "/src/analysis/style.cc");
  const std::string source(std::istreambuf_iterator<char>(file), {});
  const std::regex rule("\\{\"([a-z -]+)\", \\{\\{Facet::");
  std::set<std::string> wanted, got;
  for (std::sregex_iterator it(source.begin(), source.end(), rule), end; it != end; ++it) wanted.insert((*it)[1]);
  for (const auto& group : {GenrePrompts(), MoodPrompts(), TexturePrompts()}) {
    for (const StylePrompt& prompt : group) got.insert(prompt.label);
  }
  EXPECT_GT(wanted.size(), 30u);
  EXPECT_EQ(got, wanted);
}

TEST(ClapModel, BadInputsAreErrors) {
  GRYM_NEED_PEER();
  const auto model = OpenTiny();
  ASSERT_TRUE(model.ok()) << model.status();
  const auto embedder = (*model)->NewEmbedder();
  EXPECT_EQ(ErrorCode((*embedder)->Embed(*AudioBuffer::Create(1, 0, 48000), {}).status()), "no_frames");
  EXPECT_TRUE((*embedder)->EmbedText("", {}).ok());
  RunOptions stopped;
  stopped.cancel.Cancel();
  EXPECT_EQ((*embedder)->Embed(Tone(1), stopped).status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ((*embedder)->EmbedText("rain", stopped).status().code(), absl::StatusCode::kCancelled);
  std::string words;
  for (int i = 0; i < 2000; ++i) words += " rain";
  const auto cut = (*model)->Tokens(words);
  ASSERT_TRUE(cut.ok()) << cut.status();
  EXPECT_EQ(cut->ids.size(), 512u);
  EXPECT_EQ(cut->ids.back(), 2);
  EXPECT_GT(cut->dropped, 0);
  EXPECT_TRUE((*embedder)->EmbedText(words, {}).ok());
  EXPECT_EQ(ErrorCode(OpenTiny(0, "int8").status()), "unsupported_dtype");
}

TEST(ClapModel, KeepsToItsSmallestPlanByteForByte) {
  GRYM_NEED_PEER();
  const auto measure = OpenTiny();
  ASSERT_TRUE(measure.ok()) << measure.status();
  for (const double audio_s : {2.0, 23.0}) {
    const int64_t least = (*measure)->PlanFor({.audio_s = audio_s}).peak_bytes();
    const auto enough = OpenTiny(least), less = OpenTiny(least - 1);
    ASSERT_TRUE(enough.ok() && less.ok());
    const auto fits = (*(*enough)->NewEmbedder())->Embed(Tone(audio_s), {});
    EXPECT_TRUE(fits.ok()) << fits.status();
    const auto status = (*(*less)->NewEmbedder())->Embed(Tone(audio_s), {}).status();
    EXPECT_EQ(ErrorCode(status), "over_budget");
    EXPECT_THAT(std::string(status.message()), HasSubstr(std::to_string(least - 1)));
    EXPECT_EQ((*less)->context().budget->peak_bytes(), 0);
  }
}

TEST(ClapModel, DropsATowerForTheOther) {
  GRYM_NEED_PEER();
  const auto measure = OpenTiny();
  ASSERT_TRUE(measure.ok()) << measure.status();
  const int64_t one = std::max((*measure)->PlanFor({.audio_s = 2}).peak_bytes(),
                               (*measure)->PlanFor({.tokens = 512}).peak_bytes());
  const auto model = OpenTiny(one);
  ASSERT_TRUE(model.ok()) << model.status();
  const auto embedder = (*model)->NewEmbedder();
  for (int i = 0; i < 3; ++i) {
    const auto text = (*embedder)->EmbedText("rain falls", {});
    EXPECT_TRUE(text.ok()) << text.status();
    const auto audio = (*embedder)->Embed(Tone(2), {});
    EXPECT_TRUE(audio.ok()) << audio.status();
  }
}

TEST(ClapModel, PlansWhatItTakes) {
  GRYM_NEED_PEER();
  for (const char* dtype : {"float32", "bfloat16"}) {
    const auto model = OpenTiny(0, dtype);
    ASSERT_TRUE(model.ok()) << model.status();
    const auto embedder = (*model)->NewEmbedder();
    const std::shared_ptr<MemoryBudget> budget = (*model)->context().budget;
    ASSERT_TRUE((*embedder)->Embed(Tone(2), {}).ok());
    const MemoryPlan audio = (*model)->PlanFor({.audio_s = 2});
    EXPECT_EQ(budget->used_bytes(), audio.weights_bytes()) << dtype;
    budget->ResetPeak();
    ASSERT_TRUE((*embedder)->Embed(Tone(2), {}).ok());
    const double working = static_cast<double>(budget->peak_bytes() - budget->used_bytes());
    const auto told = static_cast<double>(audio.phases[0].working_bytes);
    EXPECT_LE(working, told) << dtype;
    EXPECT_GE(working, 0.9 * told) << dtype;
    ASSERT_TRUE((*embedder)->EmbedText("rain", {}).ok());
    EXPECT_EQ(budget->used_bytes(), (*model)->info().weights_bytes) << dtype;
  }
}

TEST(ClapConfig, NamesEveryFieldThatIsWrong) {
  const auto parse = [](const char* text) { return ParseClapConfig(*Json::Parse(text), "config.json").status(); };
  EXPECT_TRUE(parse("{}").ok());
  const absl::Status several = parse(R"({"text_config": {"hidden_size": "wide", "num_hidden_layers": 0},
                                         "audio_config": {"depths": 3}})");
  EXPECT_EQ(several.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ErrorProblems(several).size(), 3u);
  for (const char* clash :
       {R"({"text_config": {"num_attention_heads": 7}})", R"({"audio_config": {"depths": [2, 2]}})",
        R"({"audio_config": {"num_mel_bins": 60}})", R"({"audio_config": {"hidden_size": 760}})",
        R"({"audio_config": {"window_size": 16}})", R"({"audio_config": {"patch_size": 5}})"}) {
    EXPECT_EQ(parse(clash).code(), absl::StatusCode::kInvalidArgument) << clash;
  }
  EXPECT_EQ(ErrorCode(parse(R"({"audio_config": {"fusion_type": "channel_map"}})")), "unsupported_config");
  const auto known = ParseClapConfig(*Json::Parse(R"({"audio_config": {"alpha": 1}, "beta": 2})"), "config.json");
  EXPECT_THAT(known->ignored, ::testing::UnorderedElementsAre("audio_config/alpha", "beta"));
}

}  // namespace
}  // namespace grym::testing
